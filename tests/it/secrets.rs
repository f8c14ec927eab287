//! f57: keys are in nothing that is printed or written, wherever they come from.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Job, Monitor, Running, StoreKind, TestStore, on_minio, on_store};

/// A file that is there for the secret's sake, and the tests' own.
const KEEPERS: [&str; 2] = [".aws/credentials", "keys.sh"];

/// Every file of the home folder but those that the test put the secret into.
fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if !KEEPERS.iter().any(|keeper| path.ends_with(keeper)) {
            found.push(path);
        }
    }
}

fn assert_absent(what: &str, bytes: &[u8], secret: &str) {
    let found = bytes
        .windows(secret.len())
        .any(|part| part == secret.as_bytes());
    assert!(
        !found,
        "{what} holds {secret}: {}",
        String::from_utf8_lossy(bytes)
    );
}

/// Neither stream, nor any file that the run wrote on this machine or into the vault.
async fn assert_nowhere(job: &Job, output: &Output, secret: &str) {
    assert_absent("stdout", &output.stdout, secret);
    assert_absent("stderr", &output.stderr, secret);
    let mut written = Vec::new();
    files(job.store.home(), &mut written);
    assert!(written.iter().any(|file| file.ends_with("metrics.prom")));
    for file in written {
        assert_absent(
            &file.display().to_string(),
            &fs::read(&file).unwrap(),
            secret,
        );
    }
    for key in job.vault.keys().await {
        // Snapshots are text; chunks are of paths alone.
        if key.contains("/snapshots/") {
            assert_absent(&key, &job.vault.get(&key, None).await, secret);
        }
    }
}

/// Says as much as can be said.
fn talkative(job: &Job, more: &[&str]) -> Command {
    let mut command = job.command("run");
    command
        .args(["-vvv", "--metrics-file", "metrics.prom"])
        .args(more);
    command
        .env("TIDELOCK_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    command
}

fn without_plain_keys(mut command: Command) -> Command {
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    command
}

async fn f57_keys_from_everywhere_are_in_no_output_log_state_metric_or_snapshot(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let (id, secret) = (job.store.access_key.clone(), job.store.secret_key.clone());
    let aws = job.store.home().join(".aws");
    fs::create_dir(&aws).unwrap();
    let program = job.store.home().join("keys.sh");
    let keys = format!(r#"{{"Version": 1, "AccessKeyId": "{id}", "SecretAccessKey": "{secret}"}}"#);
    fs::write(&program, format!("#!/bin/sh\necho '{keys}'\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let credentials =
        format!("[file]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    fs::write(aws.join("credentials"), credentials).unwrap();
    let config = format!(
        "[profile process]\ncredential_process = {}\n",
        program.display()
    );
    fs::write(aws.join("config"), config).unwrap();

    let mut own = without_plain_keys(talkative(&job, &[]));
    for target in ["SYNC", "BACKUP"] {
        own.env(format!("TIDELOCK_{target}_ACCESS_KEY_ID"), &id);
        own.env(format!("TIDELOCK_{target}_SECRET_ACCESS_KEY"), &secret);
    }
    for mut command in [
        talkative(&job, &[]),
        own,
        without_plain_keys(talkative(&job, &["--profile", "file"])),
        without_plain_keys(talkative(&job, &["--profile", "process"])),
    ] {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(
            !output.stderr.is_empty(),
            "nothing was logged, so nothing was proved"
        );
        assert_nowhere(&job, &output, &secret).await;
    }
}

/// Keys that no store takes, so that the errors come to speak of them.
async fn f57_refused_keys_are_in_no_error(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    for token in [None, Some("canary-token")] {
        let mut command = talkative(&job, &[]);
        command.env("AWS_SECRET_ACCESS_KEY", "canary-secret");
        if let Some(token) = token {
            command.env("AWS_SESSION_TOKEN", token);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        for stream in [&output.stdout, &output.stderr] {
            assert_absent("a stream", stream, "canary");
        }
    }
}

/// Keys of every kind that errors, notifications or a panic could carry, none of which any store takes.
async fn f57_canaries_of_every_kind_are_in_no_message_ping_or_panic(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let aws = job.store.home().join(".aws");
    fs::create_dir(&aws).unwrap();
    let keys = "aws_access_key_id = AKIDCANARY\naws_secret_access_key = canary-secret\n\
                aws_session_token = canary-token\n";
    fs::write(aws.join("credentials"), format!("[canary]\n{keys}")).unwrap();
    let monitor = Monitor::answering(200);
    let url = monitor.url("/canary-ping");
    for (profile, refused) in [(true, true), (false, true), (false, false)] {
        let mut command = talkative(&job, &[]);
        command.env("TIDELOCK_NOTIFY_URL", &url);
        if profile {
            command = without_plain_keys(command);
            command.args(["--profile", "canary"]);
        } else if refused {
            for side in ["SYNC", "BACKUP"] {
                command.env(format!("TIDELOCK_{side}_ACCESS_KEY_ID"), "AKID");
                command.env(
                    format!("TIDELOCK_{side}_SECRET_ACCESS_KEY"),
                    "canary-secret",
                );
                command.env(format!("TIDELOCK_{side}_SESSION_TOKEN"), "canary-token");
            }
        }
        let output = command.output().unwrap();
        let code = if refused { 2 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        for secret in [
            "canary-secret",
            "canary-token",
            "canary-ping",
            &job.store.secret_key,
        ] {
            assert_absent("stdout", &output.stdout, secret);
            assert_absent("stderr", &output.stderr, secret);
        }
    }
    let pings = monitor.pings();
    assert!(pings.len() >= 6, "{pings:?}");
    for ping in pings {
        for secret in ["canary-secret", "canary-token", &job.store.secret_key] {
            assert_absent("a ping", ping.body.as_bytes(), secret);
        }
    }
}

/// A panic's message and backtrace are printed as they are; the summary comes all the same.
async fn f57_a_panic_prints_no_key_and_the_summary_all_the_same(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let (id, secret) = (&job.store.access_key, &job.store.secret_key);
    for place in ["stock-taken", "before-commit"] {
        let mut command = talkative(&job, &[]);
        for side in ["SYNC", "BACKUP"] {
            command.env(format!("TIDELOCK_{side}_ACCESS_KEY_ID"), id);
            command.env(format!("TIDELOCK_{side}_SECRET_ACCESS_KEY"), secret);
        }
        let output = command
            .env("TIDELOCK_TEST_PANIC_AT", place)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains(&format!("asked for at {place}")),
            "{stderr}"
        );
        assert!(stderr.contains("stack backtrace"), "{stderr}");
        let ran = crate::support::Ran::of(&output).ended(1);
        assert!(ran.errors().contains("please report"), "{}", ran.errors());
        assert_nowhere(&job, &output, secret).await;
    }
    // The next run takes up what the dead ones have left.
    job.run(0);
}

/// Memory holds keys, so a crash must not write it down, whatever the shell allows.
async fn f57_a_crash_leaves_no_core_file(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 30 << 20);
    for (kept, limit) in [(false, "0"), (true, "unlimited")] {
        let mut inner = job.command("run");
        inner.args(["--bwlimit", "1M"]);
        let mut command = job.store.clean_command("sh");
        command.args(["-c", "ulimit -c unlimited; exec \"$@\"", "sh"]);
        command.arg(inner.get_program()).args(inner.get_args());
        if kept {
            command.env("TIDELOCK_CORE_DUMPS", "1");
        }
        let mut running = Running::start(command);
        running.until_phase("transfer");
        let limits = fs::read_to_string(format!("/proc/{}/limits", running.pid())).unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let soft = line.and_then(|line| line.split_whitespace().nth(4));
        assert_eq!(soft, Some(limit), "{line:?}");
        if !kept {
            let pid = running.pid().to_string();
            let killed = Command::new("kill").args(["-SEGV", &pid]).status().unwrap();
            assert!(killed.success());
        }
        running.kill();
        let mut left = Vec::new();
        files(job.store.home(), &mut left);
        let is_core = |path: &Path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            name == "core" || name.starts_with("core.")
        };
        assert!(!left.iter().any(|path| is_core(path)), "{left:?}");
    }
}

on_minio!(
    f57_canaries_of_every_kind_are_in_no_message_ping_or_panic,
    f57_a_panic_prints_no_key_and_the_summary_all_the_same,
    f57_a_crash_leaves_no_core_file,
    f57_keys_from_everywhere_are_in_no_output_log_state_metric_or_snapshot,
    f57_refused_keys_are_in_no_error,
);

/// The file is no place for keys; whoever puts them there all the same must not find them in a log.
#[test]
fn f57_a_key_in_the_wrong_place_is_refused_without_being_repeated() {
    on_store(StoreKind::Minio, async |store| {
        let job = Job::new(store).await;
        for text in [
            "[sync]\nsecret_access_key = \"canary\"\n",
            "secret_access_key = \"canary\"\n",
            "[backup]\naws_secret_access_key = 'canary'\n",
            "[sync]\nsecret_access_key = \"canary\n",
            "[sync]\nsecret_access_key = canary\n",
            "[sync]\nendpoint = \"https://user:canary@host.example\"\n",
            "[notify]\nurl = \"canary\"\n",
            "[notify]\nurl = 17\ncommand = [\"canary\"]\n",
        ] {
            fs::write(job.store.home().join("tidelock.toml"), text).unwrap();
            let output = job.command("run").args(["-vvv"]).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{text}: {output:?}");
            for stream in [&output.stdout, &output.stderr] {
                assert_absent(text, stream, "canary");
            }
        }
    });
}
