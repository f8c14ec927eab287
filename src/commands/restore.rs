//! `tidelock restore`: from the backup target into a folder, without any state.

use super::Outcome;
use super::reading::{Backup, Which};
use crate::engine::history::find_version;
use crate::engine::kept::Kept;
use crate::engine::removed::{Removed, removed};
use crate::engine::restore::{Request, Restored, restore, restore_entries};
use crate::engine::stop::Stop;
use crate::engine::thaw::Thaw;
use crate::model::archive::Tier;
use crate::model::{
    BackupSummary, Entry, Error, Event, Events, Failure, RelPath, Result, Settings, StoreErrorKind,
    Summary, Time, when,
};
use crate::plan::restore::{Existing, Selection};
use crate::snapshot::Select;
use jiff::ZonedDateTime;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// What the command line says beside the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Restore {
    /// `PATH...`; none means all.
    pub paths: Vec<OsString>,
    /// `--to`.
    pub to: PathBuf,
    /// Which snapshot.
    pub which: Which,
    /// `--overwrite`.
    pub overwrite: bool,
    /// `--deleted-since`.
    pub deleted_since: Option<String>,
    /// `--version-id`.
    pub version_id: Option<String>,
    /// `--thaw`.
    pub thaw: Option<Tier>,
    /// A flag that this version knows but can't obey.
    pub not_available: Option<&'static str>,
}

/// Restores.
pub async fn run(
    settings: &Settings,
    command: &Restore,
    now: &ZonedDateTime,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    let thaw = Arc::new(Thaw::new(command.thaw));
    let restored = attempt(settings, command, now, &thaw, events, stop).await;
    let archived = thaw.conclusion(now.timestamp());
    let (restored, requests) = match (restored, archived) {
        (Ok((restored, requests)), archived) => (late(restored, archived), requests),
        // A snapshot or a chunk is archived itself.
        (Err(error), Some(archived)) if is_archived(&error) => {
            return Outcome::not_begun(archived);
        }
        (Err(error), _) => return Outcome::not_begun(error),
    };
    Outcome {
        exit: restored.exit,
        summary: Summary {
            backup: Some(requests),
            restore: Some(restored.summary),
            errors: restored.errors,
            ..Summary::default()
        },
        error: restored.ended_by,
    }
}

/// What was met in the archive ends a restore, unless something graver did.
fn late(mut restored: Restored, archived: Option<Error>) -> Restored {
    let Some(archived) = archived else {
        return restored;
    };
    restored.exit = restored.exit.and(archived.exit_code());
    match restored.ended_by {
        None => restored.ended_by = Some(archived),
        Some(_) => restored.errors.push(Failure {
            path: "archive".to_owned(),
            stage: "restore",
            message: archived.to_string(),
        }),
    }
    restored
}

fn is_archived(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.kind == StoreErrorKind::Archived)
}

async fn attempt(
    settings: &Settings,
    command: &Restore,
    now: &ZonedDateTime,
    thaw: &Arc<Thaw>,
    events: &Events,
    stop: &Stop,
) -> Result<(Restored, BackupSummary)> {
    if let Some(flag) = command.not_available {
        let message = format!("{flag} is not available in this version");
        return Err(Error::Usage(message));
    }
    let what = What::of(command, now)?;
    let request = Request {
        to: command.to.clone(),
        selection: command.selection()?,
        existing: Existing {
            overwrite: command.overwrite,
            checksum: settings.run.checksum,
        },
        dry_run: settings.run.dry_run,
        thaws: command.thaw.is_some(),
        transfers: settings.run.transfers,
        memory: settings.run.memory,
    };
    let backup = Backup::open_thawing(settings, stop, Some(thaw)).await?;
    let restored = match what {
        What::Snapshot(select) => {
            let found = backup.find(&select).await?;
            restore(&backup.vault, &found, &request, &backup.retrier, events).await?
        }
        What::Version(path, id) => {
            let kept = backup.kept(settings).await?;
            let found = find_version(&backup.vault, &kept.snapshots, &path, &id).await;
            let entry = found.map_err(|error| kept.blame_unreadable(error))?;
            given(&backup, vec![entry], "", &request, events).await?
        }
        What::Removed(since) => {
            let kept = backup.kept(settings).await?;
            let chosen = &request.selection;
            let found = removed(&backup.vault, &kept.snapshots, since, chosen).await?;
            announce(&found, &kept, events);
            let missing = "no kept snapshot says that anything of this path was removed since then";
            given(&backup, found.entries, missing, &request, events).await?
        }
    };
    let summary = BackupSummary {
        requests: backup.requests(),
        ..BackupSummary::default()
    };
    Ok((restored, summary))
}

/// What is to be restored.
enum What {
    Snapshot(Select),
    Version(RelPath, String),
    Removed(Time),
}

impl What {
    fn of(command: &Restore, now: &ZonedDateTime) -> Result<Self> {
        let select = command.which.select(now)?;
        let wrong = |why: &str| Err(Error::Usage(why.to_owned()));
        match (&command.version_id, &command.deleted_since) {
            (None, None) => Ok(Self::Snapshot(select)),
            (Some(_), Some(_)) => wrong("--version-id and --deleted-since exclude each other"),
            _ if command.which != Which::default() => wrong(
                "--version-id and --deleted-since look at all snapshots: leave out --at and --snapshot",
            ),
            (Some(id), None) => {
                let selection = command.selection()?;
                let mut paths = selection.roots();
                match (paths.next(), paths.next()) {
                    (Some(path), None) => Ok(Self::Version(path.clone(), id.clone())),
                    _ => wrong("--version-id is of one file: name that one path"),
                }
            }
            (None, Some(text)) => {
                let time = when::parse(text, now);
                let wrong = |why| Error::Usage(format!("--deleted-since {why}"));
                time.map(Self::Removed).map_err(wrong)
            }
        }
    }
}

impl Restore {
    fn selection(&self) -> Result<Selection> {
        Selection::parse(self.paths.iter().map(|path| path.as_encoded_bytes()))
    }
}

async fn given(
    backup: &Backup,
    entries: Vec<Entry>,
    missing: &str,
    request: &Request,
    events: &Events,
) -> Result<Restored> {
    let (vault, retrier) = (&backup.vault, &backup.retrier);
    restore_entries(vault, entries, missing, request, retrier, events).await
}

fn announce(found: &Removed, kept: &Kept, events: &Events) {
    for id in &found.passed_over {
        events.send(Event::Warning(format!(
            "nothing is taken from snapshot {id}, which looks like the work of ransomware"
        )));
    }
    for (id, error) in &kept.unreadable {
        let message = format!("snapshot {id} can't be read and is left out: {error}");
        events.send(Event::Warning(message));
    }
    if found.entries.is_empty() {
        let message = "no kept snapshot says that anything was removed since then";
        events.send(Event::Note(message.to_owned()));
    }
}
