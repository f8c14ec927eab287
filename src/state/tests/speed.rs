//! How long 100,000 entries take: printed for people (`--nocapture`), never asserted.

use super::support::{base, file_row, now, state};
use crate::state::{Change, State, View};
use std::time::Instant;

#[test]
fn a_hundred_thousand_entries() {
    let rows: Vec<_> = (0..100_000)
        .map(|n| file_row(format!("2026/{:03}/{n:06}.jpg", n % 997), &[n as u8; 9]))
        .collect();
    let (mut state, _dir) = state();
    let mut clock = Instant::now();
    let mut lap = |what: &str| {
        println!("{what}: {:?}", clock.elapsed());
        clock = Instant::now();
    };
    state.rebuild_begin().unwrap();
    for page in rows.chunks(1_000) {
        state.rebuild_push(page).unwrap();
    }
    state.rebuild_finish(&base("1", true)).unwrap();
    lap("rebuild");
    for chunk in rows.chunks(500) {
        let changes: Vec<_> = chunk.iter().cloned().map(Change::Store).collect();
        state.put_pending(&changes).unwrap();
    }
    lap("put_pending");
    let mut count = 0;
    let mut each = |_| {
        count += 1;
        Ok(())
    };
    state.for_each(View::Merged, &mut each).unwrap();
    lap("merged view");
    state.for_each(View::Base, &mut each).unwrap();
    lap("base view");
    assert_eq!(count, 200_000);
    state.freeze().unwrap();
    lap("freeze");
    state.fold(&base("2", true)).unwrap();
    lap("fold");
    let file = state.file().to_owned();
    drop(state);
    lap("close");
    State::open(&file, "test", now()).unwrap();
    lap("open and check");
    println!("{} bytes", std::fs::metadata(&file).unwrap().len());
}
