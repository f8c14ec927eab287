//! Whether the mirror's listing can be believed: deletes and uploads are decided on it.

use super::Run;
use crate::engine::client::Client;
use crate::engine::listing::Listing;
use crate::engine::mirror::MirrorWriter;
use crate::model::{Error, RelPath, Result, StoreError, StoreErrorKind, StoreResult};
use crate::state::View;
use futures::stream::{self, StreamExt, TryStreamExt};

/// What is remembered of the mirror and not listed.
#[derive(Default)]
struct Lacking {
    /// Keys of some: the first, the second, the fourth, and so on, so that the number of requests
    /// stays small.
    some: Vec<String>,
    /// All of those below a path that is an object itself, where MinIO lists nothing.
    hidden: Vec<(RelPath, String)>,
}

/// The listing, where there is a mirror.
pub(super) async fn read_listing(
    sync: Option<Client>,
    splits: &[String],
) -> Option<StoreResult<Listing>> {
    match sync {
        Some(client) => Some(Listing::read(&client, splits).await),
        None => None,
    }
}

impl Run {
    /// A listing that can't be had, or that breaks its own rules, stops the mirror, not the backup.
    pub(super) fn usable(
        &mut self,
        listed: Option<StoreResult<Listing>>,
    ) -> Result<(Option<Listing>, bool)> {
        use StoreErrorKind::{Invalid, Server, Throttled};
        match listed {
            None => Ok((None, false)),
            Some(Ok(listing)) => Ok((Some(listing), false)),
            Some(Err(error)) if !matches!(error.kind, Invalid | Server | Throttled) => {
                Err(error.into())
            }
            Some(Err(error)) if self.backup.is_some() && self.which.backs_up() => {
                self.tally.sync_failed.one();
                self.fail(error.place.clone(), "list", error.to_string());
                self.sync = None;
                Ok((None, true))
            }
            Some(Err(error)) => Err(Error::Partial(format!(
                "{error}. Nothing was written or deleted on the mirror; run again"
            ))),
        }
    }

    /// A listing that lacks what was mirrored is compared with the objects themselves: they may be
    /// deleted, or the listing may be one that ended early. What it lacks below an object that it
    /// has is added to it.
    pub(super) async fn proven(&self, mut listing: Listing) -> Result<StoreResult<Listing>> {
        let Some(sync) = &self.sync else {
            return Ok(Ok(listing));
        };
        let lacking = self.lacking(sync, &listing).await?;
        for key in lacking.some {
            match sync.look(&key).await {
                Ok(None) => {}
                Ok(Some(_)) => return Ok(Err(lacks(sync.client(), &key))),
                Err(error) => return Ok(Err(error)),
            }
        }
        let looks = lacking.hidden.into_iter().map(|(path, key)| async move {
            let head = sync.look(&key).await?;
            Ok(head.map(|head| (path, key, head)))
        });
        let jobs = self.settings.run.transfers;
        let looks = stream::iter(looks).buffered(jobs).try_collect::<Vec<_>>();
        Ok(looks.await.map(|found| {
            listing.add(found.into_iter().flatten());
            listing
        }))
    }

    async fn lacking(&self, sync: &MirrorWriter, listing: &Listing) -> Result<Lacking> {
        let mut lacking = Lacking::default();
        let mut count: u64 = 0;
        let mut listed = listing.objects.paths().peekable();
        let mut rows = self.state.rows(View::Merged);
        while let Some(found) = rows.next().await? {
            let entry = found.row.entry;
            if entry.sync_etag.is_none() {
                continue;
            }
            let path = entry.path.as_bytes();
            while listed.next_if(|listed| *listed < path).is_some() {}
            if listed.peek() == Some(&path) {
                continue;
            }
            let key = sync.key(&entry.path);
            if listing.long.contains_key(&key) {
                continue;
            }
            if listing.is_below_an_object(&entry.path) {
                lacking.hidden.push((entry.path, key));
                continue;
            }
            count += 1;
            if count.is_power_of_two() {
                lacking.some.push(key);
            }
        }
        Ok(lacking)
    }
}

fn lacks(client: &Client, key: &str) -> StoreError {
    StoreError {
        kind: StoreErrorKind::Invalid,
        operation: "ListObjectsV2",
        place: client.target.to_string(),
        message: format!(
            "the listing lacks {key}, which is there; it can't be trusted, so nothing is decided \
             on it"
        ),
    }
}
