//! The part of `tidelock status` that tells what `prune` could free, and where the bytes are.

use super::reading::{Backup, backup_settings};
use crate::engine::prune::{Prune, Pruned};
use crate::model::key::{KeyBase, KeyPath};
use crate::model::{Error, Event, Events, Result, Settings, Time};
use crate::report::{show_bytes, show_count};
use crate::snapshot::layout;
use jiff::ZonedDateTime;
use serde::Serialize;

/// What a prune by the keep policy would come to now.
#[derive(Serialize)]
pub(super) struct Row {
    target: &'static str,
    /// Snapshots that the keep policy lets go.
    snapshots: u64,
    now: Freed,
    later: Freed,
    /// When the first and the last of the later ones can go.
    later_from: Option<String>,
    later_until: Option<String>,
    /// The files with the most versions and bytes, the most bytes first.
    most_history: Vec<PathHistory>,
}

#[derive(Serialize)]
struct Freed {
    versions: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct PathHistory {
    path: String,
    versions: u64,
    bytes: u64,
}

/// A prune that changes nothing. It asks for the lock of each version that no kept snapshot names.
/// Where nobody can tell (keys that may not see locks, a snapshot that can't be read), a note says why.
pub(super) async fn prunable(
    backup: &Backup,
    settings: &Settings,
    now: &ZonedDateTime,
    events: &Events,
) -> Result<Option<Row>> {
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

fn row(pruned: &Pruned, backup: &Backup) -> Row {
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
    Row {
        target: "prune",
        snapshots: pruned.dropped.len() as u64,
        now: freed(&pruned.freed),
        later: freed(&pruned.later),
        later_from: pruned.between.map(|(first, _)| first.to_string()),
        later_until: pruned.between.map(|(_, last)| last.to_string()),
        most_history: history.collect(),
    }
}

impl Row {
    pub(super) fn text(&self, now: &ZonedDateTime) -> String {
        let day = |text: &Option<String>| {
            let time = text.as_ref().and_then(|text| text.parse::<Time>().ok());
            let local = time.map(|time| time.to_zoned_datetime(now.time_zone().clone()));
            local.map_or_else(String::new, |it| it.strftime("%Y-%m-%d").to_string())
        };
        let mut text = format!(
            "prune   would drop {} snapshots and free {} versions with {} now",
            show_count(self.snapshots),
            show_count(self.now.versions),
            show_bytes(self.now.bytes)
        );
        if self.later.versions > 0 {
            text.push_str(&format!(
                ", {} with {} later, from {} to {}",
                show_count(self.later.versions),
                show_bytes(self.later.bytes),
                day(&self.later_from),
                day(&self.later_until)
            ));
        }
        for (place, one) in self.most_history.iter().enumerate() {
            text.push_str(if place == 0 { "; most history: " } else { ", " });
            text.push_str(&format!(
                "{} ({} versions, {})",
                crate::report::plain(&one.path),
                show_count(one.versions),
                show_bytes(one.bytes)
            ));
        }
        text
    }
}
