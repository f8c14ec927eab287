//! Looking into a snapshot: what restore, `ls` and their like share.

use crate::model::{Event, Events, Result};
use crate::plan::restore::Selection;
use crate::snapshot::{ChunkEntries, ChunkRef, Found, Snapshot, Vault, chunks_within};
use futures::stream::{Stream, StreamExt};
use std::collections::HashSet;

/// Chunks fetched ahead; each is up to 16,384 entries in memory.
const AHEAD: usize = 3;

/// The chunks of a snapshot that can name what was selected, in the order of paths.
pub fn chunks(snapshot: &Snapshot, selection: &Selection) -> Vec<ChunkRef> {
    let mut chunks = snapshot.manifest.clone();
    if !selection.is_all() {
        let within = |root| chunks_within(&snapshot.manifest, root);
        let wanted: HashSet<_> = selection
            .roots()
            .flat_map(within)
            .map(|chunk| chunk.blake3)
            .collect();
        chunks.retain(|chunk| wanted.contains(&chunk.blake3));
    }
    chunks
}

/// The selected entries of these chunks, and what was refused among them.
pub fn entries(
    vault: &Vault,
    chunks: Vec<ChunkRef>,
    selection: &Selection,
) -> impl Stream<Item = Result<ChunkEntries>> {
    vault.entries(chunks, AHEAD).map(|chunk| {
        let mut chunk = chunk?;
        chunk.entries.retain(|entry| selection.covers(&entry.path));
        Ok(chunk)
    })
}

/// Says what a snapshot is, where it is not simply the latest, whole and clean.
pub fn introduce(found: &Found, events: &Events) {
    let snapshot = &found.loaded.snapshot;
    for id in &found.passed_over {
        events.send(Event::Warning(format!(
            "passed over snapshot {id}, which looks like the work of ransomware; --snapshot {id} \
             takes it nevertheless"
        )));
    }
    if let Some(why) = &snapshot.suspect {
        let message = format!("snapshot {} is suspect: {why}", snapshot.id);
        events.send(Event::Warning(message));
    }
    if !snapshot.complete {
        events.send(Event::Warning(format!(
            "snapshot {} is incomplete: its run could not store or see all of the library; what \
             it has can be had",
            snapshot.id
        )));
    }
}
