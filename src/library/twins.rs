//! Names of one folder that some file systems can't tell apart. Both are kept; the user is told,
//! because a restore onto such a disk can't have both.

use crate::model::{RelPath, words};
use icu_normalizer::ComposingNormalizerBorrowed;
use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

/// More than so many pairs are counted, not named.
const NAMED: usize = 20;

/// A note for each pair of neighbours that differ only in Unicode form or in case.
pub(crate) fn notes<'a>(paths: impl Iterator<Item = &'a RelPath>) -> Vec<String> {
    // 8 bytes of hash instead of a folded copy of each name: pairs are checked below.
    let mut folded: Vec<(u64, &RelPath)> = paths.map(|path| (folded_hash(path), path)).collect();
    folded.sort_unstable();
    let mut notes = Vec::new();
    let mut more = 0_usize;
    for pair in folded
        .chunk_by(|one, two| one.0 == two.0)
        .flat_map(|group| group.windows(2))
    {
        let Some(note) = describe(pair[0].1, pair[1].1) else {
            continue;
        };
        if notes.len() < NAMED {
            notes.push(note);
        } else {
            more += 1;
        }
    }
    notes.sort_unstable();
    if more > 0 {
        notes.push(format!(
            "and {} of such names",
            words::count(more as u64, "more pair", "more pairs")
        ));
    }
    notes
}

fn describe(one: &RelPath, two: &RelPath) -> Option<String> {
    let ((folder, name), (other_folder, other_name)) = (split(one), split(two));
    let (name, other_name) = (as_text(name)?, as_text(other_name)?);
    if folder != other_folder || name == other_name || fold(name) != fold(other_name) {
        return None;
    }
    Some(if compose(name) == compose(other_name) {
        // Escaped too, because the two look alike.
        format!(
            "{one} ({}) and {two} ({}) differ only in Unicode form (NFC and NFD), which macOS \
             does not tell apart",
            name.escape_default(),
            other_name.escape_default()
        )
    } else {
        format!("{one} and {two} differ only in case, which macOS and Windows do not tell apart")
    })
}

fn folded_hash(path: &RelPath) -> u64 {
    let (folder, name) = split(path);
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    match as_text(name) {
        Some(name) => fold(name).hash(&mut hasher),
        None => name.hash(&mut hasher),
    }
    hasher.finish()
}

fn split(path: &RelPath) -> (&[u8], &[u8]) {
    let bytes = path.as_bytes();
    match bytes.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (b"", bytes),
    }
}

fn as_text(name: &[u8]) -> Option<&str> {
    std::str::from_utf8(name).ok()
}

fn compose(name: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(name)
}

fn fold(name: &str) -> String {
    if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        compose(&compose(name).to_lowercase()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes_on(paths: &[&str]) -> Vec<String> {
        let paths: Vec<RelPath> = paths.iter().map(|&path| path.into()).collect();
        notes(paths.iter())
    }

    #[test]
    fn f08_names_in_two_unicode_forms_are_reported() {
        let notes = notes_on(&["a/caf\u{e9}", "a/cafe\u{301}", "b/cafe"]);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].contains(r"cafe\u{301}") && notes[0].contains("NFC"),
            "{notes:?}"
        );
    }

    #[test]
    fn f09_names_that_differ_only_in_case_are_reported() {
        let notes = notes_on(&[
            "a/IMG.jpg",
            "a/img.jpg",
            "\u{c9}t\u{e9}",
            "e\u{301}te\u{301}",
        ]);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes.iter().all(|note| note.contains("in case")),
            "{notes:?}"
        );
    }

    #[test]
    fn only_names_of_one_folder_are_twins() {
        assert_eq!(notes_on(&["a/x", "b/x", "A/y", "a/z", "x", "ax"]), [""; 0]);
        // The folders are; their equally named files need no note of their own.
        assert_eq!(notes_on(&["a", "A", "a/x", "A/x"]).len(), 1);
    }

    #[test]
    fn a_flood_of_twins_is_counted() {
        let names: Vec<String> = (0..50)
            .flat_map(|n| [format!("f{n}"), format!("F{n}")])
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let notes = notes_on(&names);
        assert_eq!(notes.len(), 21);
        assert!(notes[20].contains("30 more"), "{notes:?}");
    }

    #[test]
    fn names_that_are_not_utf8_are_twins_of_nothing() {
        let paths = [RelPath::new(*b"\xffA"), RelPath::new(*b"\xffa")];
        assert_eq!(notes(paths.iter()), [""; 0]);
    }
}
