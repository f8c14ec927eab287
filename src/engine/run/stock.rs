//! Taking stock: the latest snapshot, and the state brought up to it.

use super::{Backup, Run};
use crate::engine::lease::{Before, read_settled};
use crate::model::{Error, Event, ExitCode, Identity, Result, Side};
use crate::snapshot::{Claims, Loaded, SnapshotId, SnapshotRef, read_ledger};
use crate::state::{Base, Row, Standing};
use futures::StreamExt;
use std::sync::Arc;

/// Chunks fetched at a time when the state is rebuilt.
const CHUNKS_AT_A_TIME: usize = 4;

/// The snapshots of a vault.
pub(super) struct Newest {
    /// All of them.
    listed: Vec<SnapshotRef>,
    /// The latest that can be read.
    latest: Option<Loaded>,
    /// Later ones, and why they can't be.
    unreadable: Vec<(SnapshotId, Error)>,
}

impl Run {
    /// The snapshots that there are, and the latest that can be read; none without a backup target.
    pub(super) async fn newest(&self) -> Result<Option<Newest>> {
        match &self.backup {
            Some(backup) => backup.newest().await.map(Some),
            None => Ok(None),
        }
    }

    /// The latest snapshot, and the state brought up to it.
    pub(super) async fn take_stock(&mut self, newest: Option<Newest>) -> Result<()> {
        let latest = newest.and_then(|newest| {
            self.pass_over(newest.latest.as_ref(), newest.unreadable);
            if let Some(backup) = &mut self.backup {
                backup.listed = Some(newest.listed);
            }
            newest.latest
        });
        let known = latest
            .as_ref()
            .map(|loaded| (loaded.snapshot.id.to_string(), loaded.blake3));
        let has_backup = self.backup.is_some();
        let standing = self
            .state
            .call(move |state| {
                if !has_backup {
                    // The state alone remembers; there is nothing that it could be behind.
                    let snapshot = state
                        .base()?
                        .and_then(|b| b.snapshot.zip(b.snapshot_blake3));
                    return state.reconcile(snapshot.as_ref().map(|(id, b)| (id.as_str(), *b)));
                }
                state.reconcile(known.as_ref().map(|(id, blake3)| (id.as_str(), *blake3)))
            })
            .await?;
        if let Some(backup) = &mut self.backup {
            let period = self
                .settings
                .backup
                .as_ref()
                .map(|b| b.retention)
                .unwrap_or_default();
            backup.claims = Claims::of(period, latest.as_ref(), &[]);
            backup.latest = latest;
        }
        if standing == Standing::Stale {
            self.rebuild().await?;
        }
        self.first_run = !self.is_settled().await?;
        self.leftovers = self.may_have_leftovers();
        if let Some(lease) = self
            .leases
            .iter()
            .find(|lease| lease.side() == Side::Backup)
        {
            self.unfinished = Arc::new(lease.unfinished().await);
        }
        Ok(())
    }

    /// Tells of newer snapshots than the latest that can be read. Who can write can put garbage
    /// there, and it must not end the nights.
    fn pass_over(&mut self, latest: Option<&Loaded>, unreadable: Vec<(SnapshotId, Error)>) {
        for (id, error) in unreadable {
            self.raise(ExitCode::Damage);
            let from = latest.map_or_else(String::new, |it| it.snapshot.id.to_string());
            self.fail(
                format!("snapshot {id}"),
                "snapshot",
                format!(
                    "{error}. This run goes on from {from}; `tidelock verify` tells more, and an \
                     administrator can delete the object"
                ),
            );
        }
    }

    /// Whether versions or uploads may be there that neither a snapshot nor the state names. Then
    /// each new content is looked up before it is sent, so it must not be so on every first run.
    fn may_have_leftovers(&self) -> bool {
        let named = self
            .backup
            .as_ref()
            .is_some_and(|backup| backup.latest.is_some());
        let unclean = self
            .leases
            .iter()
            .any(|lease| match (lease.side(), lease.before()) {
                (_, Before::Unclean) => true,
                // A vault that has snapshots has had a lease: someone has removed it.
                (Side::Backup, Before::Nothing) => named,
                _ => false,
            });
        // Entries of a damaged chunk are unknown, their versions are there all the same.
        let damaged = self.tally.any_failure();
        // Nothing but the state remembers what a run into the mirror alone has left.
        unclean || damaged || (self.backup.is_none() && self.fresh_state)
    }

    async fn is_settled(&self) -> Result<bool> {
        let Some(target) = self.sync_target() else {
            return Ok(true);
        };
        for lease in &self.leases {
            if lease.settled().await.contains(&target) {
                return Ok(true);
            }
        }
        if let Some(backup) = self.backup.as_ref().filter(|_| self.settings.run.dry_run) {
            let client = backup.versions.client();
            if read_settled(client).await?.contains(&target) {
                return Ok(true);
            }
        }
        self.state
            .call(move |state| state.is_settled(&target))
            .await
    }

    /// Fills the state from the latest snapshot.
    async fn rebuild(&mut self) -> Result<()> {
        let Some(backup) = &mut self.backup else {
            let sync_target = self
                .settings
                .sync
                .as_ref()
                .map(|sync| sync.target.to_string());
            let rebuild = self.state.rebuild().await?;
            return rebuild.finish(no_snapshot(sync_target)).await;
        };
        let period = self
            .settings
            .backup
            .as_ref()
            .map(|b| b.retention)
            .unwrap_or_default();
        let now = backup.versions.client().call(|store| store.now()).await?;
        let Some(latest) = backup.latest.clone() else {
            let rebuild = self.state.rebuild().await?;
            return rebuild.finish(no_snapshot(None)).await;
        };
        self.events.send(Event::Phase("rebuild"));
        let ledger = read_ledger(&backup.vault, now, period).await?;
        backup.claims = Claims::of(period, Some(&latest), &ledger);
        self.fill(latest).await
    }

    async fn fill(&self, latest: Loaded) -> Result<()> {
        let Some(backup) = &self.backup else {
            return Ok(());
        };
        let snapshot = &latest.snapshot;
        let hints = self
            .sync_target()
            .is_none_or(|own| snapshot.sync_target == Some(own));
        let mut rebuild = self.state.rebuild().await?;
        let chunks = backup
            .vault
            .entries(snapshot.manifest.clone(), CHUNKS_AT_A_TIME);
        let mut chunks = std::pin::pin!(chunks);
        while let Some(chunk) = chunks.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    self.fail(snapshot.id.to_string(), "snapshot", error.to_string());
                    continue;
                }
            };
            for failure in chunk.refused {
                self.fail(failure.path, failure.stage, failure.message);
            }
            let until = backup.claims.locked_until(&chunk.chunk);
            for mut entry in chunk.entries {
                if !hints {
                    entry.sync_etag = None;
                }
                let locked_until = entry.stored.as_ref().map(|_| until);
                let identity = Identity::default();
                rebuild
                    .push(Row {
                        entry,
                        identity,
                        device: 0,
                        locked_until,
                    })
                    .await?;
            }
        }
        rebuild
            .finish(Base {
                snapshot: Some(snapshot.id.to_string()),
                snapshot_blake3: Some(latest.blake3),
                complete: snapshot.complete,
                sync_target: snapshot.sync_target.clone(),
            })
            .await
    }
}

impl Backup {
    /// Lists the snapshots, and reads the latest that can be read; tells of later ones that can't.
    ///
    /// # Errors
    /// `Damage` where none can be read: it is not known then what the vault holds.
    async fn newest(&self) -> Result<Newest> {
        let listed = self.vault.list_all().await?;
        let (mut latest, mut unreadable) = (None, Vec::new());
        for at in listed.iter().rev() {
            match self.vault.load(at).await {
                Ok(loaded) => {
                    latest = Some(loaded);
                    break;
                }
                Err(error @ Error::Damage(_)) => unreadable.push((at.id.clone(), error)),
                Err(error) => return Err(error),
            }
        }
        if latest.is_none()
            && let Some((_, error)) = unreadable.pop()
        {
            return Err(error);
        }
        Ok(Newest {
            listed,
            latest,
            unreadable,
        })
    }
}

fn no_snapshot(sync_target: Option<String>) -> Base {
    Base {
        snapshot: None,
        snapshot_blake3: None,
        complete: false,
        sync_target,
    }
}
