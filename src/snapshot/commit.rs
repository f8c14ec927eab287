//! Committing a snapshot: chunks first, the snapshot object last.

use crate::model::{Blake3, Entry, Error, Mode, Result, Retention, Time, killpoint};
use crate::snapshot::chunk::{self, Built, Chunker};
use crate::snapshot::pins::write_pin;
use crate::snapshot::transport::{self, LookAt, Once};
use crate::snapshot::{
    ChunkRef, Claims, Loaded, Snapshot, SnapshotId, SnapshotRef, SnapshotRetention, Vault, layout,
};
use futures::future;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

/// Rescued content stays named for so long.
const RESCUED_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// An entry and the lock of the version that it names.
#[derive(Clone, PartialEq, Debug)]
pub struct Named {
    /// What the snapshot says of the path.
    pub entry: Entry,
    /// A lower bound of the named version's lock; none for what names no version.
    pub locked_until: Option<Time>,
}

/// How what is written gets locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lock {
    /// Mode.
    pub mode: Mode,
    /// Length of a full lock.
    pub period: Duration,
}

impl Lock {
    /// A full lock from `now` (the server's time) on. To the second, which is what every store
    /// keeps.
    ///
    /// # Errors
    /// `Usage` for a period that ends after the year 9999.
    pub fn full(self, now: Time) -> Result<Retention> {
        now.checked_add(self.period)
            .and_then(|until| Time::from_second(until.as_second()))
            .map(|until| Retention {
                mode: self.mode,
                until,
            })
            .map_err(|_| {
                let days = self.period.as_secs() / 86_400;
                Error::Usage(format!(
                    "a retention of {days} days is longer than time: set less, with [backup] \
                     retention or --retention"
                ))
            })
    }
}

/// What a snapshot is to say beside its entries.
#[derive(Clone, Debug)]
pub struct CommitRequest<'a> {
    /// The latest snapshot.
    pub parent: Option<&'a Loaded>,
    /// Chunks that are stored already (the parent's, and of any other snapshot that was read) and
    /// what is known of their locks. A chunk that it knows is referenced, not stored again.
    pub claims: &'a Claims,
    /// Now, by the server's clock.
    pub time: Time,
    /// Whether every path of the library is named as it is.
    pub complete: bool,
    /// Why the night looks like ransomware, where it does.
    pub suspect: Option<String>,
    /// Label of the library.
    pub library: String,
    /// Label of the machine.
    pub host: String,
    /// What `sync_etag`s belong to.
    pub sync_target: Option<String>,
    /// Lock of what is written here.
    pub lock: Lock,
    /// Server-side encryption of what is written here.
    pub sse: Option<String>,
    /// The configuration without secrets.
    pub config: serde_json::Value,
    /// Content rescued since the parent, sorted by path. What the parent's `rescued` names is
    /// carried on by itself for 90 days.
    pub rescued: Vec<Named>,
    /// Chunks sent at a time; each needs memory for its lines.
    pub parallel: usize,
}

/// Writes the snapshot's pin and the chunks that are not stored yet, then the snapshot object;
/// chunks and snapshot with a lock, which is read back. `entries` must be sorted by path without duplicates.
///
/// After a crash or an error before the last write, nothing is visible: chunks without a snapshot
/// are found again by their name and taken, not written twice.
///
/// # Errors
/// `Failed` for unsorted entries or a file without content or version; `Refused` where the store
/// did not keep a lock; the store's own.
pub async fn commit(
    vault: &Vault,
    mut request: CommitRequest<'_>,
    entries: impl Stream<Item = Result<Named>> + Send,
) -> Result<Loaded> {
    let lock = request.lock.full(request.time)?;
    let rescued = stream::iter(std::mem::take(&mut request.rescued)).map(Ok);
    let fresh = store_chunks(vault, &request, lock, rescued).await?;
    let rescued = carry_rescued(&request, fresh.chunks);
    let parent = request.parent.map(|parent| &parent.snapshot.id);
    let id = SnapshotId::after(parent, request.time)?;
    let manifest = store_chunks(vault, &request, lock, entries);
    let pin = write_pin(vault, &id, request.sse.as_deref());
    let (manifest, ()) = future::try_join(manifest, pin).await?;
    let snapshot = describe(id, &request, lock, manifest, rescued);
    store_snapshot(vault, &request, lock, snapshot).await
}

/// Stored chunks, in order, and what they name.
#[derive(Default)]
struct Chunks {
    chunks: Vec<ChunkRef>,
    files: u64,
    bytes: u64,
}

async fn store_chunks(
    vault: &Vault,
    request: &CommitRequest<'_>,
    lock: Retention,
    entries: impl Stream<Item = Result<Named>> + Send,
) -> Result<Chunks> {
    let built = pin!(cut(entries));
    let stored = built.map_ok(|built| async move {
        let (files, bytes) = (built.files, built.bytes);
        let chunk = store_chunk(vault, request, lock, built).await?;
        Ok((chunk, files, bytes))
    });
    stored
        .try_buffered(request.parallel.max(1))
        .try_fold(Chunks::default(), async |mut all, (chunk, files, bytes)| {
            all.chunks.push(chunk);
            all.files += files;
            all.bytes += bytes;
            Ok(all)
        })
        .await
}

/// Cuts sorted entries into chunks, as fast as they are asked for.
fn cut(
    entries: impl Stream<Item = Result<Named>> + Send,
) -> impl Stream<Item = Result<Built>> + Send {
    let state = (Box::pin(entries), Chunker::default());
    stream::try_unfold(state, async |(mut entries, mut chunker)| {
        while let Some(named) = entries.try_next().await? {
            if let Some(built) = chunker.push(&named)? {
                return Ok(Some((built, (entries, chunker))));
            }
        }
        Ok(chunker.end().map(|built| (built, (entries, chunker))))
    })
}

/// References a known chunk, or stores it.
async fn store_chunk(
    vault: &Vault,
    request: &CommitRequest<'_>,
    lock: Retention,
    built: Built,
) -> Result<ChunkRef> {
    if let Some(known) = request.claims.chunk(&built.blake3) {
        return Ok(known);
    }
    let key = layout::chunk(vault.target(), built.blake3);
    let (built, body) = compress(built).await?;
    let size = built.lines.len() as u64;
    let once = Once {
        key: &key,
        body,
        content_type: "application/zstd",
        lock,
        sse: request.sse.as_deref(),
        look_at: LookAt::Any,
    };
    let is_it = |body: &[u8]| chunk::verify(body, built.blake3, size).is_ok();
    let kept = transport::write_once(&**vault.store(), once, is_it).await?;
    killpoint::reach("chunk-put");
    let named = built.locked_until.unwrap_or(kept.locked_until);
    Ok(ChunkRef {
        key,
        version_id: kept.version_id,
        blake3: built.blake3,
        size,
        entries: built.entries,
        first: built.first,
        locked_until: named.min(kept.locked_until),
        rescued_at: None,
    })
}

async fn compress(built: Built) -> Result<(Built, bytes::Bytes)> {
    tokio::task::spawn_blocking(move || {
        let body = built.compress()?;
        Ok((built, body))
    })
    .await
    .map_err(|error| Error::Failed(format!("writing a manifest: {error}")))?
}

/// This run's rescues, and those of the parent that are not 90 days old.
fn carry_rescued(request: &CommitRequest<'_>, fresh: Vec<ChunkRef>) -> Vec<ChunkRef> {
    let parent = request.parent.map(|parent| &parent.snapshot);
    let young = |chunk: &&ChunkRef| {
        chunk
            .rescued_at
            .and_then(|time| time.checked_add(RESCUED_FOR).ok())
            .is_some_and(|end| end > request.time)
    };
    let carried = parent.into_iter().flat_map(|parent| &parent.rescued);
    let carried = carried.filter(young).map(|chunk| ChunkRef {
        locked_until: request.claims.locked_until(chunk),
        ..chunk.clone()
    });
    let fresh = fresh.into_iter().map(|chunk| ChunkRef {
        rescued_at: Some(request.time),
        ..chunk
    });
    let mut seen = HashSet::new();
    // Fresh ones first: what was rescued once more counts from now.
    let mut all: Vec<_> = fresh
        .chain(carried)
        .filter(|chunk| seen.insert(chunk.blake3))
        .collect();
    all.sort_by(|a, b| (a.rescued_at, &a.first).cmp(&(b.rescued_at, &b.first)));
    all
}

fn describe(
    id: SnapshotId,
    request: &CommitRequest<'_>,
    lock: Retention,
    manifest: Chunks,
    rescued: Vec<ChunkRef>,
) -> Snapshot {
    let parent = request.parent;
    let named = manifest.chunks.iter().chain(&rescued);
    let protected_until = named.map(|chunk| chunk.locked_until).min();
    Snapshot {
        time: id.time(),
        id,
        host: request.host.clone(),
        library: request.library.clone(),
        tidelock: env!("CARGO_PKG_VERSION").to_owned(),
        complete: request.complete,
        suspect: request.suspect.clone(),
        parent: parent.map(|parent| parent.snapshot.id.clone()),
        parent_blake3: parent.map(|parent| parent.blake3),
        sync_target: request.sync_target.clone(),
        files: manifest.files,
        bytes: manifest.bytes,
        manifest: manifest.chunks,
        rescued,
        retention: SnapshotRetention {
            mode: request.lock.mode,
            days: request.lock.period.as_secs() / 86_400,
        },
        // A snapshot of nothing is protected as long as it is itself.
        protected_until: protected_until.unwrap_or(lock.until),
        config: request.config.clone(),
    }
}

async fn store_snapshot(
    vault: &Vault,
    request: &CommitRequest<'_>,
    lock: Retention,
    snapshot: Snapshot,
) -> Result<Loaded> {
    let key = layout::snapshot(vault.target(), &snapshot.id);
    let body = snapshot.encode()?;
    let blake3 = Blake3::of(&body);
    let size = body.len() as u64;
    let once = Once {
        key: &key,
        body: body.into(),
        content_type: "application/json",
        lock,
        sse: request.sse.as_deref(),
        look_at: LookAt::Oldest,
    };
    let is_it = |body: &[u8]| Blake3::of(body) == blake3;
    killpoint::reach("chunks-put");
    let kept = transport::write_once(&**vault.store(), once, is_it).await?;
    Ok(Loaded {
        at: SnapshotRef {
            id: snapshot.id.clone(),
            key,
            version_id: kept.version_id,
            last_modified: request.time,
            size,
        },
        snapshot,
        blake3,
    })
}
