//! Records of what was pruned: `<prefix>/prunes/<time>-<8 hex>.json`. What they say of a snapshot
//! counts once its pin is gone ([`Pins`]).

use crate::model::{Blake3, Error, Result, StoreErrorKind, Stored, Time};
use crate::snapshot::transport::{self, LookAt, Once};
use crate::snapshot::{Dropped, Lock, Pins, SnapshotId, Vault, layout};
use crate::store::Version;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::json;

/// Records read at a time.
const PARALLEL: usize = 8;
/// No record is longer; a longer one is refused unread.
const MAX_BYTES: u64 = 64 << 20;

/// A record's fields, as far as a chain needs them.
#[derive(Deserialize)]
struct Record {
    dropped: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    blake3: String,
    #[serde(default)]
    parent: Option<String>,
}

/// A prune record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PruneRecord {
    /// The record itself: it explains gaps for as long as it is locked.
    pub stored: Stored,
    /// When it was written, by the server's clock.
    pub at: Time,
    /// What it names and what is unpinned: dropped.
    pub dropped: Vec<Dropped>,
    /// What it names and a pin still holds: a prune was interrupted, or the record is forged.
    pub pending: Vec<Dropped>,
}

/// All prune records. Of a key with several versions the oldest counts. A record that can't be read
/// explains nothing and is logged: what it might have explained shows as a gap then. Pins are
/// listed only where a record names anything.
///
/// # Errors
/// The store's.
pub async fn read_prune_records(vault: &Vault) -> Result<Vec<PruneRecord>> {
    let mut records = read_all(vault).await?;
    if records.iter().any(|record| !record.dropped.is_empty()) {
        let pins = Pins::read(vault).await?;
        for record in &mut records {
            let at = record.at;
            let named = std::mem::take(&mut record.dropped).into_iter();
            (record.pending, record.dropped) = named.partition(|it| pins.hold(&it.id, at));
        }
    }
    Ok(records)
}

async fn read_all(vault: &Vault) -> Result<Vec<PruneRecord>> {
    let prefix = vault.target().key(layout::PRUNES);
    let versions = transport::oldest_versions(&**vault.store(), &prefix).await?;
    let records = stream::iter(versions).map(|version| async move {
        let at = version.last_modified;
        let stored = Stored {
            key: version.key.clone(),
            version_id: version.version_id.clone(),
            etag: version.etag.clone(),
        };
        let dropped = read(vault, version).await?;
        Ok(PruneRecord {
            stored,
            at,
            dropped,
            pending: Vec::new(),
        })
    });
    records.buffered(PARALLEL).try_collect().await
}

/// Writes a prune record under lock, before anything that it names is dropped.
///
/// # Errors
/// The store's; nothing counts as dropped then.
pub async fn write_prune(
    vault: &Vault,
    now: Time,
    lock: Lock,
    sse: Option<&str>,
    dropped: &[Dropped],
) -> Result<()> {
    let id = SnapshotId::after(None, now)?;
    let lines: Vec<_> = dropped
        .iter()
        .map(|it| {
            let parent = it.parent.as_ref().map(SnapshotId::as_str);
            json!({"id": it.id.as_str(), "blake3": it.blake3.to_hex(), "parent": parent})
        })
        .collect();
    let record = json!({"format": 1, "time": id.time().to_string(), "dropped": lines});
    let body = format!("{record}\n").into_bytes();
    let blake3 = Blake3::of(&body);
    let key = layout::prune(vault.target(), &id);
    let once = Once {
        key: &key,
        body: body.into(),
        content_type: "application/json",
        lock: lock.full(now)?,
        sse,
        look_at: LookAt::Oldest,
    };
    let is_it = |body: &[u8]| Blake3::of(body) == blake3;
    transport::write_once(&**vault.store(), once, is_it).await?;
    Ok(())
}

async fn read(vault: &Vault, version: Version) -> Result<Vec<Dropped>> {
    let key = &version.key;
    if version.size > MAX_BYTES
        || layout::id_of(vault.target(), layout::PRUNES, ".json", key).is_none()
    {
        tracing::warn!(key, "not a prune record; it explains nothing");
        return Ok(Vec::new());
    }
    let at = Some(version.version_id.as_str());
    let body = match vault.store().get(key, at, None).await {
        Ok(fetched) => fetched.body,
        Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::Store(error)),
    };
    let lines = serde_json::from_slice::<Record>(&body).map(|record| record.dropped);
    let read: Option<Vec<Dropped>> = lines
        .ok()
        .and_then(|lines| lines.into_iter().map(dropped).collect());
    if read.is_none() {
        tracing::warn!(key, "the prune record is not readable; it explains nothing");
    }
    Ok(read.unwrap_or_default())
}

fn dropped(line: Line) -> Option<Dropped> {
    Some(Dropped {
        id: SnapshotId::parse(&line.id)?,
        blake3: Blake3::from_hex(&line.blake3)?,
        parent: match line.parent {
            Some(parent) => Some(SnapshotId::parse(&parent)?),
            None => None,
        },
    })
}
