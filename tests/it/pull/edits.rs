//! What changed there, what changed here, and what changed on both sides.

use std::time::Duration;

use super::Second;
use crate::support::{Fault, Proxy, Rule, Running, TestStore, assert_same_files, on_both};

/// Some stores date objects by the second: only a later one tells that an object was written anew.
async fn a_second_after(second: &Second, key: &str) {
    let mirror = &second.job.mirror;
    let brought = mirror.head(key).await.last_modified().unwrap().secs();
    loop {
        mirror.put("probe", b"").await;
        if mirror.head("probe").await.last_modified().unwrap().secs() > brought {
            break;
        }
    }
}

/// Pulls go through the proxy, all of them: the address is part of what a folder was pulled from.
async fn behind_a_proxy(store: TestStore) -> (Second, Proxy) {
    let proxy = Proxy::new(&store, 1);
    let mut second = Second::new(store).await;
    second.machine = proxy.store(&second.machine);
    (second, proxy)
}

/// Until the planned fault has happened.
async fn struck(proxy: &Proxy) {
    while proxy.fired()[0] == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

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
    a_second_after(&second, "lib/b.jpg").await;
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

/// A program writes into a file of fixed size, as databases do, after the pull has looked at it.
async fn an_edit_behind_the_look_is_not_taken_for_what_was_pulled(store: TestStore) {
    let (second, proxy) = behind_a_proxy(store).await;
    let library = &second.job.library;
    library.write("photos.db", b"as it was");
    second.publish();
    second.pull(0);
    a_second_after(&second, "lib/photos.db").await;
    library.mtime("photos.db", 1_500_000_000, 0);
    second.publish();

    proxy.plan(Rule::always(Fault::Reset).on("HeadObject").key("photos.db"));
    let running = Running::start(second.command());
    struck(&proxy).await;
    std::fs::write(second.at("photos.db"), "edited!!!").unwrap();
    proxy.clear();
    let ran = running.finish().ended(3);
    assert!(ran.errors().contains("photos.db"), "{}", ran.errors());

    library.write("photos.db", b"by others");
    second.publish();
    second.pull(3);
    assert_eq!(second.read("photos.db"), b"by others");
    let copies = second.conflicts();
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert_eq!(second.read(&copies[0]), b"edited!!!");
}

/// Another tool writes the object between the listing and the fetch, and later what it was before.
async fn an_object_that_changes_behind_the_listing_and_back_comes_twice(store: TestStore) {
    let (second, proxy) = behind_a_proxy(store).await;
    let mirror = &second.job.mirror;
    second.job.library.file("stays", 1);
    second.publish();
    mirror.put("lib/notes.txt", b"first").await;
    proxy.plan(Rule::always(Fault::Reset).on("HeadObject").key("notes.txt"));
    let running = Running::start(second.command());
    struck(&proxy).await;
    mirror.put("lib/notes.txt", b"other").await;
    proxy.clear();
    running.finish().ended(0);
    assert_eq!(second.read("notes.txt"), b"other");

    a_second_after(&second, "lib/notes.txt").await;
    mirror.put("lib/notes.txt", b"first").await;
    second.pull(0);
    assert_eq!(second.read("notes.txt"), b"first");
}

on_both!(
    a_file_that_comes_and_goes_twice_is_twice_in_the_trash,
    a_file_that_was_removed_here_comes_back,
    an_edit_behind_the_look_is_not_taken_for_what_was_pulled,
    an_edit_on_both_sides_is_kept_beside_and_named,
    an_object_that_changes_behind_the_listing_and_back_comes_twice,
    checksum_finds_an_edit_that_kept_size_and_times,
    what_changed_comes_and_what_went_goes_to_the_trash,
    what_was_there_before_the_first_pull_is_kept,
);
