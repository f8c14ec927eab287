//! Stopped, killed, and met by another.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Second;
use crate::support::{Running, TestStore, assert_same_files, on_both};

/// A library whose second file takes seconds at the pace of [`crawl`].
async fn slow(store: TestStore) -> Second {
    let second = Second::new(store).await;
    second.job.library.file("a.jpg", 1_000);
    second.job.library.file("b.mov", 12 << 20);
    second.job.library.file("c.jpg", 1_000);
    second.publish();
    second
}

/// A pull that is in the middle of the large file, with the first one named.
fn crawl(second: &Second) -> Running {
    let mut command = second.command();
    command.args(["--bwlimit", "1M", "--transfers", "1", "--memory", "32M"]);
    let mut running = Running::start(command);
    running.until("a.jpg is there", |line| {
        line["event"] == "file" && line["path"] == "a.jpg"
    });
    running
}

async fn an_interrupted_pull_ends_soon_and_goes_on(store: TestStore) {
    let second = slow(store).await;
    let running = crawl(&second);
    let pid = Pid::from_raw(running.pid().try_into().unwrap()).unwrap();
    let asked = Instant::now();
    kill_process(pid, Signal::INT).unwrap();
    running.finish().ended(130);
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    assert!(second.names().iter().all(|name| !name.contains("tidelock")));
    assert!(!second.at("b.mov").exists());
    let next = second.pull(0);
    assert!(next.count("pull.unchanged") >= 1, "{}", next.summary());
    assert_same_files(second.job.library.path(), &second.to());
}

async fn a_killed_pull_leaves_nothing_that_the_next_does_not_clear(store: TestStore) {
    let second = slow(store).await;
    crawl(&second).kill();
    // As a kill leaves it in the midst of a file, whether or not this one did.
    std::fs::write(second.at(".tidelock-restore-0123456789abcdef.tmp"), "half").unwrap();
    // Nothing of the folder is in the mirror any more, so that nothing is fetched into it.
    second.job.library.remove("b.mov");
    second.publish();
    let next = second.pull_with(&["--max-delete", "10"]).ended(0);
    next.assert_counts(&[("pull.failed", 0), ("pull.conflicts", 0)]);
    assert_eq!(second.names(), ["a.jpg", "c.jpg"]);

    // Also where nothing is fetched into the folder.
    second.job.library.file("sub/d.jpg", 10);
    second.publish();
    second.pull(0);
    std::fs::write(
        second.at("sub/.tidelock-restore-0123456789abcdef.tmp"),
        "half",
    )
    .unwrap();
    second.pull(0).assert_counts(&[("pull.unchanged", 3)]);
    assert_eq!(second.names(), ["a.jpg", "c.jpg", "sub/", "sub/d.jpg"]);
}

async fn a_time_budget_ends_resumable(store: TestStore) {
    let second = slow(store).await;
    let slow = ["--bwlimit", "1M", "--time-budget", "2s", "--transfers", "1"];
    second.pull_with(&slow).ended(7);
    second.pull(0);
    assert_same_files(second.job.library.path(), &second.to());
}

async fn two_pulls_into_one_folder_do_not_meet(store: TestStore) {
    let second = slow(store).await;
    let first = crawl(&second);
    let ran = second.pull(6);
    assert!(ran.errors().contains("another"), "{}", ran.errors());
    // Nor do those of two states.
    let other = second.job.store.fresh_machine();
    let output = second.command_on(&other, &second.to()).output().unwrap();
    super::Ran::of(&output).ended(6);
    first.kill();
    second.pull(0);
}

on_both!(
    a_killed_pull_leaves_nothing_that_the_next_does_not_clear,
    a_time_budget_ends_resumable,
    an_interrupted_pull_ends_soon_and_goes_on,
    two_pulls_into_one_folder_do_not_meet,
);
