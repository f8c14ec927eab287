//! Runs that meet, and runs that are broken off.

use rustix::process::{Pid, Signal, kill_process};

use super::album::MIB;
use crate::support::{Job, Ran, Running, TestStore, assert_same_tree, on_both};

/// A run that has sent its first file and has a few seconds to go.
fn begun(job: &Job) -> Running {
    let mut command = job.command("run");
    command.args(["--bwlimit", "2M", "--transfers", "2"]);
    let mut running = Running::start(command);
    running.until("the first file", |line| line["event"] == "file");
    running
}

/// Asks it to stop.
fn signal(running: &Running, signal: Signal) {
    let pid = Pid::from_raw(running.pid().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A library that takes a slow run some seconds.
async fn job(store: TestStore) -> Job {
    let job = Job::new(store).await;
    for number in 0..10 {
        job.library.file(format!("a/{number}"), 1_000 + number);
    }
    for number in 0..6 {
        job.library
            .file(format!("films/{number}"), 2 * MIB + number);
    }
    job
}

async fn f23_a_second_run_names_the_holder_and_exits_6(store: TestStore) {
    let job = job(store).await;
    let slow = begun(&job);
    let pid = slow.pid().to_string();
    // On the same machine, and on another that has no state in common with it.
    let here = job.run(6);
    assert!(here.errors().contains(&pid), "{}", here.errors());
    let machine = job.store.fresh_machine();
    let mut command = machine.std_tidelock("run");
    command
        .arg(job.library.path())
        .args(["--json", "--sync-to", &job.sync_to()]);
    command.args(["--backup-to", &job.backup_to()]);
    let there = Ran::of(&command.output().unwrap()).ended(6);
    assert!(there.errors().contains(&pid), "{}", there.errors());
    signal(&slow, Signal::INT);
    slow.finish().ended(130);
    job.run(0);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
}

async fn f24_an_interrupted_run_goes_on_and_stores_nothing_twice(store: TestStore) {
    let job = job(store).await;
    let slow = begun(&job);
    signal(&slow, Signal::INT);
    slow.finish().ended(130);
    // What was stored so far can be restored already.
    let restored = job.restore(&[]);
    assert!(restored.path().join("a/0").exists());
    job.run(0);
    assert_stored_once(&job).await;
}

async fn f24_a_run_out_of_its_time_exits_7_and_the_next_goes_on(store: TestStore) {
    let job = job(store).await;
    let slowly = ["--bwlimit", "2M", "--time-budget", "1s"];
    job.tidelock("run", &slowly).ended(7);
    job.run(0);
    assert_stored_once(&job).await;
}

async fn f64_an_interrupted_run_goes_on_without_its_state_and_stores_nothing_twice(
    store: TestStore,
) {
    let job = job(store).await;
    let slow = begun(&job);
    signal(&slow, Signal::TERM);
    slow.finish().ended(130);
    job.lose_state();
    job.run(0);
    assert_stored_once(&job).await;
}

async fn f21_a_killed_run_goes_on_without_its_state_and_stores_nothing_twice(store: TestStore) {
    let job = job(store).await;
    begun(&job).kill();
    job.lose_state();
    job.run(0);
    assert_stored_once(&job).await;
}

/// One locked version a file, and both targets whole.
async fn assert_stored_once(job: &Job) {
    let versions = job.vault.versions_below("lib/files/").await;
    let keys: Vec<&str> = versions
        .iter()
        .map(|version| version.key.as_str())
        .collect();
    let mirrored = job.mirror.keys().await;
    let expected: Vec<String> = mirrored
        .iter()
        .map(|key| key.replacen("lib/", "lib/files/", 1))
        .collect();
    assert_eq!(keys, expected);
    assert_eq!(keys.len(), 16);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    job.run(0).assert_idle();
}

on_both!(
    f23_a_second_run_names_the_holder_and_exits_6,
    f24_an_interrupted_run_goes_on_and_stores_nothing_twice,
    f24_a_run_out_of_its_time_exits_7_and_the_next_goes_on,
    f64_an_interrupted_run_goes_on_without_its_state_and_stores_nothing_twice,
    f21_a_killed_run_goes_on_without_its_state_and_stores_nothing_twice,
);
