//! What can go wrong on the day of a restore: a disk that is too small, versions in the archive.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Job, OnSmallDisk, Ran, TestStore, assert_same_tree, on_localstack, on_minio};

/// Every name that is there has the right content, and nothing else is there. Returns how many.
fn assert_each_is_whole(library: &Path, restored: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(restored).unwrap() {
        let entry = entry.unwrap();
        let beside = library.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            count += assert_each_is_whole(&beside, &entry.path());
            continue;
        }
        let wanted = fs::read(&beside).unwrap_or_else(|_| panic!("{:?}", entry.path()));
        assert!(fs::read(entry.path()).unwrap() == wanted, "{beside:?}");
        count += 1;
    }
    count
}

fn restore_to(job: &Job, disk: &Path) -> Command {
    let mut command = job.store.std_tidelock("restore");
    command.args(["--json", "--backup-to", &job.backup_to(), "--to"]);
    command.arg(disk);
    command
}

async fn f53_a_disk_that_runs_full_is_a_clean_stop_and_the_next_restore_goes_on(store: TestStore) {
    let job = Job::new(store).await;
    // Small files take more of a disk than their sizes say, so the look beforehand lets them pass;
    // the large one has its room taken before a byte of it is fetched.
    for n in 0..300 {
        job.library.file(format!("small/{n:03}"), 10);
    }
    job.library.file("z.mov", (8 << 20) + 1);
    job.run(0);
    let disk = job.store.home().join("disk");
    let command = restore_to(&job, &disk);
    let done = OnSmallDisk::run(&job.store, &disk, (8 << 20) + (200 << 10), &command);

    let full = done.ran("first").ended(7);
    let said = full.errors();
    assert!(said.contains("the disk is full"), "{said}");
    assert!(said.contains(disk.to_str().unwrap()), "{said}");
    let whole = assert_each_is_whole(job.library.path(), &done.disk("first"));
    assert!(whole < 301, "it was never full");
    assert_eq!(full.count("restore.files"), whole as u64);

    let again = done.ran("second").ended(0);
    assert_eq!(again.count("restore.unchanged"), whole as u64);
    assert_same_tree(job.library.path(), &done.disk("second"));
}

async fn f53_too_little_room_is_said_before_anything_is_written(store: TestStore) {
    let job = Job::new(store).await;
    for n in 0..3 {
        job.library.file(format!("{n}"), 200 << 10);
    }
    job.run(0);
    let disk = job.store.home().join("disk");
    let command = restore_to(&job, &disk.join("below"));
    let done = OnSmallDisk::run(&job.store, &disk, 500 << 10, &command);

    let refused = done.ran("first").ended(2);
    let said = refused.errors();
    assert!(
        said.contains("600.0 KiB to write, 500.0 KiB free"),
        "{said}"
    );
    assert!(said.contains("100.0 KiB are missing"), "{said}");
    assert_eq!(fs::read_dir(done.disk("first")).unwrap().count(), 0);

    done.ran("second").ended(0);
    assert_same_tree(job.library.path(), &done.disk("second").join("below"));
}

on_minio!(
    f53_a_disk_that_runs_full_is_a_clean_stop_and_the_next_restore_goes_on,
    f53_too_little_room_is_said_before_anything_is_written,
);

/// A night whose files go to this class.
fn night(job: &Job, class: &str) -> Ran {
    let mut command = job.command("run");
    command.env("TIDELOCK_BACKUP_STORAGE_CLASS", class);
    Ran::of(&command.output().unwrap())
}

/// Key and class of every version. By a HEAD each: not every store's listing tells classes.
async fn classes(job: &Job) -> Vec<(String, String)> {
    let mut classes = Vec::new();
    for version in job.vault.versions().await {
        let head = job.vault.client.head_object().bucket(&job.vault.name);
        let head = head.key(&version.key).version_id(&version.version_id);
        let head = head.send().await.unwrap();
        let class = head.storage_class().map(|class| class.as_str().to_owned());
        classes.push((version.key, class.unwrap_or_else(|| "STANDARD".to_owned())));
    }
    classes
}

async fn f68_archived_versions_are_asked_for_and_come_when_they_are_there(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("at once", 10);
    job.run(0);
    job.library.file("2024/a.jpg", 1_000);
    job.library.file("2024/b.mov", 9 << 20);
    fs::hard_link(
        job.library.path().join("2024/a.jpg"),
        job.library.path().join("twin"),
    )
    .unwrap();
    night(&job, "GLACIER").ended(0);
    job.library.file("deep", 100);
    night(&job, "DEEP_ARCHIVE").ended(0);

    // The class is the files' alone: what a restore begins with can be read at once.
    let deep = [
        "lib/files/2024/a.jpg",
        "lib/files/2024/b.mov",
        "lib/files/deep",
    ];
    for (key, class) in classes(&job).await {
        let archived = matches!(class.as_str(), "GLACIER" | "DEEP_ARCHIVE");
        assert_eq!(archived, deep.contains(&key.as_str()), "{key}: {class}");
    }

    let folder = tempfile::tempdir().unwrap();
    let restore = |more: &[&str]| {
        let mut command = restore_to(&job, folder.path());
        Ran::of(&command.args(more).output().unwrap())
    };
    let ran = restore(&[]).ended(3);
    let said = ran.errors();
    for path in ["2024/a.jpg", "2024/b.mov", "twin", "deep"] {
        assert!(said.contains(path), "{said}");
    }
    let total = "3 versions (9.0 MiB; GLACIER 2, DEEP_ARCHIVE 1)";
    assert!(said.contains(total), "{said}");
    assert!(said.contains("--thaw=standard"), "{said}");
    for never in ["damage", "denied", "Damage", "lost"] {
        assert!(!said.contains(never), "{said}");
    }
    ran.assert_counts(&[("restore.files", 1), ("restore.archived", 4)]);

    // Nor does verify take them for damaged, bytes or not.
    for more in [&[][..], &["--read-data"][..]] {
        let verified = job.tidelock("verify", more).ended(0);
        assert_eq!(verified.errors(), "");
    }

    let ran = restore(&["--thaw", "bulk"]).ended(7);
    let said = ran.errors();
    assert!(
        said.contains(total) && said.contains("run the same command again after"),
        "{said}"
    );
    assert_eq!(ran.paths("thaw", ""), ["2024/a.jpg", "2024/b.mov", "deep"]);
    assert_eq!(ran.count("backup.requests.RestoreObject"), 3);
    // This store retrieves at once, so the further name of a file, which comes last, is there.
    ran.assert_counts(&[
        ("restore.archived", 3),
        ("restore.failed", 0),
        ("restore.unchanged", 1),
        ("restore.files", 1),
    ]);
    fs::remove_file(folder.path().join("twin")).unwrap();

    let ran = restore(&["--thaw", "bulk"]).ended(0);
    assert!(ran.summary()["backup"]["requests"]["RestoreObject"].is_null());
    assert_same_tree(job.library.path(), folder.path());
}

on_localstack!(f68_archived_versions_are_asked_for_and_come_when_they_are_there);

async fn f68_a_class_that_the_store_does_not_know_is_named_with_its_setting(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 10);
    let ran = night(&job, "GLACIER");
    let said = ran.errors();
    assert!(
        said.contains("storage_class") && said.contains("[backup]"),
        "{said}"
    );
    assert_ne!(ran.exit, Some(0));
    job.run(0);
}
on_minio!(f68_a_class_that_the_store_does_not_know_is_named_with_its_setting);
