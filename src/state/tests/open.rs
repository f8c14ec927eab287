//! What happens to files that are missing, damaged, foreign, newer, or held.

use super::support::{base, file_row, now, state};
use crate::model::Error;
use crate::state::{Change, Opened, State, UploadId};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A closed state with 2,000 rows.
fn filled() -> (PathBuf, TempDir) {
    let (mut state, dir) = state();
    let rows: Vec<_> = (0..2_000)
        .map(|n| file_row(format!("{n:06}"), format!("{n}").as_bytes()))
        .collect();
    state.put_base_for_test(&rows);
    (state.file().to_owned(), dir)
}

fn reopen(file: &Path) -> (State, Opened) {
    State::open(file, "test", now()).unwrap()
}

#[track_caller]
fn assert_set_aside(file: &Path) -> String {
    let (state, opened) = reopen(file);
    let Opened::SetAside { why, to } = opened else {
        panic!("{opened:?}");
    };
    assert!(to.exists());
    assert_eq!(state.base().unwrap(), None);
    drop(state);
    let (_, opened) = reopen(file);
    assert_eq!(opened, Opened::Existing, "the new one is sound");
    why
}

#[test]
fn f16_a_missing_state_is_begun_anew() {
    let (file, _dir) = filled();
    std::fs::remove_file(&file).unwrap();
    let (state, opened) = reopen(&file);
    assert_eq!(opened, Opened::Fresh);
    assert_eq!(state.base().unwrap(), None);
}

#[test]
fn a_sound_state_is_found_again() {
    let (file, _dir) = filled();
    let (state, opened) = reopen(&file);
    assert_eq!(opened, Opened::Existing);
    assert_eq!(state.base().unwrap(), Some(base("0", true)));
    assert_eq!(state.base_count().unwrap(), 2_000);
}

#[test]
fn f17_a_truncated_state_is_set_aside() {
    for keep in [0, 50, 4_096, 60_000] {
        let (file, _dir) = filled();
        let whole = std::fs::read(&file).unwrap();
        assert!(whole.len() > 100_000, "all of it is in the main file");
        std::fs::write(&file, &whole[..keep]).unwrap();
        assert_set_aside(&file);
    }
}

#[test]
fn f17_garbage_in_the_place_of_the_state_is_set_aside() {
    let (file, _dir) = filled();
    std::fs::write(
        &file,
        b"not a database, whatever its name says".repeat(1_000),
    )
    .unwrap();
    assert!(assert_set_aside(&file).contains("damaged"));
}

#[test]
fn f17_one_flipped_bit_in_a_row_is_noticed() {
    let (file, _dir) = filled();
    let mut bytes = std::fs::read(&file).unwrap();
    // A version id: nothing in SQLite's structure depends on it, but a manifest would.
    let at = bytes
        .windows(4)
        .rposition(|window| window == b"etag")
        .unwrap();
    bytes[at - 10] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(assert_set_aside(&file).contains("checksum"));
}

#[test]
fn f17_overwritten_pages_are_noticed() {
    let (file, _dir) = filled();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 4_096 * 4_096;
    bytes[middle..middle + 4_096].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    assert_set_aside(&file);
}

#[test]
fn another_programs_database_is_set_aside_unharmed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lib.sqlite");
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE theirs (x); PRAGMA user_version = 1;")
        .unwrap();
    drop(other);
    let before = std::fs::read(&file).unwrap();
    let (_state, opened) = reopen(&file);
    let Opened::SetAside { why, to } = opened else {
        panic!("{opened:?}");
    };
    assert!(why.contains("not a state"), "{why}");
    assert_eq!(std::fs::read(to).unwrap(), before);
}

#[test]
fn f17_a_newer_format_stops_and_is_left_as_it_is() {
    let (file, _dir) = filled();
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    conn.close().unwrap();
    let before = std::fs::read(&file).unwrap();
    let Err(Error::Format(message)) = State::open(&file, "test", now()) else {
        panic!("opened a newer format");
    };
    assert!(message.contains("format 99"), "{message}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn only_the_newest_damaged_copies_are_kept() {
    let (file, dir) = filled();
    for day in 1..=5 {
        std::fs::write(&file, b"garbage, once more").unwrap();
        let time = format!("2026-11-0{day}T00:00:00Z").parse().unwrap();
        State::open(&file, "test", time).unwrap();
    }
    let mut copies: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("damaged"))
        .collect();
    copies.sort();
    assert_eq!(
        copies,
        [
            "lib.sqlite.damaged-20261104T000000Z",
            "lib.sqlite.damaged-20261105T000000Z"
        ]
    );
}

#[test]
fn f23_a_second_opener_is_told_who_holds_it() {
    let (file, _dir) = filled();
    let first = State::open(&file, "pid 7 on nas", now()).unwrap();
    let Err(Error::Held(message)) = State::open(&file, "pid 8 on nas", now()) else {
        panic!("opened twice");
    };
    assert!(message.contains("pid 7 on nas"), "{message}");
    drop(first);
    reopen(&file);
}

#[test]
fn nobody_else_may_read_it() {
    let (state, _dir) = state();
    for suffix in ["", "-wal", ".lock"] {
        let file = format!("{}{suffix}", state.file().display());
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn f19_a_full_disk_is_a_clean_stop_and_loses_nothing_older() {
    let (mut state, _dir) = state();
    state.put_base_for_test(&[file_row("a", b"a")]);
    let pages: i64 = state
        .conn
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    state
        .conn
        .pragma_update_and_check(None, "max_page_count", pages + 2, |_| Ok(()))
        .unwrap();
    let many: Vec<_> = (0..1_000)
        .map(|n| Change::Store(file_row(format!("{n}"), b"x")))
        .collect();
    let Err(Error::Resumable(message)) = state.put_pending(&many) else {
        panic!("the disk was not full");
    };
    assert!(message.contains("disk is full"), "{message}");
    let file = state.file().to_owned();
    drop(state);
    let (state, opened) = reopen(&file);
    assert_eq!(opened, Opened::Existing);
    assert_eq!(state.base_count().unwrap(), 1);
    assert_eq!(state.pending_count().unwrap(), 0);
}

#[test]
fn f21_what_was_committed_is_there_after_a_crash() {
    let (mut state, dir) = state();
    state.put_base_for_test(&[file_row("a", b"a")]);
    state
        .put_pending(&[Change::Store(file_row("b", b"b"))])
        .unwrap();
    // A crash leaves the main file and the WAL as they are at that moment.
    let copy = dir.path().join("crashed.sqlite");
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", state.file().display());
        std::fs::copy(from, format!("{}{suffix}", copy.display())).unwrap();
    }
    let (crashed, opened) = reopen(&copy);
    assert_eq!(opened, Opened::Existing);
    assert_eq!(crashed.base_count().unwrap(), 1);
    assert_eq!(crashed.pending_count().unwrap(), 1);
    let unknown = UploadId {
        side: crate::model::Side::Sync,
        key: String::new(),
        upload_id: String::new(),
    };
    assert_eq!(crashed.parts_of(&unknown).unwrap(), []);
}

#[test]
fn a_state_of_the_first_format_goes_on_as_one_of_the_present() {
    let (file, _dir) = filled();
    // As the first format was: without the table that came after it.
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch("DROP TABLE object; PRAGMA user_version = 1;")
        .unwrap();
    conn.close().unwrap();
    let (mut state, opened) = reopen(&file);
    assert_eq!(opened, Opened::Existing);
    assert_eq!(state.base_count().unwrap(), 2_000);
    let name = crate::state::ObjectName {
        key: "a".to_owned(),
        version_id: "v".to_owned(),
        etag: "e".to_owned(),
        size: 1,
    };
    state.remember_object(&name, b"a", true).unwrap();
    assert_eq!(state.object(&name).unwrap().unwrap(), b"a");
}

#[test]
fn a_folder_that_can_t_hold_it_is_named_with_the_flag_for_another() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for folder in [file.clone(), file.join("below")] {
        let error = State::open(&folder.join("lib.sqlite"), "test", now()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("--state-dir"), "{message}");
        assert!(message.contains(&folder.display().to_string()), "{message}");
    }
}
