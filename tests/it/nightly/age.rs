//! `max_age`: when the newest snapshot is too old to sleep well.

use serde_json::Value;

use crate::support::{Night, TestStore, on_both};

/// Puts back the clock of the only snapshot, as if no night had come to its end since.
async fn age_snapshot(night: &Night, days: i64, complete: bool) {
    let found = night.vault.versions_below("all/photos/snapshots/").await;
    let [only] = found.as_slice() else {
        panic!("one snapshot: {found:?}");
    };
    let body = night.vault.get(&only.key, Some(&only.version_id)).await;
    let mut snapshot: Value = serde_json::from_slice(&body).unwrap();
    let time: jiff::Timestamp = snapshot["time"].as_str().unwrap().parse().unwrap();
    let time = time - jiff::SignedDuration::from_hours(days * 24);
    let id = format!("{}-1a2b3c4d", time.strftime("%Y%m%dT%H%M%SZ"));
    snapshot["time"] = format!("{time:.0}").into();
    snapshot["id"] = id.as_str().into();
    snapshot["complete"] = complete.into();
    let client = &night.vault.client;
    let delete = client.delete_object().bucket(&night.vault.name);
    let delete = delete.key(&only.key).version_id(&only.version_id);
    let deleted = delete.bypass_governance_retention(true).send().await;
    deleted.expect("an administrator may");
    let key = format!("all/photos/snapshots/{id}.json");
    night.vault.put(&key, snapshot.to_string().as_bytes()).await;
}

async fn a_newest_snapshot_older_than_max_age_is_a_risk(store: TestStore) {
    let night = Night::new(store, "", "").await;
    let said = night.expect(5, &["status", "photos"]);
    assert!(
        said.errors().contains("nothing is backed up"),
        "{}",
        said.errors()
    );
    night.expect(0, &["backup", "photos"]);
    night.expect(0, &["status", "photos"]);

    age_snapshot(&night, 4, true).await;
    let said = night.expect(5, &["status", "photos"]);
    let expected = "snapshot is 4 d 0 h old, more than max_age (3 d 0 h): run `tidelock run`";
    assert!(said.errors().contains(expected), "{}", said.errors());
    // Above the tables, or for the backup.
    night.configure("max_age = \"5d\"", "");
    night.expect(0, &["status", "photos"]);
    night.configure("max_age = \"5d\"", "max_age = \"2d\"");
    night.expect(5, &["status", "photos"]);

    // The checkpoints of a first backup that takes days are no reason for alarm, until they are.
    night.configure("max_age = \"10d\"", "");
    age_snapshot(&night, 1, false).await;
    night.expect(0, &["status", "photos"]);
    age_snapshot(&night, 8, false).await;
    let said = night.expect(5, &["status", "photos"]);
    assert!(
        said.errors().contains("no snapshot is complete yet"),
        "{}",
        said.errors()
    );
}
on_both!(a_newest_snapshot_older_than_max_age_is_a_risk);
