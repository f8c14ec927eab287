//! What a look at each snapshot has shown.

use crate::model::words;
use crate::report::look::{Look, Tone};
use crate::report::table::{Cell, Column, Shape, Table};
use crate::report::text::show_bytes;

const COLUMNS: &[Column] = &[
    ("id", Shape::Left(25)),
    ("files", Shape::Right(16)),
    ("size", Shape::Right(10)),
];

/// `tidelock verify`.
pub struct Verdicts {
    table: Table,
}

impl Verdicts {
    /// For such an output.
    pub fn new(look: Look) -> Self {
        let table = Table::new(COLUMNS, 0, look);
        Self { table }
    }

    /// A row.
    pub fn row(
        &self,
        id: &str,
        (files, bytes): (u64, u64),
        problems: u64,
        healed: u64,
    ) -> Vec<String> {
        let (said, tone) = match (problems, healed) {
            (0, 0) => ("can be restored".to_owned(), Tone::Good),
            (0, healed) => (
                format!("can be restored, {} healed", words::digits(healed)),
                Tone::Notable,
            ),
            (problems, _) => (words::count(problems, "problem", "problems"), Tone::Bad),
        };
        let cells = [
            Cell::new(id),
            Cell::new(words::files(files)),
            Cell::new(show_bytes(bytes)),
        ];
        self.table.row(&cells, &[Cell::new(said).tone(tone)])
    }
}
