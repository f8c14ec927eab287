//! The local state is a cache: whatever becomes of it, nothing is sent twice and nothing is lost.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Output;

use rusqlite::Connection;

use crate::support::{Bucket, Job, Ran, TestStore, assert_same_tree, is_root, on_minio};

/// A job that has run once, on 30 files.
async fn begun(store: TestStore) -> Job {
    let job = Job::new(store).await;
    for n in 0..30 {
        job.library.file(format!("{}/{n:02}", n % 3), 100 + n);
    }
    job.run(0);
    job
}

/// The one state file of this machine.
fn state_of(job: &Job) -> PathBuf {
    let folder = job.store.home().join(".local/state/tidelock");
    let files = fs::read_dir(folder).unwrap();
    let mut states: Vec<PathBuf> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "sqlite"))
        .collect();
    assert_eq!(states.len(), 1, "{states:?}");
    states.remove(0)
}

fn said_set_aside(ran: &Ran) -> bool {
    let warnings = ran.lines.iter().filter(|line| line["event"] == "warning");
    let mut warnings = warnings.filter_map(|line| line["message"].as_str());
    warnings.any(|warning| warning.contains("set aside"))
}

async fn f17_a_broken_state_is_set_aside_and_nothing_is_sent_again(store: TestStore) {
    type Damage = (&'static str, fn(&PathBuf));
    let damages: [Damage; 4] = [
        ("garbage", |state| {
            fs::write(state, b"not a database").unwrap()
        }),
        ("truncated", |state| {
            let file = File::options().write(true).open(state).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("pages overwritten", |state| {
            let file = File::options().write(true).open(state).unwrap();
            let len = file.metadata().unwrap().len() as usize;
            file.write_all_at(&vec![0x5a; len - 4096], 4096).unwrap();
        }),
        ("empty", |state| fs::write(state, b"").unwrap()),
    ];
    let job = begun(store).await;
    for (what, damage) in damages {
        let state = state_of(&job);
        damage(&state);
        let ran = job.run(0);
        ran.assert_idle();
        assert!(said_set_aside(&ran), "{what}: {ran:?}");
        job.run(0).assert_idle();
    }
    job.library.remove("0/00");
    assert_eq!(job.run(0).paths("delete", "sync"), ["0/00"]);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

/// As where a whole home folder is the library.
async fn a_state_in_the_library_is_no_part_of_it(store: TestStore) {
    let job = Job::new(store).await;
    let own = job.library.dir("m");
    let own = ["--state-dir", own.to_str().unwrap()];
    for night in 1..3 {
        for n in 0..80 {
            job.library
                .file(format!("{}/{n}", ["a", "z"][n % 2]), 100 + night + n);
        }
        job.library.write("m/photos.sqlite", b"somebody's");
        job.tidelock("run", &own).ended(0);
    }
    let keys = job.mirror.keys().await;
    let in_folder: Vec<&String> = keys.iter().filter(|key| key.contains("/m/")).collect();
    assert_eq!(in_folder, ["lib/m/photos.sqlite"]);
    assert_eq!(keys.len(), 81);
}

async fn f17_a_newer_state_stops_and_is_left_as_it_is(store: TestStore) {
    let job = begun(store).await;
    let state = state_of(&job);
    let newer = Connection::open(&state).unwrap();
    newer.pragma_update(None, "user_version", 9_999).unwrap();
    drop(newer);
    let before = fs::read(&state).unwrap();
    let (mirror, vault) = (job.mirror.objects().await, job.vault.versions().await);

    job.library.file("new", 10);
    let ran = job.tidelock("run", &[]);
    assert!(matches!(ran.exit, Some(1..=4)), "{ran:?}");
    let said = ran.errors();
    assert!(
        said.contains("newer") && said.contains(state.to_str().unwrap()),
        "{said}"
    );
    assert_eq!(fs::read(&state).unwrap(), before);
    assert_eq!(job.mirror.objects().await, mirror);
    assert_eq!(job.vault.versions().await, vault);
}

/// From a backup of the home folder, say. What it remembers was true once.
async fn f18_an_old_state_put_back_is_noticed(store: TestStore) {
    let job = begun(store).await;
    let state = state_of(&job);
    let old = fs::read(&state).unwrap();
    job.library.write("0/00", b"edited");
    job.library.write("0/03", b"edited, and back soon");
    job.library.rename("1/01", "moved");
    job.library.remove("2/02");
    job.library.file("new", 10);
    job.run(0);
    job.run(0);
    fs::write(&state, &old).unwrap();

    job.run(0).assert_idle();
    assert_same_tree(job.library.path(), job.restore(&[]).path());

    // And where the old copy comes back together with changes that it has not seen either.
    job.library.remove("0/00");
    job.library.write("1/04", b"edited later");
    fs::write(&state, &old).unwrap();
    let ran = job.run(0);
    assert_eq!(ran.paths("delete", "sync"), ["0/00"]);
    ran.assert_counts(&[("backup.uploaded", 1), ("sync.uploaded", 1)]);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

/// A file system of its own, for one process and its children: nothing is left behind.
const SMALL_DISK: &str = r#"
    mount -t tmpfs -o size=300k none "$1" || exit 99
    shift
    "$@" >full.out 2>full.err
    echo $? >full.code
    mount -o remount,size=64m "$0" || exit 99
    "$@" >again.out 2>again.err
    echo $? >again.code
"#;

async fn f19_a_full_disk_under_the_state_is_a_clean_stop_and_the_next_run_converges(
    store: TestStore,
) {
    let job = Job::new(store).await;
    for n in 0..900 {
        let path = format!("a folder with a long name, so that rows are large/{n:04}");
        job.library.file(path, 10);
    }
    let disk = job.store.home().join("disk");
    fs::create_dir(&disk).unwrap();
    let plain = job.command("run");
    let mut command = job.store.clean_command("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--mount", "sh", "-c", SMALL_DISK])
        .arg(&disk)
        .arg(&disk);
    command.arg(plain.get_program()).args(plain.get_args());
    let status = command.arg("--state-dir").arg(&disk).status().unwrap();
    assert!(
        status.success(),
        "no file system of one's own here: {status}"
    );

    let read = |name: &str| fs::read(job.store.home().join(name)).unwrap();
    let ran = |name: &str| {
        let code = String::from_utf8(read(&format!("{name}.code"))).unwrap();
        let code: i32 = code.trim().parse().unwrap();
        assert!(code < 126, "{name}: killed");
        let ran = Ran::of(&Output {
            status: std::os::unix::process::ExitStatusExt::from_raw(code << 8),
            stdout: read(&format!("{name}.out")),
            stderr: read(&format!("{name}.err")),
        });
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran
    };
    let full = ran("full").ended(7);
    let said = full.errors();
    assert!(said.contains("full") || said.contains("No space"), "{said}");
    assert!(said.contains(disk.to_str().unwrap()), "{said}");
    assert_eq!(full.count("sync.deleted"), 0);

    ran("again").ended(0);
    assert_each_version_once(&job.vault).await;
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    assert_eq!(job.mirror.keys().await.len(), 900);
}

async fn assert_each_version_once(vault: &Bucket) {
    let versions = vault.versions_below("lib/files/").await;
    let mut keys: Vec<&str> = versions.iter().map(|version| &*version.key).collect();
    keys.sort_unstable();
    let all = keys.len();
    keys.dedup();
    assert_eq!(all, keys.len(), "something is locked twice");
}

async fn f20_a_filter_that_hides_the_library_deletes_nothing(store: TestStore) {
    let job = begun(store).await;
    let ran = job
        .tidelock("run", &["--exclude", "/0/", "--exclude", "/1/"])
        .ended(4);
    assert_eq!(ran.paths("refuse", "sync").len(), 20);
    assert_eq!(job.mirror.keys().await.len(), 30);
    assert_eq!(job.vault.latest_snapshot().await.entries().await.len(), 30);
    job.run(0).assert_idle();
    assert!(job.vault.latest_snapshot().await.is_complete());
}

async fn f20_another_library_at_the_same_targets_deletes_nothing(store: TestStore) {
    let mut job = begun(store).await;
    let other = crate::support::Library::new();
    other.file("another", 10);
    let first = std::mem::replace(&mut job.library, other);
    let ran = job.run(4);
    assert!(ran.errors().contains("--max-delete 30"), "{}", ran.errors());
    assert_eq!(job.mirror.keys().await.len(), 31);
    let latest = job.vault.latest_snapshot().await;
    assert_eq!(latest.entries().await.len(), 31);
    assert!(!latest.is_complete());
    drop(first);
}

/// To another prefix of the same bucket, and to one where others already are.
async fn f20_another_prefix_deletes_nothing_at_either(store: TestStore) {
    let job = begun(store).await;
    let run = |sync: &str, backup: &str| {
        let mut command = job.store.std_tidelock("run");
        command.arg(job.library.path()).arg("--json");
        command.args(["--sync-to", &format!("s3://{}/{sync}", job.mirror.name)]);
        command.args(["--backup-to", &format!("s3://{}/{backup}", job.vault.name)]);
        Ran::of(&command.output().unwrap())
    };
    for n in 0..15 {
        job.mirror
            .put(&format!("elsewhere/theirs/{n}"), b"another's")
            .await;
    }
    let before = job.vault.versions_below("lib/files/").await;
    let ran = run("elsewhere", "lib").ended(4);
    assert_eq!(ran.count("sync.deleted"), 0);
    // The versions are there already; nothing of them is written twice.
    assert_eq!(job.vault.versions_below("lib/files/").await, before);
    let keys = job.mirror.keys().await;
    let at = |prefix: &str| keys.iter().filter(|key| key.starts_with(prefix)).count();
    assert_eq!(
        (at("lib/"), at("elsewhere/theirs/"), at("elsewhere/")),
        (30, 15, 45)
    );

    let ran = run("lib", "other").ended(0);
    ran.assert_counts(&[
        ("sync.deleted", 0),
        ("sync.uploaded", 0),
        ("backup.uploaded", 30),
    ]);
    assert_eq!(job.vault.versions_below("lib/files/").await, before);
    job.run(0).assert_idle();
}

on_minio!(
    a_state_in_the_library_is_no_part_of_it,
    f17_a_broken_state_is_set_aside_and_nothing_is_sent_again,
    f17_a_newer_state_stops_and_is_left_as_it_is,
    f18_an_old_state_put_back_is_noticed,
    f19_a_full_disk_under_the_state_is_a_clean_stop_and_the_next_run_converges,
    f20_a_filter_that_hides_the_library_deletes_nothing,
    f20_another_library_at_the_same_targets_deletes_nothing,
    f20_another_prefix_deletes_nothing_at_either,
);
