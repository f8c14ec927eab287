//! The thread behind the handle.

use super::support::{base, file_row, now, state};
use crate::model::{Content, Error};
use crate::state::{Change, State, StateHandle, View};

#[tokio::test]
async fn reads_see_the_writes_before_them() {
    let (state, _dir) = state();
    let handle = StateHandle::start(state).unwrap();
    for n in 0..3_000 {
        let row = file_row(format!("{n:05}"), format!("{n}").as_bytes());
        handle.put_pending(Change::Store(row)).await.unwrap();
    }
    let wanted = Content::of(b"2999");
    let found = handle.find_content(wanted.blake3, wanted.size).await;
    assert_eq!(found.unwrap().len(), 1);
    let mut rows = handle.rows(View::Merged);
    let mut count = 0;
    while let Some(found) = rows.next().await.unwrap() {
        assert_eq!(found.row.entry.path, format!("{count:05}").as_str().into());
        count += 1;
    }
    assert_eq!(count, 3_000);
}

#[tokio::test]
async fn writes_share_commits() {
    let (state, _dir) = state();
    let wal = format!("{}-wal", state.file().display());
    let handle = StateHandle::start(state).unwrap();
    let writes = 900;
    for n in 0..writes {
        let row = file_row(format!("{n}"), b"x");
        handle.put_pending(Change::Store(row)).await.unwrap();
    }
    handle.flush().await.unwrap();
    // A commit writes each changed page to the WAL once: at least one page of 4 KiB a commit.
    let pages = std::fs::metadata(wal).unwrap().len() / 4_096;
    assert!(pages < writes / 2, "{pages} pages for {writes} writes");
}

#[tokio::test]
async fn what_was_flushed_survives_a_crash_and_dropping_closes() {
    let (state, dir) = state();
    let file = state.file().to_owned();
    let handle = StateHandle::start(state).unwrap();
    let change = Change::Store(file_row("a", b"a"));
    handle.put_pending(change).await.unwrap();
    handle.flush().await.unwrap();
    let copy = dir.path().join("crashed.sqlite");
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", file.display());
        std::fs::copy(from, format!("{}{suffix}", copy.display())).unwrap();
    }
    let (crashed, _) = State::open(&copy, "test", now()).unwrap();
    assert_eq!(crashed.pending_count().unwrap(), 1);
    handle.close().await.unwrap();
    State::open(&file, "test", now()).expect("the lock is free after close");
}

#[tokio::test]
async fn an_unawaited_writes_error_reaches_every_later_call() {
    let (state, _dir) = state();
    let handle = StateHandle::start(state).unwrap();
    handle
        .post(|_| Err(Error::Resumable("the disk is full".to_owned())))
        .await
        .unwrap();
    let clone = handle.clone();
    for result in [
        handle.flush().await,
        clone.get("a".into()).await.map(drop),
        clone
            .put_pending(Change::Drop("a".into()))
            .await
            .and(clone.flush().await),
    ] {
        let Err(Error::Resumable(message)) = result else {
            panic!("{result:?}");
        };
        assert_eq!(message, "the disk is full");
    }
}

#[tokio::test]
async fn f19_a_batch_that_the_disk_refused_is_not_taken_for_written() {
    let (state, _dir) = state();
    let pages: i64 = state
        .conn
        .query_row("PRAGMA page_count", [], |row| row.get(0))
        .unwrap();
    state
        .conn
        .pragma_update_and_check(None, "max_page_count", pages + 8, |_| Ok(()))
        .unwrap();
    let handle = StateHandle::start(state).unwrap();
    let mut refused = false;
    for n in 0..2_000 {
        let row = file_row(format!("{n}"), b"x");
        // As a caller that drops the answer, so that only the handle itself can notice.
        let written = handle.call(move |state| {
            let _ = state.put_pending(&[Change::Store(row)]);
            Ok(())
        });
        refused |= written.await.is_err();
    }
    assert!(refused);
    assert!(matches!(handle.flush().await, Err(Error::Resumable(_))));
}

#[tokio::test]
async fn a_rebuild_is_streamed_and_on_disk_when_it_returns() {
    let (state, _dir) = state();
    let file = state.file().to_owned();
    let handle = StateHandle::start(state).unwrap();
    let mut rebuild = handle.rebuild().await.unwrap();
    for n in 0..2_500 {
        let row = file_row(format!("{n:05}"), b"x");
        rebuild.push(row).await.unwrap();
    }
    assert_eq!(handle.call(|state| state.base_count()).await.unwrap(), 0);
    rebuild.finish(base("1", true)).await.unwrap();
    handle.close().await.unwrap();
    let (state, _) = State::open(&file, "test", now()).unwrap();
    assert_eq!(state.base_count().unwrap(), 2_500);
    assert_eq!(state.base().unwrap(), Some(base("1", true)));
}
