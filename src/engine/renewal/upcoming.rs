//! What is to be renewed, without renewing it.

use crate::engine::kept::Kept;
use crate::model::{BackupSettings, RelPath, Time};
use crate::plan::{Renewable, due_now};
use std::collections::BTreeMap;

/// Locks, as far as claims tell of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Upcoming {
    /// Those that a run extends now.
    pub due: u64,
    /// All that kept snapshots name: a chunk's entries counted once for all chunks that begin with
    /// the same path, since those share most of what they name.
    pub versions: u64,
}

/// What a run at `now` extends by claims.
pub fn upcoming(kept: &Kept, settings: &BackupSettings, now: Time) -> Upcoming {
    let (retention, below) = (settings.retention, settings.renew_below);
    let due = |all: &[Renewable<'_>]| due_now(all, now, retention, below, kept.interval(now));
    let chunks: Vec<Renewable<'_>> = kept.chunks.iter().map(of_chunk).collect();
    let due_chunks = families(due(&chunks).into_iter().map(|index| &chunks[index]));
    let names: Vec<RelPath> = kept
        .snapshots
        .iter()
        .map(|it| it.at.id.as_str().into())
        .collect();
    let objects: Vec<Renewable<'_>> = kept
        .snapshots
        .iter()
        .zip(&names)
        .map(|(loaded, first)| Renewable {
            until: kept
                .claims
                .object_until(loaded.blake3, &loaded.at.version_id),
            first,
            requests: 1,
        })
        .collect();
    Upcoming {
        due: due_chunks + due(&objects).len() as u64,
        versions: families(chunks.iter()) + objects.len() as u64,
    }
}

fn of_chunk(named: &crate::engine::kept::NamedChunk) -> Renewable<'_> {
    Renewable {
        until: named.chunk.locked_until,
        first: &named.chunk.first,
        requests: named.chunk.entries + 1,
    }
}

/// Requests for these, what several chunks with the same first path name counted once.
fn families<'a>(all: impl Iterator<Item = &'a Renewable<'a>>) -> u64 {
    let mut most: BTreeMap<&RelPath, u64> = BTreeMap::new();
    for one in all {
        let requests = most.entry(one.first).or_default();
        *requests = one.requests.max(*requests);
    }
    most.values().sum()
}
