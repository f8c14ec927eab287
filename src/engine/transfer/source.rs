//! Reading a file of the library: once, part by part, one stable state of it.

use crate::engine::buffers::{Buffers, Share};
use crate::library::{Library, OpenFile, ReadError};
use crate::model::etag::{Expected, Matcher};
use crate::model::subtree::{self, PartHash};
use crate::model::{Blake3, Content, Crc64, RelPath, Seen, time};
use bytes::Bytes;
use std::sync::Arc;

/// Files up to this size are sent in one request; larger ones in parts of at least this size.
pub const SMALLEST_PART: u64 = 8 << 20;

/// S3's limit.
const MOST_PARTS: u64 = 10_000;

/// The part length for a file: a power of two, so that parts are BLAKE3 subtrees, and large
/// enough that 10,000 parts suffice. Parts of 4 GiB, the largest power of two that S3 takes,
/// suffice for 39 TiB.
pub fn part_len(size: u64) -> u64 {
    size.div_ceil(MOST_PARTS)
        .next_power_of_two()
        .max(SMALLEST_PART)
}

/// A part in memory, with what it is known by. Its share of the memory budget goes with it.
pub(super) struct ReadPart {
    /// From 1.
    pub number: i32,
    /// The bytes.
    pub bytes: Bytes,
    /// Chaining value of its subtree (unused for files of one part).
    pub hash: PartHash,
    /// Checksum.
    pub crc: Crc64,
}

/// A content that was read to its end.
pub(super) struct Whole {
    /// What it is.
    pub content: Content,
    /// Whether it is what was expected; false where nothing was.
    pub equal: bool,
    /// Its parts, where they were to be held.
    pub parts: Vec<Bytes>,
    /// Their share of the memory budget.
    pub share: Option<Share>,
}

/// An open file of the library. All reading happens on blocking threads.
#[derive(Clone)]
pub(super) struct Source {
    file: Arc<OpenFile>,
    /// The file as it was when it was opened.
    pub seen: Seen,
}

impl Source {
    /// Opens a file in whatever state it is now: one that changed since the scan is stored as it
    /// is, as long as it keeps still from here on. One that changed a moment ago is waited for.
    ///
    /// # Errors
    /// `Gone`, `Changed` if it does not keep still, or the system's reason.
    pub(super) async fn open(library: &Arc<Library>, path: &RelPath) -> Result<Self, ReadError> {
        let (library, path) = (Arc::clone(library), path.clone());
        let source = blocking(move || {
            let file = library.open_as_is(&path)?;
            let seen = file.seen().clone();
            Ok(Self {
                file: Arc::new(file),
                seen,
            })
        })
        .await?;
        if let Some(rest) = source.file.unsettled(time::local_now()) {
            tokio::time::sleep(rest).await;
            source.check_unchanged().await?;
        }
        Ok(source)
    }

    /// Reads one part.
    ///
    /// # Errors
    /// `Changed` if the file has become shorter, or the system's reason.
    pub(super) async fn part(
        &self,
        buffers: &Buffers,
        number: i32,
        part_len: u64,
    ) -> Result<ReadPart, ReadError> {
        let (file, buffers) = (Arc::clone(&self.file), buffers.clone());
        let offset = (number as u64 - 1) * part_len;
        let len = part_len.min(self.seen.size - offset);
        blocking(move || {
            let bytes = read(&file, &buffers, offset, len)?;
            let hash = subtree::hash_part(&bytes, offset);
            let crc = Crc64::of(&bytes);
            Ok(ReadPart {
                number,
                bytes,
                hash,
                crc,
            })
        })
        .await
    }

    /// Reads the whole file in order; holds it in memory if it fits into half of the budget.
    ///
    /// # Errors
    /// `Changed` if the file is not the same at the end as at the beginning, or the system's
    /// reason.
    pub(super) async fn whole(
        &self,
        buffers: &Buffers,
        expected: Option<Expected>,
    ) -> Result<Whole, ReadError> {
        let size = self.seen.size;
        let hold = size <= buffers.whole_file_limit();
        let part_len = part_len(size);
        let share = buffers.take(if hold { size } else { part_len }).await;
        let (file, buffers) = (Arc::clone(&self.file), buffers.clone());
        blocking(move || {
            let mut reading = Reading::new(expected);
            let mut offset = 0;
            while offset < size {
                let bytes = read(&file, &buffers, offset, part_len.min(size - offset))?;
                reading.take(&bytes);
                offset += bytes.len() as u64;
                if hold {
                    reading.parts.push(bytes);
                }
            }
            file.check_unchanged()?;
            let (content, equal, parts) = reading.finish(size);
            Ok(Whole {
                content,
                equal,
                parts,
                share: hold.then_some(share),
            })
        })
        .await
    }

    /// Whether the file is still what it was when it was opened.
    ///
    /// # Errors
    /// `Changed` if it is not.
    pub(super) async fn check_unchanged(&self) -> Result<(), ReadError> {
        let file = Arc::clone(&self.file);
        blocking(move || file.check_unchanged()).await
    }
}

/// The checksums of a content that goes by in order.
struct Reading {
    hasher: blake3::Hasher,
    crc: crc_fast::Digest,
    matcher: Option<Matcher>,
    parts: Vec<Bytes>,
}

impl Reading {
    fn new(expected: Option<Expected>) -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            crc: crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme),
            matcher: expected.as_ref().map(Matcher::new),
            parts: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.crc.update(bytes);
        if let Some(matcher) = &mut self.matcher {
            matcher.update(bytes);
        }
    }

    fn finish(self, size: u64) -> (Content, bool, Vec<Bytes>) {
        let content = Content {
            size,
            blake3: Blake3(*self.hasher.finalize().as_bytes()),
            crc64nvme: Crc64(self.crc.finalize()),
        };
        (
            content,
            self.matcher.is_some_and(Matcher::matches),
            self.parts,
        )
    }
}

fn read(file: &OpenFile, buffers: &Buffers, offset: u64, len: u64) -> Result<Bytes, ReadError> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    buffers.filled(len, |buffer| file.read_part(offset, buffer))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => Err(ReadError::Failed(std::io::Error::other(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_suffice_for_any_file() {
        const GIB: u64 = 1 << 30;
        for size in [
            0,
            1,
            SMALLEST_PART,
            SMALLEST_PART + 1,
            80 * GIB,
            5 << 40,
            39 << 40,
        ] {
            let part = part_len(size);
            assert!(part.is_power_of_two() && part >= SMALLEST_PART, "{size}");
            assert!(size.div_ceil(part) <= MOST_PARTS, "{size}");
            assert!(part <= 5 * GIB, "{size}");
        }
    }
}
