//! Chunks of a manifest: where they end, and their bytes.

use crate::model::{Blake3, Entry, Error, Failure, Kind, RelPath, Result, Time};
use crate::snapshot::{ChunkRef, Named, line};
use bytes::Bytes;

/// No chunk has more entries.
pub(super) const MAX_ENTRIES: usize = 16_384;
/// No chunk has more bytes of lines; a snapshot that says otherwise is refused.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Behind so many bytes a chunk ends even where its paths would not end it: only a library of
/// very long paths ever gets there, and memory stays bounded for it too.
const ENOUGH_BYTES: usize = MAX_BYTES - 2 * line::MAX_LINE;
/// One boundary among so many paths, on average.
const ONE_IN: u64 = 1024;

/// Whether a chunk ends after this path, whatever stands around it: so a change of one path
/// touches the chunks around it and no others.
pub(super) fn ends_after(path: &RelPath) -> bool {
    let hash = Blake3::of(path.as_bytes()).0;
    let first = [
        hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7],
    ];
    u64::from_le_bytes(first).is_multiple_of(ONE_IN)
}

/// A finished chunk, not yet stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Built {
    /// The uncompressed lines.
    pub(super) lines: Vec<u8>,
    /// Their identity.
    pub(super) blake3: Blake3,
    /// Number of lines.
    pub(super) entries: u64,
    /// Number of regular files among them.
    pub(super) files: u64,
    /// Bytes of those files.
    pub(super) bytes: u64,
    /// The first path.
    pub(super) first: RelPath,
    /// The earliest lock of the versions named; none where none is named.
    pub(super) locked_until: Option<Time>,
}

impl Built {
    /// What is stored. Any zstd reads it; the chunk's identity is that of its lines alone.
    pub(super) fn compress(&self) -> Result<Bytes> {
        compress(&self.lines)
    }
}

/// Compresses lines.
pub(super) fn compress(lines: &[u8]) -> Result<Bytes> {
    zstd::bulk::compress(lines, zstd::DEFAULT_COMPRESSION_LEVEL)
        .map(Bytes::from)
        .map_err(|error| Error::Failed(format!("zstd: {error}")))
}

/// Undoes [`compress`]; what would be longer than `limit` bytes is refused without being
/// unpacked further.
pub(super) fn decompress(compressed: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    // Into a buffer of the limit's size, so no frame header can ask for a window of its own.
    zstd::bulk::decompress(compressed, limit)
        .map_err(|error| format!("is not zstd of at most {limit} bytes: {error}"))
}

/// Cuts a sorted sequence of entries into chunks.
#[derive(Debug, Default)]
pub(super) struct Chunker {
    lines: Vec<u8>,
    entries: usize,
    files: u64,
    bytes: u64,
    first: Option<RelPath>,
    last: Option<RelPath>,
    locked_until: Option<Time>,
}

impl Chunker {
    /// Takes the next entry; gives the chunk that it ends, if it ends one.
    pub(super) fn push(&mut self, named: &Named) -> Result<Option<Built>> {
        let entry = &named.entry;
        self.check_order(&entry.path)?;
        line::encode(entry, &mut self.lines)?;
        if entry.stored.is_some() {
            let until = named.locked_until.ok_or_else(|| {
                Error::Failed(format!("{}: nothing is known of its lock", entry.path))
            })?;
            self.locked_until = Some(self.locked_until.map_or(until, |least| least.min(until)));
        }
        if entry.kind == Kind::File {
            self.files += 1;
            self.bytes += entry.size();
        }
        self.entries += 1;
        self.first.get_or_insert_with(|| entry.path.clone());
        self.last = Some(entry.path.clone());
        let full = self.entries == MAX_ENTRIES || self.lines.len() >= ENOUGH_BYTES;
        Ok(if full || ends_after(&entry.path) {
            self.end()
        } else {
            None
        })
    }

    /// The last chunk, if anything is left for it.
    pub(super) fn end(&mut self) -> Option<Built> {
        let first = self.first.take()?;
        let lines = std::mem::take(&mut self.lines);
        Some(Built {
            blake3: Blake3::of(&lines),
            lines,
            entries: std::mem::take(&mut self.entries) as u64,
            files: std::mem::take(&mut self.files),
            bytes: std::mem::take(&mut self.bytes),
            first,
            locked_until: self.locked_until.take(),
        })
    }

    fn check_order(&self, path: &RelPath) -> Result<()> {
        match &self.last {
            Some(last) if last >= path => Err(Error::Failed(format!(
                "a snapshot's entries must be sorted and unique, but {path} came after {last}"
            ))),
            _ => Ok(()),
        }
    }
}

/// What a chunk's bytes say.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Decoded {
    pub(super) entries: Vec<Entry>,
    pub(super) refused: Vec<Failure>,
}

/// Reads a stored chunk, checked against what the snapshot says of it before a line is looked at.
///
/// # Errors
/// What is wrong with the chunk as a whole, to be put behind its name.
pub(super) fn decode(compressed: &[u8], chunk: &ChunkRef) -> Result<Decoded, String> {
    let lines = verify(compressed, chunk.blake3, chunk.size)?;
    Ok(read_lines(&lines, chunk))
}

/// The lines of a stored chunk, if they are those that `blake3` and `size` tell of.
pub(super) fn verify(compressed: &[u8], blake3: Blake3, size: u64) -> Result<Vec<u8>, String> {
    let limit = usize::try_from(size).unwrap_or(usize::MAX);
    if limit > MAX_BYTES {
        return Err(format!("would be {size} bytes, more than any chunk has"));
    }
    let lines = decompress(compressed, limit)?;
    if Blake3::of(&lines) != blake3 {
        return Err("does not have the BLAKE3 that it should".to_owned());
    }
    Ok(lines)
}

fn read_lines(lines: &[u8], chunk: &ChunkRef) -> Decoded {
    let expected = usize::try_from(chunk.entries).unwrap_or(MAX_ENTRIES);
    let expected = expected.min(MAX_ENTRIES);
    let mut decoded = Decoded {
        entries: Vec::with_capacity(expected),
        refused: Vec::new(),
    };
    let mut all = lines.split_inclusive(|&byte| byte == b'\n');
    for (index, line) in all.by_ref().take(expected).enumerate() {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let read = line::decode(line).and_then(|entry| {
            let last = decoded.entries.last().map(|last| &last.path);
            check_place(&entry, last, &chunk.first)?;
            Ok(entry)
        });
        match read {
            Ok(entry) => decoded.entries.push(entry),
            Err(refusal) => decoded.refused.push(failure(refusal, index, chunk)),
        }
    }
    let read = decoded.entries.len() + decoded.refused.len();
    let more = all.next().is_some();
    // Not read on: millions of empty lines must not become millions of failures.
    if more || read < expected {
        let refusal = line::Refusal {
            path: String::new(),
            reason: format!("the chunk has not the {expected} lines that the snapshot tells of"),
        };
        decoded.refused.push(failure(refusal, read, chunk));
    }
    decoded
}

/// An entry out of place is refused: who reads chunks relies on their order.
fn check_place(
    entry: &Entry,
    last: Option<&RelPath>,
    first: &RelPath,
) -> Result<(), line::Refusal> {
    let reason = if last.is_some_and(|last| *last == entry.path) {
        "the manifest names it twice"
    } else if last.is_some_and(|last| *last > entry.path) || entry.path < *first {
        "it stands in the wrong place of the manifest"
    } else {
        return Ok(());
    };
    Err(line::Refusal {
        path: line::safe(&entry.path.display()),
        reason: reason.to_owned(),
    })
}

fn failure(refusal: line::Refusal, index: usize, chunk: &ChunkRef) -> Failure {
    let place = format!("line {} of {}", index + 1, line::safe(&chunk.key));
    Failure {
        path: if refusal.path.is_empty() {
            place.clone()
        } else {
            refusal.path
        },
        stage: "snapshot",
        message: format!("refused: {} ({place})", refusal.reason),
    }
}
