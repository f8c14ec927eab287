//! `tidelock doctor` on real stores: what it finds, what it leaves, and how it ends.

use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleFilter, NoncurrentVersionExpiration, Transition, TransitionStorageClass,
};
use serde_json::Value;

use crate::policies::user;
use crate::support::{
    Bucket, Fault, Job, Library, Lock, Proxy, Ran, Rule, StoreKind, TestStore, on_both, on_minio,
};

/// The check of that name on a target; `null` where it was not made.
fn check(ran: &Ran, target: &str, name: &str) -> Value {
    let mut checks = ran.lines.iter().filter(|line| line["event"] == "check");
    let found = checks.find(|line| line["target"] == target && line["check"] == name);
    found.cloned().unwrap_or(Value::Null)
}

#[track_caller]
fn assert_result(ran: &Ran, target: &str, name: &str, result: &str) {
    let found = check(ran, target, name);
    assert_eq!(found["result"], result, "{name}: {found}\n{:#?}", ran.lines);
}

fn results(ran: &Ran, result: &str) -> Vec<String> {
    let found = ran.lines.iter().filter(|line| line["result"] == result);
    found.map(|line| line["check"].to_string()).collect()
}

impl Job {
    /// The same job with other keys, on the same machine.
    fn with_keys_of(&self, store: TestStore) -> Self {
        Self {
            store,
            library: Library::new(),
            mirror: self.mirror.clone(),
            vault: self.vault.clone(),
        }
    }
}

async fn doctor_tells_the_writer_from_root_and_the_night_goes_on(store: TestStore) {
    let job = Job::new(store.clone()).await;
    let (sync, backup) = (job.sync_to(), job.backup_to());
    let targets = ["--sync-to", &sync, "--backup-to", &backup];

    let root = job.tidelock("doctor", &[]).ended(5);
    assert_result(&root, "backup", "bypass", "warn");
    let told = check(&root, "backup", "bypass");
    assert!(told["message"].as_str().unwrap().contains("destroy"));
    assert!(
        told["advice"]
            .as_str()
            .unwrap()
            .contains("tidelock policy writer")
    );
    assert_eq!(results(&root, "fail"), [""; 0]);
    assert_eq!(job.vault.versions().await, []);
    assert_eq!(job.mirror.keys().await, [""; 0]);

    let writer = job.with_keys_of(user(&store, "writer", &targets));
    writer.library.file("a.jpg", 3_000);
    writer.run(0);
    let ran = writer.tidelock("doctor", &[]).ended(0);
    assert_eq!(results(&ran, "fail"), [""; 0]);
    // What MinIO lets anybody do who may set locks.
    assert_eq!(results(&ran, "warn"), ["\"bypass\""]);
    for name in [
        "object_lock",
        "lock_kept",
        "lock_extended",
        "lock_shortened",
        "locked_delete",
        "delete_versions",
        "delete_marker",
        "bucket_settings",
        "copy_from_sync",
        "conditional_complete",
    ] {
        assert_result(&ran, "backup", name, "ok");
    }
    // What it may not take away is locked, small, and no business of the next night.
    let left = job.vault.versions_below("lib/.tidelock/doctor-").await;
    assert!((1..=4).contains(&left.len()), "{left:?}");
    assert!(
        left.iter()
            .all(|version| !version.marker && version.size < 100)
    );
    for version in &left {
        assert!(job.vault.lock_of(version).await.is_some(), "{version:?}");
    }
    assert_eq!(job.mirror.keys().await, ["lib/a.jpg"]);
    writer.run(0).assert_idle();
    writer.tidelock("status", &[]).ended(0);
}
on_minio!(doctor_tells_the_writer_from_root_and_the_night_goes_on);

async fn doctor_says_to_every_other_role_what_is_missing(store: TestStore) {
    let job = Job::new(store.clone()).await;
    let (sync, backup) = (job.sync_to(), job.backup_to());
    let targets = ["--sync-to", &sync, "--backup-to", &backup];
    for role in ["reader", "auditor"] {
        let ran = job.with_keys_of(user(&store, role, &targets));
        let ran = ran.tidelock("doctor", &[]).ended(2);
        for target in ["sync", "backup"] {
            assert_result(&ran, target, "reach", "ok");
            assert_result(&ran, target, "write", "fail");
        }
        assert!(ran.errors().contains("tidelock policy writer"), "{ran:?}");
    }
    // Not allowed to see the mirror at all, but what it may do to the vault is told.
    let pruner = job.with_keys_of(user(&store, "pruner", &targets));
    let ran = pruner.tidelock("doctor", &[]).ended(2);
    assert_result(&ran, "sync", "reach", "fail");
    assert_result(&ran, "backup", "reach", "ok");
    assert_eq!(job.mirror.keys().await, [""; 0]);
}
on_minio!(doctor_says_to_every_other_role_what_is_missing);

async fn doctor_finds_what_is_wrong_with_the_targets(store: TestStore) {
    let (plain, vault) = (store.bucket(Lock::Off).await, store.bucket(Lock::On).await);
    let doctor = |sync: &str, backup: &str, more: &[&str]| {
        let mut command = store.std_tidelock("doctor");
        command.args(["--json", "--sync-to", &format!("s3://{sync}/lib")]);
        command.args(["--backup-to", &format!("s3://{backup}/vault")]);
        Ran::of(&command.args(more).output().unwrap())
    };
    let ran = doctor(&plain, &plain, &[]).ended(4);
    assert_result(&ran, "sync", "write", "ok");
    assert_result(&ran, "backup", "object_lock", "fail");
    let ran = doctor("there-is-none", &vault, &["-n"]).ended(2);
    assert_result(&ran, "sync", "reach", "fail");
    assert_result(&ran, "backup", "object_lock", "ok");
    // A mirror that keeps every version costs money, and `init` knows a way.
    let ran = doctor(&vault, &vault, &["-n"]).ended(0);
    assert_result(&ran, "sync", "lifecycle", "warn");
    let nowhere = ["-n", "--sync-endpoint", "http://127.0.0.1:1"];
    let ran = doctor(&plain, &vault, &nowhere).ended(7);
    assert_result(&ran, "sync", "reach", "fail");
    assert_result(&ran, "backup", "object_lock", "ok");
    for bucket in [plain, vault] {
        let left = Bucket::new(&store, &bucket).versions().await;
        assert_eq!(left, [], "a dry run writes nothing, others clean up");
    }
}
on_both!(doctor_finds_what_is_wrong_with_the_targets);

/// As Backblaze B2 answers.
async fn doctor_says_where_a_store_knows_no_conditional_writes(store: TestStore) {
    let job = Job::new(store.clone()).await;
    let proxy = Proxy::new(&store, 1);
    let not_known = Fault::Refuse(501, "NotImplemented");
    proxy.plan(
        Rule::always(not_known)
            .on("PutObject")
            .header("if-none-match"),
    );
    let job = Job {
        store: proxy.store(&store),
        ..job
    };
    let ran = job.tidelock("doctor", &[]).ended(5);
    for target in ["sync", "backup"] {
        assert_result(&ran, target, "conditional_write", "warn");
    }
    assert_eq!(results(&ran, "fail"), [""; 0]);
}
on_minio!(doctor_says_where_a_store_knows_no_conditional_writes);

/// Rules that a store takes: MinIO knows no archive classes, LocalStack does.
async fn set_rule(job: &Job, prefix: &str) {
    let rule = LifecycleRule::builder()
        .id("spring-cleaning")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(prefix).build());
    let rule = if job.store.kind == StoreKind::Minio {
        let old = NoncurrentVersionExpiration::builder().noncurrent_days(30);
        let all = LifecycleExpiration::builder().days(400);
        rule.noncurrent_version_expiration(old.build())
            .expiration(all.build())
    } else {
        let cold = Transition::builder().days(30);
        let cold = cold.storage_class(TransitionStorageClass::DeepArchive);
        rule.transitions(cold.build())
    };
    let rules = BucketLifecycleConfiguration::builder().rules(rule.build().unwrap());
    let put = job.vault.client.put_bucket_lifecycle_configuration();
    let put = put.bucket(&job.vault.name);
    let put = put.lifecycle_configuration(rules.build().unwrap());
    put.send().await.unwrap();
}

async fn f67_lifecycle_rules_that_expire_or_archive_what_snapshots_need(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a.jpg", 3_000);
    job.run(0);
    job.tidelock("status", &[]).ended(0);

    set_rule(&job, "elsewhere/").await;
    job.tidelock("status", &[]).ended(0);
    let ran = job.tidelock("doctor", &["-n"]).ended(0);
    assert_result(&ran, "backup", "lifecycle", "ok");

    set_rule(&job, "lib/files/").await;
    let words: &[&str] = if job.store.kind == StoreKind::Minio {
        &["noncurrent versions", "expires objects"]
    } else {
        &["DEEP_ARCHIVE"]
    };
    for ran in [
        job.tidelock("status", &[]).ended(5),
        job.tidelock("doctor", &["-n"]).ended(5),
    ] {
        let errors = ran.errors();
        for word in words.iter().chain(&["spring-cleaning", "remove it"]) {
            assert!(errors.contains(word), "{word}: {errors}");
        }
    }
    // Nothing is lost yet, so a night is a night.
    job.run(0);
}
on_both!(f67_lifecycle_rules_that_expire_or_archive_what_snapshots_need);

/// A reader's keys may not see the rules: its `status` says so and is none the worse.
async fn f67_status_without_a_look_at_the_rules_says_so(store: TestStore) {
    let job = Job::new(store.clone()).await;
    job.library.file("a.jpg", 3_000);
    job.run(0);
    let (sync, backup) = (job.sync_to(), job.backup_to());
    let targets = ["--sync-to", &sync, "--backup-to", &backup];
    let reader = job.with_keys_of(user(&store, "reader", &targets));
    let ran = reader.tidelock("status", &[]).ended(0);
    let notes = ran.lines.iter().filter(|line| line["event"] == "note");
    let notes: Vec<&str> = notes.filter_map(|line| line["message"].as_str()).collect();
    assert!(
        notes.concat().contains("s3:GetLifecycleConfiguration"),
        "{notes:?}"
    );
}
on_minio!(f67_status_without_a_look_at_the_rules_says_so);

/// A proxy says in the store's place that a lock was lost, shortened, or no hindrance.
async fn doctor_refuses_a_vault_that_does_not_hold_its_locks(store: TestStore) {
    let job = Job::new(store.clone()).await;
    let proxy = Proxy::new(&store, 1);
    let none = Fault::Refuse(404, "NoSuchObjectLockConfiguration");
    let job = Job {
        store: proxy.store(&store),
        ..job
    };
    for (fault, operation, name, exit) in [
        (none, "GetObjectRetention", "lock_kept", 4),
        (Fault::Pretend, "DeleteObject", "locked_delete", 4),
        // Root's keys are told as well, and that is graver.
        (Fault::Pretend, "PutObjectRetention", "lock_shortened", 5),
    ] {
        proxy.plan(Rule::always(fault).on(operation).of(&job.vault.name));
        let ran = job.tidelock("doctor", &[]).ended(exit);
        assert_result(&ran, "backup", name, "fail");
        let advice = check(&ran, "backup", name)["advice"].to_string();
        assert!(advice.contains("do not use this store"), "{advice}");
        proxy.clear();
    }
}
on_minio!(doctor_refuses_a_vault_that_does_not_hold_its_locks);
