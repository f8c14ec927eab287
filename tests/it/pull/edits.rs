//! What changed there, what changed here, and what changed on both sides.

use super::Second;
use crate::support::{TestStore, assert_same_files, on_both};

async fn what_changed_comes_and_what_went_goes_to_the_trash(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    for name in [
        "a.jpg",
        "b.jpg",
        "old/c.jpg",
        "old/deep/d.jpg",
        "gone/e.jpg",
    ] {
        library.file(name, 3_000);
    }
    second.publish();
    second.pull(0);
    // Some stores date objects by the second: only a later one tells that a time was changed.
    let mirror = &second.job.mirror;
    let brought = mirror
        .head("lib/b.jpg")
        .await
        .last_modified()
        .unwrap()
        .secs();
    loop {
        mirror.put("probe", b"").await;
        if mirror.head("probe").await.last_modified().unwrap().secs() > brought {
            break;
        }
    }
    library.write("a.jpg", b"another content");
    library.mtime("b.jpg", 1_500_000_000, 5);
    library.rename("old", "new");
    library.remove("gone");
    library.file("more.jpg", 10);
    second.publish();

    let planned = second.pull_with(&["-n"]).ended(0);
    assert_eq!(
        planned.paths("trash", ""),
        ["gone/e.jpg", "old/c.jpg", "old/deep/d.jpg"]
    );
    assert!(second.at("gone/e.jpg").exists());

    let ran = second.pull(0);
    assert_eq!(
        ran.paths("trash", ""),
        ["gone/e.jpg", "old/c.jpg", "old/deep/d.jpg"]
    );
    assert_eq!(ran.paths("download", ""), ["a.jpg", "more.jpg"]);
    assert_eq!(ran.paths("copy", ""), ["new/c.jpg", "new/deep/d.jpg"]);
    assert_eq!(
        ran.paths("adopt", ""),
        ["b.jpg"],
        "only its time was changed"
    );
    let trashed = second.in_trash("gone/e.jpg").expect("in the trash");
    assert_eq!(std::fs::read(trashed).unwrap().len(), 3_000);
    // Empty folders are not left behind, and but for the trash all is as in the library.
    assert!(!second.at("old").exists() && !second.at("gone").exists());
    std::fs::remove_dir_all(second.at(".tidelock-trash")).unwrap();
    assert_same_files(library.path(), &second.to());
    second.pull(0).assert_counts(&[("pull.unchanged", 5)]);
}

async fn a_file_that_comes_and_goes_twice_is_twice_in_the_trash(store: TestStore) {
    let second = Second::new(store).await;
    second.job.library.file("stays", 1);
    for content in [b"one", b"two"] {
        second.job.library.write("a.jpg", content);
        second.publish();
        second.pull(0);
        second.job.library.remove("a.jpg");
        second.publish();
        second.pull(0);
    }
    let names = second.names();
    let in_trash = names.iter().filter(|name| name.ends_with(".jpg")).count();
    assert_eq!(in_trash, 2, "{names:?}");
}

async fn an_edit_on_both_sides_is_kept_beside_and_named(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    for name in [
        "both.jpg",
        "here.jpg",
        "removed.jpg",
        "touched.jpg",
        "same.jpg",
    ] {
        library.file(name, 3_000);
    }
    second.publish();
    second.pull(0);
    for name in ["both.jpg", "here.jpg", "removed.jpg", "same.jpg"] {
        std::fs::write(second.at(name), format!("mine {name}")).unwrap();
    }
    let touched = std::fs::File::options()
        .append(true)
        .open(second.at("touched.jpg"));
    touched
        .unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    std::fs::write(second.at("private.txt"), "never in the mirror").unwrap();
    library.write("both.jpg", b"theirs");
    library.write("touched.jpg", b"new content");
    library.write("same.jpg", b"mine same.jpg");
    library.remove("removed.jpg");
    second.publish();

    let ran = second.pull(3);
    assert_eq!(ran.paths("conflict", ""), ["both.jpg"]);
    assert!(
        ran.errors().contains("both (conflict 20"),
        "{}",
        ran.errors()
    );
    assert!(ran.errors().contains("removed.jpg"), "{}", ran.errors());
    assert_eq!(second.read("both.jpg"), b"theirs");
    let copies = second.conflicts();
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert!(copies[0].ends_with(").jpg"), "{copies:?}");
    assert_eq!(second.read(&copies[0]), b"mine both.jpg");
    assert_eq!(second.read("here.jpg"), b"mine here.jpg");
    assert_eq!(second.read("removed.jpg"), b"mine removed.jpg");
    assert_eq!(second.read("touched.jpg"), b"new content");
    assert_eq!(second.read("private.txt"), b"never in the mirror");
    assert_eq!(second.in_trash("removed.jpg"), None);

    // The next night is quiet, and nothing is copied again.
    let next = second.pull(0);
    next.assert_counts(&[
        ("pull.edited", 1),
        ("pull.conflicts", 0),
        ("pull.downloaded", 0),
    ]);
    assert_eq!(second.conflicts(), copies);
    assert_eq!(second.read("removed.jpg"), b"mine removed.jpg");
}

async fn what_was_there_before_the_first_pull_is_kept(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    library.write("a.jpg", b"theirs");
    library.write("equal.jpg", b"equal");
    library.write("folder", b"a file in the mirror");
    second.publish();
    std::fs::create_dir_all(second.at("folder/sub")).unwrap();
    std::fs::write(second.at("a.jpg"), "mine").unwrap();
    std::fs::write(second.at("equal.jpg"), "equal").unwrap();
    let ran = second.pull(3);
    ran.assert_counts(&[
        ("pull.conflicts", 1),
        ("pull.adopted", 1),
        ("pull.failed", 1),
    ]);
    assert_eq!(second.read("a.jpg"), b"theirs");
    assert_eq!(second.read(&second.conflicts()[0]), b"mine");
    assert!(second.at("folder/sub").is_dir());
}

async fn a_file_that_was_removed_here_comes_back(store: TestStore) {
    let second = Second::new(store).await;
    second.job.library.file("a.jpg", 10);
    second.job.library.file("b.jpg", 10);
    second.publish();
    second.pull(0);
    std::fs::remove_file(second.at("a.jpg")).unwrap();
    second
        .pull(0)
        .assert_counts(&[("pull.downloaded", 1), ("pull.unchanged", 1)]);
    assert_same_files(second.job.library.path(), &second.to());
}

async fn checksum_finds_an_edit_that_kept_size_and_times(store: TestStore) {
    let second = Second::new(store).await;
    second.job.library.file("a.jpg", 10);
    second.publish();
    second.pull(0);
    let file = std::fs::File::open(second.at("a.jpg")).unwrap();
    let mtime = file.metadata().unwrap().modified().unwrap();
    std::fs::write(second.at("a.jpg"), "0123456789").unwrap();
    file.set_modified(mtime).unwrap();
    let ran = second.pull_with(&["--checksum"]).ended(0);
    ran.assert_counts(&[("pull.edited", 1)]);
    assert_eq!(second.read("a.jpg"), b"0123456789");
}

on_both!(
    a_file_that_comes_and_goes_twice_is_twice_in_the_trash,
    a_file_that_was_removed_here_comes_back,
    an_edit_on_both_sides_is_kept_beside_and_named,
    checksum_finds_an_edit_that_kept_size_and_times,
    what_changed_comes_and_what_went_goes_to_the_trash,
    what_was_there_before_the_first_pull_is_kept,
);
