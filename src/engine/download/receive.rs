//! Brings the bytes of one object into a temporary file, and tells what they are.

use super::blocking;
use super::fetch::{Fetcher, Origin};
use super::temp::Temp;
use crate::model::subtree::{PartHash, hash_part, merge_parts};
use crate::model::{Blake3, Content, Crc64, Error, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// Fills `temp` with the `size` bytes of an object, and says what came. Nothing is proven by that:
/// the caller compares.
///
/// # Errors
/// The store's, once trying again is of no use, and the disk's.
pub(in crate::engine) async fn receive(
    fetcher: &Fetcher,
    origin: &Origin<'_>,
    size: u64,
    temp: &Arc<Temp>,
) -> Result<Content> {
    if size == 0 {
        return Ok(Content::of(b""));
    }
    if size <= fetcher.range_length() {
        whole(fetcher, origin, size, temp).await
    } else {
        by_ranges(fetcher, origin, size, temp).await
    }
}

/// Less is on the disk in no time, once it must be.
const WORTH_A_HINT: u64 = 1 << 20;

async fn whole(
    fetcher: &Fetcher,
    origin: &Origin<'_>,
    size: u64,
    temp: &Arc<Temp>,
) -> Result<Content> {
    let held = fetcher.range(origin, 0, size).await?;
    let temp = Arc::clone(temp);
    let work = move || {
        write(&temp, &held.bytes, 0)?;
        if size >= WORTH_A_HINT {
            temp.start_writeback(0, size);
        }
        Ok(Content::of(&held.bytes))
    };
    fetcher.on_disk(size, work).await
}

/// Ranges come in any order; each is a subtree, merged at the end.
async fn by_ranges(
    fetcher: &Fetcher,
    origin: &Origin<'_>,
    size: u64,
    temp: &Arc<Temp>,
) -> Result<Content> {
    let length = fetcher.range_length();
    let starts = (0..size.div_ceil(length)).map(|number| number * length);
    let ranges = starts.map(|first| async move {
        let len = length.min(size - first);
        let held = fetcher.range(origin, first, len).await?;
        let temp = Arc::clone(temp);
        blocking(move || {
            write(&temp, &held.bytes, first)?;
            temp.start_writeback(first, len);
            let hash = hash_part(&held.bytes, first);
            Ok((hash, Crc64::of(&held.bytes), len))
        })
        .await
    });
    let parts: Vec<(PartHash, Crc64, u64)> = stream::iter(ranges)
        .buffered(fetcher.parallel())
        .try_collect()
        .await?;
    let hashes: Vec<PartHash> = parts.iter().map(|(hash, ..)| *hash).collect();
    let crcs = parts.iter().map(|(_, crc, len)| (*crc, *len));
    let crc = crcs.reduce(|(sum, total), (crc, len)| (sum.followed_by(crc, len), total + len));
    match (merge_parts(&hashes), crc) {
        (Some(blake3), Some((crc64nvme, _))) => Ok(Content {
            size,
            blake3,
            crc64nvme,
        }),
        _ => Err(Error::Failed("a file of ranges has two or more".into())),
    }
}

/// Bytes that are written at once. Linux takes memory for its cache in pieces as large as a write;
/// large ones are dear where there is little contiguous memory, or where a virtual machine has given
/// it back to its host.
const PIECE: usize = 64 << 10;

/// Writes them at an offset, in such pieces.
///
/// # Errors
/// The disk's.
pub(in crate::engine) fn write(temp: &Temp, bytes: &[u8], offset: u64) -> Result<()> {
    for (number, piece) in bytes.chunks(PIECE).enumerate() {
        let at = offset + (number * PIECE) as u64;
        temp.write_at(piece, at).map_err(Error::io(temp.path()))?;
    }
    Ok(())
}

/// Hands over what is in a file, piece by piece.
pub(in crate::engine) fn read_all(
    mut file: File,
    mut take: impl FnMut(&[u8]),
) -> std::io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => take(&buffer[..count]),
        }
    }
}

/// Hashes what is in a file.
pub(in crate::engine) fn hash_file(file: File) -> std::io::Result<Blake3> {
    let mut hasher = blake3::Hasher::new();
    read_all(file, |bytes| {
        hasher.update(bytes);
    })?;
    Ok(Blake3(*hasher.finalize().as_bytes()))
}
