//! No deletes on doubt: what the guards refuse, what goes on all the same, and the override that they print.

use std::fs;

use crate::support::{Job, Ran, TestStore, assert_same_tree, borrowed, on_both};

/// A job whose library of so many files has had its first run.
async fn begun(store: TestStore, files: usize) -> Job {
    let job = Job::new(store).await;
    for number in 0..files {
        job.library.file(format!("notes/{number:03}"), 50 + number);
    }
    job.run(0);
    job
}

/// Everything in both buckets but the leases.
async fn all(job: &Job) -> (Vec<String>, usize) {
    let mut versions = job.vault.versions().await;
    versions.retain(|version| !version.key.contains("/.tidelock/"));
    (job.mirror.keys().await, versions.len())
}

async fn f02_an_emptied_library_touches_nothing_until_the_printed_override(store: TestStore) {
    let job = begun(store, 12).await;
    let before = all(&job).await;
    job.library.remove("notes");
    for verb in ["run", "sync", "backup"] {
        let refused = job.tidelock(verb, &[]).ended(4);
        assert!(
            refused.errors().contains("--allow-empty"),
            "{}",
            refused.errors()
        );
        assert_eq!(all(&job).await, before, "{verb}");
    }
    // One consent is not the other.
    job.tidelock("run", &["--allow-empty"]).ended(4);
    assert_eq!(job.mirror.keys().await.len(), 12);
    let over = [
        vec!["--allow-empty".to_owned()],
        job.run(4).printed_override(),
    ]
    .concat();
    job.tidelock("run", &borrowed(&over)).ended(0);
    assert!(job.mirror.keys().await.is_empty());
    job.run(0).assert_idle();
}

async fn f01_a_missing_library_is_a_mistake_where_unknown_and_a_refusal_where_known(
    store: TestStore,
) {
    let job = begun(store, 3).await;
    let before = all(&job).await;
    let path = job.library.path().to_owned();
    let unplugged = path.with_extension("unplugged");
    fs::rename(&path, &unplugged).unwrap();
    let refused = job.run(4);
    assert!(
        refused.errors().contains("protected until"),
        "{}",
        refused.errors()
    );
    assert!(refused.errors().contains(path.to_str().unwrap()));
    assert_eq!(all(&job).await, before);
    // A machine without state asks the vault whether it was there before.
    let job = job.elsewhere();
    job.run(4);
    assert_eq!(all(&job).await, before);
    fs::rename(&unplugged, &path).unwrap();
    job.run(0).assert_idle();

    let never = Job::new(job.store.clone()).await;
    fs::remove_dir(never.library.path()).unwrap();
    never.run(2);
    assert_eq!(all(&never).await, (Vec::new(), 0));
}

async fn f02_too_many_deletes_are_refused_and_carried_until_the_printed_override(store: TestStore) {
    let job = begun(store, 40).await;
    for number in 0..15 {
        job.library.remove(format!("notes/{number:03}"));
    }
    job.library.file("notes/new", 1_000);
    let refused = job.run(4);
    // Uploads and the backup go on.
    refused.assert_counts(&[
        ("sync.uploaded", 1),
        ("sync.deleted", 0),
        ("backup.uploaded", 1),
    ]);
    assert_eq!(refused.paths("refuse", "sync").len(), 15);
    assert_eq!(job.mirror.keys().await.len(), 41);
    assert_carried(&job, &refused, 15);
    let restored = job.restore(&["--snapshot", &refused.snapshot()]);
    let all_of_it = fs::read_dir(restored.path().join("notes")).unwrap().count();
    assert_eq!(all_of_it, 41, "carried files are restored too");

    let over = job.run(4).printed_override();
    assert_eq!(over, ["--max-delete", "15"]);
    let less = ["--max-delete", "14"];
    job.tidelock("run", &less)
        .ended(4)
        .assert_counts(&[("sync.deleted", 0)]);
    let done = job.tidelock("run", &borrowed(&over)).ended(0);
    done.assert_counts(&[("sync.deleted", 15)]);
    assert_carried(&job, &done, 0);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());

    // It was for once.
    for number in 15..30 {
        job.library.remove(format!("notes/{number:03}"));
    }
    job.run(4).assert_counts(&[("sync.deleted", 0)]);
}

/// So many entries of the run's snapshot are carried, and it is complete exactly if none is.
#[track_caller]
fn assert_carried(job: &Job, ran: &Ran, count: usize) {
    let id = ran.snapshot();
    let entries = job.ls(&id);
    let carried = entries.iter().filter(|entry| entry["carried"] == true);
    assert_eq!(carried.count(), count);
    let latest = job.latest();
    assert_eq!(latest["id"], *id);
    assert_eq!(latest["complete"], count == 0);
}

on_both!(
    f02_an_emptied_library_touches_nothing_until_the_printed_override,
    f01_a_missing_library_is_a_mistake_where_unknown_and_a_refusal_where_known,
    f02_too_many_deletes_are_refused_and_carried_until_the_printed_override,
);
