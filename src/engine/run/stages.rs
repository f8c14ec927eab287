//! The stages of a run, in order.

use super::Run;
use super::look::Looked;
use crate::engine::stop::{Stop, Why};
use crate::engine::transfer::{Batch, Transfer, run_batch};
use crate::engine::verify::Mention;
use crate::model::{
    Entry, Error, Event, Events, ExitCode, Failure, Forecast, Result, Settings, Summary, killpoint,
};
use crate::plan::{DeleteVerdict, Plan, Task};
use crate::store::Store;
use std::sync::Arc;

/// Which targets take part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Both.
    Run,
    /// The mirror alone; the backup is looked at, so that nothing unknown is overwritten.
    Sync,
    /// The locked versions alone.
    Backup,
}

impl Which {
    /// The command's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Sync => "sync",
            Self::Backup => "backup",
        }
    }

    /// Whether objects of the sync target are written.
    pub fn syncs(self) -> bool {
        self != Self::Backup
    }

    /// Whether versions of changed files are written.
    pub fn backs_up(self) -> bool {
        self != Self::Sync
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub exit: ExitCode,
    /// What was done.
    pub summary: Summary,
    /// What ended it early, or the guard's refusal: to be shown last.
    pub error: Option<Error>,
}

/// Stores to use in place of those that the settings name: wrapped ones, or models.
#[derive(Clone, Default)]
pub struct Stores {
    /// In place of the sync target's.
    pub sync: Option<Arc<dyn Store>>,
    /// In place of the backup target's.
    pub backup: Option<Arc<dyn Store>>,
    /// Objects of more bytes than this are copied in parts, not only those of over 5 GiB.
    pub copy_in_parts_above: Option<u64>,
}

/// Runs a command from the first look to the release of the leases.
pub async fn run(settings: &Settings, which: Which, events: Events, stop: Stop) -> Ended {
    run_on(settings, which, &Stores::default(), events, stop).await
}

/// The same on given stores.
pub async fn run_on(
    settings: &Settings,
    which: Which,
    stores: &Stores,
    events: Events,
    stop: Stop,
) -> Ended {
    let stop = stop.with_budget(settings.run.time_budget);
    let opening = Run::open(settings, which, stores, events, stop.clone());
    let mut run = match stop.cuts(opening).await {
        Ok(run) => run,
        Err(error) => {
            let exit = error.exit_before_first_write();
            return Ended {
                exit,
                summary: Summary::default(),
                error: Some(error),
            };
        }
    };
    let mut progress = Progress::default();
    let ended = run.hold_and_go(&mut progress).await;
    let error = ended.err().map(|error| run.in_the_light_of_a_stop(error));
    if let Some(error) = &error {
        let exit = if progress.wrote {
            error.exit_code()
        } else {
            error.exit_before_first_write()
        };
        run.raise(exit);
    }
    let error = error.or(progress.refusal.take());
    // Not before: a lock that could not be extended is no doubt about the library.
    for failure in std::mem::take(&mut progress.late) {
        run.tally.fail(failure);
    }
    run.close(&progress).await;
    let summary = run.summary(&progress).await;
    let exit = run.exit;
    Ended {
        exit,
        summary,
        error,
    }
}

/// How far a run has come.
#[derive(Default)]
pub(super) struct Progress {
    /// Regular files seen, and their bytes, once there was a scan.
    pub(super) library: Option<(u64, u64)>,
    /// Something may have been written.
    pub(super) wrote: bool,
    /// What a run would do; a dry run's.
    pub(super) forecast: Option<Forecast>,
    /// The guard's refusal.
    pub(super) refusal: Option<Error>,
    /// Versions that are not locked for long enough.
    pub(super) at_risk: u64,
    /// Snapshots that `prune` would drop.
    pub(super) prunable: u64,
    /// Failures that have no bearing on deletes.
    pub(super) late: Vec<Failure>,
    /// Versions that were found gone, to be stored again.
    pub(super) lost: Vec<Mention>,
    /// Entries whose versions `--checksum` has found gone, to be stored again.
    pub(super) gone: Vec<Entry>,
    /// The scan, the transfer and the guard left nothing out.
    pub(super) complete: bool,
    /// Stopped by a signal or the budget.
    pub(super) stopped: Option<Why>,
    /// Came to its end.
    pub(super) concluded: bool,
}

impl Run {
    /// Everything that has to be given back, however it ends.
    async fn hold_and_go(&mut self, progress: &mut Progress) -> Result<()> {
        let stop = self.stop.clone();
        stop.cuts(self.take_leases()).await?;
        killpoint::reach("leases-taken");
        // One asks the sync target, the other the backup: at the same time.
        let (route, newest) = stop
            .cuts(async { Ok(tokio::join!(self.choose_route(), self.newest())) })
            .await?;
        self.take_route(route?);
        stop.cuts(self.take_stock(newest?)).await?;
        killpoint::reach("stock-taken");
        let ended = self.stages(progress).await;
        if let Err(error) = &ended
            && progress.wrote
            && goes_on(error)
            && !self.unsure
        {
            self.last_checkpoint().await;
        }
        ended
    }

    /// What may take long is cut short by a stop; commits are not, so that no other snapshot gets
    /// the same parent.
    async fn stages(&mut self, progress: &mut Progress) -> Result<()> {
        let stop = self.stop.clone();
        if !self.settings.run.dry_run {
            stop.cuts(self.renew_kept(progress)).await?;
            stop.cuts(self.find_gone(progress)).await?;
        }
        let Looked {
            plan,
            library,
            scan_errors,
            listing_failed,
        } = stop.cuts(self.look(progress)).await?;
        if self.settings.run.dry_run {
            let dry = self.dry_run(plan, library, scan_errors, progress);
            return Box::pin(dry).await;
        }
        progress.wrote = true;
        let (tasks, mut rest) = split(plan);
        self.remember_entries(&mut rest).await?;
        let batch = self.transfer_guarded(tasks, &rest, library).await?;
        killpoint::reach("transferred");
        progress.stopped = batch.stopped;
        if let Some(why) = batch.stopped {
            return Err(why.error());
        }
        let failed = !batch.failed.is_empty();
        let whole = self.settle_missing(&batch).await?;
        self.settle_offline(&rest).await?;
        let doubt = scan_errors || failed || listing_failed || self.tally.any_failure();
        let verdict = self.judge(&rest, doubt || self.suspicion.is_some()).await?;
        let complete = self.settle_gone(&rest, &verdict).await? && !scan_errors;
        progress.complete = complete && whole;
        if let DeleteVerdict::Refused { why, override_flag } = &verdict {
            self.tell_victims(&rest);
            progress.refusal = Some(self.refusal(&rest, why, override_flag));
        }
        let doomed = match &verdict {
            DeleteVerdict::Allowed => stop.cuts(self.rescue_doomed(rest.extras)).await?,
            _ => super::rescue::Doomed::default(),
        };
        stop.cuts(self.renew_rows(progress)).await?;
        killpoint::reach("before-commit");
        self.commit(progress.complete, doomed.rescued).await?;
        killpoint::reach("before-deletes");
        let whole = self.which.backs_up() && progress.complete;
        stop.cuts(self.delete(doomed.extras, whole)).await?;
        killpoint::reach("deleted");
        progress.refusal = self.suspect_refusal().or(progress.refusal.take());
        self.settle_lost(progress).await?;
        self.settle_gone_versions(progress).await?;
        stop.cuts(self.sweep(&batch.failed)).await?;
        killpoint::reach("swept");
        self.conclude(progress, doubt);
        progress.concluded = true;
        Ok(())
    }

    /// Files first, then second paths of the same inode, then what had to be rescued meanwhile.
    pub(super) async fn transfer_all(
        &mut self,
        transfer: &Arc<Transfer>,
        tasks: Vec<Task>,
    ) -> Result<Batch> {
        self.events.send(Event::Phase("transfer"));
        let bytes = tasks.iter().map(|task| task.seen.size).sum::<u64>() * transfer.sides();
        self.events.send(Event::Total {
            files: tasks.len() as u64,
            bytes,
        });
        let (links, files): (Vec<_>, Vec<_>) =
            tasks.into_iter().partition(|task| task.hardlink.is_some());
        let mut all = Batch::default();
        let mut waves = vec![files, links];
        // Whoever keeps changing the mirror while we write it is left alone in the end.
        for _ in 0..5 {
            for wave in std::mem::take(&mut waves) {
                let batch = self.wave(transfer, wave).await?;
                all.gone.extend(batch.gone);
                all.failed.extend(batch.failed);
                all.deferred.extend(batch.deferred);
                if batch.stopped.is_some() {
                    all.stopped = batch.stopped;
                    return Ok(all);
                }
            }
            let mut deferred = std::mem::take(&mut all.deferred);
            if deferred.is_empty() {
                return Ok(all);
            }
            self.rescue_before(&mut deferred).await?;
            waves = vec![deferred];
        }
        for task in waves.into_iter().flatten() {
            self.tally.sync_failed.one();
            let message = "the mirror's object is changed by something else again and again";
            self.fail(task.seen.path.to_string(), "sync", message);
            all.failed.push(task);
        }
        Ok(all)
    }

    async fn wave(&mut self, transfer: &Arc<Transfer>, tasks: Vec<Task>) -> Result<Batch> {
        let pace = Arc::clone(&self.pace);
        let transfer = Arc::clone(transfer);
        run_batch(
            &transfer,
            tasks,
            || pace.limit(),
            async || self.checkpoint_if_due().await,
        )
        .await
    }

    /// What failed because nobody waited for it any more is told as the stop that it was.
    fn in_the_light_of_a_stop(&self, error: Error) -> Error {
        match (error, self.stop.requested()) {
            (Error::Store(_), Some(why)) => why.error(),
            (error, _) => error,
        }
    }

    fn conclude(&mut self, progress: &Progress, doubt: bool) {
        if doubt || self.tally.any_failure() {
            self.raise(ExitCode::Partial);
        }
        if progress.refusal.is_some() {
            self.raise(ExitCode::Refused);
        }
        if progress.at_risk > 0 {
            self.raise(ExitCode::Damage);
        }
    }

    async fn summary(&self, progress: &Progress) -> Summary {
        let mut summary = Summary {
            errors: self.tally.failures(),
            twice: self.twice(),
            forecast: progress.forecast.clone(),
            ..Summary::default()
        };
        summary.library = progress
            .library
            .map(|(files, bytes)| self.tally.library(files, bytes));
        if let Some(sync) = &self.sync {
            let mut part = self.tally.sync();
            part.requests = sync.client().store.requests();
            summary.sync = Some(part);
        }
        if let Some(backup) = &self.backup {
            let mut part = self.tally.backup();
            part.requests = backup.versions.client().store.requests();
            part.at_risk = progress.at_risk;
            part.prunable = progress.prunable;
            if let Some(latest) = &backup.latest {
                part.snapshot = Some(latest.snapshot.id.to_string());
                part.protected_until = self.protected_until();
            }
            summary.backup = Some(part);
        }
        summary
    }
}

/// Whether the next run goes on where this one ended.
fn goes_on(error: &Error) -> bool {
    matches!(
        error.exit_code(),
        ExitCode::Interrupted | ExitCode::Resumable
    )
}

/// The tasks apart from the rest of the plan.
fn split(mut plan: Plan) -> (Vec<Task>, Plan) {
    (std::mem::take(&mut plan.tasks), plan)
}
