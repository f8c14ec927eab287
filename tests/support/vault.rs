//! What a vault's snapshots name, read by the documented layout and without the product's code.

use aws_sdk_s3::Client;
use serde_json::Value;

use super::bucket::Bucket;

/// A snapshot object, and where to get what it names.
pub(crate) struct SnapshotObject {
    pub(crate) json: Value,
    bucket: Bucket,
}

impl Bucket {
    /// All snapshots, the oldest first.
    pub(crate) async fn snapshots(&self) -> Vec<SnapshotObject> {
        let mut all = Vec::new();
        for key in self.keys().await {
            if key.starts_with("lib/snapshots/") {
                let json = serde_json::from_slice(&self.get(&key, None).await);
                all.push(SnapshotObject {
                    json: json.expect("JSON"),
                    bucket: self.clone(),
                });
            }
        }
        all
    }

    pub(crate) async fn latest_snapshot(&self) -> SnapshotObject {
        self.snapshots().await.pop().expect("a snapshot")
    }

    /// Every content that any snapshot names for a path, whether as an entry or as rescued.
    pub(crate) async fn contents_named(&self, path: &str) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for snapshot in self.snapshots().await {
            for list in ["manifest", "rescued"] {
                for entry in snapshot.lines(list).await {
                    if entry["path"] == path {
                        all.push(snapshot.content(&entry).await);
                    }
                }
            }
        }
        all
    }
}

impl SnapshotObject {
    pub(crate) fn is_complete(&self) -> bool {
        self.json["complete"] == true
    }

    pub(crate) async fn entries(&self) -> Vec<Value> {
        self.lines("manifest").await
    }

    pub(crate) async fn rescued(&self) -> Vec<Value> {
        self.lines("rescued").await
    }

    /// The entry of a path.
    pub(crate) async fn entry(&self, path: &str) -> Option<Value> {
        let entries = self.entries().await.into_iter();
        entries.into_iter().find(|entry| entry["path"] == path)
    }

    /// The bytes of the version that an entry names, and that it is locked.
    pub(crate) async fn content(&self, entry: &Value) -> Vec<u8> {
        let key = entry["key"].as_str().expect("a key");
        let version = entry["version_id"].as_str().expect("a version");
        let client: &Client = &self.bucket.client;
        let lock = client.get_object_retention().bucket(&self.bucket.name);
        let lock = lock.key(key).version_id(version).send().await;
        lock.unwrap_or_else(|error| panic!("{entry} has no lock: {error:?}"));
        let bytes = self.bucket.get(key, Some(version)).await;
        assert_eq!(
            entry["blake3"].as_str(),
            Some(blake3::hash(&bytes).to_hex().as_str()),
            "{entry}"
        );
        bytes
    }

    async fn lines(&self, list: &str) -> Vec<Value> {
        let mut all = Vec::new();
        for chunk in self.json[list].as_array().into_iter().flatten() {
            let key = chunk["key"].as_str().expect("a key");
            let version = chunk["version_id"].as_str();
            let packed = self.bucket.get(key, version).await;
            let lines = zstd::decode_all(packed.as_slice()).expect("zstd");
            let lines = String::from_utf8(lines).expect("UTF-8");
            all.extend(
                lines
                    .lines()
                    .map(|line| serde_json::from_str::<Value>(line).expect("a line")),
            );
        }
        all
    }
}
