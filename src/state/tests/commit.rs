//! From pending changes to the next base, and crashes in between.

use super::support::{base, file_row, state};
use crate::model::{Identity, RelPath};
use crate::state::{Base, Change, Row, Standing, State, View};

fn store(path: &str, content: &str) -> Change {
    Change::Store(file_row(path, content.as_bytes()))
}

/// `path=content-hash` of a view, in its order.
fn paths(state: &State, view: View) -> Vec<String> {
    let mut paths = Vec::new();
    state
        .for_each(view, |found| {
            paths.push(found.row.entry.path.display().into_owned());
            Ok(())
        })
        .unwrap();
    paths
}

fn row(state: &State, path: &str) -> Row {
    state.get(&RelPath::from(path)).unwrap().unwrap().row
}

fn latest(base: &Base) -> Option<(&str, crate::model::Blake3)> {
    base.snapshot.as_deref().zip(base.snapshot_blake3)
}

/// A base of a, b, c; pending: b changed, c gone, d new.
fn changed() -> (State, tempfile::TempDir) {
    let (mut state, dir) = state();
    state.put_base_for_test(&["a", "b", "c"].map(|path| file_row(path, b"old")));
    let changes = [store("b", "new"), Change::Drop("c".into()), store("d", "d")];
    state.put_pending(&changes).unwrap();
    (state, dir)
}

#[test]
fn pending_changes_overlay_the_base() {
    let (state, _dir) = changed();
    assert_eq!(paths(&state, View::Merged), ["a", "b", "d"]);
    assert_eq!(paths(&state, View::Base), ["a", "b", "c"]);
    assert_eq!(row(&state, "b"), file_row("b", b"new"));
    assert_eq!(state.get(&"c".into()).unwrap(), None);
    assert!(state.get(&"a".into()).unwrap().unwrap().committed);
    assert!(!state.get(&"b".into()).unwrap().unwrap().committed);
}

#[test]
fn a_snapshot_takes_what_was_frozen_and_later_changes_wait() {
    let (mut state, _dir) = changed();
    state.freeze().unwrap();
    let later = [store("b", "newest"), store("e", "e"), store("c", "back")];
    state.put_pending(&later).unwrap();
    assert_eq!(paths(&state, View::Frozen), ["a", "b", "d"]);
    assert_eq!(paths(&state, View::Merged), ["a", "b", "c", "d", "e"]);
    state.fold(&base("1", false)).unwrap();
    assert_eq!(paths(&state, View::Base), ["a", "b", "d"]);
    assert_eq!(
        state.get_base(&"b".into()).unwrap().unwrap().row,
        file_row("b", b"new")
    );
    assert_eq!(row(&state, "b"), file_row("b", b"newest"));
    assert_eq!(state.pending_count().unwrap(), 3);
    assert_eq!(state.base().unwrap(), Some(base("1", false)));
}

#[test]
fn f21_a_run_that_died_before_its_commit_leaves_what_it_stored() {
    let (mut state, _dir) = changed();
    state.freeze().unwrap();
    state.prepare(&base("1", true)).unwrap();
    state.put_pending(&[store("b", "newest")]).unwrap();
    // The snapshot never came: the latest is still the base's.
    let standing = state.reconcile(latest(&base("0", true))).unwrap();
    assert_eq!(standing, Standing::Current);
    assert_eq!(paths(&state, View::Base), ["a", "b", "c"]);
    assert_eq!(
        paths(&state, View::Merged),
        ["a", "b", "c", "d"],
        "c's drop was that run's view"
    );
    assert_eq!(row(&state, "b"), file_row("b", b"newest"));
    assert_eq!(row(&state, "d"), file_row("d", b"d"));
}

#[test]
fn f22_a_run_that_died_behind_its_commit_needs_no_rebuild() {
    let (mut state, _dir) = changed();
    state.freeze().unwrap();
    let next = base("1", true);
    state.prepare(&next).unwrap();
    let standing = state.reconcile(latest(&next)).unwrap();
    assert_eq!(standing, Standing::Current);
    assert_eq!(paths(&state, View::Base), ["a", "b", "d"]);
    assert_eq!(state.base().unwrap(), Some(next));
    assert_eq!(state.pending_count().unwrap(), 0);
}

#[test]
fn f18_a_newer_or_forged_latest_snapshot_makes_the_base_stale() {
    let (mut state, _dir) = changed();
    let mut forged = base("0", true);
    forged.snapshot_blake3 = base("other", true).snapshot_blake3;
    for other in [base("5", true), forged] {
        assert_eq!(
            state.reconcile(latest(&other)).unwrap(),
            Standing::Stale,
            "{other:?}"
        );
    }
    assert_eq!(state.reconcile(None).unwrap(), Standing::Stale);
}

#[test]
fn without_a_backup_target_the_base_is_current_once_it_is_there() {
    let (mut state, _dir) = state();
    assert_eq!(state.reconcile(None).unwrap(), Standing::Stale);
    state.rebuild_begin().unwrap();
    let none = Base {
        snapshot: None,
        snapshot_blake3: None,
        ..base("", true)
    };
    state.rebuild_finish(&none).unwrap();
    assert_eq!(state.reconcile(None).unwrap(), Standing::Current);
}

#[test]
fn a_rebuild_keeps_unfinished_contents_as_spare_until_a_complete_snapshot() {
    let (mut state, _dir) = changed();
    state.freeze().unwrap();
    state.put_pending(&[store("e", "e")]).unwrap();
    state.rebuild_begin().unwrap();
    state.rebuild_push(&[file_row("b", b"theirs")]).unwrap();
    state.rebuild_finish(&base("9", true)).unwrap();
    assert_eq!(paths(&state, View::Merged), ["b"]);
    assert_eq!(row(&state, "b"), file_row("b", b"theirs"));
    for content in ["d", "e", "new"] {
        let wanted = file_row("x", content.as_bytes()).entry.content.unwrap();
        let found = state.find_content(&wanted.blake3, wanted.size).unwrap();
        assert_eq!(found.len(), 1, "{content}");
        assert!(!found[0].committed);
    }
    state.freeze().unwrap();
    state.fold(&base("91", false)).unwrap();
    let wanted = file_row("x", b"d").entry.content.unwrap();
    let find = |state: &State| state.find_content(&wanted.blake3, wanted.size).unwrap();
    assert_eq!(find(&state).len(), 1);
    state.fold(&base("92", true)).unwrap();
    assert_eq!(find(&state), []);
}

#[test]
fn a_rebuild_that_never_finished_leaves_the_old_base() {
    let (mut state, _dir) = changed();
    state.rebuild_begin().unwrap();
    state.rebuild_push(&[file_row("z", b"z")]).unwrap();
    let file = state.file().to_owned();
    drop(state);
    let (mut state, _) = State::open(&file, "test", super::support::now()).unwrap();
    assert_eq!(paths(&state, View::Base), ["a", "b", "c"]);
    state.rebuild_begin().unwrap();
    state.rebuild_finish(&base("1", true)).unwrap();
    assert_eq!(paths(&state, View::Base), [""; 0]);
}

#[test]
fn a_rebuild_keeps_inode_and_ctime_of_unchanged_files() {
    let (mut state, _dir) = changed();
    let fresh = |path: &str, content: &[u8]| {
        let mut row = file_row(path, content);
        (row.identity, row.device) = (Identity::default(), 0);
        row
    };
    let mut touched = fresh("c", b"old");
    touched.entry.mtime = Some("2026-05-05T00:00:00Z".parse().unwrap());
    state.rebuild_begin().unwrap();
    state
        .rebuild_push(&[fresh("a", b"old"), fresh("b", b"theirs"), touched])
        .unwrap();
    state.rebuild_finish(&base("9", true)).unwrap();
    assert_eq!(row(&state, "a").identity.inode, 11);
    assert_eq!(row(&state, "a").device, 13);
    for path in ["b", "c"] {
        assert_eq!(row(&state, path).identity, Identity::default(), "{path}");
    }
}

#[test]
fn identities_are_renewed_in_base_and_pending() {
    let (mut state, _dir) = changed();
    let other = Identity {
        inode: 77,
        ctime: 78,
    };
    state
        .set_identities(&[("a".into(), other, 79), ("b".into(), other, 79)])
        .unwrap();
    for path in ["a", "b"] {
        assert_eq!(row(&state, path).identity, other);
        assert_eq!(row(&state, path).device, 79);
    }
}

#[test]
fn settled_targets_and_notes_outlive_a_rebuild() {
    let (mut state, _dir) = changed();
    assert!(!state.is_settled("s3://photos/lib").unwrap());
    state.set_settled("s3://photos/lib").unwrap();
    state.set_note("name", "value").unwrap();
    state.put_base_for_test(&[]);
    assert!(state.is_settled("s3://photos/lib").unwrap());
    assert!(!state.is_settled("s3://photos/other").unwrap());
    assert_eq!(state.note("name").unwrap().as_deref(), Some("value"));
}
