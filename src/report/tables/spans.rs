//! The contents that paths had.

use super::{minute, size};
use crate::engine::history::Span;
use crate::model::RelPath;
use crate::report::look::{Look, Tone};
use crate::report::table::{Cell, Column, Shape, Table};
use crate::report::text::{plain, show_minute};
use crate::report::width::pieces;
use jiff::tz::TimeZone;

const COLUMNS: &[Column] = &[
    ("modified", Shape::Left(16)),
    ("size", Shape::Right(10)),
    ("first snapshot", Shape::Left(16)),
    ("last snapshot", Shape::Left(16)),
];

/// `tidelock history`: a block for each path.
pub struct Spans {
    table: Table,
    look: Look,
    zone: TimeZone,
    path: Option<RelPath>,
}

impl Spans {
    /// For such an output.
    pub fn new(look: Look, zone: TimeZone) -> Self {
        Self {
            table: Table::indented(COLUMNS, 0, 2, look),
            look,
            zone,
            path: None,
        }
    }

    /// A row, and the path and the head before the first one of each path.
    pub fn row(&mut self, span: &Span) -> Vec<String> {
        let entry = &span.entry;
        let mut lines = Vec::new();
        if self.path.as_ref() != Some(&entry.path) {
            lines.extend(self.title(&entry.path));
            lines.extend(self.table.head());
            self.path = Some(entry.path.clone());
        }
        let (first, last) = (span.first.time(), span.last.time());
        let seen = |time, word: &str| {
            minute(Some(time), &self.zone)
                .alone(format!("{word} {}", show_minute(time, &self.zone)))
        };
        let cells = [
            minute(entry.mtime, &self.zone),
            size(entry),
            seen(first, "in snapshots from"),
            seen(last, "to"),
        ];
        let version = entry
            .stored
            .as_ref()
            .map(|it| format!("version {}", it.version_id));
        let notes = [
            Cell::new(self.fate(span)).tone(Tone::Notable),
            Cell::new(version.unwrap_or_default()),
        ];
        lines.extend(self.table.row(&cells, &notes));
        lines
    }

    fn fate(&self, span: &Span) -> String {
        match (&span.gone, span.rescued) {
            (_, true) => "rescued from the mirror".to_owned(),
            (Some(id), false) => format!("gone in {id}"),
            (None, false) => String::new(),
        }
    }

    fn title(&self, path: &RelPath) -> Vec<String> {
        let path = path.display();
        let path = plain(&path);
        let room = self.look.columns.unwrap_or(usize::MAX);
        let lines = pieces(&path, room).into_iter();
        lines
            .map(|line| Tone::Title.paint(line, self.look.colour))
            .collect()
    }
}
