//! `tidelock restore`: from the backup target into a folder, without any state.

use super::Outcome;
use super::reading::{Backup, Which};
use crate::engine::restore::{Request, Restored, restore};
use crate::engine::stop::Stop;
use crate::model::{BackupSummary, Error, Events, Result, Settings, Summary};
use crate::plan::restore::{Existing, Selection};
use jiff::ZonedDateTime;
use std::ffi::OsString;
use std::path::PathBuf;

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
    let restored = attempt(settings, command, now, events, stop).await;
    let (restored, requests) = match restored {
        Ok(ended) => ended,
        Err(error) => return Outcome::not_begun(error),
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

async fn attempt(
    settings: &Settings,
    command: &Restore,
    now: &ZonedDateTime,
    events: &Events,
    stop: &Stop,
) -> Result<(Restored, BackupSummary)> {
    if let Some(flag) = command.not_available {
        let message = format!("{flag} is not available in this version");
        return Err(Error::Usage(message));
    }
    let select = command.which.select(now)?;
    let paths = command.paths.iter().map(|path| path.as_encoded_bytes());
    let request = Request {
        to: command.to.clone(),
        selection: Selection::parse(paths)?,
        existing: Existing {
            overwrite: command.overwrite,
            checksum: settings.run.checksum,
        },
        dry_run: settings.run.dry_run,
        transfers: settings.run.transfers,
        memory: settings.run.memory,
    };
    let backup = Backup::open(settings, stop).await?;
    let found = backup.vault.find(&select).await?;
    let restored = restore(&backup.vault, &found, &request, &backup.retrier, events).await?;
    let summary = BackupSummary {
        requests: backup.requests(),
        ..BackupSummary::default()
    };
    Ok((restored, summary))
}
