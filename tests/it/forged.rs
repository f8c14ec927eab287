//! What whoever can write can put into a vault: records, snapshots, garbage. Here with every right, as on a store whose
//! keys can't be held to folders; the policies' own refusals are in [`crate::policies`].

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::support::{Job, TestStore, assert_same_tree, on_both};

fn id_at(time: Timestamp) -> String {
    format!("{}-0123abcd", time.strftime("%Y%m%dT%H%M%SZ"))
}

/// The id of a snapshot that would be the latest.
pub(crate) fn in_an_hour() -> String {
    id_at(Timestamp::now() + 1.hours())
}

/// An id's time, as snapshots write it.
pub(crate) fn time_of(id: &str) -> String {
    let text = format!("{} +0000", &id[..15]);
    let time = Timestamp::strptime("%Y%m%dT%H%M%S %z", text).unwrap();
    time.to_string()
}

/// Three nights, and what restores of them come to.
async fn three_nights(store: TestStore) -> (Job, Vec<String>, Vec<tempfile::TempDir>) {
    let job = Job::new(store).await;
    let (mut ids, mut trees) = (Vec::new(), Vec::new());
    for night in 0..3 {
        job.library.file(format!("night {night}"), 100 + night);
        job.library
            .write("each night", format!("{night}").as_bytes());
        ids.push(job.run(0).snapshot());
        trees.push(job.restore(&[]));
    }
    (job, ids, trees)
}

/// A prune record that names these as they are.
async fn forge_record(job: &Job, name: &str, ids: &[String]) {
    let mut lines = Vec::new();
    for id in ids {
        let object = job
            .vault
            .get(&format!("lib/snapshots/{id}.json"), None)
            .await;
        let blake3 = blake3::hash(&object).to_hex().to_string();
        lines.push(json!({"id": id, "blake3": blake3, "parent": null}));
    }
    let record = json!({"format": 1, "time": "2026-01-01T00:00:00Z", "dropped": lines});
    let key = format!("lib/prunes/{name}.json");
    job.vault.put(&key, record.to_string().as_bytes()).await;
}

fn pending(job: &Job) -> Vec<(String, bool)> {
    let rows = job.tidelock("snapshots", &[]).ended(0).rows();
    let row = |row: &Value| {
        let id = row["id"].as_str().unwrap().to_owned();
        (id, row["prune_pending"].as_bool().unwrap())
    };
    rows.iter().map(row).collect()
}

/// An administrator's mistake, or MinIO's lenience, has made every lock short; `renew` brings back those that it knows.
async fn lower_all(job: &Job) {
    let client = &job.vault.client;
    for version in job.vault.versions_below("lib/").await {
        if job.vault.lock_of(&version).await.is_none() {
            continue;
        }
        let until = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400);
        let lock = aws_sdk_s3::types::ObjectLockRetention::builder()
            .mode(aws_sdk_s3::types::ObjectLockRetentionMode::Governance)
            .retain_until_date(until.into())
            .build();
        let lower = client.put_object_retention().bucket(&job.vault.name);
        let lower = lower.key(&version.key).version_id(&version.version_id);
        let lower = lower.retention(lock).bypass_governance_retention(true);
        lower.send().await.unwrap();
    }
}

async fn shortly_locked(job: &Job, folder: &str) -> Vec<String> {
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(20 * 86_400);
    let mut short = Vec::new();
    for version in job.vault.versions_below(&format!("lib/{folder}/")).await {
        let (_, until) = job.vault.lock_of(&version).await.expect("a lock");
        if until < soon.into() {
            short.push(version.key);
        }
    }
    short
}

async fn f56_a_forged_prune_record_hides_no_snapshot_and_ends_no_renewal(store: TestStore) {
    let (job, ids, trees) = three_nights(store).await;
    let all: Vec<_> = ids.iter().map(|id| (id.clone(), false)).collect();
    assert_eq!(pending(&job), all);
    forge_record(&job, "20260101T000000Z-00000000", &ids[..2]).await;
    // Over the pins: a delete marker, and a newer version.
    job.vault.put(&format!("lib/pins/{}", ids[0]), b"").await;
    job.vault.delete(&format!("lib/pins/{}", ids[1])).await;

    let marked = ids.iter().cloned().zip([true, true, false]);
    let marked: Vec<_> = marked.collect();
    assert_eq!(pending(&job), marked);
    let verified = job.tidelock("verify", &[]).ended(0);
    for id in &ids[..2] {
        let warned = verified.lines.iter().any(|line| {
            let text = line["message"].as_str().unwrap_or_default();
            line["event"] == "warning" && text.contains(id) && text.contains("forged")
        });
        assert!(warned, "{id}: {verified:?}");
    }
    for (id, tree) in ids.iter().zip(&trees) {
        assert_same_tree(tree.path(), job.restore(&["--snapshot", id]).path());
    }
    let at = time_of(&ids[0]);
    assert_same_tree(trees[0].path(), job.restore(&["--at", &at]).path());
    lower_all(&job).await;
    job.tidelock("renew", &[]).ended(0);
    for folder in ["files", "manifests", "snapshots"] {
        assert_eq!(shortly_locked(&job, folder).await, [""; 0], "{folder}");
    }

    // Who may delete versions prunes, whatever was forged; and no pin brings anything back.
    let mut prune = job.command("prune");
    prune.env("TIDELOCK_BACKUP_KEEP_LAST", "1");
    let pruned = crate::support::Ran::of(&prune.output().unwrap()).ended(0);
    let dropped = pruned.lines.iter().filter(|line| {
        let text = line["message"].as_str().unwrap_or_default();
        line["event"] == "note" && text.ends_with(" dropped")
    });
    assert_eq!(dropped.count(), 2, "{pruned:?}");
    assert_eq!(pending(&job), [(ids[2].clone(), false)]);
    job.vault.put(&format!("lib/pins/{}", ids[0]), b"").await;
    assert_eq!(pending(&job), [(ids[2].clone(), false)]);
    job.tidelock("verify", &[]).ended(0);
    lower_all(&job).await;
    job.tidelock("renew", &[]).ended(0);
    assert_eq!(shortly_locked(&job, "snapshots").await.len(), 2);
}
on_both!(f56_a_forged_prune_record_hides_no_snapshot_and_ends_no_renewal);

/// A copy of the latest under another id, with another content of nothing.
pub(crate) async fn forge_snapshot(job: &Job, id: &str) {
    let mut snapshot = job.vault.latest_snapshot().await.json;
    snapshot["id"] = json!(id);
    snapshot["time"] = json!(time_of(id));
    snapshot["manifest"] = json!([]);
    snapshot["files"] = json!(0);
    snapshot["bytes"] = json!(0);
    let bytes = serde_json::to_vec(&snapshot).unwrap();
    let key = format!("lib/snapshots/{id}.json");
    job.vault.put(&key, &bytes).await;
}

async fn f56_a_snapshot_of_a_time_to_come_counts_for_nothing(store: TestStore) {
    let (job, ids, _) = three_nights(store).await;
    let forged = "99981231T235959Z-0123abcd";
    forge_snapshot(&job, forged).await;
    job.library.write("each night", b"one more");
    let next = job.run(0).snapshot();
    assert!(*next > *ids[2] && *next < *forged, "{next}");
    assert_eq!(job.latest()["id"], next.as_str());
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    let verified = job.tidelock("verify", &[]).ended(5).errors();
    assert!(
        verified.contains(forged) && verified.contains("forged"),
        "{verified}"
    );
}
on_both!(f56_a_snapshot_of_a_time_to_come_counts_for_nothing);

async fn f56_a_snapshot_put_into_the_past_is_told_of_and_was_not_there_then(store: TestStore) {
    let (job, ids, trees) = three_nights(store).await;
    let forged = id_at(Timestamp::now() - 50.hours());
    forge_snapshot(&job, &forged).await;
    let then = (Timestamp::now() - 49.hours()).to_string();
    let to = tempfile::tempdir().unwrap();
    let to = ["--to", to.path().to_str().unwrap(), "--at", &then];
    let refused = job.tidelock("restore", &to).ended(2).errors();
    assert!(refused.contains("no snapshot from"), "{refused}");
    let verified = job.tidelock("verify", &[]);
    let warned = verified.lines.iter().any(|line| {
        let text = line["message"].as_str().unwrap_or_default();
        line["event"] == "warning"
            && text.contains(&forged)
            && text.contains("more than a day after")
    });
    assert!(warned, "{verified:?}");
    // The policy counts the true ones alone.
    let mut prune = job.command("prune");
    prune.args(["-n"]).env("TIDELOCK_BACKUP_KEEP_LAST", "3");
    let pruned = crate::support::Ran::of(&prune.output().unwrap()).ended(0);
    let would: Vec<_> = pruned
        .lines
        .iter()
        .filter_map(|line| line["message"].as_str()?.strip_prefix("snapshot "))
        .collect();
    assert_eq!(would, [format!("{forged} would be dropped")]);
    assert_same_tree(
        trees[2].path(),
        job.restore(&["--snapshot", &ids[2]]).path(),
    );
}
on_both!(f56_a_snapshot_put_into_the_past_is_told_of_and_was_not_there_then);

async fn f56_garbage_as_the_newest_snapshot_does_not_end_the_nights(store: TestStore) {
    let (job, ids, _) = three_nights(store).await;
    let forged = in_an_hour();
    let key = format!("lib/snapshots/{forged}.json");
    job.vault.put(&key, b"{\"format\":1}").await;
    job.library.write("each night", b"one more");
    let ran = job.run(5);
    let next = ran.snapshot();
    let said = ran.errors();
    assert!(said.contains(&forged) && said.contains(&ids[2]), "{said}");
    assert_eq!(ran.count("sync.uploaded"), 1);
    assert_same_tree(
        job.library.path(),
        job.restore(&["--snapshot", &next]).path(),
    );
    job.tidelock("verify", &[]).ended(5);

    for version in job.vault.versions_below(&key).await {
        let delete = job.vault.client.delete_object().bucket(&job.vault.name);
        let delete = delete.key(&key).version_id(version.version_id);
        delete.send().await.unwrap();
    }
    job.run(0).assert_idle();
    job.tidelock("verify", &[]).ended(0);
}
on_both!(f56_garbage_as_the_newest_snapshot_does_not_end_the_nights);

/// The latest snapshot, its entries changed: a manifest of one chunk, under a new id a second later. Whoever can write can
/// do so, properly chained.
async fn forge_manifest(job: &Job, change: impl FnOnce(&mut Vec<Value>)) -> String {
    let latest = job.vault.latest_snapshot().await;
    let mut entries = latest.entries().await;
    change(&mut entries);
    let lines: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    let blake3 = blake3::hash(lines.as_bytes()).to_hex().to_string();
    let key = format!("lib/manifests/{blake3}.jsonl.zst");
    let packed = zstd::encode_all(lines.as_bytes(), 3).unwrap();
    job.vault.put(&key, &packed).await;
    let version = job.vault.versions_below(&key).await.remove(0).version_id;

    let mut snapshot = latest.json.clone();
    let parent = snapshot["id"].as_str().unwrap().to_owned();
    let object = job
        .vault
        .get(&format!("lib/snapshots/{parent}.json"), None)
        .await;
    let id = id_at(time_of(&parent).parse::<Timestamp>().unwrap() + 1.seconds());
    snapshot["id"] = json!(id);
    snapshot["time"] = json!(time_of(&id));
    snapshot["parent"] = json!(parent);
    snapshot["parent_blake3"] = json!(blake3::hash(&object).to_hex().to_string());
    snapshot["manifest"] = json!([{
        "key": key, "version_id": version, "blake3": blake3, "size": lines.len(), "entries": entries.len(),
        "first": entries[0]["path"], "locked_until": latest.json["manifest"][0]["locked_until"],
    }]);
    let bytes = serde_json::to_vec(&snapshot).unwrap();
    job.vault
        .put(&format!("lib/snapshots/{id}.json"), &bytes)
        .await;
    id
}

/// Size and time as they are, and other content: what a night believes, as from a fresh machine it must. The page says to
/// begin again with `--checksum` after a theft.
async fn f56_after_a_theft_a_run_with_checksum_stores_again_what_a_forged_snapshot_lies_of(
    store: TestStore,
) {
    let (job, _, trees) = three_nights(store).await;
    let key = "lib/files/night 1";
    let garbage = vec![7; 101];
    job.vault.put(key, &garbage).await;
    let head = job.vault.head(key).await;
    let version = head.version_id().unwrap().to_owned();
    let etag = head.e_tag().unwrap().trim_matches('"').to_owned();
    let crc = tidelock::model::Crc64::of(&garbage).to_base64();
    let forged = forge_manifest(&job, |entries| {
        let entry = entries
            .iter_mut()
            .find(|entry| entry["path"] == "night 1")
            .unwrap();
        assert_eq!(entry["size"], 101);
        entry["blake3"] = json!(blake3::hash(&garbage).to_hex().to_string());
        entry["crc64nvme"] = json!(crc);
        entry["version_id"] = json!(version);
        entry["etag"] = json!(etag);
    })
    .await;
    let ran = job.tidelock("run", &["--checksum"]).ended(0);
    assert!(*ran.snapshot() > *forged);
    assert_same_tree(trees[2].path(), job.restore(&[]).path());
    assert_eq!(ran.count("backup.uploaded"), 1);
}
on_both!(f56_after_a_theft_a_run_with_checksum_stores_again_what_a_forged_snapshot_lies_of);

/// Into a folder where an earlier restore has put a symlink that the snapshot really has.
async fn f50_f51_a_forged_manifest_writes_nothing_outside_of_the_folder(store: TestStore) {
    let job = Job::new(store).await;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("mine"), b"mine").unwrap();
    job.library.file("a", 10);
    std::os::unix::fs::symlink(outside.path(), job.library.path().join("way")).unwrap();
    job.run(0);
    let to = tempfile::tempdir().unwrap();
    let folder = to.path().join("restored");
    let at = folder.to_str().unwrap();
    job.tidelock("restore", &["--to", at]).ended(0);
    assert!(folder.join("way").is_symlink());

    let target = outside.path().to_str().unwrap().to_owned();
    forge_manifest(&job, |entries| {
        let file = entries
            .iter()
            .find(|entry| entry["path"] == "a")
            .unwrap()
            .clone();
        let mut add = |path: &str, more: Value| {
            let mut entry = file.clone();
            entry["path"] = json!(path);
            let more = more.as_object().unwrap().clone();
            entry.as_object_mut().unwrap().extend(more);
            entries.push(entry);
        };
        add("../above", json!({}));
        add("/tmp/tidelock-absolute", json!({}));
        add("b/../../above", json!({}));
        add("c\u{0}d", json!({}));
        add("linked", json!({"hardlink": "../../mine"}));
        add(
            "linked outside",
            json!({"hardlink": format!("{target}/mine")}),
        );
        add("linked through", json!({"hardlink": "way/mine"}));
        add("way/mine", json!({}));
        add("way/new", json!({}));
        entries.sort_by_key(|entry| entry["path"].as_str().unwrap().to_owned());
    })
    .await;
    for more in [&["--to", at][..], &["--overwrite", "--to", at]] {
        let ran = job.tidelock("restore", more);
        assert_eq!(ran.exit, Some(5), "{ran:?}");
        assert_eq!(std::fs::read(outside.path().join("mine")).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 1);
        assert!(!std::path::Path::new("/tmp/tidelock-absolute").exists());
        assert!(folder.join("a").is_file());
    }
}
on_both!(f50_f51_a_forged_manifest_writes_nothing_outside_of_the_folder);
