//! The list itself: what is in it, what is shown of it, what is marked.

use super::super::terminal::Key;
use super::super::text::{plain, show_bytes, show_day};
use crate::model::{Entry, Kind, RelPath, words};
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

/// A file, or a folder with all below it.
pub(super) struct Item {
    pub(super) path: RelPath,
    /// As it is shown: a folder's ends with a slash.
    pub(super) name: String,
    /// What is searched.
    folded: String,
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// Its size, or what it is.
    pub(super) size: String,
    /// Its date, or how much is in it.
    pub(super) more: String,
}

/// Folders first, near the root first.
pub(super) struct List {
    pub(super) items: Vec<Item>,
    /// Those that the filter lets through.
    pub(super) shown: Vec<u32>,
    pub(super) filter: String,
    /// The line with the cursor, among those shown.
    pub(super) cursor: usize,
    /// The first line that is visible.
    pub(super) top: usize,
    /// So many are visible.
    pub(super) page: usize,
    marked: BTreeSet<u32>,
    marked_paths: BTreeSet<RelPath>,
}

#[derive(Default)]
struct Sum {
    files: u64,
    bytes: u64,
}

impl List {
    pub(super) fn new(entries: &[Entry], zone: &TimeZone) -> Self {
        let mut folders: BTreeMap<RelPath, Sum> = BTreeMap::new();
        for entry in entries {
            if entry.kind == Kind::Dir {
                folders.entry(entry.path.clone()).or_default();
            }
            for folder in parents(&entry.path) {
                let sum = folders.entry(folder).or_default();
                sum.files += u64::from(entry.kind != Kind::Dir);
                sum.bytes += entry.size();
            }
        }
        let files = entries
            .iter()
            .filter(|it| !matches!(it.kind, Kind::Dir | Kind::Special));
        let mut items: Vec<Item> = folders
            .into_iter()
            .map(|(path, sum)| folder(path, &sum))
            .chain(files.map(|entry| file(entry, zone)))
            .collect();
        let depth = |item: &Item| {
            item.path
                .as_bytes()
                .iter()
                .filter(|it| **it == b'/')
                .count()
        };
        let is_file = |item: &Item| !item.name.ends_with('/');
        items.sort_by_cached_key(|item| (depth(item), is_file(item), item.path.clone()));
        let mut list = Self {
            items,
            shown: Vec::new(),
            filter: String::new(),
            cursor: 0,
            top: 0,
            page: 1,
            marked: BTreeSet::new(),
            marked_paths: BTreeSet::new(),
        };
        list.narrow(false);
        list
    }

    pub(super) fn press(&mut self, key: Key) {
        match key {
            Key::Letter(letter) => {
                self.filter.push(letter);
                self.narrow(true);
            }
            Key::Backspace if self.filter.pop().is_some() => self.narrow(false),
            Key::Clear => {
                self.filter.clear();
                self.narrow(false);
            }
            Key::Tab => {
                self.mark();
                self.go(self.cursor + 1);
            }
            Key::Up => self.go(self.cursor.saturating_sub(1)),
            Key::Down => self.go(self.cursor + 1),
            Key::PageUp => self.go(self.cursor.saturating_sub(self.page)),
            Key::PageDown => self.go(self.cursor + self.page),
            Key::First => self.go(0),
            Key::Last => self.go(usize::MAX),
            _ => {}
        }
    }

    fn go(&mut self, to: usize) {
        self.cursor = to.min(self.shown.len().saturating_sub(1));
        let lowest = (self.cursor + 1).saturating_sub(self.page);
        self.top = self.top.clamp(lowest, self.cursor.max(lowest));
    }

    /// Shows what has every word of the filter in its path, large or small letters. A filter that
    /// grew lets nothing through that it kept out before.
    fn narrow(&mut self, grown: bool) {
        let filter = self.filter.to_lowercase();
        let words: Vec<&str> = filter.split_whitespace().collect();
        let items = &self.items;
        let fits = |at: &u32| {
            let folded = &items[*at as usize].folded;
            words.iter().all(|word| folded.contains(word))
        };
        if grown {
            self.shown.retain(fits);
        } else {
            let all = 0..u32::try_from(items.len()).unwrap_or(u32::MAX);
            self.shown = all.filter(fits).collect();
        }
        self.top = 0;
        self.go(0);
    }

    /// Marks the line with the cursor, or takes its mark away.
    fn mark(&mut self) {
        let Some(&at) = self.shown.get(self.cursor) else {
            return;
        };
        let path = &self.items[at as usize].path;
        if self.marked.remove(&at) {
            self.marked_paths.remove(path);
        } else if !self.is_within_marked(path) {
            self.marked.insert(at);
            self.marked_paths.insert(path.clone());
        }
    }

    fn is_within_marked(&self, path: &RelPath) -> bool {
        !self.marked.is_empty() && parents(path).any(|it| self.marked_paths.contains(&it))
    }

    /// Whether it will be restored: it is marked, or in a folder that is.
    pub(super) fn is_chosen(&self, at: u32) -> bool {
        self.marked.contains(&at) || self.is_within_marked(&self.items[at as usize].path)
    }

    /// Files and bytes of all that is marked, once each.
    pub(super) fn sum(&self) -> (u64, u64) {
        let marked = self.marked.iter().map(|at| &self.items[*at as usize]);
        let outer = marked.filter(|item| !self.is_within_marked(&item.path));
        outer.fold((0, 0), |(files, bytes), it| {
            (files + it.files, bytes + it.bytes)
        })
    }

    /// What is marked; the line with the cursor where nothing is.
    pub(super) fn chosen(&self) -> Vec<RelPath> {
        if self.marked.is_empty() {
            let here = self.shown.get(self.cursor);
            let here = here.map(|at| self.items[*at as usize].path.clone());
            return here.into_iter().collect();
        }
        self.marked_paths.iter().cloned().collect()
    }
}

/// The folders that a path is in.
fn parents(path: &RelPath) -> impl Iterator<Item = RelPath> + '_ {
    let bytes = path.as_bytes();
    let slashes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| RelPath::new(&bytes[..at]))
}

fn folder(path: RelPath, sum: &Sum) -> Item {
    let name = format!("{}/", plain(&path.display()));
    Item {
        folded: name.to_lowercase(),
        name,
        files: sum.files,
        bytes: sum.bytes,
        size: show_bytes(sum.bytes),
        more: words::files(sum.files),
        path,
    }
}

fn file(entry: &Entry, zone: &TimeZone) -> Item {
    let name = plain(&entry.path.display()).into_owned();
    let day = entry
        .mtime
        .map_or_else(String::new, |it| show_day(it, zone));
    let size = match entry.kind {
        Kind::Symlink => "link".to_owned(),
        _ => show_bytes(entry.size()),
    };
    Item {
        path: entry.path.clone(),
        folded: name.to_lowercase(),
        name,
        files: 1,
        bytes: entry.size(),
        size,
        more: day,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entries, names, typed};
    use super::*;

    #[test]
    fn folders_come_first_with_the_sum_of_what_is_in_them() {
        let list = List::new(&entries(), &TimeZone::UTC);
        assert_eq!(
            names(&list),
            [
                "2023/",
                "2024/",
                "notes.txt",
                "2024/Rome/",
                "2023/a.jpg",
                "2024/Rome/b.jpg",
                "2024/Rome/c.jpg"
            ]
        );
        let folder = &list.items[1];
        assert_eq!(
            (folder.size.as_str(), folder.more.as_str()),
            ("3.0 KiB", "2 files")
        );
    }

    #[test]
    fn typing_narrows_the_list_by_words_and_backspace_widens_it() {
        let mut list = List::new(&entries(), &TimeZone::UTC);
        typed(&mut list, "rome JP");
        assert_eq!(names(&list), ["2024/Rome/b.jpg", "2024/Rome/c.jpg"]);
        for _ in 0..3 {
            list.press(Key::Backspace);
        }
        assert_eq!(
            names(&list),
            ["2024/Rome/", "2024/Rome/b.jpg", "2024/Rome/c.jpg"]
        );
        list.press(Key::Clear);
        assert_eq!(list.shown.len(), 7);
    }

    #[test]
    fn marks_stay_while_the_filter_changes_and_count_each_file_once() {
        let mut list = List::new(&entries(), &TimeZone::UTC);
        typed(&mut list, "c.jpg\t");
        list.press(Key::Clear);
        typed(&mut list, "2024/\t");
        assert_eq!(list.sum(), (2, 3 << 10), "the file is in the folder");
        assert_eq!(
            list.chosen(),
            [RelPath::from("2024"), RelPath::from("2024/Rome/c.jpg")]
        );
        // What a marked folder holds is chosen with it.
        list.press(Key::Clear);
        typed(&mut list, "b.jpg");
        assert!(list.is_chosen(list.shown[0]));
        list.press(Key::Tab);
        assert_eq!(list.chosen().len(), 2);
        list.press(Key::Clear);
        typed(&mut list, "2024/\t");
        assert_eq!(
            list.chosen(),
            [RelPath::from("2024/Rome/c.jpg")],
            "the mark is gone again"
        );
    }

    #[test]
    fn without_marks_the_line_with_the_cursor_is_chosen() {
        let mut list = List::new(&entries(), &TimeZone::UTC);
        list.page = 3;
        for _ in 0..4 {
            list.press(Key::Down);
        }
        assert_eq!((list.cursor, list.top), (4, 2));
        assert_eq!(list.chosen(), [RelPath::from("2023/a.jpg")]);
        list.press(Key::Last);
        assert_eq!((list.cursor, list.top), (6, 4));
        list.press(Key::First);
        assert_eq!((list.cursor, list.top), (0, 0));
        typed(&mut list, "no such thing");
        assert_eq!(list.chosen(), []);
        list.press(Key::Tab);
        list.press(Key::PageDown);
    }

    #[test]
    fn a_hundred_thousand_entries_are_narrowed_at_every_key() {
        let many: Vec<Entry> = (0..100_000)
            .map(|n: u32| {
                Entry::new(
                    format!("{}/{}/IMG_{n:06}.jpg", n / 10_000, n / 100)
                        .as_str()
                        .into(),
                    Kind::File,
                )
            })
            .collect();
        let mut list = List::new(&many, &TimeZone::UTC);
        typed(&mut list, "img_0999");
        assert_eq!(list.shown.len(), 100);
    }
}
