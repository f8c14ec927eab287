//! The first run of all, a restore, and a second run that has nothing to do.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::album;
use crate::support::{
    Job, TestStore, assert_rclone_agrees, assert_same_tree, files_and_bytes, on_both,
};

const RETENTION: Duration = Duration::from_secs(60 * 86_400);

async fn a_library_is_mirrored_and_locked_from_one_read_and_comes_back(store: TestStore) {
    let job = Job::new(store).await;
    album::fill(&job.library, 70 * album::MIB);
    let began = SystemTime::now();
    let first = job.run(0);
    let (files, bytes) = files_and_bytes(job.library.path());
    // The second name of a file is not read again.
    let twice = job.library.at("names/a+b.jpg").metadata().unwrap().len();
    first.assert_counts(&[
        ("library.files", files),
        ("library.bytes", bytes),
        ("library.bytes_read", bytes - twice),
        ("library.failed", 0),
        ("sync.failed", 0),
        ("backup.failed", 0),
    ]);
    assert_mirror_is_the_library(&job).await;
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
    assert_vault_is_locked(&job, began).await;

    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());

    let objects = job.mirror.objects().await;
    let versions = job.vault.versions_below("lib/files/").await;
    let second = job.run(0);
    second.assert_idle();
    second.assert_counts(&[("sync.unchanged", files), ("backup.unchanged", files)]);
    assert_eq!(job.mirror.objects().await, objects);
    assert_eq!(job.vault.versions_below("lib/files/").await, versions);
}
on_both!(a_library_is_mirrored_and_locked_from_one_read_and_comes_back);

/// Exactly the library's files under their paths, byte for byte, with mtimes in rclone's way; and nothing else in the
/// whole bucket: no lease, no marker.
async fn assert_mirror_is_the_library(job: &Job) {
    let files = regular_files(job.library.path());
    let keys: BTreeSet<String> = job.mirror.keys().await.into_iter().collect();
    let expected: BTreeSet<String> = files.keys().map(|path| format!("lib/{path}")).collect();
    assert_eq!(keys, expected);
    for (path, on_disk) in &files {
        let key = format!("lib/{path}");
        let bytes = job.mirror.get(&key, None).await;
        assert!(bytes == std::fs::read(on_disk).unwrap(), "{key}: bytes");
        let head = job.mirror.head(&key).await;
        let mtime = head.metadata().and_then(|all| all.get("mtime"));
        assert_eq!(
            nanoseconds(mtime.expect("an mtime")),
            mtime_of(on_disk),
            "{key}"
        );
    }
}

/// Every version in the vault is locked, the manifest's and the snapshot's too; the lease alone is not.
async fn assert_vault_is_locked(job: &Job, began: SystemTime) {
    let versions = job.vault.versions().await;
    let files = regular_files(job.library.path());
    let of = |prefix: &str| {
        versions
            .iter()
            .filter(|v| v.key.starts_with(prefix))
            .count()
    };
    // The hard link's content is stored under its first path alone.
    assert_eq!(of("lib/files/"), files.len() - 1);
    assert_eq!((of("lib/manifests/"), of("lib/snapshots/")), (1, 1));
    let earliest = unix(began + RETENTION) - 60;
    let latest = unix(SystemTime::now() + RETENTION) + 60;
    for version in versions {
        assert!(!version.marker, "{version:?}");
        // The pruner has to be able to take a snapshot's pin away.
        let is_pin = version.key.starts_with("lib/pins/");
        if is_pin || version.key == "lib/.tidelock/lease.json" {
            continue;
        }
        let lock = job.vault.lock_of(&version).await;
        let (mode, until) = lock.unwrap_or_else(|| panic!("{} is not locked", version.key));
        assert_eq!(mode, "GOVERNANCE");
        let until = until.secs();
        assert!((earliest..=latest).contains(&until), "{}", version.key);
    }
}

/// The regular files below a folder by their relative paths, as keys have them.
fn regular_files(root: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.is_file() {
                let relative = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
                let key = match relative {
                    album::NOT_UTF8 => album::NOT_UTF8_KEY.to_owned(),
                    text => String::from_utf8(text.to_vec()).unwrap(),
                };
                found.insert(key, path);
            }
        }
    }
    found
}

fn mtime_of(path: &Path) -> i128 {
    let metadata = path.metadata().unwrap();
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

/// Decimal seconds as nanoseconds.
fn nanoseconds(seconds: &str) -> i128 {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let magnitude = format!("{}{fraction:0<9}", whole.trim_start_matches('-'));
    let magnitude: i128 = magnitude.parse().unwrap();
    if seconds.starts_with('-') {
        -magnitude
    } else {
        magnitude
    }
}

fn unix(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}
