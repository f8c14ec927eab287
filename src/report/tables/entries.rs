//! The entries of a snapshot.

use super::{minute, size};
use crate::model::Entry;
use crate::report::look::{Look, Tone};
use crate::report::table::{Cell, Column, Shape, Table};
use jiff::tz::TimeZone;

const COLUMNS: &[Column] = &[
    ("modified", Shape::Left(16)),
    ("size", Shape::Right(10)),
    ("path", Shape::Path),
];

/// `tidelock ls`.
pub struct Entries {
    table: Table,
    zone: TimeZone,
}

impl Entries {
    /// For such an output.
    pub fn new(look: Look, zone: TimeZone) -> Self {
        let table = Table::new(COLUMNS, 2, look);
        Self { table, zone }
    }

    /// A row.
    pub fn row(&self, entry: &Entry) -> Vec<String> {
        let target = entry.target.as_ref().map_or_else(String::new, |target| {
            format!(" -> {}", String::from_utf8_lossy(target))
        });
        let path = Cell::new(format!("{}{target}", entry.path.display()));
        let carried = if entry.carried { "(carried)" } else { "" };
        let cells = [minute(entry.mtime, &self.zone), size(entry), path];
        self.table
            .row(&cells, &[Cell::new(carried).tone(Tone::Notable)])
    }
}
