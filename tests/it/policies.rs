//! The printed policies, given to real users of MinIO: what a stolen key can't do, and that each
//! task works with no more than its own.

use std::process::Command;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockMode,
    ObjectLockRetention, ObjectLockRetentionMode, VersioningConfiguration,
};
use tempfile::tempdir;

use crate::support::{Library, Lock, StoreKind, TestStore, assert_same_files, block_on};

const SECRET: &str = "a-secret-of-a-test";

/// `mc` with an alias of its own.
pub(crate) fn mc(store: &TestStore, arguments: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/minio");
    let path = Command::new(script).arg("mc-path").output().unwrap();
    let path = String::from_utf8(path.stdout).unwrap();
    let address = store.endpoint.strip_prefix("http://").unwrap();
    let host = format!("http://{}:{}@{address}", store.access_key, store.secret_key);
    let output = Command::new(path.trim())
        .arg("--config-dir")
        .arg(store.home().join("mc"))
        .args(arguments)
        .env("MC_HOST_test", host)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "mc {arguments:?}: {error}");
}

/// The store as a user sees it who has the policy of a role.
pub(crate) fn user(store: &TestStore, role: &str, targets: &[&str]) -> TestStore {
    let printed = store.tidelock("policy").arg(role).args(targets).output();
    let printed = printed.unwrap();
    assert!(printed.status.success(), "{printed:?}");
    let file = store.home().join(format!("{role}.json"));
    std::fs::write(&file, &printed.stdout).unwrap();
    let name = format!(
        "{role}-{}",
        targets[1].trim_start_matches("s3://").replace('/', "-")
    );
    mc(
        store,
        &[
            "admin",
            "policy",
            "create",
            "test",
            &name,
            file.to_str().unwrap(),
        ],
    );
    mc(store, &["admin", "user", "add", "test", &name, SECRET]);
    mc(
        store,
        &["admin", "policy", "attach", "test", &name, "--user", &name],
    );
    store.with_keys(&name, SECRET)
}

fn in_days(days: u64) -> DateTime {
    DateTime::from(SystemTime::now() + Duration::from_secs(days * 86_400))
}

#[test]
fn f56_a_stolen_writer_key_destroys_nothing_and_every_task_works_with_its_own() {
    let Some(store) = TestStore::new(StoreKind::Minio) else {
        return;
    };
    block_on(async {
        let (mirror, vault) = (store.bucket(Lock::Off).await, store.bucket(Lock::On).await);
        let (sync, backup) = (
            format!("s3://{mirror}/library"),
            format!("s3://{vault}/library"),
        );
        let targets: [&str; 6] = [
            "--sync-to",
            &sync,
            "--backup-to",
            &backup,
            "--retention",
            "2d",
        ];
        let writer = user(&store, "writer", &targets);
        let reader = user(&store, "reader", &targets);
        let pruner = user(&store, "pruner", &targets);
        let library = Library::new();
        library.file("a.jpg", 3_000);
        library.file("gone.jpg", 1);
        library.file("large.mov", 9 << 20);
        let night = || {
            writer
                .tidelock("run")
                .arg(library.path())
                .args(targets)
                .assert()
                .success();
        };
        night();
        attack(&store, &writer, &mirror, &vault).await;

        library.file("b.jpg", 4_000);
        library.remove("gone.jpg");
        night();
        writer.tidelock("renew").args(targets).assert().success();
        let folder = tempdir().unwrap();
        let restore = |who: &TestStore| {
            let mut command = who.tidelock("restore");
            command
                .args(["--backup-to", &backup, "--to"])
                .arg(folder.path());
            command
        };
        restore(&reader).assert().success();
        assert_same_files(library.path(), folder.path());

        // The reader's keys are enough for a second machine, and for nothing more there.
        let second = tempdir().unwrap();
        let mut pull = reader.tidelock("pull");
        pull.args(["--sync-to", &sync, "--to"]).arg(second.path());
        pull.assert().success();
        assert_same_files(library.path(), second.path());
        let written = reader.client().put_object().bucket(&mirror);
        let written = written.key("library/x").send().await;
        written.expect_err("a reader wrote to the mirror");

        // No other role than the pruner prunes, and no other than the writer writes.
        let prune = |who: &TestStore| {
            let mut command = who.tidelock("prune");
            command.args(targets).env("TIDELOCK_BACKUP_KEEP_LAST", "1");
            command
        };
        prune(&reader).assert().failure();
        prune(&pruner).assert().success();
        let stolen = pruner
            .tidelock("run")
            .arg(library.path())
            .args(targets)
            .output();
        assert!(!stolen.unwrap().status.success());
        night();
    });
}

async fn attack(admin: &TestStore, writer: &TestStore, mirror: &str, vault: &str) {
    let (client, admin) = (writer.client(), admin.client());
    let listed = client
        .list_object_versions()
        .bucket(vault)
        .prefix("library/files/a.jpg");
    let listed = listed.send().await.unwrap();
    let version = listed.versions()[0].version_id().unwrap().to_owned();
    let key = "library/files/a.jpg";
    let lock = |days: u64, mode: ObjectLockRetentionMode| {
        let retention = ObjectLockRetention::builder();
        let retention = retention
            .mode(mode)
            .retain_until_date(in_days(days))
            .build();
        let put = client.put_object_retention().bucket(vault).key(key);
        put.version_id(&version).retention(retention)
    };
    let governance = ObjectLockRetentionMode::Governance;

    let delete = || client.delete_object().bucket(vault).key(key);
    delete()
        .version_id(&version)
        .send()
        .await
        .expect_err("a version was deleted");
    let bypass = delete()
        .version_id(&version)
        .bypass_governance_retention(true);
    bypass.send().await.expect_err("a lock was bypassed");
    delete().send().await.expect_err("a delete marker was put");
    let shorter = lock(1, governance.clone());
    shorter.send().await.expect_err("a lock was shortened");
    // MinIO does not ask for the permission to bypass where a lock is shortened. It is of no use
    // without a permission to delete, and the next `renew` sets the lock right.
    let shorter = lock(1, governance.clone()).bypass_governance_retention(true);
    let _ = shorter.send().await;
    let bypass = delete()
        .version_id(&version)
        .bypass_governance_retention(true);
    bypass
        .send()
        .await
        .expect_err("a version whose lock was shortened was deleted");
    let century = lock(36_500, governance.clone()).send().await;
    century.expect_err("a lock of a hundred years");
    let pins = client.list_object_versions().bucket(vault);
    let pins = pins.prefix("library/pins/").send().await.unwrap();
    let pin = &pins.versions()[0];
    let unpin = client.delete_object().bucket(vault);
    let unpin = unpin
        .key(pin.key().unwrap())
        .version_id(pin.version_id().unwrap());
    unpin.send().await.expect_err("a pin was taken away");
    let record = client.put_object().bucket(vault);
    let record = record.key("library/prunes/20260101T000000Z-00000000.json");
    record.send().await.expect_err("a prune record was written");
    // MinIO does not know the remaining days of a lock that a new version brings along: what is
    // stored so is garbage beside the backup, and a governance lock that an administrator can lift.
    let garbage = client
        .put_object()
        .bucket(vault)
        .key("library/files/garbage");
    let garbage = garbage.object_lock_mode(ObjectLockMode::Governance);
    let garbage = garbage.object_lock_retain_until_date(in_days(36_500));
    let stored = garbage.send().await.expect("a new version for a century");
    let id = stored.version_id().unwrap().to_owned();
    let lift = admin
        .delete_object()
        .bucket(vault)
        .key("library/files/garbage");
    let lift = lift.version_id(id).bypass_governance_retention(true);
    lift.send().await.expect("an administrator lifts it");
    let compliance = lock(3, ObjectLockRetentionMode::Compliance).send().await;
    compliance.expect_err("a lock that can't be undone");
    let rule = LifecycleRule::builder()
        .id("x")
        .status(ExpirationStatus::Enabled);
    let rule = rule.filter(LifecycleRuleFilter::builder().prefix("").build());
    let rule = rule.expiration(LifecycleExpiration::builder().days(1).build());
    let rules = BucketLifecycleConfiguration::builder().rules(rule.build().unwrap());
    for bucket in [vault, mirror] {
        let put = client.put_bucket_lifecycle_configuration().bucket(bucket);
        let put = put.lifecycle_configuration(rules.clone().build().unwrap());
        put.send().await.expect_err("a lifecycle rule");
    }
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended);
    let put = client.put_bucket_versioning().bucket(vault);
    let put = put.versioning_configuration(suspended.build());
    put.send().await.expect_err("versioning was suspended");
    let none = ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled);
    let put = client.put_object_lock_configuration().bucket(vault);
    let put = put.object_lock_configuration(none.build());
    put.send()
        .await
        .expect_err("the bucket's default lock was taken away");
    for bucket in [vault, mirror] {
        let deleted = client.delete_bucket().bucket(bucket).send().await;
        deleted.expect_err("a bucket was deleted");
        let foreign = client.put_object().bucket(bucket).key("elsewhere/x");
        let foreign = foreign.body(ByteStream::from_static(b"x")).send().await;
        foreign.expect_err("a write outside of the prefix");
    }
}
