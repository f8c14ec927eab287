//! All that the kept snapshots name, each chunk once.

use crate::model::{Blake3, Error, KeepPolicy, Result, StoreErrorKind, Stored, Time};
use crate::plan::{Candidate, keep};
use crate::snapshot::{
    ChunkRef, Claims, Dropped, Finding, Link, Loaded, SnapshotId, SnapshotRef, Vault, check_chain,
    read_ledger, read_prune_records,
};
use futures::stream::{self, Stream, StreamExt};
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Snapshot objects fetched at a time; with a million files one is some hundred KB.
const AHEAD: u32 = 32;
/// A larger object takes the room of several: so many bytes count as one.
const WEIGHT: u64 = 1 << 20;

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
    /// Snapshots that records name although they were not pruned; they count as kept.
    pub overruled: Vec<SnapshotId>,
    /// The prune records.
    pub prunes: Vec<Stored>,
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
        let all = vault.list_every();
        Self::fold(vault, all, now, retention, false).await
    }

    /// The same, in the memory of the distinct chunks alone: of the snapshots before the newest,
    /// only [`Kept::chunks`] knows what they name. `listed` are all that are there, where the
    /// caller has listed them already.
    ///
    /// # Errors
    /// As [`Kept::read`].
    pub async fn read_slim(
        vault: &Vault,
        listed: Option<Vec<SnapshotRef>>,
        now: Time,
        retention: Duration,
    ) -> Result<Self> {
        let all = async {
            match listed {
                Some(all) => Ok((all, Vec::new())),
                None => vault.list_every().await,
            }
        };
        Self::fold(vault, all, now, retention, true).await
    }

    async fn fold(
        vault: &Vault,
        all: impl Future<Output = Result<(Vec<SnapshotRef>, Vec<SnapshotRef>)>>,
        now: Time,
        retention: Duration,
        slim: bool,
    ) -> Result<Self> {
        let ledger = read_ledger(vault, now, retention);
        let records = read_prune_records(vault);
        let ((all, ahead), ledger, records) =
            futures::future::try_join3(all, ledger, records).await?;
        let prunes = records.iter().map(|record| record.stored.clone()).collect();
        let (mut dropped, mut pending) = (Vec::<Dropped>::new(), HashSet::new());
        for record in records {
            dropped.extend(record.dropped);
            pending.extend(record.pending.into_iter().map(|it| (it.id, it.blake3)));
        }
        let ids = dropped.iter().map(|it| it.id.clone()).collect();
        let stays = vault.never_dropped(&all, &ids).await?;
        // One that a record tells other bytes of is no dropped one: it is forged, and the chain
        // tells.
        let is_named = |loaded: &Loaded| {
            let id = &loaded.snapshot.id;
            let is_it = |it: &Dropped| it.id == *id && it.blake3 == loaded.blake3;
            dropped.iter().any(is_it)
        };
        let mut overruled = Vec::new();
        let mut snapshots = Vec::<Loaded>::new();
        let mut unreadable: Vec<Unreadable> = ahead.into_iter().map(of_a_time_to_come).collect();
        let mut claims = Claims::new(retention);
        let mut named = Named::default();
        let mut loads = pin!(load_all(vault, all));
        while let Some((id, loaded)) = loads.next().await {
            match loaded {
                Ok(loaded) if is_named(&loaded) && !stays.contains(&id) => {}
                Ok(loaded) => {
                    if is_named(&loaded) || pending.contains(&(id.clone(), loaded.blake3)) {
                        overruled.push(id);
                    }
                    claims.add_snapshot(&loaded);
                    named.add(snapshots.len(), &loaded);
                    if let Some(before) = snapshots.last_mut().filter(|_| slim) {
                        before.snapshot.manifest = Vec::new();
                        before.snapshot.rescued = Vec::new();
                    }
                    snapshots.push(loaded);
                }
                Err(Error::Store(error)) if error.kind != StoreErrorKind::NotFound => {
                    return Err(Error::Store(error));
                }
                Err(error) => unreadable.push((id, error)),
            }
        }
        for object in &ledger {
            claims.add_ledger(object);
        }
        let chunks = named.longest_locked_first(&claims);
        Ok(Self {
            snapshots,
            unreadable,
            dropped,
            overruled,
            prunes,
            claims,
            chunks,
        })
    }

    /// How many of the snapshots the keep policy lets go; 0 where it can't be obeyed.
    pub fn prunable(&self, policy: &KeepPolicy, zone: &TimeZone) -> u64 {
        let candidates: Vec<Candidate> = self.snapshots.iter().map(candidate).collect();
        let stays = keep(&candidates, policy, zone).unwrap_or_default();
        stays.iter().filter(|stays| !**stays).count() as u64
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
        let overruled = self.overruled.iter().cloned();
        findings.extend(overruled.map(|id| Finding::Overruled { id }));
        let backdated = self.snapshots.iter().filter(|it| it.at.is_backdated());
        let ids = backdated.map(|loaded| loaded.snapshot.id.clone());
        findings.extend(ids.map(|id| Finding::Backdated { id }));
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

fn of_a_time_to_come(at: SnapshotRef) -> Unreadable {
    let why = format!(
        "{}: it was written at {}, long before the time in its name, so it is forged; no command \
         takes it for a snapshot",
        at.key, at.last_modified
    );
    (at.id, Error::Damage(why))
}

/// A snapshot as the keep policy sees it.
pub fn candidate(loaded: &Loaded) -> Candidate {
    Candidate {
        time: loaded.snapshot.time,
        complete: loaded.snapshot.complete,
        suspect: loaded.snapshot.suspect.is_some(),
        backdated: loaded.at.is_backdated(),
    }
}

/// Reads all snapshots in their order, many small ones at a time or one large one.
fn load_all(
    vault: &Vault,
    all: Vec<SnapshotRef>,
) -> impl Stream<Item = (SnapshotId, Result<Loaded>)> {
    let room = Arc::new(Semaphore::new(AHEAD as usize));
    let load = move |at: SnapshotRef| {
        let room = Arc::clone(&room);
        async move {
            let weight = (at.size / WEIGHT + 1).min(u64::from(AHEAD)) as u32;
            let _permits = room.acquire_many(weight).await;
            (at.id.clone(), vault.load(&at).await)
        }
    };
    stream::iter(all).map(load).buffered(AHEAD as usize)
}

/// Chunks as snapshots name them, each once.
#[derive(Default)]
struct Named {
    places: HashMap<(Blake3, String), usize>,
    chunks: Vec<NamedChunk>,
}

impl Named {
    fn add(&mut self, index: usize, loaded: &Loaded) {
        let snapshot = &loaded.snapshot;
        for chunk in snapshot.manifest.iter().chain(&snapshot.rescued) {
            let place = (chunk.blake3, chunk.version_id.clone());
            let at = *self.places.entry(place).or_insert_with(|| {
                self.chunks.push(NamedChunk {
                    chunk: chunk.clone(),
                    snapshots: Vec::new(),
                });
                self.chunks.len() - 1
            });
            let snapshots = &mut self.chunks[at].snapshots;
            if snapshots.last() != Some(&index) {
                snapshots.push(index);
            }
        }
    }

    fn longest_locked_first(self, claims: &Claims) -> Vec<NamedChunk> {
        let mut chunks = self.chunks;
        for named in &mut chunks {
            named.chunk.locked_until = claims.locked_until(&named.chunk);
        }
        chunks.sort_by(|a, b| {
            let (a, b) = (&a.chunk, &b.chunk);
            (b.locked_until, &a.first).cmp(&(a.locked_until, &b.first))
        });
        chunks
    }
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
