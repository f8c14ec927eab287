//! What is in the vault, by a reader that shares no code with Tidelock: the SDK, zstd, a JSON parser, BLAKE3.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::album;
use crate::support::{Bucket, Job, TestStore, contents, on_both};

/// A snapshot as its objects tell it, each checked against its name.
pub(super) struct Snapshot {
    /// The object's bytes.
    pub(super) bytes: Vec<u8>,
    pub(super) json: Value,
    pub(super) entries: Vec<Value>,
    pub(super) rescued: Vec<Value>,
    /// The uncompressed lines of each chunk of the manifest.
    pub(super) chunks: Vec<String>,
}

impl Snapshot {
    pub(super) async fn read(vault: &Bucket, prefix: &str, id: &str) -> Self {
        let bytes = vault
            .get(&format!("{prefix}snapshots/{id}.json"), None)
            .await;
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        let mut entries = Vec::new();
        let mut chunks = Vec::new();
        for chunk in json["manifest"].as_array().unwrap() {
            let lines = read_chunk(vault, prefix, chunk).await;
            entries.extend(
                lines
                    .lines()
                    .map(|line| serde_json::from_str::<Value>(line).unwrap()),
            );
            chunks.push(lines);
        }
        let mut rescued = Vec::new();
        for chunk in json["rescued"].as_array().unwrap() {
            let lines = read_chunk(vault, prefix, chunk).await;
            rescued.extend(
                lines
                    .lines()
                    .map(|line| serde_json::from_str::<Value>(line).unwrap()),
            );
        }
        Self {
            bytes,
            json,
            entries,
            rescued,
            chunks,
        }
    }
}

/// The bytes of an entry's path.
fn path_of(entry: &Value) -> Vec<u8> {
    match entry["path_base64"].as_str() {
        Some(base64) => {
            assert!(entry["path"].is_null());
            let bytes = data_encoding::BASE64.decode(base64.as_bytes()).unwrap();
            assert!(std::str::from_utf8(&bytes).is_err(), "it could be text");
            bytes
        }
        None => entry["path"].as_str().unwrap().as_bytes().to_vec(),
    }
}

/// The lines of a chunk, which must be what the snapshot says that they are.
async fn read_chunk(vault: &Bucket, prefix: &str, chunk: &Value) -> String {
    let (key, version) = (
        chunk["key"].as_str().unwrap(),
        chunk["version_id"].as_str().unwrap(),
    );
    let packed = vault.get(key, Some(version)).await;
    let lines = zstd::stream::decode_all(&packed[..]).unwrap();
    let blake3 = blake3::hash(&lines).to_hex();
    assert_eq!(chunk["blake3"], blake3.as_str());
    assert_eq!(key, format!("{prefix}manifests/{blake3}.jsonl.zst"));
    assert_eq!(chunk["size"], lines.len());
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!(chunk["entries"], lines.lines().count());
    assert!(lines.ends_with('\n'));
    lines
}

async fn the_vault_is_laid_out_as_documented(store: TestStore) {
    let job = Job::new(store).await;
    album::odd_things(&job.library);
    job.library.file("film", 8 * album::MIB + 1);
    // Enough names for several chunks: one path in 1,024 ends one, and most of these are folders.
    for number in 0..3_000 {
        job.library.dir(format!("many/{number}"));
    }
    let first = job.run(0).snapshot();
    job.library
        .write("film", &contents("edited", 9 * album::MIB));
    job.library.remove("empty.txt");
    let second = job.run(0).snapshot();

    let one = Snapshot::read(&job.vault, "lib/", &first).await;
    let two = Snapshot::read(&job.vault, "lib/", &second).await;
    for snapshot in [&one, &two] {
        assert_snapshot_fields(&job, snapshot);
        assert_entries(snapshot);
        assert_chunks_end_where_they_must(snapshot);
        assert_versions_hold_what_is_named(&job, snapshot).await;
    }
    assert!(one.json["parent"].is_null() && one.json["parent_blake3"].is_null());
    assert_eq!(two.json["parent"], *first);
    let parent = blake3::hash(&one.bytes).to_hex();
    assert_eq!(two.json["parent_blake3"], parent.as_str());
    assert!(two.json["time"].as_str() > one.json["time"].as_str());
    // A night that touches two paths stores at most six chunks, and shares the others.
    let chunks = |snapshot: &Snapshot| -> BTreeSet<String> {
        let chunks = snapshot.json["manifest"].as_array().unwrap().iter();
        chunks
            .map(|chunk| chunk["version_id"].to_string())
            .collect()
    };
    let (ones, twos) = (chunks(&one), chunks(&two));
    assert!(ones.len() > 1, "several chunks");
    assert!(twos.difference(&ones).count() <= 6);
    assert!(twos.intersection(&ones).count() > 0);
}
on_both!(the_vault_is_laid_out_as_documented);

/// The fields of a snapshot, in their order, with the values that a test can know.
fn assert_snapshot_fields(job: &Job, snapshot: &Snapshot) {
    let text = std::str::from_utf8(&snapshot.bytes).unwrap();
    let fields = [
        "format",
        "id",
        "time",
        "host",
        "library",
        "tidelock",
        "complete",
        "suspect",
        "parent",
        "parent_blake3",
        "sync_target",
        "files",
        "bytes",
        "manifest",
        "rescued",
        "retention",
        "protected_until",
        "config",
    ];
    assert_eq!(in_order(text), fields);
    let json = &snapshot.json;
    assert_eq!(
        (&json["format"], &json["complete"]),
        (&1.into(), &true.into())
    );
    assert_eq!(json["sync_target"], job.sync_to());
    assert_eq!(json["tidelock"], env!("CARGO_PKG_VERSION"));
    let retention = serde_json::json!({"mode": "GOVERNANCE", "days": 60});
    assert_eq!(json["retention"], retention);
    let id = json["id"].as_str().unwrap();
    let time = json["time"].as_str().unwrap().replace(['-', ':'], "");
    assert_eq!(id.split_once('-').unwrap().0, time);
    let files = snapshot
        .entries
        .iter()
        .filter(|entry| entry["type"] == "file");
    assert_eq!(json["files"], files.clone().count());
    let bytes: u64 = files.map(|entry| entry["size"].as_u64().unwrap()).sum();
    assert_eq!(json["bytes"], bytes);
    assert!(!text.contains(&job.store.secret_key), "a secret in {text}");
    let locked = json["manifest"].as_array().unwrap().iter();
    let least = locked
        .map(|chunk| chunk["locked_until"].as_str().unwrap())
        .min();
    assert!(json["protected_until"].as_str() <= least);
}

/// Entries are sorted by the bytes of their paths and have their fields in order.
fn assert_entries(snapshot: &Snapshot) {
    let order = [
        "path",
        "path_base64",
        "type",
        "size",
        "mtime",
        "mode",
        "blake3",
        "crc64nvme",
        "key",
        "version_id",
        "etag",
        "sync_etag",
        "target",
        "hardlink",
        "carried",
    ];
    let paths: Vec<Vec<u8>> = snapshot.entries.iter().map(path_of).collect();
    assert!(paths.is_sorted_by(|a, b| a < b));
    for line in snapshot.chunks.iter().flat_map(|chunk| chunk.lines()) {
        let fields = in_order(line);
        let known = order
            .iter()
            .filter(|name| fields.iter().any(|field| field == *name));
        assert_eq!(fields, known.copied().collect::<Vec<_>>(), "{line}");
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line.len(), value.to_string().len(), "compact: {line}");
    }
    let named = |entry: &'_ Value| String::from_utf8_lossy(&path_of(entry)).into_owned();
    let by_path: BTreeMap<String, &Value> = snapshot
        .entries
        .iter()
        .map(|entry| (named(entry), entry))
        .collect();
    assert_eq!(by_path["link to a photo"]["target"], "names/100%.jpg");
    assert!(paths.contains(&album::NOT_UTF8.to_vec()));
    assert_eq!(by_path["an empty folder/in another"]["type"], "dir");
    assert_eq!(by_path["an empty folder/in another"]["mode"], "0750");
    assert_eq!(by_path["same as +.jpg"]["hardlink"], "names/a+b.jpg");
    assert_eq!(
        by_path["names/-rf"]["mtime"],
        "1969-12-31T23:59:59.999999999Z"
    );
}

/// A chunk ends behind a path whose hash says so, nowhere else, and at the end of all.
fn assert_chunks_end_where_they_must(snapshot: &Snapshot) {
    let ends = |path: &[u8]| {
        let hash = blake3::hash(path);
        let first: [u8; 8] = hash.as_bytes()[..8].try_into().unwrap();
        u64::from_le_bytes(first).is_multiple_of(1024)
    };
    let last_chunk = snapshot.chunks.len() - 1;
    for (number, chunk) in snapshot.chunks.iter().enumerate() {
        let entries = chunk
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let paths: Vec<Vec<u8>> = entries.map(|entry: Value| path_of(&entry)).collect();
        let (last, others) = paths.split_last().unwrap();
        let first = snapshot.json["manifest"][number]["first"].as_str().unwrap();
        assert_eq!(first.as_bytes(), paths[0]);
        assert!(!others.iter().any(|path| ends(path)));
        assert!(number == last_chunk || ends(last));
    }
}

/// Each named version is there and holds the named bytes, and so do its ETag, size and lock.
async fn assert_versions_hold_what_is_named(job: &Job, snapshot: &Snapshot) {
    let versions = job.vault.versions().await;
    let objects = job.mirror.objects().await;
    for entry in snapshot
        .entries
        .iter()
        .filter(|entry| entry["type"] == "file")
    {
        let id = entry["version_id"].as_str().unwrap();
        let version = versions.iter().find(|version| version.version_id == id);
        let version = version.unwrap_or_else(|| panic!("{entry}: no such version"));
        assert_eq!(entry["key"], *version.key);
        assert_eq!(entry["size"], version.size);
        let etag = entry["etag"].as_str().unwrap();
        assert_eq!(etag, version.etag.trim_matches('"'));
        let bytes = job.vault.get(&version.key, Some(id)).await;
        assert_eq!(entry["blake3"], blake3::hash(&bytes).to_hex().as_str());
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes);
        let crc = data_encoding::BASE64.encode(&crc.to_be_bytes());
        assert_eq!(entry["crc64nvme"], crc);
        let hint = entry["sync_etag"].as_str().unwrap();
        let path = entry["path"].as_str().unwrap_or(album::NOT_UTF8_KEY);
        // The film was edited, and one file deleted: the older snapshot's hints are history.
        let object = objects.get(&format!("lib/{path}"));
        if let Some(object) = object.filter(|_| path != "film") {
            assert_eq!(hint, object.trim_matches('"'), "{path}");
        }
    }
}

/// The names of an object's fields as they stand in the text.
pub(super) fn in_order(text: &str) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Names {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Names;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Names, A::Error> {
                    let mut names = Vec::new();
                    while let Some(name) = map.next_key()? {
                        map.next_value::<serde::de::IgnoredAny>()?;
                        names.push(name);
                    }
                    Ok(Names(names))
                }
            }
            from.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Names>(text).unwrap().0
}
