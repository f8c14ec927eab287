//! Two targets, two sets of keys. MinIO alone: LocalStack checks none.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Bucket, Job, Ran, StoreKind, TestStore, on_store};

/// A user of the store who may do some things in one bucket, and nothing elsewhere.
struct User {
    id: String,
    secret: String,
}

impl User {
    /// `actions`: such as `s3:*`.
    fn new(store: &TestStore, bucket: &Bucket, actions: &[&str]) -> Self {
        let user = Self {
            id: format!("user-of-{}", bucket.name),
            secret: format!("secret-of-{}", bucket.name),
        };
        let resources = [
            format!("arn:aws:s3:::{}", bucket.name),
            format!("arn:aws:s3:::{}/*", bucket.name),
        ];
        let allow = json!({"Effect": "Allow", "Action": actions, "Resource": resources});
        let policy = json!({"Version": "2012-10-17", "Statement": [allow]});
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.json");
        std::fs::write(&file, policy.to_string()).unwrap();
        let (mc, folder) = (mc(), folder.path());
        let keys = [&store.access_key, &store.secret_key].map(String::as_str);
        admin(
            &mc,
            folder,
            &[&["alias", "set", "t", &store.endpoint][..], &keys].concat(),
        );
        admin(
            &mc,
            folder,
            &["admin", "user", "add", "t", &user.id, &user.secret],
        );
        let file = file.to_str().unwrap();
        admin(
            &mc,
            folder,
            &["admin", "policy", "create", "t", &user.id, file],
        );
        let attach = [
            "admin", "policy", "attach", "t", &user.id, "--user", &user.id,
        ];
        admin(&mc, folder, &attach);
        user
    }
}

fn mc() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/minio");
    let output = Command::new(script).arg("mc-path").output().unwrap();
    assert!(
        output.status.success(),
        "no mc to make users with: {output:?}"
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

fn admin(mc: &str, configuration: &Path, arguments: &[&str]) {
    let mut command = Command::new(mc);
    command
        .args(["--quiet", "--config-dir"])
        .arg(configuration)
        .args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "mc {arguments:?}: {output:?}");
}

/// Keys that open nothing, where the AWS tools look first.
fn with_garbage(mut command: Command) -> Command {
    command
        .env("AWS_ACCESS_KEY_ID", "garbage")
        .env("AWS_SECRET_ACCESS_KEY", "garbage");
    command
        .env("AWS_SESSION_TOKEN", "garbage")
        .env_remove("AWS_PROFILE");
    command
}

async fn each_with_its_own(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    job.library.file("b", 200);
    let mirror = User::new(&job.store, &job.mirror, &["s3:*"]);
    let vault = User::new(&job.store, &job.vault, &["s3:*"]);

    let mut command = with_garbage(job.command("run"));
    command.env("TIDELOCK_SYNC_ACCESS_KEY_ID", &mirror.id);
    command.env("TIDELOCK_SYNC_SECRET_ACCESS_KEY", &mirror.secret);
    command.env("TIDELOCK_BACKUP_ACCESS_KEY_ID", &vault.id);
    command.env("TIDELOCK_BACKUP_SECRET_ACCESS_KEY", &vault.secret);
    let first = Ran::of(&command.output().unwrap()).ended(0);
    first.assert_counts(&[("sync.uploaded", 2), ("backup.uploaded", 2)]);

    // Profiles of the AWS tools do as well.
    let profiles = format!(
        "[mirror]\naws_access_key_id = {}\naws_secret_access_key = {}\n\n\
         [vault]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        mirror.id, mirror.secret, vault.id, vault.secret
    );
    std::fs::create_dir(job.store.home().join(".aws")).unwrap();
    std::fs::write(job.store.home().join(".aws/credentials"), profiles).unwrap();
    let by_profile = ["--sync-profile", "mirror", "--backup-profile", "vault"];
    let mut command = with_garbage(job.command("run"));
    Ran::of(&command.args(by_profile).output().unwrap())
        .ended(0)
        .assert_idle();

    // The wrong way round, neither opens the other's bucket.
    let crossed = ["--sync-profile", "vault", "--backup-profile", "mirror"];
    let mut command = with_garbage(job.command("run"));
    Ran::of(&command.args(crossed).output().unwrap()).ended(2);
    Ran::of(&with_garbage(job.command("run")).output().unwrap()).ended(2);
}

#[test]
fn f70_each_target_works_with_its_own_credentials_whatever_the_plain_ones_hold() {
    on_store(StoreKind::Minio, each_with_its_own);
}

/// The backup's keys may not read the mirror, so nothing can be copied from there.
async fn no_look_at_the_mirror(store: TestStore) {
    let job = Job::new(store.via("auto")).await;
    job.library.file("a", 100);
    let vault = User::new(&job.store, &job.vault, &["s3:*"]);
    let with_keys = |via: &str| {
        let mut command = job.command("run");
        command.env("TIDELOCK_BACKUP_ACCESS_KEY_ID", &vault.id);
        command.env("TIDELOCK_BACKUP_SECRET_ACCESS_KEY", &vault.secret);
        command.env("TIDELOCK_BACKUP_VIA", via);
        Ran::of(&command.output().unwrap())
    };
    let refused = with_keys("copy").ended(2);
    let why = refused.errors() + &refused.stderr;
    assert!(why.contains("can't read the sync target"), "{why}");
    assert!(job.mirror.objects().await.is_empty());
    with_keys("auto").ended(0).assert_counts(&[
        ("sync.uploaded", 1),
        ("backup.uploaded", 1),
        ("backup.copied", 0),
    ]);
}

#[test]
fn keys_that_can_t_read_the_mirror_get_the_bytes() {
    on_store(StoreKind::Minio, no_look_at_the_mirror);
}

async fn deletes_denied(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    job.library.file("b", 200);
    job.run(0);
    job.library.remove("b");
    let may = [
        "s3:Get*",
        "s3:List*",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
    ];
    let user = User::new(&job.store, &job.mirror, &may);
    let mut command = job.command("run");
    command.env("TIDELOCK_SYNC_ACCESS_KEY_ID", &user.id);
    command.env("TIDELOCK_SYNC_SECRET_ACCESS_KEY", &user.secret);
    let partial = Ran::of(&command.output().unwrap()).ended(3);
    partial.assert_counts(&[("sync.deleted", 0), ("sync.failed", 1)]);
    assert!(partial.errors().contains("\"b\""), "{}", partial.errors());
}

#[test]
fn a_delete_that_the_store_denies_is_no_success() {
    on_store(StoreKind::Minio, deletes_denied);
}
