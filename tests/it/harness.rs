//! The helpers themselves: a test that can't fail proves nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use aws_sdk_s3::primitives::ByteStream;

use crate::support::{
    Compare, Library, Lock, TestStore, assert_same_files, assert_same_tree, contents, differences,
    on_both, rclone,
};

async fn a_bucket_has_the_lock_that_was_asked_for(store: TestStore) {
    let client = store.client();
    let (locked, plain) = (store.bucket(Lock::On).await, store.bucket(Lock::Off).await);
    let configuration = client
        .get_object_lock_configuration()
        .bucket(&locked)
        .send()
        .await
        .unwrap();
    assert!(configuration.object_lock_configuration().is_some());
    client
        .get_object_lock_configuration()
        .bucket(&plain)
        .send()
        .await
        .unwrap_err();
}
on_both!(a_bucket_has_the_lock_that_was_asked_for);

async fn a_bucket_keeps_versions_where_it_is_locked(store: TestStore) {
    let (client, bucket) = (store.client(), store.bucket(Lock::On).await);
    for body in ["one", "two"] {
        client
            .put_object()
            .bucket(&bucket)
            .key("a b+c%/é.txt")
            .body(ByteStream::from_static(body.as_bytes()))
            .send()
            .await
            .unwrap();
    }
    let listed = client
        .list_object_versions()
        .bucket(&bucket)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.versions().len(), 2);
    assert_eq!(listed.versions()[0].key(), Some("a b+c%/é.txt"));
}
on_both!(a_bucket_keeps_versions_where_it_is_locked);

async fn the_binary_runs_with_nothing_but_credentials(store: TestStore) {
    store.bare_tidelock().arg("--version").assert().success();
    assert_ne!(store.home(), store.fresh_machine().home());
}
on_both!(the_binary_runs_with_nothing_but_credentials);

#[test]
fn rclone_is_there_to_compare_with() {
    assert_cmd::Command::new(rclone())
        .arg("version")
        .assert()
        .success();
}

#[test]
fn contents_depend_on_the_seed_alone() {
    assert_eq!(contents("a", 1000), contents("a", 1000));
    assert_ne!(contents("a", 1000), contents("b", 1000));
    assert_eq!(contents("a", 10), contents("a", 1000)[..10]);
}

/// A library with one of everything.
fn library() -> Library {
    let library = Library::new();
    library.file("2024/a.jpg", 70_000);
    library.mtime("2024/a.jpg", -1, 999_999_999);
    library.write("2024/empty", b"");
    library.file(OsStr::from_bytes(b"2024/\xff +%#?.jpg"), 1);
    library.hard_link("2025/same.jpg", "2024/a.jpg");
    library.symlink("2025/link", "../2024/a.jpg");
    library.dir("2026");
    library
}

fn copy_of(original: &Library) -> Library {
    let copy = Library::new();
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(original.at(""))
        .arg(copy.at("copy"))
        .status()
        .unwrap();
    assert!(status.success());
    copy
}

#[test]
fn equal_trees_are_equal() {
    let original = library();
    let copy = copy_of(&original);
    assert_same_tree(original.path(), &copy.at("copy"));
    assert_same_files(original.path(), &copy.at("copy"));
}

#[test]
fn each_difference_between_trees_is_found() {
    type Change = (&'static str, fn(&Library), Compare);
    let changes: [Change; 9] = [
        (
            "a byte",
            |l| drop(l.write("copy/2024/a.jpg", &contents("x", 70_000))),
            Compare::Files,
        ),
        (
            "a nanosecond",
            |l| l.mtime("copy/2024/a.jpg", -1, 999_999_998),
            Compare::Files,
        ),
        (
            "a missing file",
            |l| l.remove("copy/2024/empty"),
            Compare::Files,
        ),
        (
            "an extra file",
            |l| drop(l.file("copy/2024/more", 1)),
            Compare::Files,
        ),
        (
            "a mode",
            |l| l.mode("copy/2024/a.jpg", 0o600),
            Compare::Everything,
        ),
        (
            "a folder's mtime",
            |l| l.mtime("copy/2026", 1, 0),
            Compare::Everything,
        ),
        (
            "a missing folder",
            |l| l.remove("copy/2026"),
            Compare::Everything,
        ),
        (
            "a symlink's target",
            |l| {
                l.remove("copy/2025/link");
                l.symlink("copy/2025/link", "x");
            },
            Compare::Everything,
        ),
        (
            "a broken hard link",
            |l| {
                fs::copy(l.at("copy/2025/same.jpg"), l.at("x")).unwrap();
                l.rename("x", "copy/2025/same.jpg");
                l.mtime("copy/2025/same.jpg", -1, 999_999_999)
            },
            Compare::Everything,
        ),
    ];
    let original = library();
    for (what, change, compare) in changes {
        let copy = copy_of(&original);
        change(&copy);
        let found = differences(original.path(), &copy.at("copy"), compare);
        assert!(!found.is_empty(), "{what} was not noticed");
    }
}
