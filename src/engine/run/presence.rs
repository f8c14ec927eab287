//! `--checksum` doubts the backup too: is every version still there that the next snapshot would name?

use super::Run;
use super::stages::Progress;
use crate::engine::kept::VersionName;
use crate::engine::versions::Versions;
use crate::model::{Entry, Event, Result, StoreErrorKind, StoreResult, Stored, words};
use crate::snapshot::{ChunkRef, layout};
use crate::state::View;
use crate::store::{ListRequest, Order};
use futures::stream::{self, StreamExt};
use std::collections::HashSet;
use std::sync::Arc;

impl Run {
    /// Lists the versions of files and chunks, so that what is gone is stored again by this very
    /// run. A version that the listing lacks is asked for before it counts as gone: a listing that
    /// ends early must not make second locked copies.
    pub(super) async fn find_gone(&mut self, progress: &mut Progress) -> Result<()> {
        let asked = self.settings.run.checksum && self.which.backs_up();
        let Some(backup) = self.backup.as_ref().filter(|_| asked) else {
            return Ok(());
        };
        self.events.send(Event::Phase("versions"));
        let versions = Arc::clone(&backup.versions);
        let mut there = list(&versions, layout::FILES).await?;
        let mut missing: Vec<Entry> = Vec::new();
        let mut rows = self.state.rows(View::Merged);
        while let Some(found) = rows.next().await? {
            let entry = found.row.entry;
            let stored = entry.stored.as_ref().map(VersionName::of);
            // Several paths may name one version; each of them misses it.
            if stored.is_some_and(|name| !there.contains(&name)) {
                missing.push(entry);
            }
        }
        let gone = self.truly_gone(&versions, missing).await?;
        there = list(&versions, layout::MANIFESTS).await?;
        self.forget_chunks(&versions, &there).await?;
        if !gone.is_empty() {
            let warning = format!(
                "{} gone from the backup; what the library still has is stored again",
                words::count(
                    gone.len() as u64,
                    "entry names a version that is",
                    "entries name versions that are"
                )
            );
            self.events.send(Event::Warning(warning));
            let lost: Vec<Stored> = gone.iter().filter_map(|it| it.stored.clone()).collect();
            self.state
                .call(move |state| state.forget_versions(&lost))
                .await?;
        }
        progress.gone = gone;
        Ok(())
    }

    async fn truly_gone(&self, versions: &Versions, missing: Vec<Entry>) -> Result<Vec<Entry>> {
        let asked = stream::iter(missing).map(|entry| async move {
            let gone = match &entry.stored {
                Some(stored) => is_gone(versions, stored).await?,
                None => false,
            };
            Ok::<_, crate::model::StoreError>(gone.then_some(entry))
        });
        let mut asked = std::pin::pin!(asked.buffered(self.settings.run.transfers.max(1)));
        let mut gone = Vec::new();
        while let Some(entry) = asked.next().await {
            gone.extend(entry?);
        }
        Ok(gone)
    }

    /// Chunks of the latest snapshot that are gone are stored again by the next commit.
    async fn forget_chunks(
        &mut self,
        versions: &Versions,
        there: &HashSet<VersionName>,
    ) -> Result<()> {
        let Some(backup) = &mut self.backup else {
            return Ok(());
        };
        let latest = backup.latest.as_ref().map(|latest| &latest.snapshot);
        let named = latest.into_iter().flat_map(|it| &it.manifest);
        let missing = named.filter(|chunk| !there.contains(&VersionName::of(&version(chunk))));
        for chunk in missing.cloned().collect::<Vec<_>>() {
            if is_gone(versions, &version(&chunk)).await? {
                backup.claims.forget(&chunk);
            }
        }
        Ok(())
    }

    /// After the commit: what is gone and could not be stored again is told of.
    pub(super) async fn settle_gone_versions(&mut self, progress: &mut Progress) -> Result<()> {
        for entry in std::mem::take(&mut progress.gone) {
            if !self.has_again(&entry).await? {
                let path = entry.path.display().into_owned();
                self.lost_for_good(progress, path, "its version is gone");
            }
        }
        Ok(())
    }
}

fn version(chunk: &ChunkRef) -> Stored {
    Stored {
        key: chunk.key.clone(),
        version_id: chunk.version_id.clone(),
        etag: String::new(),
    }
}

async fn is_gone(versions: &Versions, stored: &Stored) -> StoreResult<bool> {
    let id = Some(stored.version_id.as_str());
    let head = versions
        .client()
        .call(|store| store.head(&stored.key, id))
        .await;
    match head {
        Ok(_) => Ok(false),
        Err(error) if error.kind == StoreErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// All versions below a folder, 16 bytes each.
async fn list(versions: &Versions, folder: &str) -> Result<HashSet<VersionName>> {
    let client = versions.client();
    let prefix = client.target.key(folder);
    let mut order = Order::new(&*client.store, "ListObjectVersions", &prefix);
    let mut request = ListRequest {
        prefix: prefix.clone(),
        ..ListRequest::default()
    };
    let mut there = HashSet::new();
    loop {
        let page = client.call(|store| store.list_versions(&request)).await?;
        for version in page.items.iter() {
            order.version(&version.key, &version.version_id)?;
        }
        let next = order.next(&page)?;
        for version in page.items.into_iter().filter(|it| !it.delete_marker) {
            there.insert(VersionName::of(&Stored {
                key: version.key,
                version_id: version.version_id,
                etag: String::new(),
            }));
        }
        match next {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(there),
        }
    }
}
