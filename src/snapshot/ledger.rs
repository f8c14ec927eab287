//! The ledger of renewals: `<prefix>/locks/<time>-<8 hex>.jsonl.zst`.

use crate::model::{Blake3, Error, RelPath, Result, StoreErrorKind, Time};
use crate::snapshot::transport::{self, LookAt, Once};
use crate::snapshot::{Lock, SnapshotId, Vault, chunk, layout, line};
use crate::store::Version;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

/// Objects read at a time.
const PARALLEL: usize = 8;

/// A line: one renewed chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renewed {
    /// BLAKE3 of the chunk's lines.
    pub chunk: Blake3,
    /// The chunk object's version.
    pub version_id: String,
    /// The chunk's first path, for people.
    pub first: RelPath,
    /// The earliest lock among the chunk object and all that it names, after the renewal.
    pub locked_until: Time,
}

/// A ledger object that was read or written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LedgerObject {
    /// From its key.
    pub id: SnapshotId,
    /// By the server's clock; bounds what its lines can claim.
    pub last_modified: Time,
    /// Its lines.
    pub lines: Vec<Renewed>,
}

/// A line's fields, in the order that they are written in.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    chunk: Cow<'a, str>,
    #[serde(borrow)]
    version_id: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    first: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    first_base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    locked_until: Cow<'a, str>,
}

/// All ledger objects that can still claim anything: none whose LastModified + `retention` is
/// over at `now`. A damaged object, or a line that is not readable, claims nothing and is logged:
/// locks are then renewed too early, never too late.
///
/// # Errors
/// The store's.
pub async fn read_ledger(
    vault: &Vault,
    now: Time,
    retention: Duration,
) -> Result<Vec<LedgerObject>> {
    let prefix = vault.target().key(layout::LOCKS);
    let versions = transport::oldest_versions(&**vault.store(), &prefix).await?;
    let counts = |version: &Version| {
        let end = version.last_modified.checked_add(retention);
        end.is_ok_and(|end| end > now) && version.size <= chunk::MAX_BYTES as u64
    };
    let read = versions.into_iter().filter(counts).filter_map(|version| {
        let id = layout::id_of(vault.target(), layout::LOCKS, ".jsonl.zst", &version.key)?;
        Some(read(vault, id, version))
    });
    let objects = stream::iter(read).buffered(PARALLEL);
    objects
        .try_filter_map(async |object| Ok(object))
        .try_collect()
        .await
}

async fn read(vault: &Vault, id: SnapshotId, version: Version) -> Result<Option<LedgerObject>> {
    let at = Some(version.version_id.as_str());
    let body = match vault.store().get(&version.key, at, None).await {
        Ok(fetched) => fetched.body,
        // Pruned since it was listed.
        Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match chunk::decompress(&body, chunk::MAX_BYTES) {
        Ok(text) => Ok(Some(LedgerObject {
            id,
            last_modified: version.last_modified,
            lines: decode(&text, &version.key),
        })),
        Err(why) => {
            tracing::warn!(key = version.key, why, "a ledger object claims nothing");
            Ok(None)
        }
    }
}

/// Writes one ledger object under lock, after the renewals that it tells of. `now` is the
/// server's time.
///
/// # Errors
/// The store's; the renewals hold nevertheless, only nobody knows of them and they are made once
/// more.
pub async fn write_ledger(
    vault: &Vault,
    now: Time,
    lock: Lock,
    sse: Option<&str>,
    lines: Vec<Renewed>,
) -> Result<LedgerObject> {
    let id = SnapshotId::after(None, now)?;
    let key = layout::ledger(vault.target(), &id);
    let text = encode(&lines)?;
    let once = Once {
        key: &key,
        body: chunk::compress(&text)?,
        content_type: "application/zstd",
        lock: lock.full(now)?,
        sse,
        look_at: LookAt::Oldest,
    };
    let is_it = |body: &[u8]| chunk::verify(body, Blake3::of(&text), text.len() as u64).is_ok();
    transport::write_once(&**vault.store(), once, is_it).await?;
    Ok(LedgerObject {
        id,
        last_modified: now,
        lines,
    })
}

fn encode(lines: &[Renewed]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for renewed in lines {
        let (first, first_base64) = line::text_or_base64(Some(renewed.first.as_bytes()));
        let line = Line {
            chunk: Cow::Owned(renewed.chunk.to_hex()),
            version_id: Cow::Borrowed(&renewed.version_id),
            first,
            first_base64,
            locked_until: Cow::Owned(renewed.locked_until.to_string()),
        };
        serde_json::to_writer(&mut text, &line)
            .map_err(|error| Error::Failed(format!("the ledger of locks: {error}")))?;
        text.push(b'\n');
    }
    Ok(text)
}

fn decode(text: &[u8], key: &str) -> Vec<Renewed> {
    let lines = text.split(|&byte| byte == b'\n').filter(|l| !l.is_empty());
    lines
        .filter_map(|line| {
            let renewed = decode_line(line);
            if renewed.is_none() {
                tracing::warn!(
                    key,
                    "a line of the ledger is not readable; it claims nothing"
                );
            }
            renewed
        })
        .collect()
}

fn decode_line(line: &[u8]) -> Option<Renewed> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let first = line::bytes_of("first", line.first, line.first_base64).ok()??;
    Some(Renewed {
        chunk: Blake3::from_hex(&line.chunk)?,
        version_id: line.version_id.into_owned(),
        first: RelPath::new(first),
        locked_until: line.locked_until.parse().ok()?,
    })
}
