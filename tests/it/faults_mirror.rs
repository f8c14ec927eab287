//! Foreign hands on the sync target while a run is under way: between its listing and its overwrite, its delete, its
//! Complete. Whatever they wrote is a named, locked version before it is replaced.

use crate::support::{Job, SLOW, TestStore, contents, on_both};

/// A job whose mirror holds `victim`, and a run under way that will come to it in some seconds.
async fn job(store: TestStore) -> Job {
    let job = Job::new(store).await;
    job.library.file("a-first", SLOW);
    job.library.write("victim", b"as it was");
    job.run(0);
    job.library.write("a-first", &contents("again", SLOW));
    job
}

async fn stranger_is_kept(job: &Job, path: &str, bytes: &[u8]) {
    let rescued = job.vault.latest_snapshot().await.rescued().await;
    let rescued: Vec<_> = rescued.iter().filter(|e| e["path"] == path).collect();
    assert_eq!(rescued.len(), 1, "the last snapshot names it as rescued");
    let latest = job.vault.latest_snapshot().await;
    assert_eq!(latest.content(rescued[0]).await, bytes);
}

async fn f59_a_foreign_write_before_an_overwrite_is_rescued_first(store: TestStore) {
    let job = job(store).await;
    job.library.write("victim", b"as the library has it");
    let mut run = job.crawl("run", &[]);
    run.until_phase("transfer");
    job.mirror.put("lib/victim", b"a stranger's").await;

    let ran = run.finish().ended(0);
    assert_eq!(ran.paths("rescue", "backup"), ["victim"]);
    stranger_is_kept(&job, "victim", b"a stranger's").await;
    let mirrored = job.mirror.get("lib/victim", None).await;
    assert_eq!(mirrored, b"as the library has it");
    assert!(job.vault.latest_snapshot().await.is_complete());
    job.run(0).assert_idle();
}

async fn f59_a_foreign_write_before_a_first_upload_is_rescued_first(store: TestStore) {
    let job = job(store).await;
    job.library.write("new", b"as the library has it");
    let mut run = job.crawl("run", &[]);
    run.until_phase("transfer");
    job.mirror.put("lib/new", b"a stranger's").await;

    run.finish().ended(0);
    stranger_is_kept(&job, "new", b"a stranger's").await;
    let mirrored = job.mirror.get("lib/new", None).await;
    assert_eq!(mirrored, b"as the library has it");
}

/// The file is as long as two parts, so its object appears with Complete.
async fn f59_a_foreign_write_before_complete_is_rescued_first(store: TestStore) {
    let job = job(store).await;
    let large = contents("large", (8 << 20) + 1);
    job.library.write("victim", &large);
    let mut command = job.command("run");
    command.args(["--transfers", "1", "--bwlimit", "6M"]);
    let mut run = crate::support::Running::start(command);
    run.until_phase("transfer");
    job.mirror.put("lib/victim", b"a stranger's").await;

    run.finish().ended(0);
    stranger_is_kept(&job, "victim", b"a stranger's").await;
    assert!(job.mirror.get("lib/victim", None).await == large);
    let uploads = job.mirror.client.list_multipart_uploads();
    let uploads = uploads.bucket(&job.mirror.name).prefix("lib/victim");
    assert!(uploads.send().await.unwrap().uploads().is_empty());
}

async fn f59_a_foreign_write_before_a_delete_is_rescued_first(store: TestStore) {
    let job = job(store).await;
    job.library.remove("victim");
    let mut run = job.crawl("run", &[]);
    run.until_phase("transfer");
    job.mirror.put("lib/victim", b"a stranger's").await;

    let ran = run.finish().ended(0);
    assert_eq!(ran.paths("rescue", "backup"), ["victim"]);
    assert_eq!(ran.paths("delete", "sync"), ["victim"]);
    stranger_is_kept(&job, "victim", b"a stranger's").await;
    let keys = job.mirror.keys().await;
    assert_eq!(keys, ["lib/a-first"]);
    let latest = job.vault.latest_snapshot().await;
    assert!(latest.is_complete());
    assert!(latest.entry("victim").await.is_none());
    job.run(0).assert_idle();
}

/// An object that no file ever stood behind is rescued before it goes, as it is then.
async fn f59_a_stranger_s_object_that_changes_again_is_rescued_as_it_is(store: TestStore) {
    let job = job(store).await;
    job.mirror.put("lib/stray", b"one").await;
    let mut run = job.crawl("run", &[]);
    run.until_phase("transfer");
    job.mirror.put("lib/stray", b"another").await;

    run.finish().ended(0);
    stranger_is_kept(&job, "stray", b"another").await;
    assert_eq!(job.mirror.keys().await, ["lib/a-first", "lib/victim"]);
}

/// What somebody else has deleted meanwhile needs nothing.
async fn f59_a_foreign_delete_is_no_failure(store: TestStore) {
    let job = job(store).await;
    job.library.remove("victim");
    job.mirror.put("lib/stray", b"one").await;
    let mut run = job.crawl("run", &[]);
    run.until_phase("transfer");
    job.mirror.delete("lib/stray").await;
    job.mirror.delete("lib/victim").await;

    run.finish().ended(0);
    assert_eq!(job.mirror.keys().await, ["lib/a-first"]);
    job.run(0).assert_idle();
}

/// With nothing to keep it in, what nobody has seen yet is left to the next run.
async fn f59_without_a_backup_a_changed_object_is_not_deleted_blindly(store: TestStore) {
    let job = job(store).await;
    job.library.remove("victim");
    let mut run = job.crawl("sync", &["--without-backup"]);
    run.until_phase("transfer");
    job.mirror.put("lib/victim", b"a stranger's").await;

    let ran = run.finish().ended(3);
    assert!(ran.errors().contains("victim"), "{}", ran.errors());
    assert_eq!(job.mirror.get("lib/victim", None).await, b"a stranger's");
}

on_both!(
    f59_a_foreign_write_before_an_overwrite_is_rescued_first,
    f59_a_foreign_write_before_a_first_upload_is_rescued_first,
    f59_a_foreign_write_before_complete_is_rescued_first,
    f59_a_foreign_write_before_a_delete_is_rescued_first,
    f59_a_stranger_s_object_that_changes_again_is_rescued_as_it_is,
    f59_a_foreign_delete_is_no_failure,
    f59_without_a_backup_a_changed_object_is_not_deleted_blindly,
);
