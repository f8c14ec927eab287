//! The day that it was all for: nothing is left but a key and the bucket's name. What `docs/restore.md` says is run as it
//! stands there, so that the page and the product can't drift apart.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::policies::{mc, user};
use crate::support::{
    Job, Lock, Ran, StoreKind, TestStore, assert_same_files, assert_same_tree, on_both, on_minio,
    path_with_public_tools,
};

const PAGE: &str = include_str!("../../docs/restore.md");

/// The commands below a heading of the page, block by block.
fn blocks(heading: &str) -> Vec<&'static str> {
    let (_, below) = PAGE.split_once(heading).expect(heading);
    let section = below.split("\n## ").next().unwrap();
    let fences = section.split("```sh\n").skip(1);
    fences.map(|it| it.split("```").next().unwrap()).collect()
}

/// The page's words for this test's bucket and prefix.
fn here(text: &str, job: &Job) -> String {
    text.replace("s3://my-photos-vault/library", &job.backup_to())
        .replace("s3://my-photos-vault", &format!("s3://{}", job.vault.name))
}

/// A shell on a bare machine: the store's address and the reader's key, nothing else.
fn shell(machine: &TestStore, script: &str) -> Output {
    let address = machine.endpoint.as_str();
    barer_shell(machine)
        .env("AWS_ENDPOINT_URL", address)
        .args(["-c", script])
        .output()
        .unwrap()
}

/// Nor the store's address.
fn barer_shell(machine: &TestStore) -> Command {
    let mut command = machine.clean_command("sh");
    let tidelock = Path::new(env!("CARGO_BIN_EXE_tidelock")).parent().unwrap();
    let mut path = vec![tidelock.to_owned()];
    path.extend(std::env::split_paths(path_with_public_tools()));
    command.env("PATH", std::env::join_paths(path).unwrap());
    command
}

fn said(output: &Output) -> String {
    let both = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8(both).unwrap()
}

/// A library with all that a restore has to bring back, after two nights and an attack: a snapshot of a time to come, delete
/// markers and garbage over every key, by whoever stole the writer's key.
async fn attacked(store: TestStore) -> Job {
    let job = Job::new(store).await;
    job.library.file("2024/a b.jpg", 1_000);
    job.library.file("2024/caf\u{e9}/\u{1f642} #1%.jpg", 0);
    job.library.file("large.mov", 9 << 20);
    job.library.file("-rf", 3);
    job.library.file("gone.jpg", 3);
    job.run(0);
    job.library.remove("gone.jpg");
    job.library.write("2024/a b.jpg", b"edited");
    fs::create_dir(job.library.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("2024/a b.jpg", job.library.path().join("link")).unwrap();
    job.run(0);
    crate::forged::forge_snapshot(&job, "99981231T235959Z-0123abcd").await;
    for key in job.vault.keys().await {
        if key.starts_with("lib/files/") || key.starts_with("lib/snapshots/") {
            job.vault.put(&key, b"garbage").await;
            job.vault.delete(&key).await;
        }
    }
    job
}

/// A bare machine with the key of a role, where the store holds its users to policies.
fn machine_of(role: &str, job: &Job) -> TestStore {
    let (sync, backup) = (job.sync_to(), job.backup_to());
    match job.store.kind {
        StoreKind::Minio => user(
            &job.store,
            role,
            &["--sync-to", &sync, "--backup-to", &backup],
        ),
        StoreKind::Localstack => job.store.fresh_machine(),
    }
}

async fn the_page_leads_from_a_key_and_the_bucket_s_name_to_the_files(store: TestStore) {
    let job = attacked(store).await;
    let machine = machine_of("reader", &job);
    let commands = blocks("## 2. Get the files back\n");
    let steps: Vec<String> = commands[1].lines().map(|line| here(line, &job)).collect();
    let [list, snapshots, look, restore] = &steps[..] else {
        panic!("four steps: {steps:?}");
    };
    let output = shell(&machine, list);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let library = format!("--backup-to {}", job.backup_to());
    assert!(said(&output).contains(&library), "{}", said(&output));

    let output = shell(&machine, snapshots);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let newest = job.latest();
    assert!(said(&output).contains(newest["id"].as_str().unwrap()));

    let restored = machine.home().join("restored");
    let output = shell(&machine, look);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("download  4 files (9.0 MiB)"));
    assert!(!restored.exists());

    let output = shell(&machine, restore);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_same_tree(job.library.path(), &restored);

    // And the nightly runs begin again, from the file that the snapshot remembers.
    let again = here(blocks("## 3. Begin again\n")[0], &job);
    let output = shell(&machine, &again);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = shell(&machine, "tidelock run ~/restored --json");
    if job.store.kind == StoreKind::Minio {
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    }
    let writer = machine_of("writer", &job);
    let keys = format!(
        "AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
        writer.access_key, writer.secret_key
    );
    let output = shell(&machine, &format!("{keys} tidelock run ~/restored --json"));
    Ran::of(&output).ended(0).assert_idle();
}
on_both!(the_page_leads_from_a_key_and_the_bucket_s_name_to_the_files);

async fn the_page_leads_to_the_files_by_hand(store: TestStore) {
    let job = attacked(store).await;
    let machine = machine_of("reader", &job);
    let recipes = blocks("\n## By hand\n");
    let script = format!("{}\n{}", recipes[0], recipes[1]);
    let given = format!(
        "BUCKET={} PREFIX=lib/ FILE='2024/a b.jpg'\n",
        job.vault.name
    );
    // Without Tidelock: it is not on this machine's PATH.
    let mut command = machine.clean_command("sh");
    command
        .env("PATH", path_with_public_tools())
        .env("AWS_ENDPOINT_URL", &machine.endpoint)
        .args(["-c", &(given + &script)]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let restored = fs::read(machine.home().join("restored")).unwrap();
    assert_eq!(restored, b"edited");
    let library = machine.home().join("library");
    assert_same_files(job.library.path(), &library);
    assert!(library.join("empty").is_dir());
    let target = fs::read_link(library.join("link")).unwrap();
    assert_eq!(target, Path::new("2024/a b.jpg"));
}
on_both!(the_page_leads_to_the_files_by_hand);

async fn the_page_s_first_step_makes_a_stolen_key_useless(store: TestStore) {
    let (mirror, vault) = (store.bucket(Lock::Off).await, store.bucket(Lock::On).await);
    let targets = [
        "--sync-to",
        &format!("s3://{mirror}/lib"),
        "--backup-to",
        &format!("s3://{vault}/lib"),
    ];
    let writer = user(&store, "writer", &targets);
    let status = |who: &TestStore| {
        let mut command = who.tidelock("snapshots");
        let output = command.args(targets).output().unwrap();
        output.status.code()
    };
    assert_eq!(status(&writer), Some(0));
    let line = blocks("## 1. Revoke the stolen key\n")[1].trim();
    let line = line.replace("ALIAS", "test");
    let line = line.replace("tidelock-writer", &writer.access_key);
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[0], "mc");
    mc(&store, &words[1..]);
    assert_eq!(status(&writer), Some(2));
}
on_minio!(the_page_s_first_step_makes_a_stolen_key_useless);

async fn the_card_has_all_that_a_bare_machine_needs_and_no_secret(store: TestStore) {
    let job = attacked(store).await;
    let output = job.command("recovery-card").output().unwrap();
    let card = Ran::of(&output).ended(0).rows().remove(0);
    let expected = serde_json::json!({
        "endpoint": job.store.endpoint,
        "region": "us-east-1",
        "bucket": job.vault.name,
        "prefix": "lib",
        "reader": "tidelock-reader",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&card[name], value, "{name}");
    }
    let mut plain = job.store.tidelock("recovery-card");
    let plain = plain.args(["--backup-to", &job.backup_to(), "--reader", "ada"]);
    let printed = said(&plain.output().unwrap());
    for line in [&card["restore"], &card["init"], &card["list"]] {
        assert!(
            printed.contains(line.as_str().unwrap()),
            "{line}: {printed}"
        );
    }
    assert!(printed.contains("reader key  ada "), "{printed}");
    for text in [&printed, &card.to_string()] {
        assert!(!text.contains(&job.store.secret_key), "{text}");
    }

    let machine = job.store.fresh_machine();
    for line in [&card["restore"], &card["init"]] {
        let mut command = barer_shell(&machine);
        command.env_remove("AWS_REGION");
        let output = command.args(["-c", line.as_str().unwrap()]).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}: {}", said(&output));
    }
    assert_same_tree(job.library.path(), &machine.home().join("restored"));
}
on_minio!(the_card_has_all_that_a_bare_machine_needs_and_no_secret);

/// A snapshot is written by whoever has the writer's key, so what it says of the configuration is not believed blindly.
async fn a_configuration_is_rebuilt_and_never_over_one_that_is_there(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 1);
    let file = job.store.home().join("tidelock.toml");
    let text = format!(
        "state_dir = \"state\"\n[library]\npath = {:?}\nexclude = [\"*.tmp\"]\n[sync]\nto = {:?}\n[backup]\nto = {:?}\n\
         retention = \"3d\"\n[notify]\ncommand = \"true\"\n",
        job.library.path(),
        job.sync_to(),
        job.backup_to()
    );
    fs::write(&file, text).unwrap();
    let run = job.store.tidelock("run").arg("--json").output().unwrap();
    Ran::of(&run).ended(0);

    let machine = machine_of("reader", &job);
    let init = |more: &[&str]| {
        let mut command = machine.tidelock("init");
        command.args(["--json", "--from", &job.backup_to()]);
        Ran::of(&command.args(more).output().unwrap())
    };
    init(&["-n"]).ended(0);
    let file = machine.home().join("tidelock.toml");
    assert!(!file.exists());
    init(&[]).ended(0);
    let text = fs::read_to_string(&file).unwrap();
    let rebuilt: toml::Table = text.parse().unwrap();
    let at = |table: &str, key: &str| rebuilt[table][key].as_str().unwrap().to_owned();
    assert_eq!(at("library", "path"), job.library.path().to_str().unwrap());
    assert_eq!(at("sync", "to"), job.sync_to());
    assert_eq!(at("backup", "to"), job.backup_to());
    assert_eq!(at("backup", "retention"), "3d");
    assert_eq!(rebuilt["library"]["exclude"][0].as_str(), Some("*.tmp"));
    assert!(!rebuilt.contains_key("state_dir") && !rebuilt.contains_key("notify"));
    let (before, _) = text.split_once("\npath = ").unwrap();
    assert!(
        before.lines().last().unwrap().starts_with("# CHECK"),
        "{text}"
    );
    // The same library, the same targets: nothing is to be done.
    let writer = machine_of("writer", &job);
    let mut run = machine.std_tidelock("run");
    run.env("AWS_ACCESS_KEY_ID", &writer.access_key);
    run.env("AWS_SECRET_ACCESS_KEY", &writer.secret_key);
    let run = run.arg("--json").output().unwrap();
    Ran::of(&run).ended(0).assert_idle();

    fs::write(&file, "# mine\n").unwrap();
    let refused = init(&[]).ended(4);
    assert!(refused.errors().contains("not overwritten"), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");

    let bare = format!("s3://{}", job.vault.name);
    let other = machine.fresh_machine();
    let mut command: Command = other.std_tidelock("init");
    let output = command.args(["--json", "--from", &bare]).output().unwrap();
    let named = Ran::of(&output).ended(2).errors();
    assert!(
        named.contains(&format!("--from {}", job.backup_to())),
        "{named}"
    );
}
on_minio!(a_configuration_is_rebuilt_and_never_over_one_that_is_there);
