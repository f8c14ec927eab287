//! Records of what was pruned: `<prefix>/prunes/<time>-<8 hex>.json`.

use crate::model::{Blake3, Error, Result, StoreErrorKind, Stored};
use crate::snapshot::transport;
use crate::snapshot::{Dropped, SnapshotId, Vault, layout};
use crate::store::Version;
use futures::stream::{self, StreamExt};
use serde::Deserialize;

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

/// The prune records themselves, as versions: they explain gaps for as long as they are locked.
///
/// # Errors
/// The store's.
pub async fn list_prunes(vault: &Vault) -> Result<Vec<Stored>> {
    let prefix = vault.target().key(layout::PRUNES);
    let versions = transport::oldest_versions(&**vault.store(), &prefix).await?;
    let stored = |version: Version| Stored {
        key: version.key,
        version_id: version.version_id,
        etag: version.etag,
    };
    Ok(versions.into_iter().map(stored).collect())
}

/// The snapshots that prune records name as dropped. Of a key with several versions the oldest
/// counts. A record that can't be read explains nothing and is logged: what it might have explained
/// shows as a gap then.
///
/// # Errors
/// The store's.
pub async fn read_prunes(vault: &Vault) -> Result<Vec<Dropped>> {
    let prefix = vault.target().key(layout::PRUNES);
    let versions = transport::oldest_versions(&**vault.store(), &prefix).await?;
    let mut records = stream::iter(versions)
        .map(|version| read(vault, version))
        .buffered(PARALLEL);
    let mut dropped = Vec::new();
    while let Some(record) = records.next().await {
        dropped.extend(record?);
    }
    Ok(dropped)
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
    let body = match transport::repeat(|| vault.store().get(key, at, None)).await {
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
