//! Brings one content into a temporary file and proves it.

use super::fetch::Fetcher;
use super::temp::Temp;
use crate::model::subtree::{PartHash, hash_part, merge_parts};
use crate::model::{Blake3, Content, Error, Result, StoreErrorKind, Stored};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// Why a content could not be had.
#[derive(Debug)]
pub(super) enum Lost {
    /// The version is gone, or twice gave other bytes than were stored: another version of the
    /// same content may serve.
    Content(String),
    /// Anything else.
    Error(Error),
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) if tells_of_the_content(error.kind) => {
                Self::Content(error.to_string())
            }
            other => Self::Error(other),
        }
    }
}

/// Gone; or, again and again, too short for the range that was asked for (`Invalid` is the answer
/// to a range that begins behind the end).
fn tells_of_the_content(kind: StoreErrorKind) -> bool {
    use StoreErrorKind::*;
    matches!(kind, NotFound | Checksum | Invalid)
}

/// Fills `temp` with the content of a version; what does not match its BLAKE3 is fetched once more.
///
/// After `Ok` the file has exactly this content (not yet made durable).
pub(super) async fn fill(
    fetcher: &Fetcher,
    stored: &Stored,
    content: &Content,
    temp: &Arc<Temp>,
) -> Result<(), Lost> {
    for _ in 0..2 {
        let hash = if content.size <= fetcher.range_length() {
            whole(fetcher, stored, content, temp).await?
        } else {
            by_ranges(fetcher, stored, content, temp).await?
        };
        if hash == content.blake3 {
            return Ok(());
        }
        tracing::warn!(
            key = stored.key,
            "the bytes that came are not the ones that were stored"
        );
    }
    Err(Lost::Content(format!(
        "version {} of {} has not the bytes that were stored (BLAKE3 differs, twice)",
        stored.version_id, stored.key
    )))
}

/// Up to one range: hashed in memory, and written only if right.
async fn whole(
    fetcher: &Fetcher,
    stored: &Stored,
    content: &Content,
    temp: &Arc<Temp>,
) -> Result<Blake3> {
    if content.size == 0 {
        return Ok(Blake3::of(b""));
    }
    let held = fetcher.range(stored, 0, content.size).await?;
    let (temp, wanted) = (Arc::clone(temp), content.blake3);
    blocking(move || {
        let hash = Blake3::of(&held.bytes);
        if hash == wanted {
            write(&temp, &held.bytes, 0)?;
        }
        Ok(hash)
    })
    .await
}

/// Ranges come in any order; each is a subtree, merged at the end.
async fn by_ranges(
    fetcher: &Fetcher,
    stored: &Stored,
    content: &Content,
    temp: &Arc<Temp>,
) -> Result<Blake3> {
    let length = fetcher.range_length();
    let starts = (0..content.size.div_ceil(length)).map(|number| number * length);
    let ranges = starts.map(|first| async move {
        let len = length.min(content.size - first);
        let held = fetcher.range(stored, first, len).await?;
        let temp = Arc::clone(temp);
        blocking(move || {
            write(&temp, &held.bytes, first)?;
            Ok(hash_part(&held.bytes, first))
        })
        .await
    });
    let hashes: Vec<PartHash> = stream::iter(ranges)
        .buffered(fetcher.parallel())
        .try_collect()
        .await?;
    merge_parts(&hashes).ok_or_else(|| Error::Failed("a file of ranges has two or more".into()))
}

fn write(temp: &Temp, bytes: &[u8], offset: u64) -> Result<()> {
    temp.write_at(bytes, offset).map_err(Error::io(temp.path()))
}

/// Hashes what is in a file.
pub(super) fn hash_file(mut file: File) -> std::io::Result<Blake3> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Blake3(*hasher.finalize().as_bytes())),
            count => hasher.update(&buffer[..count]),
        };
    }
}

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Failed(format!(
            "a worker of the restore failed: {error}"
        ))),
    }
}
