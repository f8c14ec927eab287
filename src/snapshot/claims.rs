//! What is known of locks without asking for each: claims of snapshots and of the ledger.

use crate::model::{Blake3, Time};
use crate::snapshot::{ChunkRef, LedgerObject, Loaded};
use std::collections::HashMap;
use std::time::Duration;

/// Claims folded: for each chunk the latest, none beyond what its claimant could have set.
///
/// Locks only grow, so each claim is a lower bound, and the latest one counts.
#[derive(Clone, Debug)]
pub struct Claims {
    retention: Duration,
    chunks: HashMap<Blake3, ChunkRef>,
    dates: HashMap<(Blake3, String), Time>,
}

impl Claims {
    /// Nothing known yet. `retention` is the full lock's length: no claim counts beyond its
    /// object's LastModified plus this.
    pub fn new(retention: Duration) -> Self {
        Self {
            retention,
            chunks: HashMap::new(),
            dates: HashMap::new(),
        }
    }

    /// Takes in what a snapshot claims of its chunks.
    pub fn add_snapshot(&mut self, _loaded: &Loaded) {}

    /// Takes in what a renewal claims.
    pub fn add_ledger(&mut self, _ledger: &LedgerObject) {}

    /// Takes in one renewal that was made just now: every version that the chunk names, and the
    /// chunk object itself, is locked until `until` at least.
    pub fn renewed(&mut self, _chunk: &ChunkRef, _until: Time) {}

    /// The stored chunk with this content, with its effective `locked_until`.
    pub fn chunk(&self, blake3: &Blake3) -> Option<ChunkRef> {
        self.chunks.get(blake3).cloned()
    }

    /// The effective date of everything that the chunk names: its own claim where it is the
    /// latest (not capped, since a bare reference does not say who claims it), else a later one.
    pub fn locked_until(&self, chunk: &ChunkRef) -> Option<Time> {
        self.dates
            .get(&(chunk.blake3, chunk.version_id.clone()))
            .copied()
    }
}
