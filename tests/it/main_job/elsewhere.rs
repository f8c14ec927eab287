//! Other shapes of the same job: whole buckets as targets, nothing to store, another path, settings from elsewhere.

use std::process::Command;

use super::album;
use crate::support::{Job, Ran, TestStore, assert_same_tree, files_and_bytes, on_both};

/// `tidelock run` on these targets.
fn run_to(job: &Job, sync: &str, backup: &str) -> Command {
    let mut command = job.store.std_tidelock("run");
    command
        .arg(job.library.path())
        .args(["--json", "--sync-to", sync, "--backup-to", backup]);
    command
}

async fn whole_buckets_may_be_targets(store: TestStore) {
    let job = Job::new(store).await;
    album::odd_things(&job.library);
    let files = files_and_bytes(job.library.path()).0 as usize;
    let (sync, backup) = (
        format!("s3://{}", job.mirror.name),
        format!("s3://{}/", job.vault.name),
    );
    Ran::of(&run_to(&job, &sync, &backup).output().unwrap()).ended(0);
    let keys = job.mirror.keys().await;
    assert_eq!(keys.len(), files, "{keys:?}");
    assert!(keys.contains(&"names/#1.jpg".to_owned()));
    let vault = job.vault.versions().await;
    let places = [
        "files/",
        "manifests/",
        "snapshots/",
        "pins/",
        ".tidelock/lease.json",
    ];
    assert!(
        vault
            .iter()
            .all(|v| places.iter().any(|place| v.key.starts_with(place))),
        "{vault:?}"
    );
    Ran::of(&run_to(&job, &sync, &backup).output().unwrap())
        .ended(0)
        .assert_idle();

    let to = tempfile::tempdir().unwrap();
    let mut restore = job.store.std_tidelock("restore");
    restore
        .args(["--json", "--backup-to", &backup, "--to"])
        .arg(to.path());
    Ran::of(&restore.output().unwrap()).ended(0);
    assert_same_tree(job.library.path(), to.path());
}

async fn a_library_without_files_has_its_snapshot_too(store: TestStore) {
    let job = Job::new(store).await;
    job.run(0).assert_idle();
    job.library.dir("an empty folder");
    job.library.symlink("link", "nowhere");
    let ran = job.run(0);
    assert_eq!(job.ls(&ran.snapshot()).len(), 2);
    assert!(job.mirror.keys().await.is_empty());
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
}

async fn the_same_library_under_another_path_on_another_machine_sends_nothing(store: TestStore) {
    let job = Job::new(store).await;
    album::odd_things(&job.library);
    job.run(0);
    let copy = super::day_two::copy_of(&job.library);
    let machine = job.store.fresh_machine();
    let mut command = machine.std_tidelock("run");
    command
        .arg(copy.path())
        .args(["--json", "--sync-to", &job.sync_to()]);
    command.args(["--backup-to", &job.backup_to()]);
    Ran::of(&command.output().unwrap()).ended(0).assert_idle();
}

async fn checksum_reads_everything_and_sends_nothing(store: TestStore) {
    let job = Job::new(store).await;
    album::odd_things(&job.library);
    job.library.file("film", 8 * album::MIB + 1);
    job.run(0);
    let ran = job.tidelock("run", &["--checksum"]).ended(0);
    ran.assert_counts(&[
        ("sync.uploaded", 0),
        ("sync.copied", 0),
        ("backup.uploaded", 0),
    ]);
    let twice = job.library.at("names/a+b.jpg").metadata().unwrap().len();
    assert!(ran.count("library.bytes_read") >= ran.count("library.bytes") - twice);
}

async fn a_file_and_variables_configure_what_flags_do(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    job.library.file("b.tmp", 100);
    let file = format!(
        "[library]\npath = {:?}\nexclude = [\"*.tmp\"]\n\n\
         [sync]\nto = \"{}\"\n\n[backup]\nto = \"s3://nowhere/lib\"\nretention = \"30d\"\n",
        job.library.path(),
        job.sync_to()
    );
    std::fs::write(job.store.home().join("tidelock.toml"), file).unwrap();
    let mut command = job.store.std_tidelock("run");
    command
        .arg("--json")
        .env("TIDELOCK_BACKUP_TO", job.backup_to());
    let ran = Ran::of(&command.output().unwrap()).ended(0);
    ran.assert_counts(&[("library.files", 1), ("backup.uploaded", 1)]);
    assert_eq!(job.mirror.keys().await, ["lib/a"]);
    let snapshot = super::format::Snapshot::read(&job.vault, "lib/", &ran.snapshot()).await;
    assert_eq!(snapshot.json["retention"]["days"], 30);
}

async fn little_memory_is_enough_for_large_files(store: TestStore) {
    let job = Job::new(store).await;
    for number in 0..5 {
        job.library
            .file(format!("film {number}"), 17 * album::MIB + number);
    }
    for number in 0..30 {
        job.library
            .file(format!("photo {number}"), 300_000 + number);
    }
    let scarce = ["--memory", "32M", "--transfers", "16"];
    job.tidelock("run", &scarce)
        .ended(0)
        .assert_counts(&[("backup.uploaded", 35)]);
    // Touched, they are hashed first; moved too; and with the mirror gone they are sent after that.
    for number in 0..5 {
        job.library
            .mtime(format!("film {number}"), 1_000_000_000, 0);
    }
    job.tidelock("run", &scarce)
        .ended(0)
        .assert_counts(&[("backup.uploaded", 0)]);
    for number in 0..5 {
        job.library
            .mtime(format!("film {number}"), 1_100_000_000, 0);
        job.mirror.delete(&format!("lib/film {number}")).await;
    }
    let ran = job.tidelock("run", &scarce).ended(0);
    ran.assert_counts(&[("sync.uploaded", 5), ("backup.uploaded", 0)]);
    let restored = job.restore(&["--memory", "32M"]);
    assert_same_tree(job.library.path(), restored.path());
}

async fn a_library_is_the_same_by_whatever_path_it_is_named(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    job.run(0);
    let link = job.store.home().join("Pictures");
    std::os::unix::fs::symlink(job.library.path(), &link).unwrap();
    for path in ["Pictures", "./Pictures", "Pictures/", "Pictures/.", "."] {
        let mut command = job.store.std_tidelock("run");
        if path == "." {
            command.current_dir(&link);
        }
        command
            .arg(path)
            .args(["--json", "--sync-to", &job.sync_to()]);
        command.args(["--backup-to", &job.backup_to()]);
        Ran::of(&command.output().unwrap()).ended(0).assert_idle();
    }
}

on_both!(
    little_memory_is_enough_for_large_files,
    a_library_is_the_same_by_whatever_path_it_is_named,
    whole_buckets_may_be_targets,
    a_library_without_files_has_its_snapshot_too,
    the_same_library_under_another_path_on_another_machine_sends_nothing,
    checksum_reads_everything_and_sends_nothing,
    a_file_and_variables_configure_what_flags_do,
);
