//! The recipes for nightly runs: each one's own command, taken from its file, does what the page says.
//! `scripts/recipes` holds the files to what their readers understand.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Job, Ran, TestStore, on_both, on_minio};

fn recipe(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("docs/recipes").join(name)).unwrap()
}

/// What follows `begin` on the line that begins with it.
fn after<'a>(text: &'a str, begin: &str) -> &'a str {
    let mut lines = text.lines().map(str::trim_start);
    lines
        .find_map(|line| line.strip_prefix(begin))
        .expect(begin)
}

/// The lines of the block that `head` opens, without their indentation.
fn block(text: &str, head: &str) -> String {
    let mut lines = text.lines().skip_while(|line| line.trim() != head).skip(1);
    let first = lines.next().expect(head);
    let indentation = first.len() - first.trim_start().len();
    let rest = lines.take_while(|line| {
        line.len() - line.trim_start().len() >= indentation && !line.trim().is_empty()
    });
    let lines = std::iter::once(first).chain(rest);
    lines
        .map(|line| &line[indentation..])
        .collect::<Vec<_>>()
        .join("\n")
}

/// `NAME: value` of all variables of ours in a workflow.
fn variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("TIDELOCK_"))
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The command of a recipe, as a shell runs it; `tidelock` is a word in it.
fn command_of(name: &str) -> String {
    let text = recipe(name);
    match name {
        "systemd/tidelock.service" => after(&text, "ExecStart=").to_owned(),
        "cron/crontab" => after(&text, "15 2 * * *").trim().to_owned(),
        "launchd/org.tidelock.nightly.plist" => block(&text, "<array>")
            .replace("<string>", "")
            .replace("</string>", "")
            .replace('\n', " "),
        "docker/Dockerfile" => words(&format!(
            "{}, {}",
            list(&text, "ENTRYPOINT "),
            list(&text, "CMD ")
        )),
        "kubernetes/cronjob.yaml" => format!("tidelock {}", words(list(&text, "args: "))),
        "github/tidelock.yml" => {
            let last = text.rsplit_once("- name: Run").expect("a last step").1;
            block(last, "run: |")
        }
        "gitlab/gitlab-ci.yml" => block(&text, "script:").trim_start_matches("- ").to_owned(),
        _ => panic!("{name}"),
    }
}

/// What is between the brackets.
fn list<'a>(text: &'a str, begin: &str) -> &'a str {
    after(text, begin).trim_matches(['[', ']'])
}

fn words(list: &str) -> String {
    list.replace(['"', ','], "")
}

const WITH_A_FILE: [&str; 5] = [
    "systemd/tidelock.service",
    "cron/crontab",
    "launchd/org.tidelock.nightly.plist",
    "docker/Dockerfile",
    "kubernetes/cronjob.yaml",
];
const ON_FRESH_RUNNERS: [&str; 2] = ["github/tidelock.yml", "gitlab/gitlab-ci.yml"];

/// Replaces the paths of the recipe by those of the test, and runs it as the recipe's shell does.
fn shell(job: &Job, script: &str, path: &Path, shell: &[&str]) -> Command {
    let script = script
        .split(' ')
        .map(|word| match word {
            _ if word.ends_with("/tidelock") => "tidelock",
            _ if word.ends_with("/tidelock.toml") => "tidelock.toml",
            _ => word,
        })
        .collect::<Vec<_>>()
        .join(" ");
    // The environment that the store's tests give to the program.
    let mut command = job.store.std_tidelock("unused");
    let variables: Vec<_> = command
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
        .collect();
    command = Command::new(shell[0]);
    command
        .env_clear()
        .args(&shell[1..])
        .arg(script)
        .current_dir(job.store.home());
    for (name, value) in variables {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.env("TIDELOCK_ENDPOINT", &job.store.endpoint);
    command.env("TIDELOCK_PATH_STYLE", "true");
    command.env("PATH", format!("{}:/usr/bin:/bin", path.display()));
    command
}

/// A folder for PATH in which `tidelock` is the program.
fn program(job: &Job) -> PathBuf {
    let folder = job.store.home().join("bin");
    if !folder.exists() {
        fs::create_dir(&folder).unwrap();
        symlink(env!("CARGO_BIN_EXE_tidelock"), folder.join("tidelock")).unwrap();
    }
    folder
}

async fn each_command_runs_two_nights_with_its_file(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a.jpg", 1_000);
    let file = format!(
        "[library]\npath = \"{}\"\n[sync]\nto = \"{}\"\n[backup]\nto = \"{}\"\n",
        job.library.path().display(),
        job.sync_to(),
        job.backup_to()
    );
    fs::write(job.store.home().join("tidelock.toml"), file).unwrap();
    let path = program(&job);
    for (night, name) in WITH_A_FILE.into_iter().enumerate() {
        job.library.file(format!("{night}.jpg"), 100 + night);
        let mut command = shell(&job, &command_of(name), &path, &["/bin/sh", "-c"]);
        let output = command.env("TIDELOCK_JSON", "true").output().unwrap();
        let ran = Ran::of(&output).ended(0);
        let sent = if night == 0 { 2 } else { 1 };
        ran.assert_counts(&[("sync.uploaded", sent), ("backup.uploaded", sent)]);
    }
    // A good night by cron is silent, so that nothing is mailed.
    let mut command = shell(&job, &command_of("cron/crontab"), &path, &["/bin/sh", "-c"]);
    let output = command.output().unwrap();
    assert!(output.status.success());
    let said = [output.stdout, output.stderr].concat();
    assert_eq!(String::from_utf8_lossy(&said), "");
}

async fn a_fresh_runner_sends_nothing_again(store: TestStore) {
    let mut job = Job::new(store).await;
    job.library.file("a.jpg", 1_000);
    job.library.file(".git/objects/ab", 50);
    for (night, name) in ON_FRESH_RUNNERS.into_iter().cycle().take(3).enumerate() {
        // Nothing is left of the last night, and a checkout makes all times new.
        job = job.elsewhere();
        job.library
            .mtime("a.jpg", 1_800_000_000 + i64::try_from(night).unwrap(), 0);
        let path = program(&job);
        let bash = ["/bin/bash", "-e", "-o", "pipefail", "-c"];
        let mut command = shell(&job, &command_of(name), &path, &bash);
        let text = recipe(name);
        let given = variables(&text);
        assert!(given.contains(&("TIDELOCK_LIBRARY_MTIME".to_owned(), "ignore".to_owned())));
        command.envs(given);
        command.env("TIDELOCK_LIBRARY", job.library.path());
        command.env("TIDELOCK_SYNC_TO", job.sync_to());
        command.env("TIDELOCK_BACKUP_TO", job.backup_to());
        let ran = Ran::of(&command.env("TIDELOCK_JSON", "true").output().unwrap()).ended(0);
        let sent = u64::from(night == 0);
        ran.assert_counts(&[
            ("library.files", 1),
            ("sync.uploaded", sent),
            ("sync.deleted", 0),
            ("backup.uploaded", sent),
        ]);
    }
}

async fn out_of_time_is_no_failure_and_all_else_is(store: TestStore) {
    let job = Job::new(store).await;
    let path = job.store.home().join("stub");
    fs::create_dir(&path).unwrap();
    for exit in [0, 3, 4, 7] {
        let stub = path.join("tidelock");
        fs::write(&stub, format!("#!/bin/sh\nexit {exit}\n")).unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        let bash: &[&str] = &["/bin/bash", "-e", "-o", "pipefail", "-c"];
        for (name, with) in [
            ("github/tidelock.yml", bash),
            ("cron/crontab", &["/bin/sh", "-c"]),
        ] {
            let mut command = shell(&job, &command_of(name), &path, with);
            let status = command.output().unwrap().status;
            assert_eq!(status.success(), [0, 7].contains(&exit), "{name}: {exit}");
        }
    }
    // What starts the others is told in its own words.
    assert_eq!(
        after(&recipe("systemd/tidelock.service"), "SuccessExitStatus="),
        "7 130"
    );
    assert_eq!(after(&recipe("gitlab/gitlab-ci.yml"), "exit_codes: "), "7");
    let refused = after(&recipe("kubernetes/cronjob.yaml"), "values: ").to_owned();
    assert_eq!(refused, "[2, 3, 4, 5, 6]");
}

on_both!(
    each_command_runs_two_nights_with_its_file,
    a_fresh_runner_sends_nothing_again,
);
on_minio!(out_of_time_is_no_failure_and_all_else_is);
