//! Fetches ranges of versions, bounded in requests and in memory.

use crate::model::{Error, Event, Events, Result, Side, StoreError, StoreErrorKind, Stored};
use crate::store::{ByteRange, Store};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The longest range asked for at once: 8 MiB, where a request's latency no longer matters.
const RANGE: u64 = 8 << 20;
/// Memory is counted in such units, because semaphores count in 32 bits.
const UNIT: u64 = 4096;

/// Bytes in memory; their share of `--memory` is given back when they are dropped.
#[derive(Debug)]
pub(super) struct Held {
    /// The bytes.
    pub(super) bytes: Bytes,
    _memory: OwnedSemaphorePermit,
}

/// What all fetches share.
pub(super) struct Fetcher {
    transfers: usize,
    requests: Semaphore,
    memory: Arc<Semaphore>,
    range: u64,
    fetched: AtomicU64,
    events: Events,
    store: Arc<dyn Store>,
}

impl Fetcher {
    /// At most `transfers` requests in flight, and about `memory` bytes held.
    pub(super) fn new(
        store: Arc<dyn Store>,
        transfers: usize,
        memory: u64,
        events: Events,
    ) -> Self {
        let range = range_length(memory);
        // A body is gathered from the network's pieces, so for a moment it is there twice; and one
        // range must always fit.
        let units = (memory / 2).max(range) / UNIT;
        let transfers = transfers.max(1);
        Self {
            transfers,
            requests: Semaphore::new(transfers),
            memory: Arc::new(Semaphore::new(units.min(u32::MAX.into()) as usize)),
            range,
            fetched: AtomicU64::new(0),
            events,
            store,
        }
    }

    /// Bytes of a range: a power of two, so that each is a subtree of the file's BLAKE3.
    pub(super) fn range_length(&self) -> u64 {
        self.range
    }

    /// How many ranges of one file are worth asking for at once.
    pub(super) fn parallel(&self) -> usize {
        self.transfers
    }

    /// Bytes that have come so far, repeated ones included.
    pub(super) fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Fetches `len` (at least 1, at most a range) bytes from `first` on, waiting for its turn.
    ///
    /// # Errors
    /// The store's, once trying again is of no use. An answer of another length counts as damaged
    /// on the way.
    pub(super) async fn range(&self, stored: &Stored, first: u64, len: u64) -> Result<Held> {
        let units = len.div_ceil(UNIT).min(u32::MAX.into()) as u32;
        let memory = Arc::clone(&self.memory).acquire_many_owned(units);
        let memory = memory.await.map_err(closed)?;
        let _turn = self.requests.acquire().await.map_err(closed)?;
        let bytes = retry(|| self.once(stored, first, len)).await?;
        self.fetched.fetch_add(len, Ordering::Relaxed);
        self.events.send(Event::Bytes {
            side: Side::Backup,
            count: len,
        });
        Ok(Held {
            bytes,
            _memory: memory,
        })
    }

    async fn once(&self, stored: &Stored, first: u64, len: u64) -> Result<Bytes, StoreError> {
        let range = ByteRange {
            first,
            last: first + len - 1,
        };
        let version = Some(stored.version_id.as_str());
        let fetched = self.store.get(&stored.key, version, Some(range)).await?;
        if fetched.body.len() as u64 != len {
            return Err(StoreError {
                kind: StoreErrorKind::Checksum,
                operation: "GetObject",
                place: format!("{}/{}", self.store.place(), stored.key),
                message: format!("sent {} bytes instead of {len}", fetched.body.len()),
            });
        }
        Ok(fetched.body)
    }
}

/// Half of the memory must hold at least two ranges, so that one is written while one comes.
fn range_length(memory: u64) -> u64 {
    let quarter = (memory / 4).max(1 << 20);
    let power = 1 << quarter.ilog2();
    RANGE.min(power)
}

fn closed(_: tokio::sync::AcquireError) -> Error {
    Error::Failed("the restore was given up".into())
}

/// Tries a request again while that may help.
async fn retry<T, F>(request: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut delay = Duration::from_millis(100);
    for _ in 0..4 {
        match request().await {
            Err(error) if error.kind.is_transient() => {
                tracing::debug!(%error, "trying again");
                tokio::time::sleep(delay).await;
                delay *= 4;
            }
            other => return other,
        }
    }
    request().await
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
