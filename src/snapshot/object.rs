//! The snapshot object: what the library was at one run.

use crate::model::{Blake3, Mode, RelPath, Result, Time};
use crate::snapshot::SnapshotId;

/// The format that this version writes, and the only one that there is.
pub const FORMAT: u32 = 1;

/// A stored chunk of a manifest, as a snapshot names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkRef {
    /// Full key.
    pub key: String,
    /// The version that holds it.
    pub version_id: String,
    /// Of the uncompressed lines.
    pub blake3: Blake3,
    /// Bytes of the uncompressed lines.
    pub size: u64,
    /// Number of entries.
    pub entries: u64,
    /// The first entry's path.
    pub first: RelPath,
    /// The earliest lock among the chunk object and all versions that it names: a lower bound.
    pub locked_until: Time,
    /// Only in `rescued`: when the content was rescued; it is carried on for 90 days from then.
    pub rescued_at: Option<Time>,
}

/// How long the locks of a snapshot were to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotRetention {
    /// Mode of the locks.
    pub mode: Mode,
    /// Whole days of a full lock, rounded down.
    pub days: u64,
}

/// What the library was at one run.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// Its id, by which snapshots are ordered.
    pub id: SnapshotId,
    /// The server's time at the commit, to the second; the same as in `id`.
    pub time: Time,
    /// Name of the machine; a label.
    pub host: String,
    /// Name of the library; a label.
    pub library: String,
    /// The version of Tidelock that wrote it.
    pub tidelock: String,
    /// Whether every path of the library is named as it was at that run.
    pub complete: bool,
    /// Why the night looked like ransomware, where it did.
    pub suspect: Option<String>,
    /// The snapshot before.
    pub parent: Option<SnapshotId>,
    /// BLAKE3 of the parent's snapshot object.
    pub parent_blake3: Option<Blake3>,
    /// The sync target that `sync_etag`s belong to, e.g. `s3://photos/library`.
    pub sync_target: Option<String>,
    /// Number of regular files named by `manifest`.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Chunks in the order of paths.
    pub manifest: Vec<ChunkRef>,
    /// Chunks of rescued content; sorted within a rescue only.
    pub rescued: Vec<ChunkRef>,
    /// How long the locks were to be.
    pub retention: SnapshotRetention,
    /// The earliest lock that it names, as of `time`.
    pub protected_until: Time,
    /// The configuration without secrets.
    pub config: serde_json::Value,
}

impl Snapshot {
    /// One line of JSON, fields in the contract's order.
    ///
    /// # Errors
    /// None in practice; JSON that can't be written.
    pub fn encode(&self) -> Result<Vec<u8>> {
        Err(crate::model::Error::Failed("not written yet".into()))
    }

    /// Reads a snapshot object.
    ///
    /// # Errors
    /// [`Error::Format`](crate::model::Error::Format): an unknown format or encoding, naming the
    /// version of Tidelock that wrote it; or data that breaks the format's rules.
    pub fn decode(_bytes: &[u8]) -> Result<Self> {
        Err(crate::model::Error::Failed("not written yet".into()))
    }
}
