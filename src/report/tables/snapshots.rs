//! The snapshots of a backup.

use super::minute;
use crate::model::words;
use crate::report::look::{Look, Tone};
use crate::report::table::{Cell, Column, Shape, Table};
use crate::report::text::{show_bytes, show_day};
use crate::snapshot::Snapshot;
use jiff::tz::TimeZone;

const COLUMNS: &[Column] = &[
    ("id", Shape::Left(25)),
    ("taken", Shape::Left(16)),
    ("files", Shape::Right(9)),
    ("size", Shape::Right(10)),
    ("protected until", Shape::Left(10)),
];

/// `tidelock snapshots`.
pub struct Snapshots {
    table: Table,
    zone: TimeZone,
}

impl Snapshots {
    /// For such an output.
    pub fn new(look: Look, zone: TimeZone) -> Self {
        let table = Table::new(COLUMNS, 0, look);
        Self { table, zone }
    }

    /// The head, where there is one.
    pub fn head(&self) -> Option<String> {
        self.table.head()
    }

    /// A row. A suspect snapshot says why it is one; one that a prune record names is still there.
    pub fn row(&self, snapshot: &Snapshot, prune_pending: bool) -> Vec<String> {
        let until = show_day(snapshot.protected_until, &self.zone);
        let cells = [
            Cell::new(snapshot.id.as_str()),
            minute(Some(snapshot.time), &self.zone),
            Cell::new(words::digits(snapshot.files)).alone(words::files(snapshot.files)),
            Cell::new(show_bytes(snapshot.bytes)),
            Cell::new(&until).alone(format!("protected until {until}")),
        ];
        let suspect = snapshot
            .suspect
            .as_ref()
            .map(|why| format!("suspect: {why}"));
        let suspect = Cell::new(suspect.unwrap_or_default()).tone(Tone::Bad);
        let incomplete = if snapshot.complete { "" } else { "incomplete" };
        let incomplete = Cell::new(incomplete).tone(Tone::Notable);
        let pending = if prune_pending { "prune pending" } else { "" };
        let pending = Cell::new(pending).tone(Tone::Notable);
        self.table.row(&cells, &[incomplete, pending, suspect])
    }
}
