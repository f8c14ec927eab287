//! Two targets, two sets of keys. MinIO alone: LocalStack checks none.

use std::process::Command;

use crate::support::{Fault, Job, Proxy, Ran, Rule, StoreKind, TestStore, User, on_store};

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
    let mirror = User::new(&job.store, &[&job.mirror.name], &["s3:*"]);
    let vault = User::new(&job.store, &[&job.vault.name], &["s3:*"]);

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

/// The role's keys sign, never those that it was assumed with.
async fn by_a_role(store: TestStore) {
    let (proxy, direct) = (Proxy::new(&store, 90), store.clone());
    let job = Job::new(proxy.store(&store)).await;
    job.library.file("a", 100);
    let user = User::new(&direct, &[&job.mirror.name, &job.vault.name], &["s3:*"]);
    for bucket in [&job.mirror.name, &job.vault.name] {
        let refused = Rule::always(Fault::Refuse(403, "AccessDenied"));
        proxy.plan(refused.of(bucket).signed_by(&user.id));
    }
    // STS is asked by a POST to no bucket.
    proxy.plan(Rule::always(Fault::NameRole).of("").signed_by(&user.id));
    let mut command = job.command("run");
    command
        .env("AWS_ACCESS_KEY_ID", &user.id)
        .env("AWS_SECRET_ACCESS_KEY", &user.secret)
        .env("AWS_ENDPOINT_URL_STS", &job.store.endpoint)
        .env("TIDELOCK_ROLE_ARN", "arn:aws:iam::123456789012:role/backup");
    let ran = Ran::of(&command.output().unwrap()).ended(0);
    ran.assert_counts(&[("sync.uploaded", 1), ("backup.uploaded", 1)]);
    assert_eq!(proxy.fired()[..2], [0, 0], "the user's own keys signed");
    assert_eq!(proxy.forget().len(), 2, "STS was asked");
}

#[test]
fn a_role_is_assumed_with_the_keys_that_are_found() {
    on_store(StoreKind::Minio, by_a_role);
}

async fn no_such_profile(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let ways: [(&str, &[&str]); 3] = [
        ("--profile", &["--profile", "nope"]),
        ("one target's", &["--backup-profile", "nope"]),
        ("the environment's", &[]),
    ];
    for (way, flags) in ways {
        let mut command = job.command("run");
        if flags.is_empty() {
            command.env_remove("AWS_ACCESS_KEY_ID");
            command.env_remove("AWS_SECRET_ACCESS_KEY");
            command.env("AWS_PROFILE", "nope");
        }
        let ran = Ran::of(&command.args(flags).output().unwrap()).ended(2);
        let said = ran.errors();
        assert!(said.contains("AWS profile nope"), "{way}: {said}");
        assert!(
            said.contains("aws configure --profile nope"),
            "{way}: {said}"
        );
    }
}

#[test]
fn a_profile_that_is_not_there_is_named_with_what_to_do() {
    on_store(StoreKind::Minio, no_such_profile);
}

/// The backup's keys may not read the mirror, so nothing can be copied from there.
async fn no_look_at_the_mirror(store: TestStore) {
    let job = Job::new(store.via("auto")).await;
    job.library.file("a", 100);
    let vault = User::new(&job.store, &[&job.vault.name], &["s3:*"]);
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
    let user = User::new(&job.store, &[&job.mirror.name], &may);
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
