//! Paths that change their kind between two runs: a file becomes a folder, a folder a file. MinIO lists nothing below a
//! key that is an object itself.

use crate::support::{Job, TestStore, assert_same_tree, on_both};

/// A library whose `album` was a file and is a folder now, mirrored while deletes were refused: the mirror has both.
async fn both_at_once(store: TestStore) -> Job {
    let job = Job::new(store).await;
    job.library.write("album", b"a file");
    job.library.write("notes.txt", b"stays");
    job.run(0);
    job.library.remove("album");
    job.library.write("album/one.jpg", b"in a folder");
    job.library.write("album/more/two.jpg", b"in another");
    job.tidelock("run", &["--max-delete", "0"]).ended(4);
    job
}

const AS_IT_SHOULD_BE: [&str; 3] = [
    "lib/album/more/two.jpg",
    "lib/album/one.jpg",
    "lib/notes.txt",
];

async fn f33_what_is_below_an_object_is_not_taken_for_missing(store: TestStore) {
    let job = both_at_once(store).await;
    let ran = job.tidelock("run", &["--max-delete", "1"]).ended(0);
    assert_eq!(ran.summary()["sync"]["uploaded"], 0);
    assert_eq!(job.mirror.keys().await, AS_IT_SHOULD_BE);
    job.run(0).assert_idle();
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

async fn f33_a_fresh_machine_finds_what_is_below_an_object(store: TestStore) {
    let job = both_at_once(store).await.elsewhere();
    // No run of this machine has ended with 0, but deletes are consented to.
    let ran = job.tidelock("run", &["--max-delete", "1"]).ended(0);
    assert_eq!(ran.summary()["sync"]["uploaded"], 0);
    assert_eq!(job.mirror.keys().await, AS_IT_SHOULD_BE);
    job.run(0).assert_idle();
}

async fn f21_a_folder_that_became_a_file_and_back_is_mirrored_as_it_is(store: TestStore) {
    let job = both_at_once(store).await;
    job.library.remove("album/one.jpg");
    job.library.remove("album/more/two.jpg");
    std::fs::remove_dir_all(job.library.at("album")).unwrap();
    job.library.write("album", b"a file again");
    job.tidelock("run", &["--max-delete", "2"]).ended(0);
    assert_eq!(job.mirror.keys().await, ["lib/album", "lib/notes.txt"]);
    assert_eq!(job.mirror.get("lib/album", None).await, b"a file again");
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    job.run(0).assert_idle();
}

async fn f02_a_snapshot_that_names_a_file_and_its_folder_restores_the_folder(store: TestStore) {
    let job = both_at_once(store).await;
    let named: Vec<_> = job.ls("latest").iter().map(|e| e["path"].clone()).collect();
    assert!(named.contains(&"album".into()) && named.contains(&"album/one.jpg".into()));
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

async fn f02_a_snapshot_that_names_a_folder_and_its_file_restores_the_file(store: TestStore) {
    let job = Job::new(store).await;
    job.library.write("album/one.jpg", b"in a folder");
    job.run(0);
    std::fs::remove_dir_all(job.library.at("album")).unwrap();
    job.library.write("album", b"a file");
    job.tidelock("run", &["--max-delete", "0"]).ended(4);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

on_both!(
    f02_a_snapshot_that_names_a_file_and_its_folder_restores_the_folder,
    f02_a_snapshot_that_names_a_folder_and_its_file_restores_the_file,
    f33_what_is_below_an_object_is_not_taken_for_missing,
    f33_a_fresh_machine_finds_what_is_below_an_object,
    f21_a_folder_that_became_a_file_and_back_is_mirrored_as_it_is,
);
