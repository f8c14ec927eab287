//! What was removed from the library within a time, from manifests alone.

use crate::engine::diff::{Change, diff};
use crate::model::{Entry, Kind, RelPath, Result, Time};
use crate::plan::restore::Selection;
use crate::snapshot::{Loaded, SnapshotId, Vault};
use std::collections::{BTreeMap, HashSet};

/// What was found.
#[derive(Debug, Default)]
pub struct Removed {
    /// Files and links that the newest snapshot does not have, each as the newest snapshot that had
    /// it names it; in the order of paths.
    pub entries: Vec<Entry>,
    /// Suspect snapshots that nothing is taken from.
    pub passed_over: Vec<SnapshotId>,
}

/// Goes from night to night through `snapshots`, which ascend, beginning with the last one before
/// `since`. A path whose content came up under another path in the same night was moved, which
/// does not count as removed. Suspect snapshots give nothing, but what the newest of them lacks
/// counts.
///
/// Only the chunks that two nights do not share are read. Memory grows with what was removed.
///
/// # Errors
/// The store's; `Damage` where a chunk can't be read.
pub async fn removed(
    vault: &Vault,
    snapshots: &[Loaded],
    since: Time,
    selection: &Selection,
) -> Result<Removed> {
    let before = snapshots
        .iter()
        .rposition(|it| it.snapshot.time < since && it.snapshot.suspect.is_none());
    let nights = &snapshots[before.unwrap_or(0)..];
    let mut removed = Removed::default();
    let mut gone = BTreeMap::new();
    let mut last: Option<&Loaded> = None;
    for (index, night) in nights.iter().enumerate() {
        let is_suspect = night.snapshot.suspect.is_some();
        if is_suspect {
            removed.passed_over.push(night.snapshot.id.clone());
        }
        if is_suspect && index + 1 < nights.len() {
            continue;
        }
        if let Some(last) = last {
            step(vault, (last, night), selection, &mut gone).await?;
        }
        last = Some(night);
    }
    removed.entries = gone.into_values().collect();
    Ok(removed)
}

async fn step(
    vault: &Vault,
    (before, after): (&Loaded, &Loaded),
    selection: &Selection,
    gone: &mut BTreeMap<RelPath, Entry>,
) -> Result<()> {
    let mut went = Vec::new();
    let mut came = HashSet::new();
    diff(vault, &before.snapshot, &after.snapshot, |change| {
        match change {
            Change::Removed(entry) if selection.covers(&entry.path) => went.push(entry),
            Change::Added(entry) => {
                gone.remove(&entry.path);
                came.extend(content(&entry));
            }
            _ => {}
        }
        true
    })
    .await?;
    // A folder is an entry only while it is empty, so a folder that goes may just be filled.
    went.retain(|entry| matches!(entry.kind, Kind::File | Kind::Symlink));
    went.retain(|entry| content(entry).is_none_or(|content| !came.contains(&content)));
    gone.extend(went.into_iter().map(|entry| (entry.path.clone(), entry)));
    Ok(())
}

/// By which a moved file is known; empty files are all alike.
fn content(entry: &Entry) -> Option<crate::model::Blake3> {
    let content = entry.content.filter(|content| content.size > 0);
    content.map(|content| content.blake3)
}
