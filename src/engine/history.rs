//! What became of paths over all kept snapshots, from manifests alone.

use crate::engine::look;
use crate::model::{Blake3, Entry, Error, Result};
use crate::plan::restore::Selection;
use crate::snapshot::{ChunkRef, Loaded, SnapshotId, Vault};
use futures::stream::StreamExt;
use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Arc;

/// One content of a path, in a row of snapshots that all name it.
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    /// As the last of them has it.
    pub entry: Entry,
    /// The first snapshot with it.
    pub first: SnapshotId,
    /// The last one.
    pub last: SnapshotId,
    /// The snapshot in which the path was not there any more; none where another content follows,
    /// and where the newest snapshot still has it.
    pub gone: Option<SnapshotId>,
    /// Content that was found on the mirror alone and rescued.
    pub rescued: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct History {
    /// In the order of paths and, for each, of time; rescued content last.
    pub spans: Vec<Span>,
    /// Chunks that can't be read, in words.
    pub broken: Vec<String>,
}

/// Follows the selected paths through `snapshots`, which ascend. Each chunk is read once, however
/// many snapshots name it.
///
/// # Errors
/// The store's.
pub async fn history(
    vault: &Vault,
    snapshots: &[Loaded],
    selection: &Selection,
) -> Result<History> {
    let mut follower = Follower {
        vault,
        selection,
        chunks: HashMap::new(),
        open: BTreeMap::new(),
        history: History::default(),
        rescued: Vec::new(),
    };
    for loaded in snapshots {
        follower.step(loaded).await?;
    }
    Ok(follower.finish())
}

struct Follower<'a> {
    vault: &'a Vault,
    selection: &'a Selection,
    /// The selected entries of each chunk.
    chunks: HashMap<Blake3, Arc<Vec<Entry>>>,
    open: BTreeMap<crate::model::RelPath, Span>,
    history: History,
    rescued: Vec<Span>,
}

impl Follower<'_> {
    async fn step(&mut self, loaded: &Loaded) -> Result<()> {
        let snapshot = &loaded.snapshot;
        let id = &snapshot.id;
        let mut before = std::mem::take(&mut self.open);
        for chunk in look::chunks(snapshot, self.selection) {
            for entry in self.entries(chunk).await?.iter() {
                let span = match before.remove(&entry.path) {
                    Some(span) if is_same(&span.entry, entry) => Span {
                        entry: entry.clone(),
                        last: id.clone(),
                        ..span
                    },
                    other => {
                        self.history.spans.extend(other);
                        Span {
                            entry: entry.clone(),
                            first: id.clone(),
                            last: id.clone(),
                            gone: None,
                            rescued: false,
                        }
                    }
                };
                self.open.insert(entry.path.clone(), span);
            }
        }
        for (_, span) in before {
            let gone = Some(id.clone());
            self.history.spans.push(Span { gone, ..span });
        }
        for chunk in snapshot.rescued.clone() {
            for entry in self.entries(chunk).await?.iter() {
                self.rescue(entry, id);
            }
        }
        Ok(())
    }

    fn rescue(&mut self, entry: &Entry, id: &SnapshotId) {
        let known = self.rescued.iter_mut();
        let mut same = known.filter(|span| span.entry.path == entry.path);
        match same.find(|span| span.entry.stored == entry.stored) {
            Some(span) => span.last = id.clone(),
            None => self.rescued.push(Span {
                entry: entry.clone(),
                first: id.clone(),
                last: id.clone(),
                gone: None,
                rescued: true,
            }),
        }
    }

    async fn entries(&mut self, chunk: ChunkRef) -> Result<Arc<Vec<Entry>>> {
        let blake3 = chunk.blake3;
        if let Some(known) = self.chunks.get(&blake3) {
            return Ok(Arc::clone(known));
        }
        let mut read = pin!(look::entries(self.vault, vec![chunk], self.selection));
        let entries = match read.next().await {
            Some(Ok(read)) => read.entries,
            Some(Err(Error::Store(error))) => return Err(Error::Store(error)),
            Some(Err(error)) => {
                self.history.broken.push(error.to_string());
                Vec::new()
            }
            None => Vec::new(),
        };
        let entries = Arc::new(entries);
        self.chunks.insert(blake3, Arc::clone(&entries));
        Ok(entries)
    }

    fn finish(mut self) -> History {
        self.history.spans.extend(self.open.into_values());
        self.history.spans.extend(self.rescued);
        self.history.spans.sort_by(|a, b| {
            let key = |span: &Span| (span.entry.path.clone(), span.rescued, span.first.clone());
            key(a).cmp(&key(b))
        });
        self.history
    }
}

/// The same content in the same place; a touch or a change of mode makes no new one.
fn is_same(a: &Entry, b: &Entry) -> bool {
    a.kind == b.kind && a.content == b.content && a.stored == b.stored && a.target == b.target
}
