//! Pruning while others read.

use crate::support::{Job, Ran, Running, TestStore, assert_same_tree, on_both};

/// Enough files that a restore which takes one after another is still at it when the prune ends.
const FILES: usize = 120;

/// Their record is younger than its grace, so whatever they name is still there; and it explains
/// the gap in the chain.
async fn f66_snapshots_dropped_while_a_restore_reads_them_lose_nothing(store: TestStore) {
    let job = Job::new(store).await;
    for number in 0..FILES {
        job.library
            .file(format!("2024/{number:03}.jpg"), 900 + number);
    }
    job.run(0);
    let then = job.restore(&[]);
    let first = job.latest();
    for number in 0..3 {
        job.library
            .write(format!("2024/{number:03}.jpg"), b"drawn over");
    }
    job.run(0);
    job.library.remove("2024/005.jpg");
    job.run(0);

    let to = tempfile::tempdir().unwrap();
    let machine = job.store.fresh_machine();
    let mut command = machine.std_tidelock("restore");
    command.args([
        "--json",
        "--transfers",
        "1",
        "--backup-to",
        &job.backup_to(),
    ]);
    command.args(["--snapshot", first["id"].as_str().unwrap(), "--to"]);
    let mut restore = Running::start({
        command.arg(to.path());
        command
    });
    restore.until_phase("restore");
    let mut prune = job.command("prune");
    prune.env("TIDELOCK_BACKUP_KEEP_LAST", "1");
    Ran::of(&prune.output().unwrap()).ended(0);
    restore.finish().ended(0);
    assert_same_tree(then.path(), to.path());

    assert_eq!(job.tidelock("snapshots", &[]).ended(0).rows().len(), 1);
    job.tidelock("verify", &[]).ended(0);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}
on_both!(f66_snapshots_dropped_while_a_restore_reads_them_lose_nothing);
