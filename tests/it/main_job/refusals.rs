//! What is refused before the first write leaves both buckets as they were.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};

use crate::support::{Bucket, Job, Lock, Ran, StoreKind, TestStore, on_both, on_store};

async fn job(store: TestStore) -> Job {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    job
}

/// No object, no version, no lease.
async fn assert_untouched(job: &Job) {
    assert_eq!(job.mirror.keys().await, Vec::<String>::new());
    assert_eq!(job.vault.versions().await, []);
}

async fn f39_a_vault_without_lock_is_refused_before_the_first_byte(store: TestStore) {
    for versioned in [false, true] {
        let mut job = job(store.clone()).await;
        job.vault = Bucket::new(&store, &store.bucket(Lock::Off).await);
        if versioned {
            let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
            let put = job
                .vault
                .client
                .put_bucket_versioning()
                .bucket(&job.vault.name);
            put.versioning_configuration(on.build())
                .send()
                .await
                .unwrap();
        }
        for verb in ["run", "backup", "sync"] {
            let refused = job.tidelock(verb, &[]).ended(4);
            assert!(
                refused.errors().contains(&job.vault.name),
                "{}",
                refused.errors()
            );
            assert!(
                refused.errors().contains("object lock"),
                "{}",
                refused.errors()
            );
            assert_untouched(&job).await;
        }
    }
}

async fn f36_a_missing_bucket_is_a_mistake_that_names_it_and_touches_nothing(store: TestStore) {
    let job = job(store).await;
    // Flags that are given twice are refused by the command line, so the targets are given whole.
    let run = |sync: &str, backup: &str| {
        let mut command = job.store.std_tidelock("run");
        command
            .arg(job.library.path())
            .args(["--json", "--sync-to", sync]);
        Ran::of(&command.args(["--backup-to", backup]).output().unwrap())
    };
    for (sync, backup) in [
        ("s3://no-such-bucket-here/lib", job.backup_to().as_str()),
        (job.sync_to().as_str(), "s3://no-such-bucket-here/lib"),
    ] {
        let ran = run(sync, backup).ended(2);
        assert!(
            ran.errors().contains("no-such-bucket-here"),
            "{}",
            ran.errors()
        );
        assert_untouched(&job).await;
    }
}

async fn overlapping_targets_are_a_mistake(store: TestStore) {
    let job = job(store).await;
    let vault = &job.vault.name;
    for (sync, backup) in [
        ("lib", "lib"),
        ("lib", "lib/backup"),
        ("lib/mirror", "lib"),
        ("", "lib"),
    ] {
        let mut command = job.store.std_tidelock("run");
        command.arg(job.library.path()).arg("--json");
        command.args(["--sync-to", &format!("s3://{vault}/{sync}")]);
        command.args(["--backup-to", &format!("s3://{vault}/{backup}")]);
        Ran::of(&command.output().unwrap()).ended(2);
        assert_untouched(&job).await;
    }
}

async fn wrong_keys(store: TestStore) {
    let job = job(store).await;
    for variables in [
        [
            "TIDELOCK_SYNC_ACCESS_KEY_ID",
            "TIDELOCK_SYNC_SECRET_ACCESS_KEY",
        ],
        [
            "TIDELOCK_BACKUP_ACCESS_KEY_ID",
            "TIDELOCK_BACKUP_SECRET_ACCESS_KEY",
        ],
    ] {
        for (id, secret) in [
            ("nobody", "canary-secret"),
            (&job.store.access_key, "canary-secret"),
        ] {
            let mut command = job.command("run");
            command.env(variables[0], id).env(variables[1], secret);
            let output = command.output().unwrap();
            let ran = Ran::of(&output).ended(2);
            assert!(!format!("{ran:?}").contains("canary-secret"), "{ran:?}");
            assert_untouched(&job).await;
        }
    }
}

/// LocalStack takes any key, so this is MinIO's.
#[test]
fn wrong_keys_are_a_mistake_and_touch_nothing() {
    on_store(StoreKind::Minio, wrong_keys);
}

on_both!(
    f39_a_vault_without_lock_is_refused_before_the_first_byte,
    f36_a_missing_bucket_is_a_mistake_that_names_it_and_touches_nothing,
    overlapping_targets_are_a_mistake,
);
