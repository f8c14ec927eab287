//! The part of `tidelock status` that tells what `prune` could free, and where the bytes are.

use super::reading::{Backup, backup_settings};
use crate::engine::prune::{Prune, Pruned};
use crate::model::key::{KeyBase, KeyPath};
use crate::model::{Error, Event, Events, Result, Settings};
use crate::report::tables::{Freed, PathHistory, PruneRow};
use crate::snapshot::layout;
use jiff::ZonedDateTime;

/// A prune that changes nothing. It asks for the lock of each version that no kept snapshot names.
/// Where nobody can tell (keys that may not see locks, a snapshot that can't be read), a note says why.
pub(super) async fn prunable(
    backup: &Backup,
    settings: &Settings,
    now: &ZonedDateTime,
    events: &Events,
) -> Result<Option<PruneRow>> {
    let prune = Prune {
        client: &backup.client(),
        vault: &backup.vault,
        settings: backup_settings(settings)?,
        zone: now.time_zone(),
        dry_run: true,
        transfers: settings.run.transfers,
        events: &Events::none(),
    };
    match prune.run(async || Ok(())).await {
        Ok(pruned) => Ok(Some(row(&pruned, backup))),
        Err(Error::Store(error)) if error.kind.is_transient() => Err(error.into()),
        Err(error @ (Error::Resumable(_) | Error::Interrupted)) => Err(error),
        Err(error) => {
            let note = format!("what prune could free is not known: {error}");
            events.send(Event::Note(note));
            Ok(None)
        }
    }
}

fn row(pruned: &Pruned, backup: &Backup) -> PruneRow {
    let base = KeyBase::new(backup.vault.target().key(layout::FILES));
    let path = |key: &str| match base.path_of(key) {
        Some(KeyPath::Path(path)) => path.to_string(),
        _ => key.to_owned(),
    };
    let history = pruned.history.iter().map(|it| PathHistory {
        path: path(&it.key),
        versions: it.versions,
        bytes: it.bytes,
    });
    let freed = |it: &crate::engine::prune::Freed| Freed {
        versions: it.versions,
        bytes: it.bytes,
    };
    PruneRow {
        target: "prune",
        snapshots: pruned.dropped.len() as u64,
        now: freed(&pruned.freed),
        later: freed(&pruned.later),
        later_from: pruned.between.map(|(first, _)| first),
        later_until: pruned.between.map(|(_, last)| last),
        most_history: history.collect(),
    }
}
