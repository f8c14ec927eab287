//! Committing snapshots, and bringing the state up to them.

use super::Run;
use super::renew::Claimed;
use crate::engine::host;
use crate::engine::lease::Lease;
use crate::model::{Event, RelPath, Result, killpoint};
use crate::snapshot::{CommitRequest, Loaded, Lock, Named, commit};
use crate::state::{Base, StateHandle, View};
use futures::future::join_all;
use futures::stream::{self, Stream};
use std::time::Instant;

/// Chunks of a manifest in flight: each may hold 64 MiB of lines at worst, a few at most.
const CHUNKS_AT_A_TIME: usize = 4;

/// A snapshot's rows, page by page.
fn entries(
    state: &StateHandle,
    view: View,
    claimed: Claimed,
) -> impl Stream<Item = Result<Named>> + Send + use<> {
    let rows = state.rows(view);
    stream::try_unfold((rows, claimed), |(mut rows, mut claimed)| async move {
        loop {
            let Some(found) = rows.next().await? else {
                return Ok(None);
            };
            let locked_until = claimed.until(&found);
            let row = found.row;
            // Left by `sync` alone: nothing stored it, so no snapshot can name it.
            if row.entry.kind == crate::model::Kind::File && row.entry.stored.is_none() {
                tracing::debug!(path = %row.entry.path, "not stored yet, not named");
                continue;
            }
            let named = Named {
                locked_until,
                entry: row.entry,
            };
            return Ok(Some((named, (rows, claimed))));
        }
    })
}

/// Rescued content in the order of paths, each path once: two objects that stand for one path, as
/// `a//b` and `a/_/b` do, are told apart by their content.
fn in_order(mut rescued: Vec<Named>) -> Vec<Named> {
    rescued.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    for at in 1..rescued.len() {
        if rescued[at].entry.path == rescued[at - 1].entry.path {
            let hash = rescued[at]
                .entry
                .content
                .map(|content| content.blake3.to_hex());
            let suffix = format!("~{}", hash.unwrap_or_default());
            let path = [rescued[at].entry.path.as_bytes(), suffix.as_bytes()].concat();
            rescued[at].entry.path = RelPath::new(path);
        }
    }
    rescued.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    rescued.dedup_by(|a, b| a.entry.path == b.entry.path);
    rescued
}

impl Run {
    /// Commits what this run has stored. Without a backup target (or for `sync` alone) only the
    /// state moves on.
    pub(super) async fn commit(&mut self, complete: bool, rescued: Vec<Named>) -> Result<()> {
        if self.backup.is_none() {
            return self.fold_without_snapshot().await;
        }
        if !self.which.backs_up() {
            return if rescued.is_empty() {
                Ok(())
            } else {
                self.commit_rescued(rescued, false).await
            };
        }
        self.events.send(Event::Phase("snapshot"));
        let loaded = self
            .commits(async |run| {
                run.check_leases().await?;
                run.state.call(|state| state.freeze()).await?;
                run.write(View::Frozen, complete, rescued).await
            })
            .await?;
        killpoint::reach("snapshot-put");
        let base = self.base_of(&loaded);
        self.state.call(move |state| state.fold(&base)).await?;
        killpoint::reach("folded");
        self.state.flush().await?;
        self.take_over_as_latest(loaded);
        Ok(())
    }

    /// Commits a snapshot of its own for rescued content: the parent's entries and the rescue. It
    /// is complete only where its parent is this run's own.
    pub(super) async fn commit_rescued(
        &mut self,
        rescued: Vec<Named>,
        complete: bool,
    ) -> Result<()> {
        self.renew_for_rescue().await?;
        let loaded = self
            .commits(async |run| {
                run.check_leases().await?;
                run.write(View::Base, complete, rescued).await
            })
            .await?;
        killpoint::reach("rescue-committed");
        let base = self.base_of(&loaded);
        self.state.call(move |state| state.set_base(&base)).await?;
        self.take_over_as_latest(loaded);
        Ok(())
    }

    async fn write(&self, view: View, complete: bool, rescued: Vec<Named>) -> Result<Loaded> {
        let Some(backup) = &self.backup else {
            return Err(crate::model::Error::Failed("no backup target".to_owned()));
        };
        let Some(settings) = &self.settings.backup else {
            return Err(crate::model::Error::Failed("no backup settings".to_owned()));
        };
        let request = CommitRequest {
            parent: backup.latest.as_ref(),
            claims: &backup.claims,
            time: self.now().await?,
            complete,
            suspect: match view {
                // The parent's entries, so the parent's suspicion.
                View::Base => {
                    let latest = backup.latest.as_ref();
                    latest.and_then(|latest| latest.snapshot.suspect.clone())
                }
                View::Frozen | View::Merged => self.suspect.clone(),
            },
            library: self.label(),
            host: host::Process::current().host,
            sync_target: self.hints_for(),
            lock: Lock {
                mode: settings.mode,
                period: settings.retention,
            },
            sse: settings.sse.clone(),
            config: self.settings.record.clone(),
            rescued: in_order(rescued),
            parallel: CHUNKS_AT_A_TIME,
        };
        let claimed = Claimed::of(backup.latest.as_ref(), &backup.claims);
        let entries = entries(&self.state, view, claimed);
        commit(&backup.vault, request, entries).await
    }

    fn label(&self) -> String {
        let Some(library) = &self.settings.library else {
            return String::new();
        };
        match &library.name {
            Some(name) => name.clone(),
            None => library.path.display().to_string(),
        }
    }

    /// The sync target that the entries' hints are of: where this run has none, its parent's.
    fn hints_for(&self) -> Option<String> {
        self.sync_target().or_else(|| {
            self.backup
                .as_ref()?
                .latest
                .as_ref()?
                .snapshot
                .sync_target
                .clone()
        })
    }

    fn base_of(&self, loaded: &Loaded) -> Base {
        Base {
            snapshot: Some(loaded.snapshot.id.to_string()),
            snapshot_blake3: Some(loaded.blake3),
            complete: loaded.snapshot.complete,
            sync_target: loaded.snapshot.sync_target.clone(),
        }
    }

    fn take_over_as_latest(&mut self, loaded: Loaded) {
        if let Some(backup) = &mut self.backup {
            backup.claims.add_snapshot(&loaded);
            backup.latest = Some(loaded);
            // What was listed when the run began lacks this one.
            backup.listed = None;
            backup.committed = Instant::now();
        }
    }

    async fn fold_without_snapshot(&mut self) -> Result<()> {
        let sync_target = self.sync_target();
        self.state
            .call(move |state| {
                state.freeze_all()?;
                let (snapshot, snapshot_blake3) = (None, None);
                state.fold(&Base {
                    snapshot,
                    snapshot_blake3,
                    complete: true,
                    sync_target,
                })
            })
            .await?;
        self.state.flush().await
    }

    /// Makes sure that nobody else has taken the targets over.
    pub(super) async fn check_leases(&self) -> Result<()> {
        // Each to its end: one that renews must not be dropped because the other is lost.
        let checked = join_all(self.leases.iter().map(Lease::check)).await;
        checked.into_iter().collect()
    }
}
