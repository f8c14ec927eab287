//! What changed between two snapshots, from the chunks that they do not share.

use crate::model::{Entry, Error, Result};
use crate::plan::restore::Selection;
use crate::snapshot::{ChunkRef, Snapshot, Vault};
use futures::stream::{Stream, StreamExt};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::pin::{Pin, pin};

use crate::engine::look;

/// What became of a path.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// The second has it, the first has not.
    Added(Entry),
    /// The first has it, the second has not.
    Removed(Entry),
    /// Its content, kind or link target is another; the second's entry.
    Modified(Entry),
    /// Its content is the same, its time or mode is not; the second's entry.
    Touched(Entry),
}

/// Calls `each` for every path that is not alike in both, in the order of paths, until it returns
/// false. Memory is bounded by a few chunks.
///
/// # Errors
/// The store's; `Damage` where a chunk can't be read, since then nothing can be said.
pub async fn diff(
    vault: &Vault,
    first: &Snapshot,
    second: &Snapshot,
    mut each: impl FnMut(Change) -> bool,
) -> Result<()> {
    let hashes = |snapshot: &Snapshot| -> HashSet<_> {
        snapshot.manifest.iter().map(|chunk| chunk.blake3).collect()
    };
    let (in_first, in_second) = (hashes(first), hashes(second));
    let own = |snapshot: &Snapshot, other: &HashSet<_>| -> Vec<ChunkRef> {
        let chunks = snapshot.manifest.iter();
        chunks
            .filter(|chunk| !other.contains(&chunk.blake3))
            .cloned()
            .collect()
    };
    let all = Selection::default();
    let old = pin!(look::entries(vault, own(first, &in_second), &all));
    let new = pin!(look::entries(vault, own(second, &in_first), &all));
    let (mut old, mut new) = (Side::new(old), Side::new(new));
    loop {
        let order = match (old.peek().await?, new.peek().await?) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.path.cmp(&new.path),
        };
        let change = match order {
            Ordering::Less => old.next().map(Change::Removed),
            Ordering::Greater => new.next().map(Change::Added),
            Ordering::Equal => old.next().zip(new.next()).and_then(compare),
        };
        if let Some(change) = change
            && !each(change)
        {
            return Ok(());
        }
    }
}

fn compare((old, new): (Entry, Entry)) -> Option<Change> {
    let blake3 = |entry: &Entry| entry.content.map(|content| content.blake3);
    if old.kind != new.kind || blake3(&old) != blake3(&new) || old.target != new.target {
        Some(Change::Modified(new))
    } else if old.mtime != new.mtime || old.mode != new.mode || old.hardlink != new.hardlink {
        Some(Change::Touched(new))
    } else {
        None
    }
}

/// A sorted sequence of entries, chunk by chunk.
struct Side<S> {
    chunks: S,
    entries: VecDeque<Entry>,
}

impl<S: Stream<Item = Result<crate::snapshot::ChunkEntries>>> Side<Pin<&mut S>> {
    fn new(chunks: Pin<&mut S>) -> Side<Pin<&mut S>> {
        Side {
            chunks,
            entries: VecDeque::new(),
        }
    }

    async fn peek(&mut self) -> Result<Option<&Entry>> {
        while self.entries.is_empty() {
            match self.chunks.next().await {
                None => return Ok(None),
                Some(Ok(chunk)) => self.entries = chunk.entries.into(),
                Some(Err(error @ Error::Store(_))) => return Err(error),
                Some(Err(error)) => return Err(Error::Damage(error.to_string())),
            }
        }
        Ok(self.entries.front())
    }

    fn next(&mut self) -> Option<Entry> {
        self.entries.pop_front()
    }
}
