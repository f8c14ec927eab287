//! What is known of locks without asking for each: claims of snapshots and of the ledger.

use crate::model::{Blake3, Time};
use crate::snapshot::{ChunkRef, LedgerObject, Loaded};
use std::collections::HashMap;
use std::time::Duration;

/// Claims folded: for each chunk the latest, none beyond what its claimant could have set.
///
/// Locks only grow, so each claim is a lower bound, and the latest one counts. A claim is about
/// the chunk object and every version that the chunk names. Where several chunks name a version,
/// the latest of their dates is the version's.
#[derive(Clone, Debug)]
pub struct Claims {
    retention: Duration,
    /// By content, the chunk as a snapshot names it.
    chunks: HashMap<Blake3, ChunkRef>,
    /// By content and version of the chunk object.
    dates: HashMap<(Blake3, String), Time>,
}

impl Claims {
    /// Nothing known yet. `retention` is the full lock's length: no claim counts beyond its
    /// object's LastModified plus this, so that a forged one can't put a renewal off for ever.
    pub fn new(retention: Duration) -> Self {
        Self {
            retention,
            chunks: HashMap::new(),
            dates: HashMap::new(),
        }
    }

    /// All that a snapshot and the ledger claim.
    pub fn of(retention: Duration, snapshot: Option<&Loaded>, ledger: &[LedgerObject]) -> Self {
        let mut claims = Self::new(retention);
        if let Some(loaded) = snapshot {
            claims.add_snapshot(loaded);
        }
        for object in ledger {
            claims.add_ledger(object);
        }
        claims
    }

    /// Takes in what a snapshot claims of its chunks.
    pub fn add_snapshot(&mut self, loaded: &Loaded) {
        let snapshot = &loaded.snapshot;
        for chunk in snapshot.manifest.iter().chain(&snapshot.rescued) {
            let until = self.cap(chunk.locked_until, loaded.at.last_modified);
            self.raise(chunk.blake3, &chunk.version_id, until);
            self.learn(chunk);
        }
        let own = self.cap(own_lock(loaded), loaded.at.last_modified);
        self.raise(loaded.blake3, &loaded.at.version_id, own);
    }

    /// The effective date of an object that is no chunk, by its BLAKE3 and version: snapshot objects
    /// (their claim is their own) and whatever else the ledger has lines of.
    pub fn object_until(&self, blake3: Blake3, version_id: &str) -> Time {
        let place = (blake3, version_id.to_owned());
        self.dates.get(&place).copied().unwrap_or(Time::UNIX_EPOCH)
    }

    /// Takes in what a renewal claims.
    pub fn add_ledger(&mut self, ledger: &LedgerObject) {
        for line in &ledger.lines {
            let until = self.cap(line.locked_until, ledger.last_modified);
            self.raise(line.chunk, &line.version_id, until);
        }
    }

    /// Takes in one renewal that was made just now: every version that the chunk names, and the
    /// chunk object itself, is locked until `until` at least.
    pub fn renewed(&mut self, chunk: &ChunkRef, until: Time) {
        self.raise(chunk.blake3, &chunk.version_id, until);
        self.learn(chunk);
    }

    /// Forgets a chunk that was found gone or damaged, so that the next commit stores it again.
    pub fn forget(&mut self, chunk: &ChunkRef) {
        self.chunks.remove(&chunk.blake3);
        self.dates.remove(&(chunk.blake3, chunk.version_id.clone()));
    }

    /// The stored chunk with this content, with its effective `locked_until`.
    pub fn chunk(&self, blake3: &Blake3) -> Option<ChunkRef> {
        let chunk = self.chunks.get(blake3)?;
        Some(ChunkRef {
            locked_until: self.locked_until(chunk),
            rescued_at: None,
            ..chunk.clone()
        })
    }

    /// The effective date of the chunk object and of everything that it names. For a chunk that
    /// nobody was heard to claim it lies in the past: nothing is known, so everything is due.
    pub fn locked_until(&self, chunk: &ChunkRef) -> Time {
        self.object_until(chunk.blake3, &chunk.version_id)
    }

    fn cap(&self, until: Time, last_modified: Time) -> Time {
        let most = last_modified.checked_add(self.retention);
        until.min(most.unwrap_or(Time::MAX))
    }

    fn raise(&mut self, chunk: Blake3, version_id: &str, until: Time) {
        let date = self
            .dates
            .entry((chunk, version_id.to_owned()))
            .or_insert(until);
        *date = until.max(*date);
    }

    /// Remembers where a content is; of two versions the one that is locked for longer.
    fn learn(&mut self, chunk: &ChunkRef) {
        let shorter = |known: &ChunkRef| self.locked_until(known) < self.locked_until(chunk);
        if self.chunks.get(&chunk.blake3).is_none_or(shorter) {
            self.chunks.insert(chunk.blake3, chunk.clone());
        }
    }
}

/// How long the snapshot object was locked by its own account, which names whole days: a lower
/// bound, with a minute off for the time between the lock's beginning and LastModified.
fn own_lock(loaded: &Loaded) -> Time {
    let days = Duration::from_secs(loaded.snapshot.retention.days.saturating_mul(86_400));
    let begun = loaded.at.last_modified.checked_sub(Duration::from_secs(60));
    begun
        .and_then(|begun| begun.checked_add(days))
        .unwrap_or(Time::UNIX_EPOCH)
}
