//! Fetches ranges of objects, bounded in requests and in memory.

use super::disk::Disk;
use crate::engine::buffers::{Buffers, Share};
use crate::engine::retry::Retrier;
use crate::model::{Error, Event, Events, Result, Side, StoreError, StoreErrorKind, StoreResult};
use crate::store::{ByteRange, Store};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest range asked for at once: where a request's latency no longer matters.
const RANGE: u64 = 8 << 20;

/// Bytes in memory; their share of the budget is given back when they are dropped.
pub(in crate::engine) struct Held {
    /// The bytes.
    pub(in crate::engine) bytes: Bytes,
    _share: Share,
}

/// What is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) struct Origin<'a> {
    /// The full key.
    pub(in crate::engine) key: &'a str,
    /// Which version; none for the current object.
    pub(in crate::engine) version_id: Option<&'a str>,
    /// The object must still have this ETag.
    pub(in crate::engine) etag: Option<&'a str>,
}

/// What all fetches share.
pub(in crate::engine) struct Fetcher {
    side: Side,
    store: Arc<dyn Store>,
    retrier: Retrier,
    buffers: Buffers,
    range: u64,
    parallel: usize,
    disk: Disk,
    fetched: AtomicU64,
    events: Events,
}

impl Fetcher {
    /// Requests go at the retrier's pace; about `memory` bytes are held at most.
    pub(in crate::engine) fn new(
        side: Side,
        store: Arc<dyn Store>,
        retrier: Retrier,
        transfers: usize,
        memory: u64,
        events: Events,
    ) -> Self {
        Self {
            side,
            store,
            retrier,
            // A body is gathered from the network's pieces, so for a moment it is there twice.
            buffers: Buffers::new(memory / 2),
            range: range_length(memory),
            parallel: transfers.max(1),
            disk: Disk::start(),
            fetched: AtomicU64::new(0),
            events,
        }
    }

    /// Bytes of a range: a power of two, so that each is a subtree of the file's BLAKE3.
    pub(in crate::engine) fn range_length(&self) -> u64 {
        self.range
    }

    /// How many ranges, or files, are worth asking for at once.
    pub(in crate::engine) fn parallel(&self) -> usize {
        self.parallel
    }

    /// Has work done on a file of so many bytes.
    ///
    /// # Errors
    /// Its own.
    pub(in crate::engine) async fn on_disk<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let done = self.disk.run(bytes, work).await;
        done.map_err(|error| Error::Failed(error.to_string()))?
    }

    /// Bytes that have come so far, repeated ones included.
    pub(in crate::engine) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Fetches `len` (at least 1, at most a range) bytes from `first` on, waiting for its turn.
    ///
    /// # Errors
    /// The store's, once trying again is of no use. An answer of another length counts as damaged
    /// on the way; of an object that has another ETag now, `PreconditionFailed`.
    pub(in crate::engine) async fn range(
        &self,
        origin: &Origin<'_>,
        first: u64,
        len: u64,
    ) -> StoreResult<Held> {
        let share = self.buffers.take(len).await;
        let bytes = self.retrier.run(|| self.once(origin, first, len)).await?;
        self.fetched.fetch_add(len, Ordering::Relaxed);
        self.events.send(Event::Bytes {
            side: self.side,
            count: len,
        });
        Ok(Held {
            bytes,
            _share: share,
        })
    }

    async fn once(&self, origin: &Origin<'_>, first: u64, len: u64) -> StoreResult<Bytes> {
        self.retrier.pace().bandwidth(len).await;
        let range = ByteRange {
            first,
            last: first + len - 1,
        };
        let Origin {
            key, version_id, ..
        } = *origin;
        let fetched = self.store.get(key, version_id, Some(range)).await?;
        let failed = |kind, message| StoreError {
            kind,
            operation: "GetObject",
            place: format!("{}/{key}", self.store.place()),
            message,
        };
        if origin.etag.is_some_and(|etag| etag != fetched.etag) {
            let message = "the object was changed while it was fetched".to_owned();
            return Err(failed(StoreErrorKind::PreconditionFailed, message));
        }
        if fetched.body.len() as u64 != len {
            let message = format!("sent {} bytes instead of {len}", fetched.body.len());
            return Err(failed(StoreErrorKind::Checksum, message));
        }
        Ok(fetched.body)
    }
}

/// Half of the memory must hold at least two ranges, so that one is written while one comes.
fn range_length(memory: u64) -> u64 {
    let quarter = (memory / 4).max(1 << 20);
    RANGE.min(1 << quarter.ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_powers_of_two_that_fit_into_the_memory() {
        assert_eq!(range_length(256 << 20), 8 << 20);
        assert_eq!(range_length(20 << 20), 4 << 20);
        assert_eq!(range_length(0), 1 << 20);
    }
}
