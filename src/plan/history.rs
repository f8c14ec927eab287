//! Which paths have the most history: where a vault's bytes are, beside what the library holds now.

use std::cmp::Reverse;
use std::mem;

/// So many by their versions, and so many by their bytes.
const TOP: usize = 3;

/// A key with several versions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    /// Full key.
    pub key: String,
    /// How many versions it has.
    pub versions: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// Finds the keys with the most history in a listing, whose order puts a key's versions together.
/// Remembers no more than a few keys.
#[derive(Clone, Debug, Default)]
pub struct MostHistory {
    current: History,
    by_versions: Vec<History>,
    by_bytes: Vec<History>,
}

impl MostHistory {
    /// Counts the listing's next version.
    pub fn add(&mut self, key: &str, bytes: u64) {
        if self.current.key != key {
            self.rank();
            key.clone_into(&mut self.current.key);
        }
        self.current.versions += 1;
        self.current.bytes += bytes;
    }

    /// The few with the most versions and the few with the most bytes, each once, the most bytes
    /// first. A key with one version has no history.
    pub fn finish(mut self) -> Vec<History> {
        self.rank();
        let mut all = self.by_bytes;
        for one in self.by_versions {
            if !all.contains(&one) {
                all.push(one);
            }
        }
        all.sort_by(|a, b| (b.bytes, b.versions, &a.key).cmp(&(a.bytes, a.versions, &b.key)));
        all
    }

    fn rank(&mut self) {
        let done = mem::take(&mut self.current);
        if done.versions < 2 {
            return;
        }
        self.by_versions.push(done.clone());
        self.by_versions.sort_by_key(|it| Reverse(it.versions));
        self.by_versions.truncate(TOP);
        self.by_bytes.push(done);
        self.by_bytes.sort_by_key(|it| Reverse(it.bytes));
        self.by_bytes.truncate(TOP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(listing: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
        let mut most = MostHistory::default();
        for (key, versions, bytes) in listing {
            for _ in 0..*versions {
                most.add(key, *bytes);
            }
        }
        let found = most.finish().into_iter();
        found.map(|it| (it.key, it.versions, it.bytes)).collect()
    }

    #[test]
    fn the_most_versions_and_the_most_bytes_are_found_and_single_versions_are_no_history() {
        let listing = [
            ("a", 1, 1_000_000),
            ("b", 2, 500),
            ("c", 9, 1),
            ("d", 8, 1),
            ("e", 7, 1),
            ("f", 2, 1),
            ("g", 3, 400),
            ("h", 2, 450),
        ];
        let expected = [
            ("g", 3, 1200),
            ("b", 2, 1000),
            ("h", 2, 900),
            ("c", 9, 9),
            ("d", 8, 8),
            ("e", 7, 7),
        ];
        let expected = expected.map(|(key, versions, bytes)| (key.to_owned(), versions, bytes));
        assert_eq!(most(&listing), expected);
        assert_eq!(most(&[("a", 1, 5), ("b", 1, 5)]), []);
        assert_eq!(most(&[("a", 2, 5)]), [("a".to_owned(), 2, 10)]);
    }
}
