// What each fuzz target does with its bytes. Shared by path: cargo-fuzz runs these for hours, the test suite runs
// them on stable for seconds. Whatever the bytes are, nothing may panic, and what is read must be what was written.

use std::path::PathBuf;
use tidelock::config::{Environment, FILE_NAME, Flags, Needs, load};
use tidelock::model::RelPath;
use tidelock::model::key::{KeyBase, KeyPath, decode, encode};
use tidelock::snapshot::{Snapshot, as_line, from_line};
use tidelock::store::model::ModelStore;
use tidelock::store::{BucketInfo, Cursor, Order, Page};

/// A line of a manifest: read, written and read again, it is the same entry.
pub fn manifest_line(data: &[u8]) {
    let Some(entry) = from_line(data) else {
        return;
    };
    assert!(RelPath::from_untrusted(entry.path.as_bytes()).is_ok());
    let line = serde_json::to_vec(&as_line(&entry)).expect("an entry can be written");
    assert_eq!(from_line(&line), Some(entry));
}

/// A snapshot object: likewise.
pub fn snapshot(data: &[u8]) {
    let Ok(snapshot) = Snapshot::decode(data) else {
        return;
    };
    let bytes = snapshot.encode().expect("a snapshot can be written");
    assert_eq!(Snapshot::decode(&bytes).expect("and read"), snapshot);
}

/// Keys: each path has its own, and each key its path.
pub fn key(data: &[u8]) {
    let base = KeyBase::new("lib/");
    if let Ok(path) = RelPath::from_untrusted(data) {
        assert_eq!(decode(&encode(&path)), Some(path.clone()));
        let key = base.key_of(&path).key;
        assert!(key.len() <= 1024, "{key}");
        match base.path_of(&key) {
            Some(KeyPath::Path(found)) => assert_eq!(found, path),
            Some(KeyPath::Long(_)) => {}
            other => panic!("{path:?} has the key {key}, which is {other:?}"),
        }
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(path) = decode(text)
    {
        assert_eq!(encode(&path), text);
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(KeyPath::Path(path)) = base.path_of(&format!("lib/{text}"))
    {
        assert_eq!(base.key_of(&path).key, format!("lib/{text}"));
    }
}

/// A configuration file: settings, or a message.
pub fn configuration(data: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(FILE_NAME), data).expect("a file");
    let environment = Environment {
        folder: PathBuf::from(folder.path()),
        ..Environment::default()
    };
    if let Err(error) = load(&Flags::default(), &environment, Needs::nothing("status")) {
        assert!(!error.to_string().is_empty());
    }
}

/// Pages of a listing, a key a line; an empty line ends a page, and its successor is the cursor. What is let through
/// goes strictly forward within the prefix.
pub fn listing(data: &[u8]) {
    let store = ModelStore::new("mirror", BucketInfo::default());
    let mut order = Order::new(&store, "ListObjectsV2", "lib/");
    let mut through: Vec<String> = Vec::new();
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            let next = lines.next().map(|token| Cursor {
                token: token.to_owned(),
                second: None,
            });
            let page: Page<String> = Page {
                items: Vec::new(),
                prefixes: Vec::new(),
                next,
            };
            match order.next(&page) {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        } else if order.object(line).is_err() {
            break;
        } else {
            through.push(line.to_owned());
        }
    }
    assert!(through.iter().all(|key| key.starts_with("lib/")));
    assert!(through.is_sorted_by(|a, b| a < b));
}
