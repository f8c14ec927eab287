//! The names of everything that Tidelock keeps below a target's prefix.

use crate::model::{Blake3, Target};
use crate::snapshot::SnapshotId;

/// Versions of the library's files, by path.
pub const FILES: &str = "files/";
/// Chunks of manifests.
pub const MANIFESTS: &str = "manifests/";
/// Snapshot objects.
pub const SNAPSHOTS: &str = "snapshots/";
/// Claims of renewed locks.
pub const LOCKS: &str = "locks/";
/// Records of what was pruned.
pub const PRUNES: &str = "prunes/";
/// What only the pruner can take away: while a snapshot's pin is there, it is not pruned.
pub const PINS: &str = "pins/";
/// Who is writing the target.
pub const LEASE: &str = ".tidelock/lease.json";

/// `<prefix>/manifests/<blake3>.jsonl.zst`.
pub fn chunk(target: &Target, blake3: Blake3) -> String {
    target.key(&format!("{MANIFESTS}{}.jsonl.zst", blake3.to_hex()))
}

/// `<prefix>/snapshots/<id>.json`.
pub fn snapshot(target: &Target, id: &SnapshotId) -> String {
    target.key(&format!("{SNAPSHOTS}{id}.json"))
}

/// `<prefix>/locks/<id>.jsonl.zst`: named like snapshots, by time and a random part.
pub fn ledger(target: &Target, id: &SnapshotId) -> String {
    target.key(&format!("{LOCKS}{id}.jsonl.zst"))
}

/// `<prefix>/prunes/<id>.json`: named like snapshots, by time and a random part.
pub fn prune(target: &Target, id: &SnapshotId) -> String {
    target.key(&format!("{PRUNES}{id}.json"))
}

/// `<prefix>/pins/<id of the snapshot>`.
pub fn pin(target: &Target, id: &SnapshotId) -> String {
    target.key(&format!("{PINS}{id}"))
}

/// `<prefix>/.tidelock/lease.json`.
pub fn lease(target: &Target) -> String {
    target.key(LEASE)
}

/// The id in a key of the form `<prefix>/<folder><id><suffix>`; none for any other key.
pub fn id_of(target: &Target, folder: &str, suffix: &str, key: &str) -> Option<SnapshotId> {
    let name = key.strip_prefix(&target.key(folder))?;
    SnapshotId::parse(name.strip_suffix(suffix)?)
}
