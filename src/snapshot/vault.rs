//! Reading a backup target.

use crate::model::{Blake3, Error, RelPath, Result, StoreErrorKind, Target, Time};
use crate::snapshot::{
    ChunkRef, Snapshot, SnapshotId, layout, object, read_prune_records, transport,
};
use crate::store::Store;
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// An id's time is the server's when it is committed, so LastModified is hardly any other: a night
/// of commits a second apart and a machine that fell asleep are allowed for.
const MISDATED: Duration = Duration::from_secs(24 * 60 * 60);

/// A backup target to read from. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    store: Arc<dyn Store>,
    target: Target,
}

/// A snapshot object in the listing: the oldest version of its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotRef {
    /// From the key.
    pub id: SnapshotId,
    /// Full key.
    pub key: String,
    /// The version that counts.
    pub version_id: String,
    /// By the server's clock.
    pub last_modified: Time,
    /// Bytes.
    pub size: u64,
}

impl SnapshotRef {
    /// Whether it was written long after the time of its id: forged to look like an old one, or by
    /// a machine that slept. It takes no other's place in the keep policy, and was not there yet
    /// at that time.
    pub fn is_backdated(&self) -> bool {
        let most = self.id.time().checked_add(MISDATED);
        most.is_ok_and(|most| self.last_modified > most)
    }
}

/// A snapshot that was read, or committed.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// What it says.
    pub snapshot: Snapshot,
    /// Of the snapshot object's bytes: what a child's `parent_blake3` is compared with.
    pub blake3: Blake3,
    /// Where it is.
    pub at: SnapshotRef,
}

impl Vault {
    /// Reads `target` through `store`.
    pub fn new(store: Arc<dyn Store>, target: Target) -> Self {
        Self { store, target }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The kept snapshots, ascending by id: all that are there and were not pruned, and those that
    /// no record can hide ([`Vault::never_dropped`]).
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self) -> Result<Vec<SnapshotRef>> {
        Ok(self.list_marked().await?.0)
    }

    /// The same, and which of them prune records name all the same: a prune was interrupted, or a
    /// record is forged.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_marked(&self) -> Result<(Vec<SnapshotRef>, HashSet<(SnapshotId, Blake3)>)> {
        let (mut all, records) =
            futures::future::try_join(self.list_all(), read_prune_records(self)).await?;
        let (mut dropped, mut named) = (HashSet::new(), HashSet::new());
        for record in records {
            let all = record.pending.iter().chain(&record.dropped);
            named.extend(all.map(|it| (it.id.clone(), it.blake3)));
            dropped.extend(record.dropped.into_iter().map(|it| it.id));
        }
        let stays = self.never_dropped(&all, &dropped).await?;
        all.retain(|at| !dropped.contains(&at.id) || stays.contains(&at.id));
        Ok((all, named))
    }

    /// Which of all snapshots, ascending by id, no prune record can hide: the newest, and the newest
    /// that is complete and not suspect. No prune drops those, so a record that names one is
    /// forged. Reads as few as it takes, and none where `dropped` names none that is there.
    ///
    /// # Errors
    /// The store's. One that can't be read does not count.
    pub async fn never_dropped(
        &self,
        all: &[SnapshotRef],
        dropped: &HashSet<SnapshotId>,
    ) -> Result<HashSet<SnapshotId>> {
        let mut stays: HashSet<SnapshotId> =
            all.last().map(|at| at.id.clone()).into_iter().collect();
        if !all.iter().any(|at| dropped.contains(&at.id)) {
            return Ok(stays);
        }
        for at in all.iter().rev() {
            let snapshot = match self.load(at).await {
                Ok(loaded) => loaded.snapshot,
                Err(Error::Store(error)) if error.kind != StoreErrorKind::NotFound => {
                    return Err(error.into());
                }
                Err(_) => continue,
            };
            if snapshot.complete && snapshot.suspect.is_none() {
                stays.insert(snapshot.id);
                break;
            }
        }
        Ok(stays)
    }

    /// All snapshots that are still there, ascending by id, dropped ones too. Of a key with several
    /// versions the oldest counts; delete markers change nothing. Those of a time to come are left
    /// out ([`apart_from_ahead`]).
    ///
    /// # Errors
    /// The store's.
    pub async fn list_all(&self) -> Result<Vec<SnapshotRef>> {
        let (all, ahead) = self.list_every().await?;
        for at in ahead {
            tracing::warn!(
                key = at.key,
                "a snapshot of a time to come: forged, ignored"
            );
        }
        Ok(all)
    }

    /// All snapshots as [`Vault::list_all`] has them, and those of a time to come.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_every(&self) -> Result<(Vec<SnapshotRef>, Vec<SnapshotRef>)> {
        let prefix = self.target.key(layout::SNAPSHOTS);
        let versions = transport::oldest_versions(&*self.store, &prefix).await?;
        let mut snapshots = Vec::with_capacity(versions.len());
        for version in versions {
            match layout::id_of(&self.target, layout::SNAPSHOTS, ".json", &version.key) {
                Some(id) => snapshots.push(SnapshotRef {
                    id,
                    key: version.key,
                    version_id: version.version_id,
                    last_modified: version.last_modified,
                    size: version.size,
                }),
                None => tracing::warn!(key = version.key, "not a snapshot; ignored"),
            }
        }
        snapshots.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(apart_from_ahead(snapshots))
    }

    /// Reads one snapshot object by its version.
    ///
    /// # Errors
    /// `Damage` where it is gone, too large, no snapshot, or its id is not that of its key; `Format`
    /// for what a newer version wrote.
    pub async fn load(&self, at: &SnapshotRef) -> Result<Loaded> {
        let place = format!("{}/{}", self.store.place(), at.key);
        if at.size > object::MAX_BYTES as u64 {
            let size = at.size;
            return Err(Error::Damage(format!(
                "{place}: {size} bytes are more than any snapshot object has; it is refused"
            )));
        }
        let (snapshot, body) = match self.decode(at).await {
            // Bytes may have been damaged on the way.
            Err(Error::Format(_) | Error::Damage(_)) => self.decode(at).await,
            decoded => decoded,
        }
        .map_err(|error| match error {
            Error::Format(why) => Error::Format(format!("{place}: {why}")),
            Error::Damage(why) => Error::Damage(format!("{place}: {why}")),
            other => other,
        })?;
        if snapshot.id != at.id {
            let id = &snapshot.id;
            return Err(Error::Damage(format!(
                "{place}: it says that it is snapshot {id}, so it is forged or was moved; \
                 restore another one with --snapshot"
            )));
        }
        Ok(Loaded {
            blake3: Blake3::of(&body),
            snapshot,
            at: at.clone(),
        })
    }

    async fn decode(&self, at: &SnapshotRef) -> Result<(Snapshot, Bytes)> {
        let version = Some(at.version_id.as_str());
        let fetched = self.store.get(&at.key, version, None).await?;
        Ok((Snapshot::decode(&fetched.body)?, fetched.body))
    }

    /// The highest id, suspect or not: the parent of the next snapshot. None in an empty vault.
    ///
    /// # Errors
    /// As [`Vault::load`].
    pub async fn latest(&self) -> Result<Option<Loaded>> {
        match self.list_all().await?.last() {
            Some(at) => self.load(at).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Sets those apart whose id is of a time that had not come when they were written. Only forgery
/// makes such a one, to be the latest for years; it counts as no snapshot.
///
/// `all` are in the order of ids. After a night with the store's clock far ahead the ids go on from
/// that night's, so what the store itself once took for its time had come. Nobody else dates
/// objects.
fn apart_from_ahead(all: Vec<SnapshotRef>) -> (Vec<SnapshotRef>, Vec<SnapshotRef>) {
    let mut come = Time::MIN;
    all.into_iter().partition(|at| {
        come = come.max(at.last_modified);
        let most = come.checked_add(MISDATED).unwrap_or(Time::MAX);
        at.id.time() <= most
    })
}

/// The chunks of a manifest that can name `folder` itself or paths below it.
pub fn chunks_within<'a>(manifest: &'a [ChunkRef], folder: &RelPath) -> &'a [ChunkRef] {
    // All of them lie between `folder` and `folder0`, since `0` follows `/`.
    let mut end = folder.as_bytes().to_vec();
    end.push(b'0');
    let to = manifest.partition_point(|chunk| chunk.first.as_bytes() < end.as_slice());
    let from = manifest[..to].partition_point(|chunk| chunk.first <= *folder);
    &manifest[from.saturating_sub(1)..to]
}
