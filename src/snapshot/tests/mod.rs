//! What the layout promises, on plain data.

mod chain;
mod chunks;
mod claims;
mod commits;
mod hostile;
mod ids;
mod lines;
mod objects;
mod touched;

use crate::model::{Content, Entry, Kind, RelPath, Stored, Time};
use crate::snapshot::{ChunkRef, Named};

pub(super) fn time(text: &str) -> Time {
    text.parse().expect(text)
}

/// A file whose content is its path.
pub(super) fn file(path: &str) -> Entry {
    let content = Content::of(path.as_bytes());
    let mut entry = Entry::new(RelPath::from(path), Kind::File);
    entry.mtime = Some(time("2026-01-02T03:04:05.678901234Z"));
    entry.mode = Some(0o644);
    entry.content = Some(content);
    entry.stored = Some(Stored {
        key: format!("library/files/{path}"),
        version_id: "v1".to_owned(),
        etag: "e1".to_owned(),
    });
    entry
}

/// The same, locked.
pub(super) fn named(path: &str) -> Named {
    Named {
        entry: file(path),
        locked_until: Some(time("2027-01-01T00:00:00Z")),
    }
}

/// What a snapshot would say of a chunk with these lines.
pub(super) fn chunk_of(lines: &[u8], first: &str) -> ChunkRef {
    let blake3 = crate::model::Blake3::of(lines);
    ChunkRef {
        key: format!("library/manifests/{}.jsonl.zst", blake3.to_hex()),
        version_id: "m1".to_owned(),
        blake3,
        size: lines.len() as u64,
        entries: lines.iter().filter(|&&byte| byte == b'\n').count() as u64,
        first: RelPath::from(first),
        locked_until: time("2027-01-01T00:00:00Z"),
        rescued_at: None,
    }
}
