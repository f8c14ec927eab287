//! Tables that are made row by row, so that the first of a million rows is there at once.
//!
//! Columns have fixed widths. Where the terminal is too narrow for all of them, each row becomes a
//! block: what the row is about on a line of its own, whole, and the rest below it. Nothing is left
//! out, save the beginning of a path that is too long for its column.

use super::look::{Look, Tone};
use super::text::plain;
use super::width::{keep_end, pieces, width, wrap};

/// Between two columns.
const GAP: usize = 2;
/// A path that would get less than this gets a line of its own.
const LEAST_PATH: usize = 24;
/// What belongs to a row and has no room in it is set in so far.
const BELOW: usize = 2;

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    /// Words.
    Left(usize),
    /// Numbers.
    Right(usize),
    /// A path, which gets what is left and is the last column.
    Path,
}

/// A column: its head, and its shape.
pub(super) type Column = (&'static str, Shape);

/// One cell of a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    /// How it is said without a head above it.
    alone: Option<String>,
    tone: Tone,
}

impl Cell {
    /// A text, made harmless for terminals.
    pub(super) fn new(text: impl AsRef<str>) -> Self {
        Self {
            text: plain(text.as_ref()).into_owned(),
            ..Self::default()
        }
    }

    /// What it says where no head explains it: `12 files` for `12`.
    pub(super) fn alone(self, text: impl AsRef<str>) -> Self {
        Self {
            alone: Some(plain(text.as_ref()).into_owned()),
            ..self
        }
    }

    pub(super) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    fn said(&self) -> &str {
        self.alone.as_deref().unwrap_or(&self.text)
    }
}

/// The columns, and the terminal that they are for.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: &'static [Column],
    /// Of the columns, the one that the row is about.
    subject: usize,
    indent: usize,
    look: Look,
    is_narrow: bool,
}

impl Table {
    pub(super) fn new(columns: &'static [Column], subject: usize, look: Look) -> Self {
        Self::indented(columns, subject, 0, look)
    }

    pub(super) fn indented(
        columns: &'static [Column],
        subject: usize,
        indent: usize,
        look: Look,
    ) -> Self {
        let least = columns.iter().map(|(_, shape)| match shape {
            Shape::Left(wide) | Shape::Right(wide) => *wide,
            Shape::Path => LEAST_PATH,
        });
        let least = indent + least.sum::<usize>() + GAP * (columns.len() - 1);
        Self {
            columns,
            subject,
            indent,
            look,
            is_narrow: look.columns.is_some_and(|columns| columns < least),
        }
    }

    /// The head; none where rows are blocks.
    pub(super) fn head(&self) -> Option<String> {
        let cells = self
            .columns
            .iter()
            .map(|(name, _)| Cell::new(name).tone(Tone::Title));
        (!self.is_narrow).then(|| self.line(&cells.collect::<Vec<_>>()))
    }

    /// A row; `notes` say what only some rows have to say.
    pub(super) fn row(&self, cells: &[Cell], notes: &[Cell]) -> Vec<String> {
        if self.is_narrow {
            return self.block(cells, notes);
        }
        let first = self.line(cells);
        // Painting takes no columns: the width is that of the bare text.
        let bare = Self {
            look: Look {
                colour: false,
                ..self.look
            },
            ..self.clone()
        };
        self.join(first, width(&bare.line(cells)), notes)
    }

    fn line(&self, cells: &[Cell]) -> String {
        let mut line = " ".repeat(self.indent);
        let mut used = self.indent;
        // Spaces are due only before something.
        let mut due = 0;
        for ((_, shape), cell) in self.columns.iter().zip(cells) {
            let (before, text, after) = match shape {
                Shape::Left(wide) => {
                    let free = wide.saturating_sub(width(&cell.text));
                    (0, cell.text.as_str().into(), free)
                }
                Shape::Right(wide) => {
                    let free = wide.saturating_sub(width(&cell.text));
                    (free, cell.text.as_str().into(), 0)
                }
                Shape::Path => match self.look.columns {
                    Some(columns) => (0, keep_end(&cell.text, columns.saturating_sub(used)), 0),
                    None => (0, cell.text.as_str().into(), 0),
                },
            };
            due += before;
            if !text.is_empty() {
                line.push_str(&" ".repeat(due));
                line.push_str(&cell.tone.paint(&text, self.look.colour));
                due = 0;
            }
            due += after + GAP;
            used += before + width(&text) + after + GAP;
        }
        line
    }

    /// Puts texts behind a line that takes `used` columns, and below it where there is no room.
    fn join(&self, first: String, mut used: usize, notes: &[Cell]) -> Vec<String> {
        let mut lines = vec![first];
        let room = self.look.columns.unwrap_or(usize::MAX);
        let below = self.indent + BELOW;
        for note in notes.iter().filter(|note| !note.said().is_empty()) {
            let (text, paint) = (note.said(), |text: &str| {
                note.tone.paint(text, self.look.colour)
            });
            if used + GAP + width(text) <= room {
                if let Some(line) = lines.last_mut() {
                    line.push_str(&" ".repeat(GAP));
                    line.push_str(&paint(text));
                }
                used += GAP + width(text);
                continue;
            }
            for piece in wrap(text, room.saturating_sub(below)) {
                used = below + width(&piece);
                lines.push(format!("{:below$}{}", "", paint(&piece)));
            }
        }
        lines
    }

    fn block(&self, cells: &[Cell], notes: &[Cell]) -> Vec<String> {
        let room = self.look.columns.unwrap_or(usize::MAX);
        let mut lines = Vec::new();
        if let Some(subject) = cells.get(self.subject) {
            for piece in pieces(&subject.text, room.saturating_sub(self.indent)) {
                let piece = subject.tone.paint(piece, self.look.colour);
                lines.push(format!("{:1$}{piece}", "", self.indent));
            }
        }
        let others = cells
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != self.subject);
        let rest: Vec<Cell> = others
            .map(|(_, cell)| cell.clone())
            .chain(notes.to_vec())
            .collect();
        let last = lines.pop().unwrap_or_default();
        // Below the subject, whatever room there is behind it.
        lines.extend(self.join(last, room, &rest));
        lines
    }
}

/// A label in ten columns and a text, which goes on below itself where the terminal is narrow, and
/// where it has several lines itself.
pub(super) fn labelled(label: &str, text: &str, tone: Tone, look: Look) -> Vec<String> {
    const LABEL: usize = 10;
    let room = look
        .columns
        .map_or(usize::MAX, |columns| columns.saturating_sub(LABEL));
    let lines = text.split('\n').flat_map(|line| wrap(&plain(line), room));
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    let lines = labels.zip(lines);
    lines
        .map(|(label, line)| format!("{label:LABEL$}{}", tone.paint(&line, look.colour)))
        .collect()
}

/// A line whose text, from the column `indent` on, goes on below itself where the terminal is narrow.
/// What stands before is narrow ASCII.
pub fn hung(indent: usize, line: &str, look: Look) -> Vec<String> {
    let line = plain(line);
    let Some((label, text)) = line.split_at_checked(indent) else {
        return vec![line.into_owned()];
    };
    let room = look
        .columns
        .map_or(usize::MAX, |columns| columns.saturating_sub(indent));
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    let mut lines = wrap(text, room);
    // Of two spaces between words, a break takes one.
    let broken = lines.len() - 1;
    lines[..broken]
        .iter_mut()
        .for_each(|line| line.truncate(line.trim_end().len()));
    let lines = labels.zip(lines);
    lines
        .map(|(label, line)| format!("{label:indent$}{line}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[("size", Shape::Right(10)), ("path", Shape::Path)];

    fn at(columns: Option<usize>, path: &str) -> Vec<String> {
        let look = Look {
            columns,
            ..Look::default()
        };
        let cells = [Cell::new("1.0 KiB").alone("1.0 KiB large"), Cell::new(path)];
        Table::new(COLUMNS, 1, look).row(&cells, &[Cell::new("a note")])
    }

    #[test]
    fn a_text_goes_on_below_itself() {
        let look = |columns| Look {
            columns,
            ..Look::default()
        };
        let line = "ok    sync    objects can be deleted";
        assert_eq!(hung(14, line, look(None)), [line]);
        assert_eq!(
            hung(14, line, look(Some(30))),
            ["ok    sync    objects can be", "              deleted"]
        );
        assert_eq!(hung(14, "short", look(Some(30))), ["short"]);
    }

    #[test]
    fn a_pipe_gets_whole_lines() {
        let path = "x".repeat(200);
        assert_eq!(at(None, &path), [format!("   1.0 KiB  {path}  a note")]);
    }

    #[test]
    fn a_terminal_gets_the_end_of_a_path_and_notes_where_there_is_room() {
        assert_eq!(at(Some(40), "a.jpg"), ["   1.0 KiB  a.jpg  a note"]);
        let path = format!("{}/a.jpg", "x".repeat(200));
        let lines = at(Some(40), &path);
        assert_eq!(width(&lines[0]), 40);
        assert!(
            lines[0].contains("  …x") && lines[0].ends_with("x/a.jpg"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "  a note");
    }

    #[test]
    fn a_narrow_terminal_gets_whole_paths_and_all_else_below() {
        assert_eq!(
            at(Some(20), "0123456789abcdefghijklmnop\n"),
            [
                "0123456789abcdefghij",
                "klmnop\\n",
                "  1.0 KiB large",
                "  a note"
            ]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in 20..120 {
            for path in [
                "a",
                "夏休み/夏休み/夏休み/夏休み/夏休み/夏休み",
                &"e\u{301}".repeat(150),
            ] {
                for line in at(Some(columns), path) {
                    assert!(width(&line) <= columns, "{line:?} in {columns}");
                }
            }
        }
    }

    #[test]
    fn a_label_stands_before_its_text_once() {
        let look = Look {
            columns: Some(20),
            ..Look::default()
        };
        assert_eq!(
            labelled("sync", "3 uploaded, 4 deleted", Tone::Plain, look),
            ["sync      3", "          uploaded,", "          4 deleted"]
        );
    }
}
