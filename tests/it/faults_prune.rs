//! Pruning while others read.

use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ObjectLockMode;

use crate::support::{Job, Proxy, Ran, Running, StoreKind, TestStore, assert_same_tree, on_both};

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

/// Locks on the store are over soon after they are set; days of grace pass by its clock as the proxy tells it.
const SHORT: [&str; 2] = ["--retention", "20s"];
const DAY: Duration = Duration::from_secs(86_400);
/// By then the store holds none of them, however slow the machine is.
const LOCKS_ARE_OVER: Duration = Duration::from_secs(120);

/// Lets everybody do with the vault what the pruner's policy says: MinIO takes no signature of next week, and serves
/// unsigned requests as the bucket's own policy has it. LocalStack looks at neither.
async fn open_to_all(job: &Job) {
    if job.store.kind != StoreKind::Minio {
        return;
    }
    let mut command = job.store.std_tidelock("policy");
    command.args(["pruner", "--backup-to", &job.backup_to()]);
    let output = command.output().unwrap();
    let mut policy: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Principal"] = serde_json::json!({"AWS": ["*"]});
    }
    let put = job.vault.client.put_bucket_policy().bucket(&job.vault.name);
    put.policy(policy.to_string()).send().await.unwrap();
}

async fn f45_versions_go_after_lock_and_grace_and_what_stays_restores(store: TestStore) {
    let proxy = Proxy::new(&store, 1);
    let mut job = Job::new(store).await;
    job.store = proxy.store(&job.store);
    for number in 0..6 {
        job.library.file(format!("{number}"), 100 + number);
    }
    job.tidelock("run", &SHORT).ended(0);
    job.library.file("0", 500);
    job.tidelock("run", &SHORT).ended(0);
    job.library.rename("1", "moved");
    job.library.remove("2");
    job.tidelock("run", &[&SHORT[..], &["--max-delete", "5"]].concat())
        .ended(0);
    assert_eq!(job.vault.versions_below("lib/files/").await.len(), 7);

    open_to_all(&job).await;
    let mut prune = job.command("prune");
    prune.args(SHORT).env("TIDELOCK_BACKUP_KEEP_LAST", "1");
    Ran::of(&prune.output().unwrap()).ended(0);
    assert_eq!(job.vault.versions_below("lib/files/").await.len(), 7);
    proxy.shift_clock(6 * DAY);
    Ran::of(&prune.output().unwrap()).ended(0);
    assert_eq!(job.vault.versions_below("lib/files/").await.len(), 7);

    proxy.shift_clock(8 * DAY);
    let mut left = 7;
    let begun = Instant::now();
    while begun.elapsed() < LOCKS_ARE_OVER {
        // 3: what the real clock still locks.
        Ran::of(&prune.output().unwrap());
        left = job.vault.versions_below("lib/files/").await.len();
        if left == 5 {
            break;
        }
    }
    assert_eq!(left, 5, "the old 0, and 2, which nobody names any more");
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    proxy.shift_clock(Duration::ZERO);
    // The locks that ran out are set anew; the chain is whole by the record.
    job.run(0);
    job.tidelock("verify", &[]).ended(0);
}
on_both!(f45_versions_go_after_lock_and_grace_and_what_stays_restores);

/// Whoever can write can put a record there; it costs nobody a version that the policy keeps.
async fn f56_forged_prune_records_free_nothing_that_the_policy_keeps(store: TestStore) {
    let proxy = Proxy::new(&store, 1);
    let mut job = Job::new(store).await;
    job.store = proxy.store(&job.store);
    let mut trees = Vec::new();
    for night in 0..3 {
        job.library.write("a", format!("night {night}").as_bytes());
        job.tidelock("run", &SHORT).ended(0);
        trees.push(job.restore(&[]));
    }
    let rows = job.tidelock("snapshots", &[]).ended(0).rows();
    let id = |row: &serde_json::Value| row["id"].as_str().unwrap().to_owned();
    let ids: Vec<String> = rows.iter().map(id).collect();
    let mut lines = Vec::new();
    for id in &ids {
        let key = format!("lib/snapshots/{id}.json");
        let object = job.vault.get(&key, None).await;
        let right = blake3::hash(&object).to_hex().to_string();
        for blake3 in [right, "00".repeat(32)] {
            lines.push(serde_json::json!({"id": id, "blake3": blake3, "parent": null}));
        }
    }
    let record = serde_json::json!({"format": 1, "time": "2099-01-01T00:00:00Z", "dropped": lines});
    let text = record.to_string();
    for key in ["20990101T000000Z-00000000", "20200101T000000Z-00000000"] {
        let key = format!("lib/prunes/{key}.json");
        job.vault.put(&key, text.as_bytes()).await;
    }
    let until = SystemTime::now() + Duration::from_secs(20);
    let left = job.vault.client.put_object().bucket(&job.vault.name);
    left.key("lib/files/left")
        .body(ByteStream::from_static(b"nobody names it"))
        .object_lock_mode(ObjectLockMode::Governance)
        .object_lock_retain_until_date(DateTime::from(until))
        .send()
        .await
        .unwrap();
    open_to_all(&job).await;
    proxy.shift_clock(30 * DAY);
    let mut files = 4;
    let begun = Instant::now();
    while begun.elapsed() < LOCKS_ARE_OVER {
        let mut prune = job.command("prune");
        prune.args(SHORT).env("TIDELOCK_BACKUP_KEEP_LAST", "3");
        // 3: what the real clock still locks.
        let ran = Ran::of(&prune.output().unwrap());
        assert!(matches!(ran.exit, Some(0 | 3)), "{ran:?}");
        let warned = ran.lines.iter().any(|line| line["event"] == "warning");
        assert!(warned, "{ran:?}");
        files = job.vault.versions_below("lib/files/").await.len();
        if job.vault.versions_below("lib/files/left").await.is_empty() {
            break;
        }
    }
    // By then no lock holds any of them.
    assert_eq!(files, 3);
    assert_eq!(job.vault.versions_below("lib/snapshots/").await.len(), 3);
    assert_same_tree(trees[2].path(), job.restore(&[]).path());
}
on_both!(f56_forged_prune_records_free_nothing_that_the_policy_keeps);

/// The advice of `verify` works.
async fn f47_f48_prune_takes_away_what_covers_keys_and_verify_is_content_again(store: TestStore) {
    let proxy = Proxy::new(&store, 1);
    let mut job = Job::new(store).await;
    job.store = proxy.store(&job.store);
    for number in 0..4 {
        job.library.file(format!("{number}"), 100 + number);
    }
    job.run(0);
    for (number, key) in job.vault.keys().await.iter().enumerate() {
        if !["files", "manifests", "snapshots"].contains(&key.split('/').nth(1).unwrap()) {
            continue;
        }
        job.vault.put(key, b"garbage").await;
        if number % 2 == 0 {
            job.vault.delete(key).await;
        }
    }
    let said = job.tidelock("verify", &[]).ended(5);
    assert!(said.stderr.contains("`tidelock prune`"), "{said:?}");
    assert!(!said.stderr.contains("tidelock renew"), "{said:?}");
    let covered = job.vault.versions().await.len();

    open_to_all(&job).await;
    let prune = || Ran::of(&job.command("prune").output().unwrap()).ended(0);
    proxy.shift_clock(6 * DAY);
    prune();
    assert!(job.vault.versions().await.len() >= covered);
    proxy.shift_clock(8 * DAY);
    let pruned = prune();
    let markers = "delete markers taken away";
    let told = |line: &serde_json::Value| {
        line["message"]
            .as_str()
            .is_some_and(|it| it.contains(markers))
    };
    assert!(pruned.lines.iter().any(told), "{pruned:?}");
    proxy.shift_clock(Duration::ZERO);
    job.tidelock("verify", &[]).ended(0);
    assert!(job.vault.versions().await.len() < covered);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}
on_both!(f47_f48_prune_takes_away_what_covers_keys_and_verify_is_content_again);
