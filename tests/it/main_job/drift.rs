//! A mirror that others changed, and contents that come more than once.

use super::album::MIB;
use super::format::Snapshot;
use crate::support::{Job, TestStore, assert_rclone_agrees, assert_same_tree, contents, on_both};

async fn what_the_mirror_lost_is_sent_again_and_not_stored_again(store: TestStore) {
    let job = Job::new(store).await;
    for name in ["a", "b", "c"] {
        job.library.file(name, 1_000);
    }
    job.run(0);
    job.mirror.delete("lib/b").await;
    let ran = job.run(0);
    ran.assert_counts(&[("sync.uploaded", 1), ("backup.uploaded", 0)]);
    assert_eq!(ran.paths("upload", "sync"), ["b"]);
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
    job.run(0).assert_idle();
}

async fn f59_a_strangers_edit_of_the_mirror_is_kept_before_it_is_overwritten(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("same length", 1_000);
    job.library.file("other length", 1_000);
    let first = job.run(0).snapshot();
    let same = contents("somebody's", 1_000);
    job.mirror.put("lib/same length", &same).await;
    job.mirror.put("lib/other length", b"somebody's").await;
    let ran = job.run(0);
    ran.assert_counts(&[("sync.uploaded", 2)]);
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);

    let snapshot = Snapshot::read(&job.vault, "lib/", &ran.snapshot()).await;
    for (path, bytes) in [("same length", &same[..]), ("other length", b"somebody's")] {
        let entry = snapshot.rescued.iter().find(|entry| entry["path"] == path);
        let entry = entry.unwrap_or_else(|| panic!("{path} in {:?}", snapshot.rescued));
        let key = entry["key"].as_str().unwrap();
        assert_eq!(key, format!("lib/files/{path}"));
        assert!(job.vault.get(key, entry["version_id"].as_str()).await == bytes);
    }
    // The library is what is restored, from before and from now.
    for snapshot in [first, ran.snapshot()] {
        let restored = job.restore(&["--snapshot", &snapshot]);
        assert_same_tree(job.library.path(), restored.path());
    }
    job.run(0).assert_idle();
}

async fn equal_files_are_stored_once_and_copied_on_the_mirror(store: TestStore) {
    let job = Job::new(store).await;
    let photo = contents("photo", 50_000);
    // More than are handled at a time, so that some meet while none of them is stored.
    for number in 0..40 {
        job.library.write(format!("{number}/photo"), &photo);
    }
    job.run(0).assert_counts(&[
        ("sync.uploaded", 1),
        ("sync.copied", 39),
        ("backup.uploaded", 1),
        ("backup.referenced", 39),
    ]);
    // The path that it was stored under goes: the version is needed all the same.
    let stored = job.vault.versions_below("lib/files/").await;
    let stored = stored[0].key.strip_prefix("lib/files/").unwrap().to_owned();
    job.library.remove(&stored);
    job.library.write("d", &photo);
    let ran = job.run(0);
    ran.assert_counts(&[
        ("sync.uploaded", 0),
        ("sync.copied", 1),
        ("sync.deleted", 1),
        ("backup.uploaded", 0),
    ]);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
}

async fn equal_films_are_stored_once_though_all_are_sent_at_once(store: TestStore) {
    let job = Job::new(store).await;
    let film = contents("film", 8 * MIB + 1);
    for number in 0..4 {
        job.library.write(format!("{number}/film"), &film);
    }
    job.run(0)
        .assert_counts(&[("backup.uploaded", 1), ("backup.referenced", 3)]);
    assert_eq!(job.vault.versions_below("lib/files/").await.len(), 1);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
    job.run(0).assert_idle();
}

async fn an_old_content_that_comes_back_is_not_stored_again(store: TestStore) {
    let job = Job::new(store).await;
    let (one, two) = (contents("one", 1_000), contents("two", 1_000));
    job.library.write("a", &one);
    job.library
        .write("b", b"the content's other home, until it moves");
    job.run(0);
    job.library.write("a", &two);
    job.library.write("b", &one);
    let swapped = job.run(0);
    swapped.assert_counts(&[("backup.uploaded", 1), ("backup.referenced", 1)]);
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    // Two files change places: nothing is new.
    job.library.write("a", &one);
    job.library.write("b", &two);
    job.run(0)
        .assert_counts(&[("backup.uploaded", 0), ("backup.referenced", 2)]);
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    job.run(0).assert_idle();
}

async fn sync_and_run_take_turns_without_losing_a_version(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("edited", 1_000);
    job.library.file("deleted", 2_000);
    job.library.file("kept", 3_000);
    let first = job.run(0).snapshot();
    let before = super::day_two::copy_of(&job.library);
    job.library.write("edited", b"by day");
    job.library.remove("deleted");
    job.library.file("new", 500);
    let sync = job.tidelock("sync", &[]).ended(0);
    sync.assert_counts(&[("sync.uploaded", 2), ("sync.deleted", 1)]);
    // The first snapshot has all that was overwritten and deleted: nothing had to be rescued.
    assert_eq!(job.latest()["id"], *first);
    let night = job.run(0);
    night.assert_counts(&[
        ("sync.uploaded", 0),
        ("sync.deleted", 0),
        ("backup.uploaded", 2),
    ]);
    assert_eq!(job.latest()["complete"], true);
    for (snapshot, library) in [
        (first, before.path()),
        (night.snapshot(), job.library.path()),
    ] {
        let restored = job.restore(&["--snapshot", &snapshot]);
        assert_same_tree(library, restored.path());
    }
    job.run(0).assert_idle();
}

on_both!(
    what_the_mirror_lost_is_sent_again_and_not_stored_again,
    f59_a_strangers_edit_of_the_mirror_is_kept_before_it_is_overwritten,
    equal_files_are_stored_once_and_copied_on_the_mirror,
    equal_films_are_stored_once_though_all_are_sent_at_once,
    an_old_content_that_comes_back_is_not_stored_again,
    sync_and_run_take_turns_without_losing_a_version,
);
