//! What a dry run foretells is what the run then does.

use crate::support::{Job, Ran, TestStore, on_both, on_minio};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Requests that change something: foretold one by one. What is read may differ by a few: a page, a lock read back.
fn writes(requests: &Value) -> BTreeMap<String, u64> {
    let all: &Map<String, Value> = requests.as_object().expect("requests");
    let reads = ["Get", "Head", "List"];
    let is_write = |name: &str| !reads.iter().any(|read| name.starts_with(read));
    let writes = all.iter().filter(|(name, _)| is_write(name));
    writes
        .map(|(name, count)| (name.clone(), count.as_u64().unwrap()))
        .collect()
}

fn sum(requests: &Value) -> u64 {
    let counts = requests.as_object().unwrap().values();
    counts.map(|count| count.as_u64().unwrap()).sum()
}

/// So many requests that read may come or go, whatever the library's size.
const FEW: u64 = 4;

/// Every path below a folder.
fn names(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(names(&path));
        }
        all.push(path);
    }
    all.sort();
    all
}

/// A dry run of that command, then the command.
#[track_caller]
fn assert_foretold(job: &Job, verb: &str, more: &[&str]) -> (Ran, Ran) {
    let dry = [more, &["--dry-run"]].concat();
    let dry = job.tidelock(verb, &dry).ended(0);
    let ran = job.tidelock(verb, more).ended(0);
    for side in ["sync", "backup"] {
        let (foretold, done) = (&dry.summary()["forecast"][side], &ran.summary()[side]);
        if done.is_null() {
            assert!(foretold.is_null(), "{side}: {foretold}");
            continue;
        }
        let what = format!("{verb} {side}: foretold {foretold}\ndone {done}");
        assert_eq!(
            writes(&foretold["requests"]),
            writes(&done["requests"]),
            "{what}"
        );
        let read_back = |requests: &Value| requests["GetObjectRetention"].as_u64().unwrap_or(0);
        assert_eq!(
            read_back(&foretold["requests"]),
            read_back(&done["requests"]),
            "{what}"
        );
        let (all, made) = (sum(&foretold["requests"]), sum(&done["requests"]));
        assert!(all.abs_diff(made) <= FEW, "{what}");
        let sent = done["bytes_uploaded"].as_u64().unwrap();
        assert_eq!(foretold["bytes_sent"], sent, "{what}");
    }
    (dry, ran)
}

async fn a_dry_run_foretells_the_requests_that_the_run_makes(store: TestStore) {
    let job = Job::new(store).await;
    for number in 0..70 {
        job.library.file(format!("{number:02}"), 1_000 + number);
    }
    job.library.file("large", 20 << 20);
    let (dry, _) = assert_foretold(&job, "run", &[]);
    let locks = &dry.summary()["forecast"]["locks"];
    assert_eq!(locks["mode"], "governance");
    assert!(locks["renewals_a_year"].as_u64() > Some(70), "{locks}");

    // A night in which nothing has changed, and one in which much has.
    assert_foretold(&job, "run", &[]);
    job.library.write("00", b"edited");
    job.library.rename("01", "moved");
    job.library.remove("02");
    job.library.file("large", (20 << 20) + 1);
    job.library.file("new/a", 3);
    assert_foretold(&job, "run", &[]);

    // Each target alone.
    job.library.write("03", b"edited too");
    assert_foretold(&job, "sync", &[]);
    assert_foretold(&job, "backup", &[]);

    // Sent to both.
    job.library.file("again", 30_000);
    job.library.file("large", (20 << 20) + 2);
    let mut command = job.command("run");
    command
        .args(["--dry-run"])
        .env("TIDELOCK_BACKUP_VIA", "upload");
    let dry = Ran::of(&command.output().unwrap()).ended(0);
    let mut command = job.command("run");
    let ran = Ran::of(
        &command
            .env("TIDELOCK_BACKUP_VIA", "upload")
            .output()
            .unwrap(),
    )
    .ended(0);
    let foretold = &dry.summary()["forecast"]["backup"];
    assert_eq!(
        writes(&foretold["requests"]),
        writes(&ran.summary()["backup"]["requests"])
    );
    assert_eq!(foretold["bytes_sent"], (20 << 20) + 2 + 30_000);
}

async fn what_cannot_be_deleted_until_when_is_foretold(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let dry = job.tidelock("run", &["-n", "--retention", "90d"]).ended(0);
    let ran = job.tidelock("run", &["--retention", "90d"]).ended(0);
    let day = |value: &Value| value.as_str().unwrap()[..10].to_owned();
    let until = day(&dry.summary()["forecast"]["locks"]["until"]);
    assert_eq!(until, day(&ran.summary()["backup"]["protected_until"]));
}

/// Whoever only looks leaves no trace: not in the buckets, and not on this machine.
async fn a_dry_run_leaves_nothing_behind(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let temporary = tempfile::tempdir().unwrap();
    let dry = || {
        let mut command = job.command("run");
        command.arg("-n").env("TMPDIR", temporary.path());
        Ran::of(&command.output().unwrap()).ended(0)
    };
    let at_home = || names(job.store.home());
    let before = at_home();
    dry();
    assert_eq!(at_home(), before);
    assert_eq!(temporary.path().read_dir().unwrap().count(), 0);
    assert!(job.mirror.keys().await.is_empty());
    assert!(job.vault.versions().await.is_empty());

    // On a machine that has a state, it is a cache and may grow; the buckets stay as they are.
    job.run(0);
    let stored = (job.mirror.objects().await, job.vault.versions().await);
    job.library.write("a", b"edited");
    dry();
    assert_eq!(
        (job.mirror.objects().await, job.vault.versions().await),
        stored
    );
}

async fn the_cost_is_that_of_the_provider_or_unknown(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let dry = job.tidelock("run", &["-n"]).ended(0);
    let forecast = &dry.summary()["forecast"];
    assert_eq!(forecast["sync"]["cost"], Value::Null);
    assert_eq!(forecast["seconds"], Value::Null);
    let mut command = job.command("run");
    command.args(["-n", "--bwlimit", "50"]);
    command.env("TIDELOCK_SYNC_PROVIDER", "b2");
    let dry = Ran::of(&command.output().unwrap()).ended(0);
    let forecast = &dry.summary()["forecast"];
    let prices = forecast["sync"]["cost"]["prices"].as_str().unwrap();
    assert!(prices.starts_with("Backblaze B2"), "{forecast}");
    assert_eq!(forecast["backup"]["cost"], Value::Null);
    assert_eq!(forecast["seconds"], 4, "100 bytes to each: {forecast}");
}

on_both!(
    a_dry_run_foretells_the_requests_that_the_run_makes,
    what_cannot_be_deleted_until_when_is_foretold,
);
on_minio!(
    a_dry_run_leaves_nothing_behind,
    the_cost_is_that_of_the_provider_or_unknown,
);
