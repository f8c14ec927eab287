//! Whoever is stopped before the first write, or by a guard, is told what to type or to set.

use std::fs;
use std::process::Command;

use crate::support::{Job, Ran, TestStore, on_minio};

/// Whether a message names a command, a flag, a variable or a setting.
fn has_remedy(message: &str) -> bool {
    let is_variable = |word: &str| word.starts_with("TIDELOCK_") || word.starts_with("AWS_");
    let is_flag = |word: &str| word.starts_with("--") && word.len() > 3;
    let settings = ["[library]", "[sync]", "[backup]", "ca_cert", "set region"];
    let is_setting = settings.iter().any(|name| message.contains(name));
    let mut words = message.split(|c: char| c.is_whitespace() || "()`\"',;:=".contains(c));
    words.any(|word| is_variable(word) || is_flag(word))
        || is_setting
        || message.contains("`tidelock ")
}

#[track_caller]
fn assert_remedy(what: &str, ran: &Ran, exits: &[i32]) {
    let errors = ran.summary()["errors"].as_array().unwrap();
    assert!(
        ran.exit.is_some_and(|exit| exits.contains(&exit)),
        "{what}: exit {:?}: {errors:?}",
        ran.exit
    );
    let last = errors
        .last()
        .unwrap_or_else(|| panic!("{what}: no error is told"));
    let message = last["message"].as_str().unwrap();
    assert!(has_remedy(message), "{what}: {message}");
}

/// One way to be stopped: what it is called, and the command.
type Case<'a> = (&'a str, Box<dyn Fn(&mut Command) -> &mut Command + 'a>);

fn set<'a>(what: &'a str, change: impl Fn(&mut Command) -> &mut Command + 'a) -> Case<'a> {
    (what, Box::new(change))
}

async fn every_exit_2_says_what_to_set_or_to_type(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let home = job.store.home().to_owned();
    let broken = home.join("broken.toml");
    fs::write(&broken, "[backup]\nretension = \"60d\"\n").unwrap();
    let vault = job.vault.name.clone();
    let cases: Vec<Case<'_>> = vec![
        set("bad retention", |it| it.args(["--retention", "soon"])),
        set("over 36500 days", |it| {
            it.args(["--retention", "99999d", "--yes"])
        }),
        set("renew_below over retention", |it| {
            it.env("TIDELOCK_BACKUP_RENEW_BELOW", "90d")
        }),
        set("bad limit", |it| it.args(["--max-delete", "200%"])),
        set("no file", |it| it.args(["--config", "/no/such.toml"])),
        set("unknown key", |it| it.arg("--config").arg(&broken)),
        set("half a key", |it| {
            it.env("TIDELOCK_SYNC_ACCESS_KEY_ID", "x")
        }),
        set("wrong key", |it| it.env("AWS_SECRET_ACCESS_KEY", "x")),
        set("no keys", |it| {
            it.env_remove("AWS_ACCESS_KEY_ID")
                .env_remove("AWS_SECRET_ACCESS_KEY")
        }),
        set("no such profile", |it| it.args(["--profile", "nobody"])),
        set("no such authority", |it| {
            it.env("TIDELOCK_SYNC_CA_CERT", "/no/such.pem")
        }),
        set("no TLS there", |it| {
            let plain = job.store.endpoint.replace("http://", "https://");
            it.args(["--endpoint", &plain])
                .env("TIDELOCK_ENDPOINT", &plain)
        }),
        set("plain HTTP", |it| {
            it.args(["--sync-endpoint", "http://198.51.100.7:9000"])
        }),
    ];
    for (what, change) in cases {
        let mut command = job.command("run");
        change(&mut command);
        assert_remedy(what, &Ran::of(&command.output().unwrap()), &[2]);
    }
    let s3 = |name: &str| format!("s3://{name}");
    for (what, verb, arguments) in [
        ("nothing is named", "run", vec![]),
        ("no target", "run", vec!["lib".to_owned()]),
        ("no target", "status", vec![]),
        ("no target", "doctor", vec![]),
        ("no target", "policy", vec!["writer".to_owned()]),
        (
            "no such role",
            "policy",
            vec!["thief".to_owned(), "--backup-to".to_owned(), s3(&vault)],
        ),
        (
            "no such provider",
            "policy",
            vec![
                "writer".to_owned(),
                "--provider=gcs".to_owned(),
                "--backup-to".to_owned(),
                s3(&vault),
            ],
        ),
        (
            "a file is no folder",
            "restore",
            vec![
                "--to".to_owned(),
                broken.display().to_string(),
                "--backup-to".to_owned(),
                s3(&vault),
            ],
        ),
        (
            "a file is no folder",
            "pull",
            vec![
                "--to".to_owned(),
                broken.display().to_string(),
                "--sync-to".to_owned(),
                s3(&job.mirror.name),
            ],
        ),
        (
            "no snapshot",
            "snapshots",
            vec!["--backup-to".to_owned(), s3("no-such-bucket-at-all")],
        ),
        (
            "no snapshot",
            "restore",
            vec![
                "--to".to_owned(),
                "out".to_owned(),
                "--backup-to".to_owned(),
                s3(&vault),
            ],
        ),
        (
            "bad time",
            "restore",
            vec![
                "--to".to_owned(),
                "out".to_owned(),
                "--at".to_owned(),
                "once".to_owned(),
                "--backup-to".to_owned(),
                s3(&vault),
            ],
        ),
        (
            "no folder",
            "backup",
            vec![
                "/no/such/folder".to_owned(),
                "--backup-to".to_owned(),
                s3(&vault),
            ],
        ),
        (
            "overlap",
            "run",
            vec![
                "/tmp".to_owned(),
                "--sync-to".to_owned(),
                s3(&vault),
                "--backup-to".to_owned(),
                s3(&vault),
            ],
        ),
    ] {
        let mut command = job.store.std_tidelock(verb);
        command.arg("--json").args(arguments);
        assert_remedy(
            &format!("{verb}: {what}"),
            &Ran::of(&command.output().unwrap()),
            &[2],
        );
    }
}

async fn every_exit_4_says_what_to_set_or_to_type(store: TestStore) {
    let job = Job::new(store).await;
    for number in 0..30 {
        job.library.file(format!("{number}"), 100 + number);
    }
    // A vault that can't lock.
    let mut command = job.store.std_tidelock("backup");
    let plain = format!("s3://{}/x", job.mirror.name);
    command
        .arg(job.library.path())
        .args(["--json", "--backup-to", &plain]);
    assert_remedy("no lock", &Ran::of(&command.output().unwrap()), &[4]);
    // What can't be undone, without consent.
    assert_remedy(
        "compliance",
        &job.tidelock("run", &["--mode", "compliance"]),
        &[4, 2],
    );
    assert_remedy(
        "years",
        &job.tidelock("run", &["--retention", "800d"]),
        &[4, 2],
    );
    // A stranger's prefix.
    job.mirror.put("lib/theirs", b"x").await;
    assert_remedy("foreign objects", &job.tidelock("run", &[]), &[4]);
    job.tidelock("run", &["--max-delete", "1"]).ended(0);
    // Too many deletes, too many changes, and an empty folder.
    for number in 0..20 {
        job.library.remove(number.to_string());
    }
    assert_remedy("deletes", &job.tidelock("run", &[]), &[4]);
    for number in 20..30 {
        job.library.remove(number.to_string());
    }
    assert_remedy("emptied", &job.tidelock("run", &[]), &[4]);
    fs::remove_dir_all(job.library.path()).unwrap();
    assert_remedy("unplugged", &job.tidelock("run", &[]), &[4]);
    // Something else in a restore's way.
    let to = job.store.home().join("out");
    fs::create_dir(&to).unwrap();
    fs::write(to.join("25"), b"mine").unwrap();
    let to = to.to_str().unwrap();
    let ran = job.tidelock("restore", &["25", "--to", to]);
    assert_remedy("in the way", &ran, &[3, 4]);
    // A name that init may not replace.
    fs::write(
        job.store.home().join("tidelock.toml"),
        "[library]\npath = \"x\"\n",
    )
    .unwrap();
    let mut command = job.command("init");
    command.arg(job.store.home());
    assert_remedy(
        "a file is there",
        &Ran::of(&command.output().unwrap()),
        &[4],
    );
}

on_minio!(
    every_exit_2_says_what_to_set_or_to_type,
    every_exit_4_says_what_to_set_or_to_type,
);
