//! What the mirror has under a new name is here already.

use super::Second;
use crate::support::{TestStore, assert_same_files, on_both, run_rclone};

const NOTHING_FETCHED: (&str, u64) = ("pull.bytes_downloaded", 0);

async fn a_renamed_folder_is_not_fetched_and_does_not_count_as_deleted(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    for number in 0..30 {
        library.file(format!("old/{number:03}.jpg"), 10 + number);
    }
    library.file("old/film.mov", (20 << 20) + 1);
    second.publish();
    second.pull(0);
    library.rename("old", "new");
    library.mtime("new/film.mov", 1_700_000_000, 123_456_789);
    second.publish();

    let planned = second.pull_with(&["-n"]).ended(0);
    assert_eq!(planned.paths("copy", "").len(), 31);
    let ran = second.pull(0);
    ran.assert_counts(&[
        ("pull.copied", 31),
        ("pull.downloaded", 0),
        ("pull.trashed", 31),
        NOTHING_FETCHED,
    ]);
    assert_eq!(ran.paths("copy", "").len(), 31);
    assert!(!second.at("old").exists());
    let film = second.in_trash("old/film.mov").expect("in the trash");
    assert!(std::fs::read(film).unwrap() == std::fs::read(library.at("new/film.mov")).unwrap());
    std::fs::remove_dir_all(second.at(".tidelock-trash")).unwrap();
    assert_same_files(library.path(), &second.to());
    second.pull(0).assert_counts(&[("pull.unchanged", 31)]);
}

async fn renamed_films_count_as_renamed_though_their_etags_are_others(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    for number in 0..12 {
        library.file(format!("old/{number}.mov"), (9 << 20) + number);
    }
    second.publish();
    second.pull(0);
    library.rename("old", "new");
    second.publish();
    second
        .pull(0)
        .assert_counts(&[("pull.copied", 12), ("pull.trashed", 12), NOTHING_FETCHED]);
}

async fn a_file_renamed_over_another_is_copied_in_its_place(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    library.file("a.jpg", 1_000);
    library.file("b.jpg", 2_000);
    second.publish();
    second.pull(0);
    library.rename("a.jpg", "b.jpg");
    second.publish();
    second
        .pull(0)
        .assert_counts(&[("pull.copied", 1), ("pull.trashed", 1), NOTHING_FETCHED]);
    assert_eq!(
        second.read("b.jpg"),
        std::fs::read(library.at("b.jpg")).unwrap()
    );
}

async fn what_was_edited_here_is_no_source(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    library.file("a.jpg", 1_000);
    library.file("b.jpg", 1_000 + 1);
    second.publish();
    second.pull(0);
    std::fs::write(second.at("a.jpg"), vec![7; 1_000]).unwrap();
    library.rename("a.jpg", "c.jpg");
    second.publish();
    second
        .pull(3)
        .assert_counts(&[("pull.copied", 0), ("pull.downloaded", 1)]);
    assert_eq!(
        second.read("c.jpg"),
        std::fs::read(library.at("c.jpg")).unwrap()
    );
    assert_eq!(second.read("a.jpg"), vec![7; 1_000], "the edit stays");
}

async fn what_a_guard_keeps_from_the_trash_is_a_source_all_the_same(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    for number in 0..30 {
        library.file(format!("{number:03}.jpg"), 100 + number);
    }
    second.publish();
    second.pull(0);
    for number in 0..11 {
        library.remove(format!("{number:03}.jpg"));
    }
    library.rename("020.jpg", "moved.jpg");
    second.publish();
    second
        .pull(4)
        .assert_counts(&[("pull.copied", 1), ("pull.trashed", 0), NOTHING_FETCHED]);
    assert_eq!(second.read("moved.jpg"), second.read("020.jpg"));
}

async fn files_that_rclone_renamed_are_known_by_their_md5(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    library.file("a.jpg", 2_000);
    library.file("b.mov", 12 << 20);
    let cut = ["--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M"];
    let sync = || {
        let job = &second.job;
        run_rclone(&job.store, "sync", job.library.path(), &job.mirror, &cut);
    };
    sync();
    second.pull(0).assert_counts(&[("pull.downloaded", 2)]);
    library.rename("a.jpg", "new/a.jpg");
    library.rename("b.mov", "new/b.mov");
    sync();
    second
        .pull(0)
        .assert_counts(&[("pull.copied", 2), ("pull.trashed", 2), NOTHING_FETCHED]);
    std::fs::remove_dir_all(second.at(".tidelock-trash")).unwrap();
    assert_same_files(library.path(), &second.to());
}

on_both!(
    a_file_renamed_over_another_is_copied_in_its_place,
    a_renamed_folder_is_not_fetched_and_does_not_count_as_deleted,
    files_that_rclone_renamed_are_known_by_their_md5,
    renamed_films_count_as_renamed_though_their_etags_are_others,
    what_a_guard_keeps_from_the_trash_is_a_source_all_the_same,
    what_was_edited_here_is_no_source,
);
