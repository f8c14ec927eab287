//! The list on a terminal.

use super::super::terminal;
use super::super::width::{keep_end, width};
use super::list::{Item, List};
use crate::model::words;
use std::io::Write;

/// Lines above and below the list, and the one where the cursor rests.
pub(super) const AROUND: usize = 5;
/// A name that would get less than this has the line to itself.
const LEAST_NAME: usize = 20;
/// Before a name: the cursor and the mark.
const MARK: usize = 6;

const KEYS: &[&str] = &[
    "Tab marks",
    "Enter restores",
    "type to search",
    "Esc leaves",
];

/// All lines; none is wider than the terminal, and they are fewer than it has.
pub(super) fn frame(list: &List, title: &str, columns: usize, lines: usize) -> Vec<String> {
    let columns = columns.saturating_sub(1);
    let mut frame = vec![
        keep_end(title, columns).into_owned(),
        keep_end(&counts(list), columns).into_owned(),
        keep_end(&format!("> {}_", list.filter), columns).into_owned(),
    ];
    let rows = list.shown.iter().enumerate().skip(list.top).take(list.page);
    for (row, &at) in rows {
        let cursor = if row == list.cursor { '>' } else { ' ' };
        let mark = if list.is_chosen(at) { 'x' } else { ' ' };
        let item = &list.items[at as usize];
        let line = entry(item, columns.saturating_sub(MARK));
        frame.push(format!("{cursor} [{mark}] {line}"));
    }
    let mut keys = String::new();
    for key in KEYS {
        let longer = format!("{keys}{}{key}", if keys.is_empty() { "" } else { ", " });
        if width(&longer) <= columns {
            keys = longer;
        }
    }
    frame.push(keys);
    frame.truncate(lines.saturating_sub(1).max(1));
    frame
}

fn counts(list: &List) -> String {
    let shown = format!(
        "{} of {}",
        words::digits(list.shown.len() as u64),
        words::digits(list.items.len() as u64)
    );
    match list.sum() {
        (0, 0) => shown,
        (files, bytes) => format!(
            "{shown}, marked: {}, {}",
            words::files(files),
            super::super::text::show_bytes(bytes)
        ),
    }
}

/// The name, and as much about it as there is room for.
fn entry(item: &Item, room: usize) -> String {
    let both = format!("{:>10}  {:<10}", item.size, item.more);
    let size = format!("{:>10}", item.size);
    let fits = |about: &&str| LEAST_NAME + 2 + width(about) <= room;
    let about = [both.trim_end(), &size].into_iter().find(fits);
    let Some(about) = about else {
        return keep_end(&item.name, room).into_owned();
    };
    // The longer of the two sets the column.
    let column = if about == size {
        width(&size)
    } else {
        width(&both)
    };
    let name = keep_end(&item.name, room - column - 2);
    let gap = room - column - width(&name);
    format!("{name}{:gap$}{about}", "")
}

/// What is on the screen, so that it can be replaced.
#[derive(Default)]
pub(super) struct Drawn {
    lines: usize,
}

impl Drawn {
    pub(super) fn draw(&mut self, frame: &[String]) {
        let mut text = self.home();
        text.push_str("\u{1b}[J");
        for line in frame {
            text.push_str(line);
            text.push('\n');
        }
        self.lines = frame.len();
        write(&text);
    }

    /// Back to where the first line begins.
    fn home(&self) -> String {
        // A terminal that has become narrower has broken no line: each is redrawn at every key, and
        // at worst some lines of an old frame stay above.
        match self.lines.min(terminal::size().1.saturating_sub(1)) {
            0 => "\r".to_owned(),
            lines => format!("\r\u{1b}[{lines}A"),
        }
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        write(&format!("{}\u{1b}[J", self.home()));
    }
}

fn write(text: &str) {
    let mut screen = std::io::stderr();
    // Who does not see the list presses no key either.
    let _ = screen
        .write_all(text.as_bytes())
        .and_then(|()| screen.flush());
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entries, typed};
    use super::*;
    use crate::report::terminal::Key;
    use jiff::tz::TimeZone;

    fn drawn(columns: usize) -> String {
        let mut list = List::new(&entries(), &TimeZone::UTC);
        list.page = 6;
        typed(&mut list, "2024\t");
        list.press(Key::Down);
        let frame = frame(
            &list,
            "snapshot 20261123T021500Z-1a2b3c4d, 2026-11-23 02:15",
            columns,
            24,
        );
        assert!(frame.iter().all(|line| width(line) < columns), "{frame:?}");
        frame.join("\n")
    }

    #[test]
    fn the_list_fits_into_80_and_40_columns() {
        insta::assert_snapshot!("pick_80", drawn(80));
        insta::assert_snapshot!("pick_40", drawn(40));
    }

    #[test]
    fn the_list_fits_into_a_tiny_terminal() {
        let mut list = List::new(&entries(), &TimeZone::UTC);
        list.page = 1;
        for (columns, lines) in [(1, 1), (5, 2), (10, 4)] {
            let frame = frame(&list, "a title", columns, lines);
            assert!(frame.len() < lines.max(2));
        }
    }
}
