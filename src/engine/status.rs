//! Where everything stands, without a write and without a look at any lock.

use crate::engine::client::Client;
use crate::engine::kept::Kept;
use crate::engine::listing::Listing;
use crate::engine::look;
use crate::model::key::KeyBase;
use crate::model::{BackupSettings, Kind, Result, Time};
use crate::plan::restore::Selection;
use crate::plan::{Renewable, due_now};
use crate::snapshot::{Loaded, Vault};
use futures::stream::StreamExt;
use std::collections::{BTreeSet, HashMap};
use std::pin::pin;

/// The backup's side.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Protection {
    /// The earliest lock of the latest snapshot, by what is claimed.
    pub protected_until: Option<Time>,
    /// Entries in chunks, of any kept snapshot, with a lock that is over.
    pub at_risk: u64,
    /// Requests that tonight's renewal takes at most.
    pub renewal_requests: u64,
    /// Requests that a renewal of everything takes at most; a round lasts between `retention` less
    /// the whole spread and `retention` less `renew_below`.
    pub round_requests: u64,
}

/// What claims say of the locks of all kept snapshots.
pub fn protection(kept: &Kept, settings: &BackupSettings, now: Time) -> Protection {
    let mut found = Protection {
        protected_until: kept
            .snapshots
            .last()
            .and_then(|loaded| kept.protected_until(loaded)),
        ..Protection::default()
    };
    let (retention, below) = (settings.retention, settings.renew_below);
    let mut all = Vec::new();
    for named in &kept.chunks {
        let chunk = &named.chunk;
        if chunk.locked_until <= now {
            found.at_risk += chunk.entries;
        }
        all.push(Renewable {
            until: chunk.locked_until,
            first: &chunk.first,
            requests: chunk.entries + 1,
        });
    }
    let due = due_now(&all, now, retention, below, kept.interval(now));
    found.renewal_requests = due.iter().map(|&index| all[index].requests).sum();
    found.round_requests = all.iter().map(|one| one.requests).sum();
    found.round_requests += kept.snapshots.len() as u64;
    found
}

/// The mirror's side, compared with the latest snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mirrored {
    /// Files whose object is the one that the snapshot's run saw or wrote.
    pub in_sync: u64,
    /// Files whose object is another one.
    pub differing: u64,
    /// Files without an object.
    pub missing: u64,
    /// Objects without a file.
    pub extra: u64,
}

/// Chunks have a thousand entries on average, as a listing's page has.
const CHUNKS_IN_A_RANGE: usize = 8;

/// Compares one listing of the mirror with a snapshot.
///
/// # Errors
/// Either store's, and a chunk that can't be read.
pub async fn mirrored(client: &Client, vault: &Vault, latest: &Loaded) -> Result<Mirrored> {
    let base = KeyBase::new(client.target.listing_prefix());
    let first = latest.snapshot.manifest.iter().map(|chunk| &chunk.first);
    let keys = first
        .step_by(CHUNKS_IN_A_RANGE)
        .skip(1)
        .map(|path| base.key_of(path).key);
    let splits: BTreeSet<String> = keys.collect();
    let splits: Vec<String> = splits.into_iter().collect();
    let listing = Listing::read(client, &splits).await?;
    let strangers = listing.foreign.len() as u64;
    let long = listing.long.into_values();
    let long = long.map(|object| (object.key, (object.etag, object.size)));
    let plain = listing.objects.into_iter();
    let mut objects: HashMap<String, (String, u64)> = plain
        .map(|object| (object.key, (object.etag, object.size)))
        .chain(long)
        .collect();
    let hints = latest.snapshot.sync_target == Some(client.target.to_string());
    let all = Selection::default();
    let chunks = latest.snapshot.manifest.clone();
    let mut chunks = pin!(look::entries(vault, chunks, &all));
    let mut found = Mirrored::default();
    while let Some(chunk) = chunks.next().await {
        for entry in chunk?.entries {
            if entry.kind != Kind::File {
                continue;
            }
            let Some((etag, size)) = objects.remove(&base.key_of(&entry.path).key) else {
                found.missing += 1;
                continue;
            };
            let same = match &entry.sync_etag {
                Some(hint) if hints => *hint == etag,
                _ => size == entry.size(),
            };
            if same {
                found.in_sync += 1;
            } else {
                found.differing += 1;
            }
        }
    }
    found.extra = objects.len() as u64 + strangers;
    Ok(found)
}
