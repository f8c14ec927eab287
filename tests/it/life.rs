//! The backup's whole life on real stores: verify, renew, history, diff, status, after what an
//! administrator or an attacker with every right can do to a vault.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ObjectLockRetention, ObjectLockRetentionMode};
use serde_json::Value;

use crate::support::{
    Fault, Library, Lock, Proxy, Rule, TestStore, assert_same_files, contents, on_both,
};

struct Home {
    store: TestStore,
    library: Library,
    bucket: String,
}

/// What a command printed, line by line, and its exit code.
struct Said {
    code: i32,
    rows: Vec<Value>,
}

impl Said {
    fn summary(&self) -> &Value {
        self.rows.last().expect("a summary")
    }

    fn requests(&self, name: &str) -> u64 {
        self.summary()["backup"]["requests"][name]
            .as_u64()
            .unwrap_or(0)
    }

    /// Rows about this path.
    fn of(&self, path: &str) -> Vec<&Value> {
        self.rows
            .iter()
            .filter(|row| row["path"] == path && row["event"].is_null())
            .collect()
    }
}

impl Home {
    async fn new(store: TestStore) -> Self {
        let bucket = store.bucket(Lock::On).await;
        let library = Library::new();
        for (path, size) in [("2024/a.jpg", 3_000), ("2024/b c.jpg", 10), ("x", 1)] {
            library.file(path, size);
        }
        Self {
            store,
            library,
            bucket,
        }
    }

    fn target(&self) -> String {
        format!("s3://{}/library", self.bucket)
    }

    fn say_on(&self, machine: &TestStore, verb: &str, arguments: &[&str]) -> Said {
        let library = self.library.path().to_str().unwrap();
        let flags = [
            "--json",
            "--library",
            library,
            "--backup-to",
            &self.target(),
        ];
        let output = machine
            .tidelock(verb)
            .args(arguments)
            .args(flags)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        Said {
            code: output.status.code().unwrap(),
            rows: text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        }
    }

    fn say(&self, verb: &str, arguments: &[&str]) -> Said {
        self.say_on(&self.store, verb, arguments)
    }

    /// Does it and expects this exit code.
    fn expect(&self, code: i32, verb: &str, arguments: &[&str]) -> Said {
        let said = self.say(verb, arguments);
        assert_eq!(said.code, code, "{verb} {arguments:?}: {:#?}", said.rows);
        said
    }

    /// The versions below a folder of the layout, newest first for each key: key, version, marker.
    async fn versions(&self, folder: &str) -> Vec<(String, String, bool)> {
        let listed = self
            .store
            .client()
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(format!("library/{folder}"))
            .send()
            .await
            .unwrap();
        let version = |key: Option<&str>, id: Option<&str>, marker| {
            (key.unwrap().to_owned(), id.unwrap().to_owned(), marker)
        };
        let versions = listed.versions().iter();
        let markers = listed.delete_markers().iter();
        versions
            .map(|it| version(it.key(), it.version_id(), false))
            .chain(markers.map(|it| version(it.key(), it.version_id(), true)))
            .collect()
    }

    /// Deletes one version past its lock.
    async fn destroy(&self, key: &str, version: &str) {
        let client = self.store.client();
        let delete = client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .version_id(version);
        delete
            .bypass_governance_retention(true)
            .send()
            .await
            .unwrap();
    }

    async fn put(&self, key: &str, body: Vec<u8>) {
        let client = self.store.client();
        let put = client.put_object().bucket(&self.bucket).key(key);
        put.body(ByteStream::from(body)).send().await.unwrap();
    }

    async fn lower(&self, key: &str, version: &str) {
        let until = SystemTime::now() + Duration::from_secs(86_400);
        let retention = ObjectLockRetention::builder()
            .mode(ObjectLockRetentionMode::Governance)
            .retain_until_date(DateTime::from(until))
            .build();
        let client = self.store.client();
        let lower = client
            .put_object_retention()
            .bucket(&self.bucket)
            .key(key)
            .version_id(version);
        lower
            .retention(retention)
            .bypass_governance_retention(true)
            .send()
            .await
            .unwrap();
    }

    fn restores(&self, arguments: &[&str], like: &std::path::Path) {
        let machine = self.store.fresh_machine();
        let to = machine.home().join("restored");
        let target = self.target();
        let mut restore = machine.tidelock("restore");
        restore
            .args(["--to", to.to_str().unwrap(), "--backup-to", &target])
            .args(arguments);
        restore.assert().success();
        assert_same_files(like, &to);
    }
}

async fn f44_a_version_that_is_gone_is_named_then_stored_again_by_the_next_run(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    home.expect(0, "verify", &["--read-data"]);
    let versions = home.versions("files/").await;
    for (key, version, _) in versions.iter().filter(|(key, ..)| !key.ends_with("/x")) {
        home.destroy(key, version).await;
    }
    let renewed = home.expect(5, "renew", &[]);
    assert_eq!(renewed.summary()["backup"]["failed"], 2);
    let said = home.expect(5, "verify", &[]);
    let rows = said.of("2024/a.jpg");
    assert_eq!(rows[0]["problem"], "gone");
    assert_eq!(rows[0]["snapshots"].as_array().unwrap().len(), 1);
    home.library.remove("2024/a.jpg");
    let run = home.expect(0, "backup", &["--allow-empty"]);
    assert_eq!(run.summary()["backup"]["uploaded"], 1);
    // The one that the library still had is healed, for the first snapshot too; the other is not.
    let said = home.expect(5, "verify", &[]);
    assert!(
        said.of("2024/b c.jpg")
            .iter()
            .all(|row| row["healed_by"].is_string())
    );
    assert!(
        said.of("2024/a.jpg")
            .iter()
            .all(|row| row["healed_by"].is_null())
    );
    assert_eq!(said.summary()["backup"]["failed"], 1);
    home.restores(&[], home.library.path());
}
on_both!(f44_a_version_that_is_gone_is_named_then_stored_again_by_the_next_run);

async fn f43_renew_changes_no_fresh_lock_and_brings_back_lowered_ones(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    home.library.write("x", b"another");
    home.expect(0, "backup", &[]);
    let fresh = home.expect(0, "renew", &[]);
    assert_eq!(
        fresh.requests("PutObjectRetention"),
        0,
        "{:?}",
        fresh.summary()
    );
    let mut all = Vec::new();
    for folder in ["files/", "manifests/", "snapshots/"] {
        all.extend(home.versions(folder).await);
    }
    assert_eq!(all.len(), 4 + 2 + 2);
    for (key, version, _) in &all {
        home.lower(key, version).await;
    }
    let said = home.expect(5, "verify", &[]);
    assert!(said.of("x").iter().all(|row| row["problem"] == "lock"));
    // On a machine without any state.
    let machine = home.store.fresh_machine();
    let said = home.say_on(&machine, "renew", &[]);
    assert_eq!(
        (said.code, said.summary()["backup"]["renewed"].as_u64()),
        (0, Some(8))
    );
    home.expect(0, "verify", &[]);
    let again = home.expect(0, "renew", &[]);
    assert_eq!(again.requests("PutObjectRetention"), 0);
}
on_both!(f43_renew_changes_no_fresh_lock_and_brings_back_lowered_ones);

async fn f40_a_store_that_only_says_it_extends_locks_is_found_out(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    let all = home.versions("").await;
    let unlocked = ["/.tidelock/", "/pins/"];
    let is_locked = |key: &str| !unlocked.iter().any(|folder| key.contains(folder));
    let locked = all.iter().filter(|(key, ..)| is_locked(key));
    for (key, version, _) in locked.clone() {
        home.lower(key, version).await;
    }
    let proxy = Proxy::new(&home.store, 1);
    proxy.plan(Rule::always(Fault::Pretend).on("PutObjectRetention"));
    let said = home.say_on(&proxy.store(&home.store), "renew", &[]);
    assert_eq!(said.code, 5, "{:#?}", said.rows);
    let summary = &said.summary()["backup"];
    assert_eq!(summary["renewed"], 0);
    assert_eq!(summary["at_risk"], locked.count());
    assert!(said.summary().to_string().contains("and did not"));
    proxy.clear();
    // Nobody was told that anything is locked for longer.
    assert_eq!(home.versions("locks/").await, []);
    let renewed = home.expect(0, "renew", &[]);
    // The first that was extended, and no more than were under way by then.
    let renewed = renewed.summary()["backup"]["renewed"].as_u64();
    assert_eq!(renewed, Some(3 + 1 + 1));
}
on_both!(f40_a_store_that_only_says_it_extends_locks_is_found_out);

async fn f44_a_run_with_checksum_finds_versions_gone_and_stores_them_again(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    let mut gone = home.versions("files/").await;
    gone.retain(|(key, ..)| !key.ends_with("/x"));
    gone.extend(home.versions("manifests/").await);
    for (key, version, _) in &gone {
        home.destroy(key, version).await;
    }
    // Fresh locks give no reason to look: the state alone would go on for days.
    assert_eq!(
        home.expect(0, "backup", &[]).summary()["backup"]["uploaded"],
        0
    );
    let healed = home.expect(0, "backup", &["--checksum"]);
    assert_eq!(healed.summary()["backup"]["uploaded"], 2);
    home.restores(&[], home.library.path());
    let again = home.expect(0, "backup", &["--checksum"]);
    assert_eq!(again.summary()["backup"]["uploaded"], 0);
}
on_both!(f44_a_run_with_checksum_finds_versions_gone_and_stores_them_again);

async fn f44_what_is_gone_from_both_is_named_by_a_run_with_checksum(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    for (key, version, _) in home.versions("files/x").await {
        home.destroy(&key, &version).await;
    }
    home.library.write("x", b"other");
    let said = home.expect(5, "backup", &["--checksum"]);
    let errors = said.summary()["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["path"], "x");
    home.restores(&[], home.library.path());
}
on_both!(f44_what_is_gone_from_both_is_named_by_a_run_with_checksum);

/// As f33 for the mirror: a listing that ends early must not make second locked copies.
async fn f44_versions_that_a_listing_lacks_are_asked_for_before_they_count_as_gone(
    store: TestStore,
) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    let before = home.versions("files/").await;
    let proxy = Proxy::new(&home.store, 1);
    // The first listings are of snapshots, locks and prune records.
    proxy.plan(
        Rule::once(Fault::EmptyPage)
            .on("ListObjectVersions")
            .skip(3)
            .times(2),
    );
    let said = home.say_on(&proxy.store(&home.store), "backup", &["--checksum"]);
    assert_eq!(said.code, 0, "{:#?}", said.rows);
    assert_eq!(said.summary()["backup"]["uploaded"], 0);
    assert_eq!(home.versions("files/").await, before);
}
on_both!(f44_versions_that_a_listing_lacks_are_asked_for_before_they_count_as_gone);

async fn f47_delete_markers_are_told_of_and_change_nothing(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    for folder in ["files/", "manifests/", "snapshots/"] {
        for (key, ..) in home.versions(folder).await {
            let client = home.store.client();
            client
                .delete_object()
                .bucket(&home.bucket)
                .key(&key)
                .send()
                .await
                .unwrap();
        }
    }
    let said = home.expect(5, "verify", &[]);
    assert_eq!(said.of("2024/b c.jpg")[0]["problem"], "delete_marker");
    assert_eq!(said.summary()["backup"]["failed"], 5);
    home.restores(&[], home.library.path());
    home.expect(0, "backup", &[]);
}
on_both!(f47_delete_markers_are_told_of_and_change_nothing);

async fn f48_garbage_over_every_key_is_told_of_and_changes_nothing(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    for folder in ["files/", "manifests/", "snapshots/"] {
        for (key, ..) in home.versions(folder).await {
            home.put(&key, contents("garbage", 100)).await;
        }
    }
    let said = home.expect(5, "verify", &["--read-data"]);
    assert_eq!(said.of("2024/b c.jpg")[0]["problem"], "foreign_version");
    assert_eq!(said.summary()["backup"]["failed"], 5);
    home.restores(&[], home.library.path());
    home.expect(0, "backup", &[]);
}
on_both!(f48_garbage_over_every_key_is_told_of_and_changes_nothing);

async fn f49_a_missing_or_forged_snapshot_breaks_the_chain(store: TestStore) {
    let home = Home::new(store).await;
    for night in 0..3 {
        home.library.write("x", format!("night {night}").as_bytes());
        home.expect(0, "backup", &[]);
    }
    home.expect(0, "verify", &[]);
    let snapshots = home.versions("snapshots/").await;
    let (key, version, _) = &snapshots[1];
    let client = home.store.client();
    let got = client
        .get_object()
        .bucket(&home.bucket)
        .key(key)
        .version_id(version);
    let body = got
        .send()
        .await
        .unwrap()
        .body
        .collect()
        .await
        .unwrap()
        .to_vec();
    home.destroy(key, version).await;
    let said = home.expect(5, "verify", &[]);
    assert!(
        said.rows.iter().any(|row| row["problem"] == "chain"),
        "{:#?}",
        said.rows
    );
    home.expect(5, "status", &[]);

    // A prune record of this very object explains the gap (f66), once the pin is gone too.
    let text = String::from_utf8(body.clone()).unwrap();
    let snapshot: Value = serde_json::from_str(&text).unwrap();
    let record = serde_json::json!({"format": 1, "dropped": [{
        "id": snapshot["id"], "blake3": blake3::hash(&body).to_hex().as_str(), "parent": snapshot["parent"],
    }]});
    let name = "library/prunes/20261123T021500Z-1a2b3c4d.json";
    home.put(name, serde_json::to_vec(&record).unwrap()).await;
    home.expect(5, "verify", &[]);
    let id = snapshot["id"].as_str().unwrap();
    for (pin, version, _) in home.versions(&format!("pins/{id}")).await {
        home.destroy(&pin, &version).await;
    }
    home.expect(0, "verify", &[]);

    home.put(
        key,
        text.replace("\"complete\":true", "\"complete\":false")
            .into_bytes(),
    )
    .await;
    let said = home.expect(5, "verify", &[]);
    assert!(
        said.rows.iter().any(|row| row["problem"] == "chain"),
        "{:#?}",
        said.rows
    );
    let id = snapshot["id"].as_str().unwrap();
    let to = home.store.home().join("forged");
    let refused = home.say("restore", &["--to", to.to_str().unwrap(), "--snapshot", id]);
    assert_eq!(refused.code, 5);
    assert!(!to.exists());
}
on_both!(f49_a_missing_or_forged_snapshot_breaks_the_chain);

async fn damaged_bytes_are_found_by_checksum_and_by_reading(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    let versions = home.versions("files/2024/a").await;
    let (key, version, _) = &versions[0];
    home.destroy(key, version).await;
    // The manifest names a version that is not there: nothing takes its place.
    home.put(key, contents("other", 3_000)).await;
    let said = home.expect(5, "verify", &["--read-data=100%"]);
    let problems: Vec<_> = said
        .of("2024/a.jpg")
        .iter()
        .map(|it| it["problem"].clone())
        .collect();
    assert!(problems.contains(&Value::from("gone")), "{problems:?}");
}
on_both!(damaged_bytes_are_found_by_checksum_and_by_reading);

async fn history_diff_and_status_tell_without_reading_any_file(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    home.library.write("x", b"second");
    home.library.file("2025/new", 7);
    home.expect(0, "backup", &[]);
    home.library.remove("x");
    home.library.mtime("2024/a.jpg", 1_000_000_000, 0);
    home.expect(0, "backup", &[]);

    let said = home.expect(0, "history", &["x"]);
    let spans = said.of("x");
    assert_eq!(spans.len(), 2);
    assert_eq!(
        (&spans[0]["size"], &spans[1]["size"]),
        (&1.into(), &6.into())
    );
    assert!(spans[0]["gone_snapshot"].is_null() && spans[1]["gone_snapshot"].is_string());
    assert_eq!(
        home.expect(0, "history", &["2024"]).of("2024/a.jpg").len(),
        1
    );
    home.expect(3, "history", &["nothing"]);

    let snapshots = home.expect(0, "snapshots", &[]);
    let first = snapshots.rows[0]["id"].as_str().unwrap();
    let said = home.expect(0, "diff", &[first, "latest"]);
    let changes: Vec<_> = said
        .rows
        .iter()
        .filter(|row| row["change"].is_string())
        .map(|row| {
            (
                row["change"].as_str().unwrap(),
                row["path"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("touched", "2024/a.jpg"),
        ("added", "2025/new"),
        ("removed", "x"),
    ];
    assert_eq!(changes, expected);
    // Not "now": runs in quick succession have ids a second ahead of it.
    let said = home.expect(0, "diff", &["2999-01-01", "latest"]);
    assert_eq!(said.of("x").len(), 0);

    let said = home.expect(0, "status", &[]);
    // Not the first: on a slow machine a line of progress comes before it.
    let backup = said.rows.iter().find(|row| row["target"] == "backup");
    let backup = backup.expect("a row of the backup");
    assert_eq!(
        (&backup["snapshots"], &backup["files"]),
        (&3.into(), &3.into())
    );
    assert!(backup["protected_until"].is_string() && backup["at_risk"] == 0);
}
on_both!(history_diff_and_status_tell_without_reading_any_file);

async fn one_version_comes_back_by_its_id_and_no_other(store: TestStore) {
    let home = Home::new(store).await;
    home.expect(0, "backup", &[]);
    let first = home.library.path().join("x");
    let first = std::fs::read(first).unwrap();
    home.library.write("x", b"second");
    home.library.write("copy of x", b"second");
    home.expect(0, "backup", &[]);
    home.library.remove("x");
    home.expect(0, "backup", &[]);

    let said = home.expect(0, "history", &["x"]);
    let ids: Vec<_> = said
        .of("x")
        .iter()
        .map(|it| it["version_id"].clone())
        .collect();
    let machine = home.store.fresh_machine();
    let get = |path: &str, id: &str, name: &str| {
        let to = machine.home().join(name);
        let at = to.to_str().unwrap().to_owned();
        let said = home.say_on(
            &machine,
            "restore",
            &[path, "--version-id", id, "--to", &at],
        );
        (said.code, std::fs::read(to.join(path)).ok(), said)
    };
    let ids: Vec<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    let (code, bytes, _) = get("x", ids[0], "one");
    assert_eq!((code, bytes), (0, Some(first)));
    let (code, bytes, _) = get("x", ids[1], "two");
    assert_eq!((code, bytes.as_deref()), (0, Some(&b"second"[..])));
    // The content is stored once; each path that has it comes back by it.
    let (code, bytes, _) = get("copy of x", ids[1], "three");
    assert_eq!((code, bytes.as_deref()), (0, Some(&b"second"[..])));
    for (path, id) in [("x", "nothing"), ("2024/a.jpg", ids[0]), ("2024", ids[0])] {
        let (code, _, said) = get(path, id, "none");
        assert_eq!(code, 2, "{path} {id}");
        let message = said.summary()["errors"][0]["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("tidelock history {path}")),
            "{message}"
        );
    }
    let to = machine.home().join("none");
    assert!(!to.exists());
    let to = to.to_str().unwrap();
    home.expect(
        2,
        "restore",
        &["x", "2024", "--version-id", ids[0], "--to", to],
    );
}
on_both!(one_version_comes_back_by_its_id_and_no_other);

/// The paths of all files, sorted; none where there is no such folder.
fn files_below(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = ignore::WalkBuilder::new(folder)
        .standard_filters(false)
        .build()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect();
    names.sort();
    names
}

async fn what_was_removed_comes_back_as_it_last_was(store: TestStore) {
    let home = Home::new(store).await;
    home.library.file("gone/early", 20);
    home.library.file("moved", 30);
    home.expect(0, "backup", &[]);
    home.library.remove("gone/early");
    home.expect(0, "backup", &[]);
    home.library.write("x", b"as it last was");
    home.library.file("gone/late", 40);
    let since = home.expect(0, "backup", &[]).summary()["backup"]["snapshot"].clone();
    home.library.rename("moved", "2025/elsewhere");
    home.library.remove("x");
    home.library.remove("gone/late");
    home.library.remove("2024/a.jpg");
    home.expect(0, "backup", &[]);
    home.library.file("2024/a.jpg", 3);
    home.expect(0, "backup", &[]);

    let machine = home.store.fresh_machine();
    let restored = |name: &str, arguments: &[&str], code| {
        let to = machine.home().join(name);
        let mut all = vec!["--to", to.to_str().unwrap()];
        all.extend(arguments);
        let said = home.say_on(&machine, "restore", &all);
        assert_eq!(said.code, code, "{:#?}", said.rows);
        files_below(&to)
    };
    let all = restored("all", &["--deleted-since", "7d"], 0);
    assert_eq!(all, ["gone/early", "gone/late", "x"]);
    let to = machine.home().join("all");
    assert_eq!(std::fs::read(to.join("x")).unwrap(), b"as it last was");
    assert_eq!(
        restored("some", &["gone", "--deleted-since", "7d"], 0),
        ["gone/early", "gone/late"]
    );
    assert_eq!(
        restored("none", &["2024", "--deleted-since", "7d"], 3).len(),
        0
    );
    // A time between two nights: what was gone before is not meant.
    let listed = home.expect(0, "snapshots", &[]);
    let night = listed.rows.iter().find(|row| row["id"] == since).unwrap();
    let time = night["time"].as_str().unwrap();
    assert_eq!(
        restored("late", &["--deleted-since", time], 0),
        ["gone/late", "x"]
    );
    home.expect(2, "restore", &["--deleted-since", "soon", "--to", "x"]);
}
on_both!(what_was_removed_comes_back_as_it_last_was);
