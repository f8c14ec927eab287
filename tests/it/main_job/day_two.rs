//! The second day: little changed, little is done, and both days can be had back.

use super::album;
use crate::support::{Job, Library, Ran, TestStore, assert_same_tree, contents, on_both};

async fn an_edit_a_move_and_five_deletes_make_one_version_and_six_deletes(store: TestStore) {
    let job = Job::new(store).await;
    album::odd_things(&job.library);
    for number in 0..30 {
        job.library.file(format!("notes/{number}"), 1_000 + number);
    }
    let first = job.run(0).snapshot();
    let before = copy_of(&job.library);
    let versions = job.vault.versions_below("lib/files/").await;

    job.library.write("notes/1", &contents("edited", 2_000));
    job.library.rename("notes/2", "moved/elsewhere");
    for number in 10..15 {
        job.library.remove(format!("notes/{number}"));
    }
    let second = job.run(0);
    // What was moved is read, to know it again; it is not sent.
    second.assert_counts(&[
        ("library.bytes_read", 2_000 + 1_002),
        ("sync.uploaded", 1),
        ("sync.bytes_uploaded", 2_000),
        ("sync.copied", 1),
        ("sync.deleted", 6),
        ("backup.uploaded", 1),
        ("backup.bytes_uploaded", 2_000),
        ("backup.referenced", 1),
    ]);
    let mut fresh = job.vault.versions_below("lib/files/").await;
    fresh.retain(|version| !versions.contains(version));
    let keys: Vec<&str> = fresh.iter().map(|version| version.key.as_str()).collect();
    assert_eq!(keys, ["lib/files/notes/1"]);
    assert!(job.vault.lock_of(&fresh[0]).await.is_some());
    let deleted = [
        "notes/10", "notes/11", "notes/12", "notes/13", "notes/14", "notes/2",
    ];
    assert_eq!(second.paths("delete", "sync"), deleted);
    let keys = job.mirror.keys().await;
    for path in deleted {
        assert!(!keys.contains(&format!("lib/{path}")), "{path}");
    }
    assert!(keys.contains(&"lib/moved/elsewhere".to_owned()));

    let restored = job.restore(&["--snapshot", &first]);
    assert_same_tree(before.path(), restored.path());
    let restored = job.restore(&["--snapshot", &second.snapshot()]);
    assert_same_tree(job.library.path(), restored.path());
}
on_both!(an_edit_a_move_and_five_deletes_make_one_version_and_six_deletes);

async fn f63_a_renamed_top_folder_sends_almost_nothing_and_writes_no_version(store: TestStore) {
    let job = Job::new(store).await;
    // More than any limit on deletes, were these deletes.
    for number in 0..40 {
        job.library
            .file(format!("Photos/2024/{number}"), 3_000 + number);
    }
    let film = 8 * album::MIB + 1;
    job.library.file("Photos/film", film);
    let first = job.run(0);
    let before = copy_of(&job.library);
    let versions = job.vault.versions_below("lib/files/").await;

    job.library.rename("Photos", "Pictures");
    assert_only_moved(&job.run(0));
    // Once more, for a machine that has never seen the library.
    let job = job.elsewhere();
    job.library.rename("Pictures", "Alben");
    assert_only_moved(&job.run(0));
    assert_eq!(job.vault.versions_below("lib/files/").await, versions);
    assert_eq!(job.mirror.keys().await.len(), 41);
    crate::support::assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);

    job.run(0).assert_idle();
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    let restored = job.restore(&["--snapshot", &first.snapshot()]);
    assert_same_tree(before.path(), restored.path());
}
on_both!(f63_a_renamed_top_folder_sends_almost_nothing_and_writes_no_version);

#[track_caller]
fn assert_only_moved(ran: &Ran) {
    ran.assert_counts(&[
        ("sync.uploaded", 0),
        ("sync.copied", 41),
        ("sync.deleted", 41),
        ("backup.uploaded", 0),
        ("backup.referenced", 41),
    ]);
    let requests = &ran.summary()["sync"]["requests"];
    assert_eq!(requests["UploadPart"].as_u64().unwrap_or_default(), 0);
}

/// The library as it is now, links, times and all.
pub(super) fn copy_of(library: &Library) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut cp = std::process::Command::new("cp");
    let status = cp.arg("-a").arg(library.at(".")).arg(copy.path()).status();
    assert!(status.unwrap().success());
    copy
}
