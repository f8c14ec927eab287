//! Order, pages, and finding by content.

use super::support::{base, file_row, state};
use crate::model::{Content, RelPath};
use crate::state::{Change, View};

#[test]
fn entries_come_in_the_order_of_raw_bytes() {
    let names: [&[u8]; 8] = [
        b"-dash",
        b"A",
        b"a",
        b"a b",
        b"a/b",
        b"a0",
        "é".as_bytes(),
        b"\xff\xfe",
    ];
    let (mut state, _dir) = state();
    let mut shuffled: Vec<_> = names.iter().map(|name| file_row(name, name)).collect();
    shuffled.reverse();
    let (half, rest) = shuffled.split_at(4);
    state.put_base_for_test(half);
    let changes: Vec<_> = rest.iter().cloned().map(Change::Store).collect();
    state.put_pending(&changes).unwrap();
    // Every page boundary once.
    for limit in 1..=names.len() {
        let mut seen = Vec::new();
        let mut after: Option<RelPath> = None;
        loop {
            let page = state.page(View::Merged, after.as_ref(), limit).unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.row.entry.path.clone());
            seen.extend(page.into_iter().map(|found| found.row.entry.path));
        }
        assert_eq!(seen, names.map(RelPath::new), "pages of {limit}");
    }
}

#[test]
fn content_is_found_in_base_and_pending_and_told_apart() {
    let (mut state, _dir) = state();
    state.put_base_for_test(&[file_row("a", b"same"), file_row("b", b"other")]);
    let mut not_stored = file_row("d", b"same");
    not_stored.entry.stored = None;
    let changes = [
        Change::Store(file_row("c", b"same")),
        Change::Store(not_stored),
        Change::Carry(file_row("e", b"same")),
    ];
    state.put_pending(&changes).unwrap();
    let same = Content::of(b"same");
    let found = state.find_content(&same.blake3, same.size).unwrap();
    let places: Vec<_> = found
        .iter()
        .map(|found| (found.row.entry.path.display(), found.committed))
        .collect();
    assert_eq!(places, [("a".into(), true), ("c".into(), false)]);
    assert_eq!(state.find_content(&same.blake3, 5).unwrap(), []);
    let none = Content::of(b"none");
    assert_eq!(state.find_content(&none.blake3, 4).unwrap(), []);
}

#[test]
fn a_renamed_file_is_found_by_size_and_mtime() {
    let (mut state, _dir) = state();
    state.put_base_for_test(&[file_row("old/a", b"four"), file_row("old/b", b"five!")]);
    let mtime = file_row("x", b"").entry.mtime.unwrap();
    let found = state.find_like(4, mtime).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].row.entry.path, "old/a".into());
    let other = mtime + std::time::Duration::from_nanos(1);
    assert_eq!(state.find_like(4, other).unwrap(), []);
}

#[test]
fn a_base_row_is_not_hidden_by_a_spare_content() {
    let (mut state, _dir) = state();
    state.put_base_for_test(&[]);
    state
        .put_pending(&[Change::Store(file_row("a", b"mine"))])
        .unwrap();
    state.put_base_for_test(&[file_row("a", b"theirs")]);
    for view in [View::Base, View::Frozen, View::Merged] {
        let page = state.page(view, None, 10).unwrap();
        assert_eq!(page.len(), 1, "{view:?}");
        assert_eq!(page[0].row, file_row("a", b"theirs"), "{view:?}");
    }
    assert_eq!(state.base().unwrap(), Some(base("0", true)));
}

#[test]
fn a_page_is_never_empty_before_the_end() {
    let (mut state, _dir) = state();
    let names: Vec<_> = (0..50).map(|n| format!("{n:02}")).collect();
    let rows: Vec<_> = names.iter().map(|name| file_row(name, b"x")).collect();
    state.put_base_for_test(&rows);
    let gone = names[3..49]
        .iter()
        .map(|name| Change::Drop(name.as_str().into()));
    state.put_pending(&gone.collect::<Vec<_>>()).unwrap();
    let mut seen = Vec::new();
    let mut after: Option<RelPath> = None;
    loop {
        let page = state.page(View::Merged, after.as_ref(), 5).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.row.entry.path.clone());
        seen.extend(page.into_iter().map(|found| found.row.entry.path));
    }
    assert_eq!(seen, ["00", "01", "02", "49"].map(RelPath::from));
}

#[test]
fn every_so_manieth_path_of_the_base_can_be_had() {
    let (mut state, _dir) = state();
    let rows: Vec<_> = ["a", "b", "c", "d", "e"]
        .map(|name| file_row(name.as_bytes(), b"x"))
        .into();
    state.put_base_for_test(&rows);
    assert_eq!(state.every(2).unwrap(), ["b", "d"].map(RelPath::from));
    assert_eq!(state.every(6).unwrap(), []);
}
