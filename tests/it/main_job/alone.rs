//! `sync` and `backup` alone, and what they leave to `run`.

use super::format::Snapshot;
use crate::support::{Job, TestStore, assert_rclone_agrees, assert_same_tree, contents, on_both};

async fn sync_alone_keeps_what_it_overwrites_before_it_does(store: TestStore) {
    let job = Job::new(store).await;
    job.library.write("a", b"mine");
    job.library.file("b", 100);
    job.mirror.put("lib/a", b"somebody else's").await;
    let ran = job.tidelock("sync", &[]).ended(0);
    ran.assert_counts(&[("sync.uploaded", 2)]);
    assert_eq!(job.mirror.get("lib/a", None).await, b"mine");
    let kept = Snapshot::read(&job.vault, "lib/", &ran.snapshot()).await;
    assert_eq!(
        kept.json["complete"], false,
        "no backup of the library was made"
    );
    assert_eq!(kept.entries.len(), 0);
    assert_eq!(kept.rescued.len(), 1);
    let (key, version) = (&kept.rescued[0]["key"], &kept.rescued[0]["version_id"]);
    assert_eq!(kept.rescued[0]["path"], "a");
    let bytes = job.vault.get(key.as_str().unwrap(), version.as_str()).await;
    assert_eq!(bytes, b"somebody else's");
    let files = job.vault.versions_below("lib/files/").await;
    assert_eq!(files.len(), 1, "nothing else was stored");
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
}

async fn sync_alone_keeps_its_own_objects_before_it_overwrites_or_deletes_them(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    job.library.file("b", 200);
    job.tidelock("sync", &[]).ended(0);
    // No snapshot has ever named what the mirror holds.
    job.library.write("a", b"edited");
    job.library.remove("b");
    let ran = job.tidelock("sync", &[]).ended(0);
    ran.assert_counts(&[("sync.uploaded", 1), ("sync.deleted", 1)]);
    let kept = Snapshot::read(&job.vault, "lib/", &ran.snapshot()).await;
    let mut paths: Vec<_> = kept.rescued.iter().map(|entry| &entry["path"]).collect();
    paths.sort_by_key(|path| path.to_string());
    assert_eq!(paths, ["a", "b"]);
    let b = job.vault.get("lib/files/b", None).await;
    assert_eq!(b, contents("b", 200));
}

async fn sync_without_backup_does_not_even_look_at_the_vault(store: TestStore) {
    let job = Job::new(store).await;
    job.library.write("a", b"mine");
    job.mirror.put("lib/a", b"somebody else's").await;
    let ran = job.tidelock("sync", &["--without-backup"]).ended(0);
    ran.assert_counts(&[("sync.uploaded", 1)]);
    assert!(ran.summary()["backup"].is_null());
    assert_eq!(job.mirror.get("lib/a", None).await, b"mine");
    assert_eq!(job.vault.versions().await, []);
    let notes = ran.lines.iter().filter(|line| line["event"] == "note");
    let final_deletes = notes.filter(|line| line["message"].to_string().contains("final"));
    assert_eq!(final_deletes.count(), 1, "it says that deletes are final");
}

async fn sync_without_a_reachable_vault_is_refused(store: TestStore) {
    let job = Job::new(store).await;
    job.library.write("a", b"mine");
    let mut command = job.store.std_tidelock("sync");
    command
        .arg(job.library.path())
        .args(["--json", "--sync-to", &job.sync_to()]);
    command.args(["--backup-to", "s3://no-such-vault-here/lib"]);
    let refused = crate::support::Ran::of(&command.output().unwrap()).ended(4);
    assert!(
        refused.errors().contains("--without-backup"),
        "{}",
        refused.errors()
    );
    assert!(job.mirror.keys().await.is_empty());
    command.arg("--without-backup");
    crate::support::Ran::of(&command.output().unwrap()).ended(0);
    assert_eq!(job.mirror.keys().await, ["lib/a"]);
}

async fn what_backup_alone_has_stored_is_not_stored_again_by_run(store: TestStore) {
    let job = Job::new(store).await;
    super::album::odd_things(&job.library);
    let first = job.tidelock("backup", &[]).ended(0);
    assert!(first.summary()["sync"].is_null());
    assert!(job.mirror.keys().await.is_empty());
    let versions = job.vault.versions_below("lib/files/").await;
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());

    let second = job.run(0);
    let files = second.count("library.files");
    second.assert_counts(&[("backup.uploaded", 0), ("backup.unchanged", files)]);
    assert_eq!(
        second.count("sync.uploaded") + second.count("sync.copied"),
        files
    );
    assert_eq!(job.vault.versions_below("lib/files/").await, versions);
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
    job.run(0).assert_idle();
    job.tidelock("backup", &[]).ended(0);
    job.run(0).assert_idle();
}

async fn what_sync_alone_has_sent_is_not_sent_again_by_run(store: TestStore) {
    let job = Job::new(store).await;
    super::album::odd_things(&job.library);
    job.tidelock("sync", &[]).ended(0);
    let objects = job.mirror.objects().await;
    let second = job.run(0);
    second.assert_counts(&[("sync.uploaded", 0), ("sync.copied", 0)]);
    assert!(second.count("backup.uploaded") > 0);
    assert_eq!(job.mirror.objects().await, objects);
    job.tidelock("sync", &[])
        .ended(0)
        .assert_counts(&[("sync.uploaded", 0)]);
    job.run(0).assert_idle();
}

on_both!(
    sync_alone_keeps_what_it_overwrites_before_it_does,
    sync_alone_keeps_its_own_objects_before_it_overwrites_or_deletes_them,
    sync_without_backup_does_not_even_look_at_the_vault,
    sync_without_a_reachable_vault_is_refused,
    what_backup_alone_has_stored_is_not_stored_again_by_run,
    what_sync_alone_has_sent_is_not_sent_again_by_run,
);
