//! The ledger of renewals: `<prefix>/locks/<time>-<8 hex>.jsonl.zst`.

use crate::model::{Blake3, Error, RelPath, Result, Time};
use crate::snapshot::{Lock, SnapshotId, Vault};
use std::time::Duration;

/// A line: one renewed chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renewed {
    /// BLAKE3 of the chunk's lines.
    pub chunk: Blake3,
    /// The chunk object's version.
    pub version_id: String,
    /// The chunk's first path, for people and for `renew_below`'s spread.
    pub first: RelPath,
    /// The earliest lock among the chunk object and all that it names, after the renewal.
    pub locked_until: Time,
}

/// A ledger object that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerObject {
    /// From its key.
    pub id: SnapshotId,
    /// By the server's clock; bounds what its lines can claim.
    pub last_modified: Time,
    /// Its lines.
    pub lines: Vec<Renewed>,
}

/// All ledger objects that can still claim anything: none whose LastModified + `retention` is
/// over at `now`.
///
/// # Errors
/// The store's. A damaged object claims nothing and is logged.
pub async fn read_ledger(
    _vault: &Vault,
    _now: Time,
    _retention: Duration,
) -> Result<Vec<LedgerObject>> {
    Ok(Vec::new())
}

/// Writes one ledger object under lock, after the renewals that it tells of.
///
/// # Errors
/// The store's; the renewals hold nevertheless, only nobody knows of them.
pub async fn write_ledger(
    _vault: &Vault,
    _now: Time,
    _lock: Lock,
    _sse: Option<&str>,
    _lines: Vec<Renewed>,
) -> Result<LedgerObject> {
    Err(Error::Failed("not written yet".into()))
}
