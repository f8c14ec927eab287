//! Changes that are not what they seem, and sizes around the parts' boundary.

use super::album::{self, MIB};
use crate::support::{Job, TestStore, assert_rclone_agrees, assert_same_tree, contents, on_both};

async fn f46_touching_everything_writes_no_version_and_leaves_mtimes_right_for_rclone(
    store: TestStore,
) {
    let job = Job::new(store).await;
    album::odd_things(&job.library);
    job.library.file("film", 8 * MIB + 1);
    job.run(0);
    let versions = job.vault.versions_below("lib/files/").await;
    for (path, seconds) in [("film", 1_000), ("empty.txt", -7), ("names/-rf", 3_000)] {
        job.library.mtime(path, seconds, 123_456_789);
    }
    for name in album::AWKWARD {
        job.library.mtime(name, 1_234_567_890, 1);
    }
    let second = job.run(0);
    second.assert_counts(&[
        ("sync.uploaded", 0),
        ("sync.deleted", 0),
        ("backup.uploaded", 0),
    ]);
    assert_eq!(job.vault.versions_below("lib/files/").await, versions);
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    job.run(0).assert_idle();
}

async fn a_changed_mode_sends_nothing_and_is_restored(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 1_000);
    job.library.file("b", 1_000);
    job.library.dir("folder");
    job.run(0);
    let objects = job.mirror.objects().await;
    let versions = job.vault.versions_below("lib/files/").await;
    job.library.mode("a", 0o600);
    job.library.mode("folder", 0o700);
    // Its ctime says that the file may have changed in more than its mode, so it is read.
    job.run(0).assert_counts(&[("library.bytes_read", 1_000)]);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    job.run(0).assert_idle();

    // On another machine a ctime says nothing.
    let job = job.elsewhere();
    job.library.mode("b", 0o640);
    job.run(0).assert_idle();
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    assert_eq!(job.mirror.objects().await, objects);
    let now = job.vault.versions_below("lib/files/").await;
    assert_eq!(now, versions);
}

async fn files_folders_and_links_may_take_each_others_places(store: TestStore) {
    let job = Job::new(store).await;
    let library = &job.library;
    library.file("was a file", 100);
    library.file("was a folder/a", 100);
    library.file("was a folder/b/c", 100);
    library.file("was a file too", 100);
    library.symlink("was a link", "was a file");
    library.symlink("other target", "was a file");
    library.dir("was empty");
    let first = job.run(0);
    let before = super::day_two::copy_of(library);

    library.remove("was a file");
    library.file("was a file/now inside", 200);
    library.remove("was a folder");
    library.file("was a folder", 300);
    library.remove("was a file too");
    library.symlink("was a file too", "was a folder");
    library.remove("was a link");
    library.file("was a link", 400);
    library.remove("other target");
    library.symlink("other target", "was a file/now inside");
    library.file("was empty/no more", 1);
    job.run(0).assert_counts(&[
        ("sync.uploaded", 4),
        ("backup.uploaded", 4),
        ("sync.deleted", 4),
    ]);

    let keys = [
        "was a file/now inside",
        "was a folder",
        "was a link",
        "was empty/no more",
    ];
    assert_eq!(
        job.mirror.keys().await,
        keys.map(|path| format!("lib/{path}"))
    );
    let restored = job.restore(&[]);
    assert_same_tree(library.path(), restored.path());
    let restored = job.restore(&["--snapshot", &first.snapshot()]);
    assert_same_tree(before.path(), restored.path());
    job.run(0).assert_idle();
}

async fn f15_sizes_around_one_part_are_stored_and_changed_into_each_other(store: TestStore) {
    let job = Job::new(store).await;
    let sizes = [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1];
    let fill = |shift: usize, seed: &str| {
        for place in 0..sizes.len() {
            let size = sizes[(place + shift) % sizes.len()];
            let bytes = contents(format!("{place} {seed}"), size);
            job.library.write(format!("{place}.bin"), &bytes);
        }
    };
    let mut before = Vec::new();
    // Each file grows by a step and more, and shrinks from the largest size to none.
    for (shift, seed) in [(0, "first"), (1, "second"), (3, "third")] {
        fill(shift, seed);
        let ran = job.run(0);
        // Empty is empty wherever it is: that content is stored already.
        let fresh = if shift == 0 { 5 } else { 4 };
        ran.assert_counts(&[("backup.uploaded", fresh), ("library.hashed", 5)]);
        assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
        before.push((ran.snapshot(), super::day_two::copy_of(&job.library)));
    }
    for (snapshot, library) in before {
        let restored = job.restore(&["--snapshot", &snapshot]);
        assert_same_tree(library.path(), restored.path());
    }
    job.run(0).assert_idle();
}

on_both!(
    f46_touching_everything_writes_no_version_and_leaves_mtimes_right_for_rclone,
    a_changed_mode_sends_nothing_and_is_restored,
    files_folders_and_links_may_take_each_others_places,
    f15_sizes_around_one_part_are_stored_and_changed_into_each_other,
);
