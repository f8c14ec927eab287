//! Runs that meet, die, fall asleep, wake up late, or find a format that is not theirs.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::forged::{in_an_hour, time_of};
use crate::support::{
    Bucket, Job, Ran, SLOW, TestStore, Version, assert_same_tree, contents, on_both, on_minio,
};

const LEASE: &str = "lib/.tidelock/lease.json";

/// A job that has run once and has so much to do that it can be interfered with.
async fn begun(store: TestStore) -> Job {
    let job = Job::new(store).await;
    job.library.file("a-first", SLOW);
    job.library.file("b", 10);
    job.library.file("doomed", 10);
    job.run(0);
    job.library.write("a-first", &contents("again", SLOW));
    job.library.write("b", b"edited");
    job.library.remove("doomed");
    job
}

async fn lease(bucket: &Bucket) -> Value {
    serde_json::from_slice(&bucket.get(LEASE, None).await).unwrap()
}

/// Whoever takes it over writes its own.
async fn take_over(bucket: &Bucket) {
    let mut other = lease(bucket).await;
    other["nonce"] = json!("another run's");
    other["host"] = json!("other-machine");
    other["boot_id"] = json!("another boot");
    other["pid"] = json!(4711);
    let bytes = serde_json::to_vec(&other).unwrap();
    bucket.put(LEASE, &bytes).await;
}

async fn f23_a_dead_run_s_leases_are_taken_over_at_once(store: TestStore) {
    let job = begun(store).await;
    let mut run = job.crawl("run", &[]);
    run.until_phase("transfer");
    let dead = run.pid();
    run.kill();
    for bucket in [&job.mirror, &job.vault] {
        let held = lease(bucket).await;
        assert_eq!(held["pid"], dead);
        assert_eq!(held["released"], false);
    }
    job.run(0);
    assert_eq!(job.mirror.keys().await, ["lib/a-first", "lib/b"]);
    assert_eq!(lease(&job.vault).await["released"], true);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

/// Its process can't be asked from here, so it counts as alive until its lease is stale.
async fn f23_a_run_on_another_machine_is_believed_and_named(store: TestStore) {
    let job = begun(store).await;
    let mut run = job.crawl("run", &[]);
    run.until_phase("transfer");
    run.kill();
    take_over(&job.vault).await;
    let before = all_but_the_mirror_s_lease(&job).await;
    let ran = job.run(6);
    assert!(ran.errors().contains("other-machine"), "{}", ran.errors());
    assert!(ran.errors().contains("4711"), "{}", ran.errors());
    assert_eq!(all_but_the_mirror_s_lease(&job).await, before);
}

/// The mirror's lease was the dead run's on this machine: that one is taken over and given back.
async fn all_but_the_mirror_s_lease(job: &Job) -> (Vec<String>, Vec<Version>) {
    let keys = job.mirror.keys().await;
    let objects = keys.into_iter().filter(|key| key != LEASE).collect();
    (objects, job.vault.versions().await)
}

/// It slept, and another run took its targets over; both, or the one or the other.
async fn f61_who_lost_a_lease_commits_and_deletes_nothing_more(store: TestStore) {
    for lost in ["vault", "mirror", "both"] {
        let job = begun(store.clone()).await;
        let snapshots = job.vault.versions_below("lib/snapshots/").await;
        let mut run = job.crawl("run", &[]);
        run.until_phase("transfer");
        if lost != "mirror" {
            take_over(&job.vault).await;
        }
        if lost != "vault" {
            take_over(&job.mirror).await;
        }
        let ran = run.finish().ended(6);
        assert!(ran.errors().contains("other-machine"), "{}", ran.errors());
        let after = job.vault.versions_below("lib/snapshots/").await;
        assert_eq!(after, snapshots, "{lost}: nothing was committed");
        assert!(
            job.mirror.keys().await.contains(&"lib/doomed".to_owned()),
            "{lost}"
        );
        // The other's lease is as it was.
        for (bucket, name) in [(&job.vault, "vault"), (&job.mirror, "mirror")] {
            if lost == name || lost == "both" {
                assert_eq!(lease(bucket).await["nonce"], "another run's");
                bucket.delete(LEASE).await;
            }
        }
        job.run(0);
        assert_same_tree(job.library.path(), job.restore(&[]).path());
    }
}

/// The whole process stands still, as on a machine that sleeps, while another run does all the work.
async fn f61_a_sleeper_wakes_up_after_another_has_finished(store: TestStore) {
    let job = begun(store).await;
    let mut run = job.crawl("run", &[]);
    run.until_phase("transfer");
    let sleeper = Pid::from_raw(i32::try_from(run.pid()).unwrap()).unwrap();
    kill_process(sleeper, Signal::STOP).unwrap();
    // As if by another machine, once the leases are stale.
    let mut stale = lease(&job.vault).await;
    stale["released"] = json!(true);
    job.vault
        .put(LEASE, &serde_json::to_vec(&stale).unwrap())
        .await;
    job.mirror.delete(LEASE).await;
    let machine = job.store.fresh_machine();
    let mut other = machine.std_tidelock("run");
    other.arg(job.library.path()).arg("--json");
    other.args(["--sync-to", &job.sync_to(), "--backup-to", &job.backup_to()]);
    let other = Ran::of(&other.output().unwrap()).ended(0);
    assert_eq!(other.paths("delete", "sync"), ["doomed"]);
    let (mirror, latest) = (job.mirror.objects().await, other.snapshot());

    kill_process(sleeper, Signal::CONT).unwrap();
    run.finish().ended(6);
    assert_eq!(job.mirror.objects().await, mirror);
    let newest = job.vault.latest_snapshot().await;
    assert_eq!(newest.json["id"], latest.as_str());
    job.run(0).assert_idle();
}

/// The newest snapshot, once more under a later id, with something in it changed.
async fn forge_later(job: &Job, change: impl FnOnce(&mut Value)) {
    let mut snapshot = job.vault.latest_snapshot().await.json;
    let id = in_an_hour();
    snapshot["id"] = json!(id);
    snapshot["time"] = json!(time_of(&id));
    change(&mut snapshot);
    let bytes = serde_json::to_vec(&snapshot).unwrap();
    job.vault
        .put(&format!("lib/snapshots/{id}.json"), &bytes)
        .await;
}

async fn f25_a_snapshot_of_a_newer_format_stops_everything(store: TestStore) {
    let job = begun(store).await;
    forge_later(&job, |snapshot| {
        snapshot["format"] = json!(2);
        snapshot["tidelock"] = json!("7.8.9");
    })
    .await;
    let before = (
        job.mirror.objects().await,
        job.vault.versions_below("lib/files/").await,
    );
    let to = job.store.home().join("restored");
    for verb in ["run", "sync", "backup", "restore", "ls"] {
        let mut command = job.command(verb);
        if verb == "restore" {
            command.arg("--to").arg(&to);
        }
        let ran = Ran::of(&command.output().unwrap());
        assert!(ran.exit.is_some_and(|code| code != 0), "{verb}: {ran:?}");
        let said = ran.errors();
        assert!(
            said.contains("7.8.9"),
            "{verb} says which version reads it: {said}"
        );
    }
    let after = (
        job.mirror.objects().await,
        job.vault.versions_below("lib/files/").await,
    );
    assert_eq!(after, before);
    assert!(!to.exists() || std::fs::read_dir(&to).unwrap().next().is_none());
}

/// `tidelock run | head -1`: whoever listens may go away; the work is done all the same.
async fn f26_a_run_whose_output_is_closed_finishes_its_work(store: TestStore) {
    for more in [&["--json"][..], &[], &["-v"]] {
        let job = begun(store.clone()).await;
        let mut command = job.store.std_tidelock("run");
        command.arg(job.library.path()).args(more);
        command.args(["--sync-to", &job.sync_to(), "--backup-to", &job.backup_to()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{more:?}");
        assert_eq!(job.mirror.keys().await, ["lib/a-first", "lib/b"]);
        job.run(0).assert_idle();
    }
}

/// On terminals of every size, and of none.
async fn f26_a_terminal_may_be_of_any_size(store: TestStore) {
    let job = begun(store).await;
    for (columns, rows) in [(1, 1), (5, 2), (0, 0), (500, 3)] {
        job.library
            .write("b", format!("on {columns} x {rows}").as_bytes());
        let run = job.store.std_tidelock("run");
        let mut line = format!(
            "stty cols {columns} rows {rows}; '{}'",
            env!("CARGO_BIN_EXE_tidelock")
        );
        for argument in run.get_args() {
            line.push_str(&format!(" '{}'", argument.to_str().unwrap()));
        }
        line.push_str(&format!(
            " '{}' --sync-to {} --backup-to {}",
            job.library.path().display(),
            job.sync_to(),
            job.backup_to()
        ));
        let mut command = job.store.clean_command("script");
        command
            .env("TERM", "xterm")
            .args(["-qec", &line, "/dev/null"]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{columns} x {rows}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    job.run(0).assert_idle();
}

on_both!(
    f23_a_dead_run_s_leases_are_taken_over_at_once,
    f61_who_lost_a_lease_commits_and_deletes_nothing_more,
);

on_minio!(
    f23_a_run_on_another_machine_is_believed_and_named,
    f61_a_sleeper_wakes_up_after_another_has_finished,
    f25_a_snapshot_of_a_newer_format_stops_everything,
    f26_a_run_whose_output_is_closed_finishes_its_work,
    f26_a_terminal_may_be_of_any_size,
);
