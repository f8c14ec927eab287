//! Committing a snapshot: chunks first, the snapshot object last.

use crate::model::{Entry, Error, Mode, Result, Time};
use crate::snapshot::{Claims, Loaded, Vault};
use futures::stream::Stream;
use std::time::Duration;

/// An entry and the lock of the version that it names.
#[derive(Clone, PartialEq, Debug)]
pub struct Named {
    /// What the snapshot says of the path.
    pub entry: Entry,
    /// A lower bound of the named version's lock; none for what names no version.
    pub locked_until: Option<Time>,
}

/// How what is written gets locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock {
    /// Mode.
    pub mode: Mode,
    /// Length of a full lock.
    pub period: Duration,
}

/// What a snapshot is to say beside its entries.
#[derive(Clone, Debug)]
pub struct CommitRequest<'a> {
    /// The latest snapshot.
    pub parent: Option<&'a Loaded>,
    /// Chunks that are stored already (the parent's, and of any other snapshot that was read) and
    /// what is known of their locks. A chunk that it knows is referenced, not stored again.
    pub claims: &'a Claims,
    /// Now, by the server's clock.
    pub time: Time,
    /// Whether every path of the library is named as it is.
    pub complete: bool,
    /// Why the night looks like ransomware, where it does.
    pub suspect: Option<String>,
    /// Label of the library.
    pub library: String,
    /// Label of the machine.
    pub host: String,
    /// What `sync_etag`s belong to.
    pub sync_target: Option<String>,
    /// Lock of what is written here.
    pub lock: Lock,
    /// Server-side encryption of what is written here.
    pub sse: Option<String>,
    /// The configuration without secrets.
    pub config: serde_json::Value,
    /// Content rescued since the parent, sorted by path. What the parent's `rescued` names is
    /// carried on by itself for 90 days.
    pub rescued: Vec<Named>,
    /// Chunks sent at a time; each needs memory for its lines.
    pub parallel: usize,
}

/// Writes the chunks that are not stored yet, then the snapshot object; each with its lock, which
/// is read back. `entries` must be sorted by path without duplicates.
///
/// After a crash or an error before the last write, nothing is visible: chunks without a snapshot
/// are found again by their name and taken, not written twice.
///
/// # Errors
/// `Failed` for unsorted entries or a file without content or version; `Damage` where the store
/// dropped a lock; the store's own.
pub async fn commit(
    _vault: &Vault,
    _request: CommitRequest<'_>,
    _entries: impl Stream<Item = Result<Named>> + Send,
) -> Result<Loaded> {
    Err(Error::Failed("not written yet".into()))
}
