//! `--json` to the letter, and `--dry-run`, which touches nothing.

use std::process::Output;

use serde_json::Value;

use super::album;
use super::format::in_order;
use crate::support::{Job, Ran, TestStore, on_both};

const SUMMARY: [&str; 8] = [
    "event",
    "command",
    "exit_code",
    "elapsed_ms",
    "library",
    "sync",
    "backup",
    "errors",
];
const LIBRARY: [&str; 6] = [
    "files",
    "bytes",
    "hashed",
    "bytes_read",
    "skipped",
    "failed",
];
const SYNC: [&str; 7] = [
    "uploaded",
    "bytes_uploaded",
    "copied",
    "deleted",
    "unchanged",
    "failed",
    "requests",
];
const BACKUP: [&str; 11] = [
    "uploaded",
    "bytes_uploaded",
    "copied",
    "referenced",
    "unchanged",
    "renewed",
    "failed",
    "snapshot",
    "protected_until",
    "at_risk",
    "requests",
];

async fn the_summary_has_exactly_the_documented_fields_in_order(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let last = last_line(&job.command("run").output().unwrap());
    assert_eq!(in_order(&last), SUMMARY);
    assert_eq!(in_order(&part(&last, "library")), LIBRARY);
    assert_eq!(in_order(&part(&last, "sync")), SYNC);
    assert_eq!(in_order(&part(&last, "backup")), BACKUP);
    let value: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(
        (&value["command"], &value["exit_code"]),
        (&"run".into(), &0.into())
    );
    assert_eq!(value["errors"], Value::Array(Vec::new()));
    for side in ["sync", "backup"] {
        assert!(
            value[side]["requests"]["PutObject"].as_u64() > Some(0),
            "{side}"
        );
    }
    // What did not run is absent.
    let last = last_line(&job.command("backup").output().unwrap());
    assert!(!in_order(&last).contains(&"sync".to_owned()));
}

async fn every_failure_ends_with_a_summary_that_says_why(store: TestStore) {
    let job = Job::new(store).await;
    for number in 0..12 {
        job.library.file(format!("{number}"), 100 + number);
    }
    job.run(0);
    for number in 0..11 {
        job.library.remove(format!("{number}"));
    }
    let refused = last_line(&job.command("run").output().unwrap());
    assert_eq!(in_order(&refused), SUMMARY);
    let error = part(&refused, "errors");
    let error: Vec<Value> = serde_json::from_str(&error).unwrap();
    assert_eq!(error.len(), 1);
    assert_eq!(in_order(&error[0].to_string()).len(), 3);
    for mistake in [
        &["--sync-to"][..],
        &["--no-such-flag"],
        &["--retention", "soon"],
        &["--max-delete", "200%"],
        &["--config", "/no/such/file.toml"],
    ] {
        let ran = job.tidelock("run", mistake).ended(2);
        assert!(!ran.errors().is_empty(), "{mistake:?}");
    }
}

async fn a_dry_run_prints_the_plan_and_touches_nothing(store: TestStore) {
    let job = Job::new(store).await;
    album::odd_things(&job.library);
    let files = crate::support::files_and_bytes(job.library.path()).0 as usize;
    let planned = job.tidelock("run", &["--dry-run"]).ended(0);
    // The second path of a hard link has the first one's content.
    let sent = planned.paths("upload", "sync").len();
    let copied = planned.paths("copy", "sync").len();
    assert_eq!((sent + copied, copied), (files, 1));
    assert_all_planned(&planned);
    assert_eq!(job.mirror.keys().await.len(), 0);
    assert_eq!(job.vault.versions().await, []);

    job.run(0);
    job.library.write("names/#1.jpg", b"edited");
    job.library.rename("names/50%20off.jpg", "moved");
    job.library.remove("names/100%.jpg");
    let before = (job.mirror.objects().await, job.vault.versions().await);
    let planned = job.tidelock("run", &["-n"]).ended(0);
    assert_all_planned(&planned);
    assert_eq!(planned.paths("upload", "backup"), ["names/#1.jpg"]);
    assert_eq!(planned.paths("upload", "sync"), ["names/#1.jpg"]);
    assert_eq!(planned.paths("copy", "sync"), ["moved"]);
    assert_eq!(planned.paths("reference", "backup"), ["moved"]);
    assert_eq!(
        planned.paths("delete", "sync"),
        ["names/100%.jpg", "names/50%20off.jpg"]
    );
    assert_eq!(
        (job.mirror.objects().await, job.vault.versions().await),
        before
    );

    // People read it too.
    let mut command = job.store.std_tidelock("run");
    command
        .arg(job.library.path())
        .args(["-n", "--sync-to", &job.sync_to()]);
    let output = command
        .args(["--backup-to", &job.backup_to()])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("names/#1.jpg"))
        .unwrap();
    assert!(line.contains("would upload"), "{text}");
    // The plan is what happens.
    job.run(0).assert_counts(&[
        ("sync.uploaded", 1),
        ("sync.copied", 1),
        ("sync.deleted", 2),
        ("backup.uploaded", 1),
    ]);
}

async fn a_dry_run_into_a_strangers_prefix_says_what_a_run_would_refuse(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    job.mirror.put("lib/theirs", b"x").await;
    let refused = job.tidelock("run", &["-n"]).ended(4);
    assert_eq!(refused.paths("refuse", "sync"), ["theirs"]);
    assert_eq!(refused.printed_override(), ["--max-delete", "1"]);
    assert!(refused.errors().contains("would"), "{}", refused.errors());
    assert_eq!(job.mirror.keys().await, ["lib/theirs"]);
    assert_eq!(job.vault.versions().await, []);
}

on_both!(
    the_summary_has_exactly_the_documented_fields_in_order,
    every_failure_ends_with_a_summary_that_says_why,
    a_dry_run_prints_the_plan_and_touches_nothing,
    a_dry_run_into_a_strangers_prefix_says_what_a_run_would_refuse,
);

#[track_caller]
fn assert_all_planned(ran: &Ran) {
    let mut files = ran.lines.iter().filter(|line| line["event"] == "file");
    assert!(files.all(|line| line["planned"] == true), "{:?}", ran.lines);
    ran.assert_idle();
}

fn last_line(output: &Output) -> String {
    Ran::of(output);
    let stdout = std::str::from_utf8(&output.stdout).unwrap();
    stdout.lines().last().unwrap().to_owned()
}

/// A field's value as it stands in the text.
fn part(object: &str, field: &str) -> String {
    let fields: std::collections::BTreeMap<&str, &serde_json::value::RawValue> =
        serde_json::from_str(object).unwrap();
    fields[field].get().to_owned()
}
