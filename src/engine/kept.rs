//! All that the kept snapshots name, each chunk once.

use crate::model::{Blake3, Error, Result, StoreErrorKind, Stored, Time};
use crate::snapshot::{
    ChunkRef, Claims, Dropped, Finding, Link, Loaded, SnapshotId, SnapshotRef, Vault, check_chain,
    read_ledger, read_prunes,
};
use futures::stream::{self, StreamExt};
use std::collections::HashMap;
use std::time::Duration;

/// Snapshot objects fetched at a time; with a million files one is some hundred KB.
const AHEAD: usize = 8;

/// A snapshot that can't be read, and why.
pub type Unreadable = (SnapshotId, Error);

/// A chunk that kept snapshots name.
#[derive(Clone, Debug)]
pub struct NamedChunk {
    /// The chunk, `locked_until` being the latest claim of anybody.
    pub chunk: ChunkRef,
    /// Which of [`Kept::snapshots`] name it, ascending.
    pub snapshots: Vec<usize>,
}

impl NamedChunk {
    /// The chunk object as a version.
    pub fn stored(&self) -> Stored {
        Stored {
            key: self.chunk.key.clone(),
            version_id: self.chunk.version_id.clone(),
            etag: String::new(),
        }
    }
}

/// The kept snapshots, and what is claimed of their locks.
#[derive(Debug)]
pub struct Kept {
    /// Ascending by id.
    pub snapshots: Vec<Loaded>,
    /// Snapshots that are there but can't be read.
    pub unreadable: Vec<Unreadable>,
    /// What prune records explain.
    pub dropped: Vec<Dropped>,
    /// Claims of all snapshots and of the ledger.
    pub claims: Claims,
    /// Every chunk of every snapshot, rescued ones too, the longest locked first: so whoever meets
    /// a version for the first time knows the latest claim of it.
    pub chunks: Vec<NamedChunk>,
}

impl Kept {
    /// Reads every snapshot object, the ledger, and (for the chain) the prune records.
    ///
    /// # Errors
    /// The store's. A snapshot that can't be read is told in [`Kept::unreadable`].
    pub async fn read(vault: &Vault, now: Time, retention: Duration) -> Result<Self> {
        let (all, ledger, dropped) = futures::future::try_join3(
            vault.list_all(),
            read_ledger(vault, now, retention),
            read_prunes(vault),
        )
        .await?;
        let newest = all.last().map(|at| at.id.clone());
        let (mut snapshots, unreadable) = load_all(vault, all).await?;
        // One that a record tells other bytes of is no dropped one: it is forged, and the chain
        // tells. The newest is never dropped, so no record can hide it.
        snapshots.retain(|loaded| {
            let id = &loaded.snapshot.id;
            let is_it = |it: &Dropped| it.id == *id && it.blake3 == loaded.blake3;
            Some(id) == newest.as_ref() || !dropped.iter().any(is_it)
        });
        let mut claims = Claims::new(retention);
        for loaded in &snapshots {
            claims.add_snapshot(loaded);
        }
        for object in &ledger {
            claims.add_ledger(object);
        }
        let chunks = distinct(&snapshots, &claims);
        Ok(Self {
            snapshots,
            unreadable,
            dropped,
            claims,
            chunks,
        })
    }

    /// What is wrong with the chain of parents.
    pub fn findings(&self) -> Vec<Finding> {
        let links: Vec<Link> = self.snapshots.iter().map(Link::from).collect();
        let mut findings = check_chain(&links, &self.dropped);
        // One that is there and can't be read is told of as such, not as a gap.
        findings.retain(|finding| match finding {
            Finding::Gap { missing, .. } => !self.unreadable.iter().any(|(id, _)| id == missing),
            _ => true,
        });
        findings
    }

    /// `error`, or `Damage` where what was not found may be in a snapshot that can't be read.
    pub fn blame_unreadable(&self, error: Error) -> Error {
        match (error, self.unreadable.first()) {
            (Error::Usage(why), Some((id, unreadable))) => Error::Damage(format!(
                "{why}; but snapshot {id} can't be read: {unreadable}"
            )),
            (error, _) => error,
        }
    }

    /// How long ago the newest snapshot was made: when the next run is to be expected.
    pub fn interval(&self, now: Time) -> Duration {
        let newest = self.snapshots.last().map_or(now, |it| it.snapshot.time);
        Duration::try_from(now.duration_since(newest)).unwrap_or_default()
    }

    /// Ids of a chunk's snapshots.
    pub fn ids(&self, chunk: &NamedChunk) -> Vec<SnapshotId> {
        let of = |&index: &usize| self.snapshots[index].snapshot.id.clone();
        chunk.snapshots.iter().map(of).collect()
    }

    /// The earliest lock that a snapshot names, as far as claims tell; none where it names nothing.
    pub fn protected_until(&self, loaded: &Loaded) -> Option<Time> {
        let snapshot = &loaded.snapshot;
        let chunks = snapshot.manifest.iter().chain(&snapshot.rescued);
        chunks.map(|chunk| self.claims.locked_until(chunk)).min()
    }

    /// All chunks, as readers want them.
    pub fn chunk_refs(&self) -> Vec<ChunkRef> {
        self.chunks
            .iter()
            .map(|named| named.chunk.clone())
            .collect()
    }
}

async fn load_all(vault: &Vault, all: Vec<SnapshotRef>) -> Result<(Vec<Loaded>, Vec<Unreadable>)> {
    let load = |at: SnapshotRef| async move { (at.id.clone(), vault.load(&at).await) };
    let mut loads = std::pin::pin!(stream::iter(all).map(load).buffered(AHEAD));
    let (mut snapshots, mut unreadable) = (Vec::new(), Vec::new());
    while let Some((id, loaded)) = loads.next().await {
        match loaded {
            Ok(loaded) => snapshots.push(loaded),
            Err(Error::Store(error)) if error.kind != StoreErrorKind::NotFound => {
                return Err(Error::Store(error));
            }
            Err(error) => unreadable.push((id, error)),
        }
    }
    Ok((snapshots, unreadable))
}

fn distinct(snapshots: &[Loaded], claims: &Claims) -> Vec<NamedChunk> {
    let mut places: HashMap<(Blake3, &str), usize> = HashMap::new();
    let mut chunks: Vec<NamedChunk> = Vec::new();
    for (index, loaded) in snapshots.iter().enumerate() {
        let snapshot = &loaded.snapshot;
        for chunk in snapshot.manifest.iter().chain(&snapshot.rescued) {
            let place = (chunk.blake3, chunk.version_id.as_str());
            let at = *places.entry(place).or_insert_with(|| {
                chunks.push(NamedChunk {
                    chunk: ChunkRef {
                        locked_until: claims.locked_until(chunk),
                        ..chunk.clone()
                    },
                    snapshots: Vec::new(),
                });
                chunks.len() - 1
            });
            if chunks[at].snapshots.last() != Some(&index) {
                chunks[at].snapshots.push(index);
            }
        }
    }
    chunks.sort_by(|a, b| {
        let (a, b) = (&a.chunk, &b.chunk);
        (b.locked_until, &a.first).cmp(&(a.locked_until, &b.first))
    });
    chunks
}

/// A version's name in 16 bytes: so that of a million versions each can be remembered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VersionName(u128);

impl VersionName {
    /// Of a version.
    pub fn of(stored: &Stored) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(stored.key.as_bytes());
        hasher.update(&[0]);
        hasher.update(stored.version_id.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(u128::from_le_bytes(half))
    }

    /// Where it stands among all, evenly spread from 0 up to 1.
    pub fn share(self) -> f64 {
        (self.0 >> 96) as f64 / f64::from(u32::MAX).mul_add(1.0, 1.0)
    }
}
