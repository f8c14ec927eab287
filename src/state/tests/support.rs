//! What the tests of this folder share.

use crate::model::{Content, Entry, Identity, Kind, RelPath, Stored, Time};
use crate::state::{Base, Opened, Row, State};
use tempfile::TempDir;

/// A fixed point in time.
pub(crate) fn now() -> Time {
    "2026-11-23T02:15:00Z".parse().unwrap()
}

/// A new state in a folder of its own.
pub(crate) fn state() -> (State, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (state, opened) = State::open(&dir.path().join("lib.sqlite"), "test", now()).unwrap();
    assert_eq!(opened, Opened::Fresh);
    (state, dir)
}

/// A stored file.
pub(crate) fn file_row(path: impl AsRef<[u8]>, content: &[u8]) -> Row {
    let path = RelPath::new(path.as_ref());
    Row {
        entry: Entry {
            mtime: Some("2026-01-02T03:04:05.678901234Z".parse().unwrap()),
            mode: Some(0o644),
            content: Some(Content::of(content)),
            stored: Some(Stored {
                key: format!("lib/files/{}", path.display()),
                version_id: format!("v-{}", Content::of(content).blake3.to_hex()),
                etag: "etag".to_owned(),
            }),
            ..Entry::new(path, Kind::File)
        },
        identity: Identity {
            inode: 11,
            ctime: 12,
        },
        device: 13,
        locked_until: Some("2027-01-22T00:00:00Z".parse().unwrap()),
    }
}

/// A base on the snapshot of this id.
pub(crate) fn base(id: &str, complete: bool) -> Base {
    Base {
        snapshot: Some(id.to_owned()),
        snapshot_blake3: Some(Content::of(id.as_bytes()).blake3),
        complete,
        sync_target: Some("s3://photos/lib".to_owned()),
    }
}

impl State {
    /// Makes `rows` the whole base.
    pub(crate) fn put_base_for_test(&mut self, rows: &[Row]) {
        self.rebuild_begin().unwrap();
        self.rebuild_push(rows).unwrap();
        self.rebuild_finish(&base("0", true)).unwrap();
    }
}
