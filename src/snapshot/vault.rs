//! Reading a backup target.

use crate::model::{Blake3, Entry, Failure, RelPath, Result, Target, Time};
use crate::snapshot::{ChunkRef, Snapshot, SnapshotId};
use crate::store::Store;
use futures::stream::{self, Stream};
use std::sync::Arc;

/// A backup target to read from. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    store: Arc<dyn Store>,
    target: Target,
}

/// A snapshot object in the listing: the oldest version of its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotRef {
    /// From the key.
    pub id: SnapshotId,
    /// Full key.
    pub key: String,
    /// The version that counts.
    pub version_id: String,
    /// By the server's clock.
    pub last_modified: Time,
    /// Bytes.
    pub size: u64,
}

/// A snapshot that was read, or committed.
#[derive(Clone, PartialEq, Debug)]
pub struct Loaded {
    /// What it says.
    pub snapshot: Snapshot,
    /// Of the snapshot object's bytes: what a child's `parent_blake3` is compared with.
    pub blake3: Blake3,
    /// Where it is.
    pub at: SnapshotRef,
}

/// Which snapshot is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Select {
    /// The newest that is not suspect.
    Latest,
    /// The newest that is not suspect and not later than this.
    At(Time),
    /// This one, suspect or not: a whole id, or a beginning or the random part that only one has.
    Id(String),
}

/// A snapshot that was asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The one.
    pub loaded: Loaded,
    /// Newer ones that were passed over because they are suspect, newest first.
    pub passed_over: Vec<SnapshotId>,
}

/// One chunk's entries, verified.
#[derive(Clone, PartialEq, Debug)]
pub struct ChunkEntries {
    /// Where they come from.
    pub chunk: ChunkRef,
    /// In the order of paths.
    pub entries: Vec<Entry>,
    /// Entries that were refused, by name: hostile paths, unknown types, broken lines.
    pub refused: Vec<Failure>,
}

impl Vault {
    /// Reads `target` through `store`.
    pub fn new(store: Arc<dyn Store>, target: Target) -> Self {
        Self { store, target }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The target.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// All snapshots, ascending by id. Of a key with several versions the oldest counts; delete
    /// markers change nothing.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self) -> Result<Vec<SnapshotRef>> {
        Ok(Vec::new())
    }

    /// Reads one snapshot object by its version.
    ///
    /// # Errors
    /// `Damage` where its id is not that of its key; `Format` for what this version can't read.
    pub async fn load(&self, _at: &SnapshotRef) -> Result<Loaded> {
        Err(crate::model::Error::Failed("not written yet".into()))
    }

    /// The highest id, suspect or not: the parent of the next snapshot. None in an empty vault.
    ///
    /// # Errors
    /// As [`Vault::load`].
    pub async fn latest(&self) -> Result<Option<Loaded>> {
        Ok(None)
    }

    /// The snapshot that a reader asked for.
    ///
    /// # Errors
    /// `Usage` where there is none such, naming what there is.
    pub async fn find(&self, _select: &Select) -> Result<Found> {
        Err(crate::model::Error::Failed("not written yet".into()))
    }

    /// The entries of chunks, in the order given; `parallel` are fetched at a time, so memory is
    /// bounded by so many chunks. Each is fetched by version id and checked against its BLAKE3
    /// (fetched once more where it does not match) before any of its entries is seen.
    ///
    /// An `Err` is about one chunk (its message names it); the stream goes on with the next.
    pub fn entries(
        &self,
        chunks: Vec<ChunkRef>,
        parallel: usize,
    ) -> impl Stream<Item = Result<ChunkEntries>> + Send + use<> {
        let _ = (chunks, parallel);
        stream::iter(Vec::new())
    }
}

/// The chunks of a manifest that can name `folder` itself or paths below it.
pub fn chunks_within<'a>(manifest: &'a [ChunkRef], _folder: &RelPath) -> &'a [ChunkRef] {
    manifest
}
