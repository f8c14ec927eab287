//! `tidelock diff A B`: what changed between two snapshots.

use super::Outcome;
use super::reading::Backup;
use crate::engine::diff::{Change, diff};
use crate::engine::look;
use crate::engine::stop::Stop;
use crate::model::{Entry, Error, Event, Events, Result, Settings, Summary, when, words};
use crate::report::tables::Changes;
use crate::report::{Rows, show_bytes};
use crate::snapshot::{Select, as_line};
use jiff::ZonedDateTime;
use serde::Serialize;

/// What the command line says beside the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diff {
    /// An id, `latest`, or a time.
    pub a: String,
    /// The same.
    pub b: String,
}

/// A row: the entry's own fields (of the second snapshot, or of the first where the second has
/// none), and what became of it.
#[derive(Serialize)]
struct Row<E: Serialize> {
    change: &'static str,
    #[serde(flatten)]
    entry: E,
}

/// Prints a row for every path that is not alike in both.
pub async fn run(
    settings: &Settings,
    command: &Diff,
    now: &ZonedDateTime,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    match attempt(settings, command, now, rows, events, stop).await {
        Ok(()) => Outcome::done(Summary::default()),
        Err(error) => Outcome::not_begun(error),
    }
}

async fn attempt(
    settings: &Settings,
    command: &Diff,
    now: &ZonedDateTime,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Result<()> {
    let backup = Backup::open(settings, stop).await?;
    let first = backup.find(&select(&command.a, now)).await?;
    let second = backup.find(&select(&command.b, now)).await?;
    look::introduce(&first, events);
    look::introduce(&second, events);
    let table = Changes::new(rows.look());
    let mut counts = [0_u64; 4];
    let mut bytes = 0;
    let (first, second) = (&first.loaded.snapshot, &second.loaded.snapshot);
    diff(&backup.vault, first, second, |change| {
        let (at, word, entry) = in_words(&change);
        counts[at] += 1;
        if matches!(change, Change::Added(_) | Change::Modified(_)) {
            bytes += entry.size();
        }
        let row = Row {
            change: word,
            entry: as_line(entry),
        };
        rows.lines(&row, || table.row(&change)) && stop.requested().is_none()
    })
    .await?;
    if stop.requested().is_some() {
        return Err(Error::Interrupted);
    }
    let ids = (first.id.as_str(), second.id.as_str());
    events.send(Event::Note(closing(ids, counts, bytes)));
    Ok(())
}

pub(super) fn closing((first, second): (&str, &str), counts: [u64; 4], bytes: u64) -> String {
    let [added, modified, touched, removed] = counts.map(words::digits);
    format!(
        "{first} to {second}: {added} added (+), {modified} modified (M), {} in both; {touched} \
         with another time or mode (T), {removed} removed (-)",
        show_bytes(bytes)
    )
}

/// A time first: what is no time is an id.
fn select(text: &str, now: &ZonedDateTime) -> Select {
    when::parse(text, now).map_or_else(|_| Select::id(text), Select::At)
}

fn in_words(change: &Change) -> (usize, &'static str, &Entry) {
    match change {
        Change::Added(entry) => (0, "added", entry),
        Change::Modified(entry) => (1, "modified", entry),
        Change::Touched(entry) => (2, "touched", entry),
        Change::Removed(entry) => (3, "removed", entry),
    }
}
