//! Choosing files and folders from a list that may be long: typing narrows it down.

mod draw;
mod list;

use super::desk::Desk;
use super::terminal::{self, Key};
use crate::model::{Entry, Error, RelPath, Result};
use draw::Drawn;
use jiff::tz::TimeZone;
use list::List;

/// Lets a person choose among these, and returns the paths chosen; none where nothing was.
///
/// # Errors
/// `Interrupted` by Ctrl-C; `Io` where the terminal fails.
pub async fn pick(
    desk: &Desk,
    title: String,
    entries: Vec<Entry>,
    zone: TimeZone,
) -> Result<Vec<RelPath>> {
    let chosen = desk.with_keys(move |keys| {
        let mut list = List::new(&entries, &zone);
        drop(entries);
        let mut drawn = Drawn::default();
        loop {
            let (columns, lines) = terminal::size();
            list.page = lines.saturating_sub(draw::AROUND).max(1);
            drawn.draw(&draw::frame(&list, &title, columns, lines));
            match keys.next() {
                Some(Key::Enter) => break Ok(list.chosen()),
                Some(Key::Escape | Key::End) => break Ok(Vec::new()),
                Some(Key::Interrupt) | None => break Err(Error::Interrupted),
                Some(key) => list.press(key),
            }
        }
    });
    chosen.await?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, Kind};

    pub(super) fn entries() -> Vec<Entry> {
        let mut entries = Vec::new();
        for (path, bytes) in [
            ("2023/a.jpg", 0),
            ("2024/Rome/b.jpg", 1 << 10),
            ("2024/Rome/c.jpg", 2 << 10),
            ("notes.txt", 1),
        ] {
            let mut entry = Entry::new(path.into(), Kind::File);
            entry.content = Some(Content::of(&vec![0; bytes]));
            entry.mtime = "2026-11-20T12:00:00Z".parse().ok();
            entries.push(entry);
        }
        entries
    }

    pub(super) fn names(list: &List) -> Vec<&str> {
        let shown = list.shown.iter();
        shown
            .map(|at| list.items[*at as usize].name.as_str())
            .collect()
    }

    pub(super) fn typed(list: &mut List, text: &str) {
        for letter in text.chars() {
            list.press(match letter {
                '\t' => Key::Tab,
                letter => Key::Letter(letter),
            });
        }
    }
}
