//! Brings one content into a temporary file and proves it.

use crate::engine::download::fetch::{Fetcher, Origin};
use crate::engine::download::receive::receive;
use crate::engine::download::temp::Temp;
use crate::model::{Content, Error, StoreErrorKind, Stored};
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
    let origin = Origin {
        key: &stored.key,
        version_id: Some(&stored.version_id),
        etag: None,
    };
    for _ in 0..2 {
        let came = receive(fetcher, &origin, content.size, temp).await?;
        if came.blake3 == content.blake3 {
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
