//! Reading the entries of chunks.

use crate::model::{Entry, Error, Failure, Result, StoreErrorKind};
use crate::snapshot::transport::{self, LookAt};
use crate::snapshot::{ChunkRef, Vault, chunk, line};
use crate::store::{ByteRange, Store};
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use std::sync::Arc;

/// One chunk's entries, verified.
#[derive(Clone, PartialEq, Debug)]
pub struct ChunkEntries {
    /// Where they come from.
    pub chunk: ChunkRef,
    /// In the order of paths, none before the chunk's `first`.
    pub entries: Vec<Entry>,
    /// Entries that were refused, by name: hostile paths, unknown types, broken lines.
    pub refused: Vec<Failure>,
    /// The version that the snapshot names is gone or damaged; another version of the same key
    /// has the content.
    pub healed: bool,
}

impl Vault {
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
        let store = Arc::clone(self.store());
        stream::iter(chunks)
            .map(move |chunk| read(Arc::clone(&store), chunk))
            .buffered(parallel.max(1))
    }
}

async fn read(store: Arc<dyn Store>, chunk: ChunkRef) -> Result<ChunkEntries> {
    let mut why = String::new();
    for _ in 0..2 {
        match fetch(&*store, &chunk).await {
            Ok(body) => match decode(body, chunk.clone()).await? {
                Ok(decoded) => return Ok(entries(chunk, decoded, false)),
                Err(reason) => why = reason,
            },
            Err(Error::Store(error)) if error.kind == StoreErrorKind::NotFound => {
                why = format!("version {} is gone", chunk.version_id);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    heal(&*store, chunk, why).await
}

async fn fetch(store: &dyn Store, chunk: &ChunkRef) -> Result<Bytes> {
    // The plaintext's size bounds what is fetched, whatever the object has become.
    let plain = usize::try_from(chunk.size).unwrap_or(chunk::MAX_BYTES);
    let range = ByteRange {
        first: 0,
        last: zstd::zstd_safe::compress_bound(plain.min(chunk::MAX_BYTES)) as u64,
    };
    let version = Some(chunk.version_id.as_str());
    let fetched = store.get(&chunk.key, version, Some(range)).await?;
    Ok(fetched.body)
}

/// Looks for another version with the content, since the key is named after it.
async fn heal(store: &dyn Store, chunk: ChunkRef, why: String) -> Result<ChunkEntries> {
    let is_it = |body: &[u8]| chunk::verify(body, chunk.blake3, chunk.size).is_ok();
    let found = transport::find_version(store, &chunk.key, LookAt::Any, is_it).await?;
    if let Some((version, body)) = found
        && let Ok(decoded) = decode(body, chunk.clone()).await?
    {
        let (key, id) = (&chunk.key, &version.version_id);
        tracing::warn!(key, why, "read from version {id} instead");
        return Ok(entries(chunk, decoded, true));
    }
    Err(Error::Damage(format!(
        "{}/{}: a chunk of the manifest {why}; the {} entries from {} on can't be read from it",
        store.place(),
        line::safe(&chunk.key),
        chunk.entries,
        line::safe(&chunk.first.display()),
    )))
}

/// Off the reactor: unpacking and parsing a full chunk takes tens of milliseconds.
async fn decode(body: Bytes, chunk: ChunkRef) -> Result<Result<chunk::Decoded, String>> {
    tokio::task::spawn_blocking(move || chunk::decode(&body, &chunk))
        .await
        .map_err(|error| Error::Failed(format!("reading a manifest: {error}")))
}

fn entries(chunk: ChunkRef, decoded: chunk::Decoded, healed: bool) -> ChunkEntries {
    ChunkEntries {
        chunk,
        entries: decoded.entries,
        refused: decoded.refused,
        healed,
    }
}
