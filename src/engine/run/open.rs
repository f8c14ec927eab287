//! Opening everything that a run needs, and closing it in good order.

use super::stages::{Progress, Stores, Which};
use super::{Backup, Run};
use crate::engine::client::Client;
use crate::engine::lease::{Before, Holder, Lease};
use crate::engine::memory::Memory;
use crate::engine::mirror::MirrorWriter;
use crate::engine::pace::Pace;
use crate::engine::retry::{PATIENCE, PATIENCE_AT_FIRST, Retrier};
use crate::engine::steady::Steady;
use crate::engine::stop::Stop;
use crate::engine::tally::Tally;
use crate::engine::versions::Versions;
use crate::model::{
    BackupSettings, Connection, Error, Event, Events, ExitCode, Mode, Result, Settings, Side,
    SyncSettings, Target, Time, killpoint,
};
use crate::snapshot::{Claims, Loaded, Vault, read_ledger};
use crate::state::{Base, Opened, Row, Standing, State, StateHandle, StateKey, state_file};
use crate::store::{ConnectOptions, ListRequest, S3Store, Store};
use futures::StreamExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Locks of more than a year need consent, as compliance mode does.
const LONG_RETENTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Chunks fetched at a time when the state is rebuilt.
const CHUNKS_AT_A_TIME: usize = 4;

impl Run {
    /// Opens both targets and the state. Nothing is written.
    pub(super) async fn open(
        settings: &Settings,
        which: Which,
        stores: &Stores,
        events: Events,
        stop: Stop,
    ) -> Result<Self> {
        check_settings(settings, which)?;
        let pace = Arc::new(Pace::new(settings.run.transfers, settings.run.bwlimit));
        let connector = Connector {
            settings,
            stores,
            pace,
            events: events.clone(),
            stop: stop.clone(),
        };
        let sync = match settings.sync.as_ref().filter(|_| which.syncs()) {
            Some(sync) => Some(connector.sync(sync).await?),
            None => None,
        };
        let looks_at_backup = which.backs_up() || !settings.run.without_backup;
        let backup = match settings.backup.as_ref().filter(|_| looks_at_backup) {
            Some(backup) => Some(connector.backup(backup, which).await?),
            None => None,
        };
        if which == Which::Sync && backup.is_none() {
            let note =
                "no backup target takes part: deletes and overwrites on the mirror are final";
            events.send(Event::Note(note.to_owned()));
        }
        let (state, fresh) = open_state(settings, &events).await?;
        let memory = Arc::new(Memory::new(state.clone()));
        Ok(Self {
            settings: settings.clone(),
            which,
            events,
            stop,
            tally: Arc::new(Tally::default()),
            state,
            memory,
            sync,
            backup,
            leases: Vec::new(),
            first_run: true,
            leftovers: false,
            fresh_state: fresh,
            suspect: None,
            suspicion: None,
            exit: ExitCode::Done,
        })
    }

    /// Takes the leases of both targets; a dry run goes without.
    pub(super) async fn take_leases(&mut self) -> Result<()> {
        if self.settings.run.dry_run {
            return Ok(());
        }
        let holder = Holder::new(&format!("tidelock {}", self.which.name()))?;
        // The backup bucket has answered already; should the sync target refuse, nothing is written.
        let sync = self.sync.as_ref().map(|sync| sync.client().clone());
        let backup = self.backup.as_ref();
        let backup = backup.map(|backup| backup.versions.client().clone());
        for client in sync.into_iter().chain(backup) {
            let lease = Lease::take(client, &holder).await?;
            self.leases.push(lease);
        }
        Ok(())
    }

    /// The latest snapshot, and the state brought up to it.
    pub(super) async fn take_stock(&mut self) -> Result<()> {
        let latest = match &self.backup {
            Some(backup) => backup.vault.latest().await?,
            None => None,
        };
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
        Ok(())
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
            if crate::engine::lease::read_settled(client)
                .await?
                .contains(&target)
            {
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
                let identity = crate::model::Identity::default();
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

    /// Whether every version and upload that this run and those before have left is named.
    fn has_named_all(&self, progress: &Progress) -> bool {
        let unresolved = self
            .backup
            .as_ref()
            .is_some_and(|backup| backup.versions.left_unresolved());
        // What died before may have left something of a file that this run did not get to.
        let all_seen = !self.leftovers || self.exit == ExitCode::Done;
        progress.concluded && all_seen && !unresolved
    }

    /// Gives everything back, whatever the run came to.
    pub(super) async fn close(&mut self, progress: &Progress) {
        let done = self.exit == ExitCode::Done && !self.settings.run.dry_run && progress.wrote;
        let settled = self.sync_target().filter(|_| done && self.which.syncs());
        if let Some(target) = settled.clone() {
            let noted = self
                .state
                .call(move |state| state.set_settled(&target))
                .await;
            if let Err(error) = noted {
                tracing::warn!(%error, "the state could not note the end of the run");
            }
        }
        killpoint::reach("closing");
        let named = self.has_named_all(progress) && self.has_no_uploads().await;
        for lease in std::mem::take(&mut self.leases) {
            // What a run that died has left is looked for only where versions are written.
            let clean = if progress.wrote && self.which.backs_up() {
                named
            } else {
                lease.before() != Before::Unclean && (named || !progress.wrote)
            };
            if let Err(error) = lease.release(settled.as_deref(), clean).await {
                tracing::warn!(%error, "a lease could not be given back; it will be taken over");
            }
            killpoint::reach("lease-released");
        }
        if let Err(error) = self.state.clone().close().await {
            self.fail("state", "state", error.to_string());
            self.raise(ExitCode::Failed);
        }
    }
}

impl Run {
    /// Whether no upload is to go on in the next run: on another machine, only the lease can say
    /// that there may be one.
    async fn has_no_uploads(&self) -> bool {
        let uploads = self.state.call(|state| state.uploads()).await;
        uploads.is_ok_and(|uploads| uploads.is_empty())
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

/// Connects to targets, which share one pace.
struct Connector<'a> {
    settings: &'a Settings,
    stores: &'a Stores,
    pace: Arc<Pace>,
    events: Events,
    stop: Stop,
}

impl Connector<'_> {
    async fn client(&self, side: Side, target: &Target, how: &Connection) -> Result<Client> {
        let given = match side {
            Side::Sync => &self.stores.sync,
            Side::Backup => &self.stores.backup,
        };
        let store: Arc<dyn Store> = match given {
            Some(store) => Arc::clone(store),
            None => {
                let transfers = self.settings.run.transfers;
                Arc::new(S3Store::connect(target, how, ConnectOptions { transfers }).await?)
            }
        };
        let retrier = Retrier::new(Arc::clone(&self.pace), self.stop.clone(), PATIENCE_AT_FIRST);
        Ok(Client {
            side,
            target: target.clone(),
            store,
            retrier,
            events: self.events.clone(),
        })
    }

    /// The same client with the patience of a run that has begun.
    fn patient(client: Client) -> Client {
        Client {
            retrier: client.retrier.with_patience(PATIENCE),
            ..client
        }
    }

    async fn sync(&self, sync: &SyncSettings) -> Result<Arc<MirrorWriter>> {
        let client = self
            .client(Side::Sync, &sync.target, &sync.connection)
            .await?;
        // Shows whether endpoint, bucket and keys are right before anything is written elsewhere.
        // Not by a HEAD: its refusals do not say why.
        let first = ListRequest {
            prefix: sync.target.listing_prefix(),
            max_keys: Some(1),
            ..ListRequest::default()
        };
        client.call(|store| store.list(&first)).await?;
        let client = Self::patient(client);
        let (class, sse) = (sync.storage_class.clone(), sync.sse.clone());
        Ok(Arc::new(MirrorWriter::new(client, class, sse)))
    }

    async fn backup(&self, backup: &BackupSettings, which: Which) -> Result<Backup> {
        let client = self
            .client(Side::Backup, &backup.target, &backup.connection)
            .await?;
        let info = client.call(|store| store.bucket_info()).await;
        let info = info.map_err(|error| unreachable_backup(error.into(), which))?;
        let name = &backup.target.bucket;
        if !info.versioned || !info.lock {
            let lacks = if info.versioned {
                "object lock"
            } else {
                "versioning and object lock"
            };
            return Err(Error::Refused(format!(
                "the backup bucket {name} has no {lacks}: nothing in it would be protected, so \
                 nothing was written. `tidelock init` makes a bucket that has both; on AWS they \
                 can be enabled on an existing one{}",
                without_backup(which)
            )));
        }
        consent(backup, self.settings.run.yes)?;
        let client = Self::patient(client);
        let steady = Steady::new(Arc::clone(&client.store), client.retrier.clone());
        let vault = Vault::new(Arc::new(steady), backup.target.clone());
        let versions = Versions::new(
            client,
            backup.mode,
            backup.retention,
            backup.storage_class.clone(),
            backup.sse.clone(),
        );
        Ok(Backup {
            versions: Arc::new(versions),
            vault,
            latest: None,
            claims: Claims::new(backup.retention),
            committed: Instant::now(),
        })
    }
}

fn unreachable_backup(error: Error, which: Which) -> Error {
    if which != Which::Sync {
        return error;
    }
    Error::Refused(format!(
        "{error}. Without the backup target nothing shows whether what the mirror holds is backed \
         up{}",
        without_backup(which)
    ))
}

fn without_backup(which: Which) -> &'static str {
    match which {
        Which::Sync => "; `--without-backup` syncs all the same, and its deletes are final",
        Which::Run | Which::Backup => "",
    }
}

/// The backup target, to be written without a library: proven to have versioning and lock.
///
/// # Errors
/// As when a run opens it.
pub async fn connect_backup(
    settings: &Settings,
    events: &Events,
    stop: &Stop,
) -> Result<(Arc<Versions>, Vault)> {
    let backup = settings.backup.as_ref().ok_or_else(|| {
        Error::Usage("no backup target: give --backup-to s3://bucket/prefix".to_owned())
    })?;
    let stores = Stores::default();
    let connector = Connector {
        settings,
        stores: &stores,
        pace: Arc::new(Pace::new(settings.run.transfers, settings.run.bwlimit)),
        events: events.clone(),
        stop: stop.clone(),
    };
    let backup = connector.backup(backup, Which::Backup).await?;
    Ok((backup.versions, backup.vault))
}

/// What can't be undone needs to be agreed to first.
///
/// # Errors
/// `Refused`, saying what it is and how to agree.
pub fn consent(backup: &BackupSettings, yes: bool) -> Result<()> {
    if yes || backup.accept_irrevocable {
        return Ok(());
    }
    let days = backup.retention.as_secs() / 86_400;
    let what = match backup.mode {
        Mode::Compliance => format!(
            "mode = \"compliance\" locks every version for {days} days so that nobody, you and the \
             provider included, can delete it or stop paying for it before"
        ),
        Mode::Governance if backup.retention > LONG_RETENTION => format!(
            "a retention of {days} days locks every version for more than a year; until then you \
             pay for it"
        ),
        Mode::Governance => return Ok(()),
    };
    Err(Error::Refused(format!(
        "{what}. Nothing was written. If that is meant, run again with --yes, or set \
         accept_irrevocable = true in [backup]"
    )))
}

fn check_settings(settings: &Settings, which: Which) -> Result<()> {
    if which.syncs() && settings.sync.is_none() {
        return Err(Error::Usage(
            "no sync target: give --sync-to s3://bucket/prefix, set TIDELOCK_SYNC_TO, or [sync] to \
             in tidelock.toml"
                .to_owned(),
        ));
    }
    if which.backs_up() && settings.backup.is_none() {
        return Err(Error::Usage(
            "no backup target: give --backup-to s3://bucket/prefix, set TIDELOCK_BACKUP_TO, or \
             [backup] to in tidelock.toml"
                .to_owned(),
        ));
    }
    if settings.library.is_none() {
        return Err(Error::Usage(
            "no library: name its folder, e.g. `tidelock run ~/Pictures`, or set [library] path \
             in tidelock.toml"
                .to_owned(),
        ));
    }
    Ok(())
}

/// The file of the state of this library and these targets.
pub(super) fn state_of(settings: &Settings) -> PathBuf {
    let library: PathBuf = match &settings.library {
        Some(library) => std::fs::canonicalize(&library.path).unwrap_or(library.path.clone()),
        None => PathBuf::new(),
    };
    let sync = settings.sync.as_ref();
    let backup = settings.backup.as_ref();
    let key = StateKey {
        library: &library,
        sync: sync.map(|s| (&s.target, s.connection.endpoint.as_deref())),
        backup: backup.map(|b| (&b.target, b.connection.endpoint.as_deref())),
    };
    state_file(&settings.run.state_dir, &key)
}

/// Opens the state; also whether it knows nothing yet.
async fn open_state(settings: &Settings, events: &Events) -> Result<(StateHandle, bool)> {
    let file = state_of(settings);
    let process = crate::engine::host::Process::current();
    let now: Time = crate::model::time::local_now();
    let holder = format!("pid {} on {} since {now:.0}", process.pid, process.host);
    let opened = tokio::task::spawn_blocking(move || State::open(&file, &holder, now)).await;
    let (state, opened) =
        opened.map_err(|error| Error::Failed(format!("opening the state: {error}")))??;
    let fresh = match opened {
        Opened::Existing => false,
        Opened::Fresh => true,
        Opened::SetAside { why, .. } => {
            events.send(Event::Warning(format!(
                "the local state was set aside and is rebuilt from the latest snapshot: {why}"
            )));
            true
        }
    };
    Ok((StateHandle::start(state)?, fresh))
}
