//! What changed between two snapshots.

use super::size;
use crate::engine::diff::Change;
use crate::model::Entry;
use crate::report::look::{Look, Tone};
use crate::report::table::{Cell, Column, Shape, Table};

const COLUMNS: &[Column] = &[
    ("", Shape::Left(1)),
    ("size", Shape::Right(10)),
    ("path", Shape::Path),
];

/// `tidelock diff`.
pub struct Changes {
    table: Table,
}

impl Changes {
    /// For such an output.
    pub fn new(look: Look) -> Self {
        let table = Table::new(COLUMNS, 2, look);
        Self { table }
    }

    /// A row.
    pub fn row(&self, change: &Change) -> Vec<String> {
        let (mark, word, tone, entry): (_, _, _, &Entry) = match change {
            Change::Added(entry) => ("+", "added", Tone::Good, entry),
            Change::Modified(entry) => ("M", "modified", Tone::Notable, entry),
            Change::Touched(entry) => ("T", "touched", Tone::Plain, entry),
            Change::Removed(entry) => ("-", "removed", Tone::Bad, entry),
        };
        let path = Cell::new(entry.path.display()).tone(tone);
        let cells = [Cell::new(mark).alone(word).tone(tone), size(entry), path];
        self.table.row(&cells, &[])
    }
}
