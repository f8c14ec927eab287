//! `tidelock history PATH`: which contents of a file there are, and when it vanished.

use super::Outcome;
use super::reading::Backup;
use crate::engine::history::{History, history};
use crate::engine::stop::Stop;
use crate::model::{Event, Events, ExitCode, Failure, Result, Settings, Summary};
use crate::plan::restore::Selection;
use crate::report::Rows;
use crate::report::tables::Spans;
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
    let selection = Selection::parse([command.path.as_encoded_bytes()])?;
    let backup = Backup::open(settings, stop).await?;
    let kept = backup.kept(settings).await?;
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
    let mut table = Spans::new(rows.look(), now.time_zone().clone());
    for span in &found.spans {
        let row = Row {
            entry: as_line(&span.entry),
            first_snapshot: span.first.as_str(),
            last_snapshot: span.last.as_str(),
            gone_snapshot: span.gone.as_ref().map(|id| id.as_str()),
            rescued: span.rescued,
        };
        if !rows.lines(&row, || table.row(span)) {
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
