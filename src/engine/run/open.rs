//! Opening everything that a run needs, and closing it in good order.

use super::Run;
use super::connect::Connector;
use super::scratch::Scratch;
use super::stages::{Progress, Stores, Which};
use super::via::Route;
use crate::engine::lease::{Before, Holder, Lease};
use crate::engine::memory::Memory;
use crate::engine::pace::Pace;
use crate::engine::stop::Stop;
use crate::engine::tally::Tally;
use crate::engine::unfinished::{Unfinished, all_that_fits};
use crate::model::{Error, Event, Events, ExitCode, Result, Settings, Time, killpoint};
use crate::state::{Opened, State, StateHandle, StateKey, state_file};
use futures::future::OptionFuture;
use std::path::PathBuf;
use std::sync::Arc;

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
        let pace = Arc::new(Pace::of(&settings.run));
        let connector = Connector {
            settings,
            stores,
            pace: Arc::clone(&pace),
            events: events.clone(),
            stop: stop.clone(),
        };
        let to_sync = settings.sync.as_ref().filter(|_| which.syncs());
        let looks_at_backup = which.backs_up() || !settings.run.without_backup;
        let to_backup = settings.backup.as_ref().filter(|_| looks_at_backup);
        // At the same time; where neither can be opened, the sync target is told of.
        let (sync, backup) = tokio::join!(
            OptionFuture::from(to_sync.map(|sync| connector.sync(sync))),
            OptionFuture::from(to_backup.map(|backup| connector.backup(backup, which))),
        );
        let (sync, mut backup) = (sync.transpose()?, backup.transpose()?);
        if which == Which::Sync && backup.is_none() {
            let note =
                "no backup target takes part: deletes and overwrites on the mirror are final";
            events.send(Event::Note(note.to_owned()));
        }
        let mut file = state_of(settings);
        // A dry run leaves nothing, not even a memory of itself.
        let scratch = match settings.run.dry_run && !file.exists() {
            true => Some(Scratch::new()?),
            false => None,
        };
        if let Some(scratch) = &scratch {
            file = scratch.path().join("state.db");
        }
        let (state, fresh) = open_state(file, &events).await?;
        if let Some(backup) = &mut backup {
            backup.remember(&state);
        }
        let memory = Arc::new(Memory::new(state.clone()));
        Ok(Self {
            settings: settings.clone(),
            which,
            events,
            stop,
            pace,
            tally: Arc::new(Tally::default()),
            state,
            memory,
            sync,
            backup,
            leases: Vec::new(),
            route: Route::Open,
            copies: None,
            copy_in_parts_above: stores.copy_in_parts_above,
            first_run: true,
            leftovers: false,
            unfinished: Arc::default(),
            fresh_state: fresh,
            _scratch: scratch,
            suspect: None,
            suspicion: None,
            unsure: false,
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
        let leases = std::mem::take(&mut self.leases);
        let (this, settled) = (&*self, settled.as_deref());
        let releases = leases.iter().map(|lease| async move {
            // What a run that died has left is looked for only where versions are written.
            let clean = if progress.wrote && this.which.backs_up() {
                named
            } else {
                lease.before() != Before::Unclean && (named || !progress.wrote)
            };
            this.release(lease, settled, clean).await;
        });
        futures::future::join_all(releases).await;
        if let Err(error) = self.state.clone().close().await {
            self.fail("state", "state", error.to_string());
            self.raise(ExitCode::Failed);
        }
    }
}

impl Run {
    /// Gives a lease back; after a stop, nobody waits long for it.
    async fn release(&self, lease: &Lease, settled: Option<&str>, clean: bool) {
        let released = async {
            lease.leave(self.unfinished_uploads().await).await;
            lease.release(settled, clean).await
        };
        if let Err(error) = self.stop.cuts(released).await {
            tracing::warn!(%error, "a lease could not be given back; it will be taken over");
        }
        killpoint::reach("lease-released");
    }

    /// For the next run, should it be on another machine.
    async fn unfinished_uploads(&self) -> Vec<Unfinished> {
        let own = self.state.call(|state| {
            let uploads = state.uploads()?.into_iter();
            let with_parts = uploads.map(|upload| {
                let parts = state.parts_of(&upload.id)?;
                Ok(Unfinished::of(upload, &parts))
            });
            with_parts.collect::<Result<Vec<_>>>()
        });
        let own = own.await.unwrap_or_default();
        // This run may not have come to what earlier ones have left.
        let earlier = self
            .unfinished
            .iter()
            .filter(|_| self.exit != ExitCode::Done);
        all_that_fits(own.into_iter().chain(earlier.cloned()))
    }

    /// Whether no upload is to go on in the next run: on another machine, only the lease can say
    /// that there may be one.
    async fn has_no_uploads(&self) -> bool {
        let uploads = self.state.call(|state| state.uploads()).await;
        uploads.is_ok_and(|uploads| uploads.is_empty())
    }
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

/// Whether there is a state: a run on this machine has begun before.
pub fn has_state(settings: &Settings) -> bool {
    state_of(settings).is_file()
}

/// Opens the state; also whether it knows nothing yet.
async fn open_state(file: PathBuf, events: &Events) -> Result<(StateHandle, bool)> {
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
