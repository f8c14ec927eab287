//! Paths of a snapshot that no disk can hold side by side: a file, and something below it.
//!
//! A run that may not delete carries what it did not find. Where a file has become a folder since,
//! or a folder a file, the snapshot then names both.

use crate::model::{Entry, Kind, RelPath};
use std::collections::HashSet;

/// What has to be left out, told while all entries go by once in the order of paths.
///
/// | above | below | left out |
/// |---|---|---|
/// | carried | seen or carried | above |
/// | seen | carried | below |
/// | seen | seen | nothing: no run writes such |
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overlaps {
    /// Files and links so far whose paths the last one begins with, and whether they are carried;
    /// no more than that path has bytes.
    open: Vec<(RelPath, bool)>,
    above: HashSet<RelPath>,
    /// What was seen and has carried paths below it.
    below: HashSet<RelPath>,
}

impl Overlaps {
    /// Takes the next entry.
    pub fn take(&mut self, entry: &Entry) {
        let path = entry.path.as_bytes();
        while let Some((open, _)) = self.open.last()
            && !path.starts_with(open.as_bytes())
        {
            self.open.pop();
        }
        for (above, carried) in &self.open {
            if path.get(above.as_bytes().len()) != Some(&b'/') {
                continue;
            }
            if *carried {
                self.above.insert(above.clone());
            } else if entry.carried {
                self.below.insert(above.clone());
            }
        }
        if matches!(entry.kind, Kind::File | Kind::Symlink) {
            self.open.push((entry.path.clone(), entry.carried));
        }
    }

    /// Whether an entry is to be left out, once all have been taken.
    pub fn leave_out(&self, entry: &Entry) -> bool {
        entry.carried && (self.above.contains(&entry.path) || self.is_below(&entry.path))
    }

    fn is_below(&self, path: &RelPath) -> bool {
        let bytes = path.as_bytes();
        let slashes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut above = slashes.map(|(at, _)| RelPath::new(&bytes[..at]));
        !self.below.is_empty() && above.any(|above| self.below.contains(&above))
    }

    /// Names for which carried paths are left out, in order.
    pub fn names(&self) -> Vec<&RelPath> {
        let mut names: Vec<_> = self.above.union(&self.below).collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths in order; a `!` before one makes it carried, a `/` behind it a folder.
    fn left_out(paths: &[&str]) -> Vec<String> {
        let entries = paths.iter().map(|text| {
            let (path, carried) = match text.strip_prefix('!') {
                Some(path) => (path, true),
                None => (*text, false),
            };
            let kind = match path.ends_with('/') {
                true => Kind::Dir,
                false => Kind::File,
            };
            Entry {
                carried,
                ..Entry::new(RelPath::from(path.trim_end_matches('/')), kind)
            }
        });
        let entries: Vec<_> = entries.collect();
        let mut overlaps = Overlaps::default();
        entries.iter().for_each(|entry| overlaps.take(entry));
        let out = entries.iter().filter(|entry| overlaps.leave_out(entry));
        out.map(|entry| entry.path.to_string()).collect()
    }

    #[test]
    fn what_was_seen_stays_where_what_was_carried_is_in_its_way() {
        for (paths, expected) in [
            (&["!a", "a/in"][..], &["a"][..]),
            (&["!a", "a-", "a.b", "a/in", "a/x/y"], &["a"]),
            (&["a", "!a/in", "!a/x/y"], &["a/in", "a/x/y"]),
            (&["!a", "!a/in"], &["a"]),
            (&["!a", "a/b", "!a/b/c"], &["a", "a/b/c"]),
            (&["!a/", "a/in"], &[]),
            (&["!a", "ab/in", "b"], &[]),
            (&["a", "a/in"], &[]),
            (&["!a/in", "a0"], &[]),
        ] {
            assert_eq!(left_out(paths), expected, "{paths:?}");
        }
    }
}
