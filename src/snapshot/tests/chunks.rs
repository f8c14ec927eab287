use super::{chunk_of, named};
use crate::model::{Blake3, RelPath};
use crate::snapshot::chunk::{self, Built, Chunker};
use crate::snapshot::{Named, chunks_within};
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};

fn cut(entries: impl IntoIterator<Item = Named>) -> Vec<Built> {
    let mut chunker = Chunker::default();
    let mut all = Vec::new();
    for named in entries {
        all.extend(chunker.push(&named).expect("push"));
    }
    all.extend(chunker.end());
    all
}

fn cut_paths(paths: &BTreeSet<String>) -> Vec<Built> {
    cut(paths.iter().map(|path| named(path)))
}

#[test]
fn boundaries_are_where_format_1_has_them() {
    // Computed by another implementation of BLAKE3, as `printf NAME | b3sum` would.
    let ends: Vec<_> = (0..5000)
        .map(|n| format!("img-{n}"))
        .filter(|name| cut([named(name), named(&format!("{name}/z"))]).len() == 2)
        .collect();
    assert_eq!(ends, ENDS);
}

const ENDS: [&str; 9] = [
    "img-1550", "img-1818", "img-2184", "img-2752", "img-3409", "img-3869", "img-3985", "img-4205",
    "img-4293",
];

#[test]
fn a_chunk_ends_at_16384_entries_at_the_latest() {
    let ends = |name: &String| {
        let hash = Blake3::of(name.as_bytes()).0;
        u16::from_le_bytes([hash[0], hash[1]]).is_multiple_of(1024)
    };
    let never = (0..).map(|n| format!("{n:08}")).filter(|name| !ends(name));
    let chunks = cut(never.take(40_000).map(|name| named(&name)));
    let counts: Vec<_> = chunks.iter().map(|chunk| chunk.entries).collect();
    assert_eq!(counts, [16_384, 16_384, 7_232]);
}

#[test]
fn unsorted_and_double_entries_are_refused() {
    for (first, second) in [("b", "a"), ("a", "a")] {
        let mut chunker = Chunker::default();
        chunker.push(&named(first)).expect("push");
        assert!(chunker.push(&named(second)).is_err(), "{first} {second}");
    }
    // Also across a boundary.
    let mut chunker = Chunker::default();
    let end = chunker.push(&named(ENDS[0])).expect("push");
    assert!(end.is_some());
    assert!(chunker.push(&named("a")).is_err());
}

#[test]
fn nothing_gives_no_chunk() {
    assert_eq!(cut([]), []);
}

#[test]
fn a_chunk_is_locked_as_long_as_the_least_of_what_it_names() {
    let mut short = named("b");
    short.locked_until = Some(super::time("2026-06-01T00:00:00Z"));
    let chunks = cut([named("a"), short.clone(), named("c")]);
    assert_eq!(chunks[0].locked_until, short.locked_until);
    let mut unknown = named("a");
    unknown.locked_until = None;
    assert!(Chunker::default().push(&unknown).is_err());
}

#[test]
fn a_stored_chunk_is_read_back() {
    let built = cut(["a", "b/c", "d"].map(named)).remove(0);
    let stored = built.compress().expect("compress");
    let chunk = chunk_of(&built.lines, "a");
    let decoded = chunk::decode(&stored, &chunk).expect("decode");
    assert_eq!(decoded.refused, []);
    let paths: Vec<_> = decoded.entries.iter().map(|e| e.path.to_string()).collect();
    assert_eq!(paths, ["a", "b/c", "d"]);
    assert_eq!((built.entries, built.files, built.bytes), (3, 3, 5));
}

#[test]
fn only_chunks_that_can_name_a_path_are_asked_for() {
    let manifest: Vec<_> = ["a", "b", "b/m", "b0", "c"]
        .map(|first| chunk_of(b"", first))
        .into();
    for (folder, from, to) in [
        ("b", 1, 3),
        ("b/m/x", 2, 3),
        ("b/a", 1, 2),
        ("A", 0, 0),
        ("zz", 4, 5),
        ("bb", 3, 4),
    ] {
        let within = chunks_within(&manifest, &RelPath::from(folder));
        assert_eq!(within, &manifest[from..to], "{folder}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn touching_k_paths_stores_at_most_2k_plus_2_chunks(
        count in 1_usize..6_000,
        touched in prop::collection::vec((any::<prop::sample::Index>(), 0..3), 0..8),
    ) {
        let before: BTreeSet<_> = (0..count).map(|n| format!("{:x}/img {n}", n % 37)).collect();
        let mut after = before.clone();
        let mut changed = HashSet::new();
        for (index, how) in &touched {
            let path = before.iter().nth(index.index(count)).expect("index").clone();
            match how {
                0 => { changed.insert(path); }
                1 => { after.remove(&path); }
                _ => { after.insert(format!("{path} copy")); }
            }
        }
        let old: HashSet<_> = cut_paths(&before).into_iter().map(|chunk| chunk.blake3).collect();
        let new = cut(after.iter().map(|path| {
            let mut named = named(path);
            if changed.contains(path) {
                named.entry.mode = Some(0o600);
            }
            named
        }));
        let stored = new.iter().filter(|chunk| !old.contains(&chunk.blake3)).count();
        prop_assert!(stored <= 2 * touched.len() + 2, "{stored}");
        if touched.is_empty() {
            prop_assert_eq!(stored, 0);
        }
    }

    #[test]
    fn chunks_are_the_entries_in_order(
        entries in prop::collection::btree_map(
            prop::collection::vec(1_u8.., 1..6).prop_filter("path", |p| RelPath::from_untrusted(p).is_ok()),
            super::lines::entry(),
            0..200,
        )
    ) {
        let entries: Vec<_> = entries.into_iter().map(|(path, mut entry)| {
            entry.path = RelPath::new(path);
            entry.content = entry.content.map(|c| crate::model::Content { size: c.size >> 32, ..c });
            entry
        }).collect();
        let chunks = cut(entries.iter().map(|entry| Named {
            entry: entry.clone(),
            locked_until: Some(super::time("2027-01-01T00:00:00Z")),
        }));
        let mut read = Vec::new();
        for built in chunks {
            let mut chunk = chunk_of(&built.lines, "");
            chunk.first = built.first.clone();
            prop_assert_eq!(built.entries, chunk.entries);
            let decoded = chunk::decode(&built.compress().expect("compress"), &chunk).expect("decode");
            prop_assert_eq!(decoded.refused, []);
            read.extend(decoded.entries);
        }
        prop_assert_eq!(read, entries);
    }
}
