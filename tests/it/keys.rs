//! Paths and keys against the tool whose keys they must equal.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use tidelock::model::RelPath;
use tidelock::model::key::{KeyBase, KeyPath};

use crate::support::{Bucket, Library, Lock, TestStore, on_both, run_rclone};

/// Names with all that the escaping could turn on. Left out: what rclone itself can't store, a lone `‛` before a plain
/// character; the second of NFC and NFD twins, which it skips; what MinIO refuses, `. ` and the like.
const NAMES: &[&[u8]] = &[
    b"plain.txt",
    b" lead",
    b"trail ",
    b"-rf",
    b"50%.txt",
    b"50%20.txt",
    b"a+b",
    b"a#b",
    b"a?b",
    b"a:b",
    b"<>|*\"'`$[];&=@,",
    b"back\\slash",
    b"del\x7f",
    b"ctl\x01\x1f",
    b"new\nline",
    b"tab\t",
    b"cr\r",
    b"~tilde",
    b".hidden",
    b"...",
    b"..a",
    b"dot.",
    b"cafe\xcc\x81",
    b"\xc2\xa0nbsp\xc2\xa0",
    "🌊".as_bytes(),
    "a／b".as_bytes(),
    "／".as_bytes(),
    "．".as_bytes(),
    "．．".as_bytes(),
    "x．".as_bytes(),
    "a␀b".as_bytes(),
    "a␁b".as_bytes(),
    "a␡b".as_bytes(),
    "␠x␠".as_bytes(),
    "\u{fffd}".as_bytes(),
    b"bad\xff",
    b"bad\xff\xfe41",
    b"\xe2\x80",
    b"\xc3(",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xff\xe2\x90\x80",
    b"\xff\xff/in a folder \xfe/f",
    "two‛‛quotes".as_bytes(),
    "four‛‛‛‛quotes".as_bytes(),
    "B‛‛42".as_bytes(),
    "‛／".as_bytes(),
    "‛‛／".as_bytes(),
    "‛␀".as_bytes(),
    "‛．".as_bytes(),
    "‛．‛．".as_bytes(),
    "‛‛．".as_bytes(),
    "d‛／r/‛．/x".as_bytes(),
];

async fn f10_keys_are_those_that_rclone_makes(store: TestStore) {
    let bucket = store.bucket(Lock::Off).await;
    let library = Library::new();
    let base = KeyBase::new("lib/");
    let mut expected = BTreeMap::new();
    for name in NAMES {
        library.file(OsStr::from_bytes(name), 1);
        let path = RelPath::new(*name);
        expected.insert(base.key_of(&path).key, path);
    }
    let bucket = Bucket::new(&store, &bucket);
    run_rclone(&store, "sync", library.path(), &bucket, &[]);

    let found = bucket.keys().await;
    assert_eq!(found, expected.keys().cloned().collect::<Vec<_>>());
    for key in found {
        let path = expected.remove(&key).map(KeyPath::Path);
        assert_eq!(base.path_of(&key), path, "{key:?}");
    }
}
on_both!(f10_keys_are_those_that_rclone_makes);
