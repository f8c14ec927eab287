//! `tidelock history PATH`: which contents of a file there are, and when it vanished.

use super::Outcome;
use super::reading::{Backup, backup_settings};
use crate::engine::history::{History, Span, history};
use crate::engine::kept::Kept;
use crate::engine::stop::Stop;
use crate::model::{Event, Events, ExitCode, Failure, Result, Settings, Summary};
use crate::plan::restore::Selection;
use crate::report::Rows;
use crate::snapshot::as_line;
use jiff::ZonedDateTime;
use serde::Serialize;
use std::ffi::OsString;

/// What the command line says beside the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HistoryOf {
    /// A file, or a folder with all below it.
    pub path: OsString,
}

/// A row: the entry's own fields, and these.
#[derive(Serialize)]
struct Row<'a, E: Serialize> {
    #[serde(flatten)]
    entry: E,
    first_snapshot: &'a str,
    last_snapshot: &'a str,
    gone_snapshot: Option<&'a str>,
    rescued: bool,
}

/// Prints a row for every content that a path had, the oldest first.
pub async fn run(
    settings: &Settings,
    command: &HistoryOf,
    now: &ZonedDateTime,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    match attempt(settings, command, stop).await {
        Ok(found) => print(found, command, now, rows, events),
        Err(error) => Outcome::not_begun(error),
    }
}

async fn attempt(settings: &Settings, command: &HistoryOf, stop: &Stop) -> Result<History> {
    let how = backup_settings(settings)?;
    let selection = Selection::parse([command.path.as_encoded_bytes()])?;
    let backup = Backup::open(settings, stop).await?;
    let time = backup.retrier.run(|| backup.vault.store().now()).await?;
    let kept = Kept::read(&backup.vault, time, how.retention).await?;
    let mut found = history(&backup.vault, &kept.snapshots, &selection).await?;
    let unreadable = kept.unreadable.iter();
    found
        .broken
        .extend(unreadable.map(|(id, error)| format!("snapshot {id}: {error}")));
    Ok(found)
}

fn print(
    found: History,
    command: &HistoryOf,
    now: &ZonedDateTime,
    rows: &Rows,
    events: &Events,
) -> Outcome {
    for span in &found.spans {
        let row = Row {
            entry: as_line(&span.entry),
            first_snapshot: span.first.as_str(),
            last_snapshot: span.last.as_str(),
            gone_snapshot: span.gone.as_ref().map(|id| id.as_str()),
            rescued: span.rescued,
        };
        if !rows.row(&row, || text(span, now)) {
            break;
        }
    }
    let failure = |path: String, message: String| Failure {
        path,
        stage: "snapshot",
        message,
    };
    let mut exit = ExitCode::Done;
    let mut errors = Vec::new();
    let path = command.path.to_string_lossy().into_owned();
    for message in found.broken {
        errors.push(failure(path.clone(), message));
        exit = ExitCode::Damage;
    }
    if found.spans.is_empty() {
        let message = "no kept snapshot has such a path".to_owned();
        errors.push(failure(path, message));
        exit = exit.and(ExitCode::Partial);
    }
    for failure in &errors {
        events.send(Event::Failed(failure.clone()));
    }
    Outcome {
        exit,
        summary: Summary {
            errors,
            ..Summary::default()
        },
        error: None,
    }
}

fn text(span: &Span, now: &ZonedDateTime) -> String {
    let local = |time: crate::model::Time| {
        let local = time.to_zoned_datetime(now.time_zone().clone());
        local.strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let entry = &span.entry;
    let mtime = entry.mtime.map_or_else(String::new, local);
    let version = entry.stored.as_ref().map_or("-", |it| &it.version_id);
    let seen = format!(
        "{} to {}",
        local(span.first.time()),
        local(span.last.time())
    );
    let fate = match (&span.gone, span.rescued) {
        (_, true) => "  rescued from the mirror".to_owned(),
        (Some(id), false) => format!("  gone in {id}"),
        (None, false) => String::new(),
    };
    format!(
        "{mtime:19} {:>14}  {version:36}  in snapshots {seen}{fate}  {}",
        entry.size(),
        entry.path
    )
}
