//! `tidelock init` on a terminal, as someone meets it who has never seen it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Bucket, Shown, TestStore, on_minio, on_terminal, unique_name};

/// The answers of docs/first-run.md, on this store. The first prompts are waited for by their last words.
fn answers(store: &TestStore, sync: &str) -> Vec<(String, String)> {
    let typed = |text: &str| format!("{text}\n");
    [
        ("[aws]: ", typed("minio")),
        ("nas.local:9000: ", typed(&store.endpoint)),
        ("Access key ID: ", typed(&store.access_key)),
        ("Secret access key: ", typed(&store.secret_key)),
        ("[~/Pictures]: ", typed("")),
        ("as s3://BUCKET/PREFIX: ", typed(sync)),
        ("[yes]: ", typed("")),
        ("-vault/library]: ", typed("")),
        ("[60d]: ", typed("90d")),
        ("[governance]: ", typed("")),
    ]
    .map(|(waited, typed)| (waited.to_owned(), typed))
    .into()
}

fn talk(command: &Command, script: &[(String, String)]) -> Shown {
    let script: Vec<(&str, &str)> = script
        .iter()
        .map(|(waited, typed)| (waited.as_str(), typed.as_str()))
        .collect();
    on_terminal(command, (80, 50), &script)
}

/// `tidelock init` without any keys in its environment, in a home folder with a library of three files.
fn init(store: &TestStore) -> Command {
    let pictures = store.home().join("Pictures");
    if !pictures.exists() {
        fs::create_dir(&pictures).unwrap();
        for name in ["a.jpg", "b.jpg", "c.jpg"] {
            fs::write(pictures.join(name), vec![name.as_bytes()[0]; 1_000]).unwrap();
        }
    }
    let mut command = store.clean_command(env!("CARGO_BIN_EXE_tidelock"));
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        command.env_remove(name);
    }
    command.env_remove("TIDELOCK_BACKUP_VIA");
    command.env("TERM", "xterm").arg("init");
    command
}

fn names() -> (String, String) {
    let bucket = format!("photos-{}", unique_name());
    (format!("s3://{bucket}/library"), format!("{bucket}-vault"))
}

async fn init_asks_explains_tries_foretells_and_ends_with_tonights_command(store: TestStore) {
    let (sync, vault) = names();
    let text = talk(&init(&store), &answers(&store, &sync)).ended(0).text();
    assert!(!text.contains(&store.secret_key), "{text}");
    let stands = [
        "a mirror that looks like your folder",
        "keeps every version, locked",
        "checks, as `tidelock doctor` lists them",
        "library   3 files, 2.9 KiB",
        "can't be deleted before",
        "cost      unknown prices",
        "tonight: tidelock run",
    ];
    let mut rest = text.as_str();
    for part in stands {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("no {part:?} at its place in\n{text}");
        };
        rest = after;
    }
    documented(&store, &sync, &text);

    // The command for tonight does it.
    let mut run = store.clean_command(env!("CARGO_BIN_EXE_tidelock"));
    let output = run.args(["run", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let vault = Bucket::new(&store, &vault);
    assert!(
        vault
            .keys()
            .await
            .iter()
            .any(|key| key == "library/files/a.jpg")
    );
}

/// The page shows what the terminal shows; `TIDELOCK_WRITE_FIRST_RUN=1` writes it anew.
fn documented(store: &TestStore, sync: &str, text: &str) {
    let bucket = sync
        .trim_start_matches("s3://")
        .trim_end_matches("/library");
    let home = fs::canonicalize(store.home()).unwrap();
    let text = text
        .replace(&home.display().to_string(), "/home/ada")
        .replace(&store.home().display().to_string(), "/home/ada")
        .replace(bucket, "ada-photos")
        .replace(&store.endpoint, "http://nas.local:9000")
        .replace(": tidelock\n", ": ada\n");
    let lines = text
        .lines()
        .map(str::trim_end)
        .skip_while(|line| line.is_empty());
    let text: Vec<&str> = lines.filter(|line| !is_progress(line)).collect();
    let text = format!("$ tidelock init\n{}\n", text.join("\n"));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-run.md");
    let now = fs::read_to_string(&page).unwrap();
    let (before, rest) = now.split_once("<!-- conversation -->\n```text\n").unwrap();
    let (block, after) = rest.split_once("```\n").unwrap();
    if std::env::var_os("TIDELOCK_WRITE_FIRST_RUN").is_some() {
        let page_now = format!("{before}<!-- conversation -->\n```text\n{text}```\n{after}");
        fs::write(&page, page_now).unwrap();
        return;
    }
    assert_eq!(
        undated(block),
        undated(&text),
        "docs/first-run.md shows something else"
    );
}

/// What is redrawn while it goes on.
fn is_progress(line: &str) -> bool {
    line.starts_with("scan ") || line == "scan"
}

/// Dates as one word.
fn undated(text: &str) -> String {
    let is_date = |word: &str| word.len() == 10 && word.starts_with("20") && word.contains('-');
    let words = text.split(' ');
    let words = words.map(|word| if is_date(word) { "DATE" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

async fn the_answers_make_the_file_that_the_flags_make(store: TestStore) {
    let (sync, vault) = names();
    talk(&init(&store), &answers(&store, &sync)).ended(0);
    let file = store.home().join("tidelock.toml");
    let asked = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let backup = format!("s3://{vault}/library");
    let mut flags = init(&store);
    flags.args([
        "~/Pictures",
        "--provider",
        "minio",
        "--endpoint",
        &store.endpoint,
    ]);
    flags.args([
        "--sync-to",
        &sync,
        "--backup-to",
        &backup,
        "--retention",
        "90d",
    ]);
    flags.args(["--mode", "governance", "--region", "us-east-1"]);
    for side in ["SYNC", "BACKUP"] {
        flags.env(format!("TIDELOCK_{side}_ACCESS_KEY_ID"), &store.access_key);
        flags.env(
            format!("TIDELOCK_{side}_SECRET_ACCESS_KEY"),
            &store.secret_key,
        );
    }
    // A shell makes ~ the home folder; the file names it the same.
    let output = flags.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), asked);
}

/// Whoever ends it in the middle is told that nothing has happened, and nothing has.
async fn ended_in_the_middle_nothing_is_made(store: TestStore) {
    let (sync, vault) = names();
    let all = answers(&store, &sync);
    for (asked, typed, code) in [
        (0, "\u{3}", 130),
        (3, "\u{3}", 130),
        (9, "\u{3}", 130),
        (0, "\u{4}", 2),
        (4, "\u{4}", 2),
        (9, "\u{4}", 2),
    ] {
        let mut script = all[..=asked].to_vec();
        script[asked].1 = typed.to_owned();
        let text = talk(&init(&store), &script).ended(code).text();
        assert!(text.contains("nothing was written"), "{text}");
        assert!(!store.home().join("tidelock.toml").exists());
    }
    let mirror = sync
        .trim_start_matches("s3://")
        .trim_end_matches("/library");
    for bucket in [mirror, &vault] {
        let found = store.client().head_bucket().bucket(bucket).send().await;
        assert!(found.is_err(), "{bucket} was made");
    }
}

on_minio!(
    init_asks_explains_tries_foretells_and_ends_with_tonights_command,
    the_answers_make_the_file_that_the_flags_make,
    ended_in_the_middle_nothing_is_made,
);
