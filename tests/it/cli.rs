//! The command as scripts and people meet it: exit codes, what is on which stream, `init` on real stores.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command as Process, Stdio};

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Lock, StoreKind, TestStore, on_both};

/// `tidelock` in an empty home and without anything in its environment.
fn bare(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidelock"));
    command.env_clear().env("HOME", home).current_dir(home);
    command
}

fn last_line(output: &[u8]) -> Value {
    let text = String::from_utf8(output.to_vec()).unwrap();
    let line = text.lines().last().expect("a line");
    serde_json::from_str(line).expect(line)
}

#[test]
fn wrong_usage_exits_2_and_still_ends_with_a_summary() {
    let home = TempDir::new().unwrap();
    fs::write(
        home.path().join("bad.toml"),
        "[sync]\ntoo = \"s3://photos\"\n",
    )
    .unwrap();
    let file = ["--config", "bad.toml"];
    for (arguments, command) in [
        (&["run", "--what"][..], "run"),
        (&["restore"], "restore"),
        (&["run"], "run"),
        (&["snapshots", file[0], file[1]], "snapshots"),
        (&["run", "--max-delete", "101%"], "run"),
        (&["status"], "status"),
        (&["nonsense"], ""),
    ] {
        let output = bare(home.path())
            .args(arguments)
            .arg("--json")
            .assert()
            .code(2);
        let output = output.get_output();
        let summary = last_line(&output.stdout);
        assert_eq!(summary["event"], "summary", "{arguments:?}");
        assert_eq!(summary["command"], command, "{arguments:?}");
        assert_eq!(summary["exit_code"], 2, "{arguments:?}");
        assert_ne!(summary["errors"][0]["message"], Value::Null);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.starts_with("error: "), "{arguments:?}: {error}");

        let output = bare(home.path()).args(arguments).assert().code(2);
        assert!(output.get_output().stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn f58_the_file_and_line_of_a_wrong_key_are_named() {
    let home = TempDir::new().unwrap();
    fs::write(
        home.path().join("tidelock.toml"),
        "[sync]\ntoo = \"s3://photos\"\n",
    )
    .unwrap();
    let output = bare(home.path()).arg("run").assert().code(2);
    let error = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(
        error.contains("tidelock.toml:2: unknown key \"too\" in [sync]; did you mean \"to\"?"),
        "{error}"
    );
}

#[test]
fn help_version_completions_and_manual_go_to_standard_output() {
    let home = TempDir::new().unwrap();
    for arguments in [
        &["--help"][..],
        &["run", "--help"],
        &["--version"],
        &["completions", "zsh"],
        &["man"],
        &["man", "restore"],
    ] {
        let output = bare(home.path()).args(arguments).assert().success();
        let output = output.get_output();
        assert!(!output.stdout.is_empty(), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn tidelock_alone_says_what_is_set_up_and_what_is_next() {
    let home = TempDir::new().unwrap();
    let say = || {
        let output = bare(home.path()).assert().success();
        String::from_utf8(output.get_output().stdout.clone()).unwrap()
    };
    let text = say();
    assert!(text.starts_with("Nothing is set up yet"), "{text}");
    assert!(text.contains("\n  tidelock init "), "{text}");
    fs::create_dir(home.path().join("Pictures")).unwrap();
    let file = home.path().join("tidelock.toml");
    fs::write(
        &file,
        "[library]\npath = \"Pictures\"\n[backup]\nto = \"s3://vault/x\"\n",
    )
    .unwrap();
    let text = say();
    for line in [
        format!("set up in {}", file.display()),
        format!("  library  {}", home.path().join("Pictures").display()),
        "  sync     none yet: to = \"s3://my-photos/library\" under [sync]".to_owned(),
        "  backup   s3://vault/x  (each version locked for 60d, governance mode)".to_owned(),
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    fs::write(&file, "[library]\npaht = \"Pictures\"\n").unwrap();
    bare(home.path()).assert().code(2);
    let output = bare(home.path()).arg("--json").assert().code(2);
    assert_eq!(
        last_line(&output.get_output().stdout)["command"],
        "overview"
    );
}

/// f26: `tidelock … | head -1`, and no standard streams at all.
#[test]
fn f26_closed_streams_are_no_panic_and_change_no_exit_code() {
    let home = TempDir::new().unwrap();
    for (arguments, code) in [("man", 0), ("run --json", 2), ("--help", 0), ("run", 2)] {
        let mut child = Process::new(env!("CARGO_BIN_EXE_tidelock"))
            .env_clear()
            .env("HOME", home.path())
            .current_dir(home.path())
            .args(arguments.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments}");
    }
}

#[test]
fn f57_keys_are_in_no_output_at_the_highest_verbosity() {
    let home = TempDir::new().unwrap();
    let output = bare(home.path())
        .args(["run", ".", "-vvv", "--json"])
        .args(["--endpoint", "https://user:canary@host.example"])
        .args(["--sync-to", "s3://photos", "--backup-to", "s3://vault"])
        .env("TIDELOCK_LOG", "trace")
        .env("TIDELOCK_SYNC_ACCESS_KEY_ID", "id")
        .env("TIDELOCK_SYNC_SECRET_ACCESS_KEY", "canary")
        .assert()
        .code(2);
    let output = output.get_output();
    for stream in [&output.stdout, &output.stderr] {
        assert!(!String::from_utf8_lossy(stream).contains("canary"));
    }
}

fn init(store: &TestStore, sync: &str, backup: &str) -> Command {
    let mut command = store.tidelock("init");
    command
        .args(["~/Pictures", "--sync-to", &format!("s3://{sync}/library")])
        .args(["--backup-to", &format!("s3://{backup}/library")])
        .args(["--retention", "30d"]);
    command
}

/// A name for a bucket that is not there.
async fn free_name(store: &TestStore) -> String {
    format!("{}-new", store.bucket(Lock::Off).await)
}

async fn is_locked(store: &TestStore, bucket: &str) -> bool {
    let answer = store
        .client()
        .get_object_lock_configuration()
        .bucket(bucket)
        .send()
        .await;
    answer.is_ok_and(|answer| answer.object_lock_configuration().is_some())
}

async fn init_makes_both_buckets_and_the_file_and_twice_is_once(store: TestStore) {
    let (sync, backup) = (free_name(&store).await, free_name(&store).await);
    init(&store, &sync, &backup).arg("-n").assert().success();
    let file = store.home().join("tidelock.toml");
    assert!(!file.exists(), "a dry run touches nothing");

    init(&store, &sync, &backup).assert().success();
    assert!(is_locked(&store, &backup).await);
    assert!(!is_locked(&store, &sync).await);
    let written = fs::read_to_string(&file).unwrap();
    assert!(written.contains("retention = \"30d\""), "{written}");
    assert!(!written.contains(&store.secret_key), "{written}");

    init(&store, &sync, &backup).assert().success();
    store.bare_tidelock().arg("init").assert().success();
    assert_eq!(fs::read_to_string(&file).unwrap(), written);

    let refused = store
        .bare_tidelock()
        .args(["init", "--retention", "40d"])
        .assert();
    refused.code(4);
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
    let replaced = store
        .bare_tidelock()
        .args(["init", "--retention", "40d", "--yes"])
        .assert();
    replaced.success();
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("retention = \"40d\"")
    );
}
on_both!(init_makes_both_buckets_and_the_file_and_twice_is_once);

/// LocalStack gives an existing bucket a lock, MinIO can't.
async fn init_gives_an_existing_vault_a_lock_or_refuses_it(store: TestStore) {
    let (sync, backup) = (store.bucket(Lock::Off).await, store.bucket(Lock::Off).await);
    let outcome = init(&store, &sync, &backup).arg("--json").assert();
    if store.kind == StoreKind::Minio {
        let outcome = outcome.code(4);
        let summary = last_line(&outcome.get_output().stdout);
        let message = summary["errors"][0]["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("s3://{backup}-locked/library")),
            "{message}"
        );
        assert!(!store.home().join("tidelock.toml").exists());
    } else {
        let outcome = outcome.success();
        assert_eq!(last_line(&outcome.get_output().stdout)["errors"], json!([]));
        assert!(is_locked(&store, &backup).await);
    }
}
on_both!(init_gives_an_existing_vault_a_lock_or_refuses_it);

async fn init_lets_old_versions_of_a_versioned_mirror_expire(store: TestStore) {
    let (sync, backup) = (store.bucket(Lock::On).await, store.bucket(Lock::On).await);
    init(&store, &sync, &backup).assert().success();
    let rules = store
        .client()
        .get_bucket_lifecycle_configuration()
        .bucket(&sync)
        .send()
        .await
        .unwrap();
    let days = rules.rules()[0]
        .noncurrent_version_expiration()
        .and_then(|expiration| expiration.noncurrent_days());
    assert_eq!(days, Some(1));
}
on_both!(init_lets_old_versions_of_a_versioned_mirror_expire);

#[test]
fn without_keys_or_a_server_init_says_so_and_does_not_hang() {
    let home = TempDir::new().unwrap();
    let output = bare(home.path())
        .args([
            "init",
            "~/Pictures",
            "--endpoint",
            "http://127.0.0.1:1",
            "--json",
        ])
        .args(["--sync-to", "s3://photos", "--backup-to", "s3://vault"])
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_REGION", "us-east-1")
        .assert()
        .code(2);
    let summary = last_line(&output.get_output().stdout);
    assert_eq!(summary["command"], "init");
    assert!(!home.path().join("tidelock.toml").exists());
}

/// A first signal ends in good order, with the summary; here while the server does not answer.
#[test]
fn f24_an_interrupt_exits_130_with_the_summary() {
    let home = TempDir::new().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut child = Process::new(env!("CARGO_BIN_EXE_tidelock"))
        .env_clear()
        .env("HOME", home.path())
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", "us-east-1")
        .current_dir(home.path())
        .args(["init", "~/Pictures", "--endpoint", &endpoint, "--json"])
        .args(["--sync-to", "s3://photos", "--backup-to", "s3://vault"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Once it has connected it is within a request.
    let _connection = silent.accept().unwrap();
    let interrupted = Process::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    let mut hint = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut hint)
        .unwrap();
    assert!(hint.starts_with("stopping in good order"), "{hint}");
    let mut output = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(last_line(&output)["exit_code"], 130);
}
