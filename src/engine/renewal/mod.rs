//! `renew`: reads the lock of everything that a kept snapshot names, extends what has too little
//! left, and mends the ledger so that runs know the true dates without asking.
//!
//! | a version's lock | what happens |
//! |---|---|
//! | has less than `renew_below` left, with its chunk's spread | extended to the full retention |
//! | is shorter than anyone claims: someone has lowered it | the same |
//! | is longer | no request that changes anything |
//! | cannot be extended | told, at risk; the others go on |
//! | the version is gone | told, unless another kept snapshot has the content; the others go on |

mod batch;

use crate::engine::kept::{Kept, VersionName};
use crate::engine::stop::Why;
use crate::engine::verify::{Bad, Mention, Problem, mentions, snapshot_version};
use crate::engine::versions::Versions;
use crate::model::{
    BackupSettings, Error, Event, Events, Failure, RelPath, Result, Retention, Time,
};
use crate::snapshot::{Lock, Renewed, Vault, list_prunes, write_ledger};
use batch::{Batch, Job, Looked};
use futures::stream::{self, StreamExt};
use std::collections::HashMap;
use std::pin::pin;

/// Chunks fetched ahead; each is up to 16,384 entries in memory.
const AHEAD: usize = 3;

/// What became of the locks.
#[derive(Debug)]
pub struct Renewal {
    /// The snapshots that could be read.
    pub kept: Kept,
    /// Distinct versions whose lock was read.
    pub versions: u64,
    /// Locks that were extended.
    pub renewed: u64,
    /// Versions that are not locked for as long as they should be.
    pub at_risk: u64,
    /// What went wrong, by name.
    pub failures: Vec<Failure>,
    /// Versions of files that are gone or have other content, healed ones too.
    pub lost: Vec<Mention>,
    /// The earliest lock of all that was looked at.
    pub protected_until: Option<Time>,
}

/// Renews a whole vault. The caller holds its lease; `check` proves that before the ledger is
/// written.
///
/// # Errors
/// The store's; a stop. Locks that were extended by then are extended.
pub async fn renew(
    versions: &Versions,
    vault: &Vault,
    settings: &BackupSettings,
    transfers: usize,
    events: &Events,
    check: impl AsyncFnOnce() -> Result<()>,
) -> Result<Renewal> {
    events.send(Event::Phase("renew"));
    let now = versions.client().call(|store| store.now()).await?;
    let kept = Kept::read(vault, now, settings.retention).await?;
    let mut renewer = Renewer {
        versions,
        vault,
        settings,
        transfers,
        events,
        now,
        locks: HashMap::new(),
        bad: HashMap::new(),
        lines: Vec::new(),
        failures: Vec::new(),
        renewed: 0,
        at_risk: 0,
    };
    let ended = renewer.everything(&kept).await;
    check().await?;
    renewer.mend_ledger().await?;
    ended?;
    renewer.finish(kept).await
}

/// What is known of a lock by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    /// Until then at least.
    Until(Time),
    /// The version is gone: nothing is left to lock.
    Gone,
    /// It could not be extended.
    Short,
}

struct Renewer<'a> {
    versions: &'a Versions,
    vault: &'a Vault,
    settings: &'a BackupSettings,
    transfers: usize,
    events: &'a Events,
    now: Time,
    locks: HashMap<VersionName, Held>,
    bad: HashMap<VersionName, Bad>,
    lines: Vec<Renewed>,
    failures: Vec<Failure>,
    renewed: u64,
    at_risk: u64,
}

impl Renewer<'_> {
    async fn everything(&mut self, kept: &Kept) -> Result<()> {
        self.objects(kept).await?;
        let chunks = self.vault.entries(kept.chunk_refs(), AHEAD);
        let mut chunks = pin!(chunks.zip(stream::iter(0..)));
        let mut batch = Batch::default();
        while let Some((read, index)) = chunks.next().await {
            let named = &kept.chunks[index];
            let entries = match read {
                Ok(read) => read.entries,
                Err(Error::Store(error)) => return Err(Error::Store(error)),
                Err(error) => {
                    self.fail(named.chunk.key.clone(), error.to_string());
                    continue;
                }
            };
            batch.take(index, named, entries, &self.locks);
            if batch.is_full() {
                self.work(std::mem::take(&mut batch), kept).await?;
            }
        }
        self.work(batch, kept).await
    }

    /// Snapshot objects and prune records: few, and each its own ledger line.
    async fn objects(&mut self, kept: &Kept) -> Result<()> {
        let mut batch = Batch::default();
        for loaded in &kept.snapshots {
            let name = RelPath::from(loaded.snapshot.id.as_str());
            let claimed = kept.claims.snapshot_until(loaded);
            batch.object(snapshot_version(loaded), name, claimed);
        }
        for stored in list_prunes(self.vault).await? {
            let name = RelPath::from(stored.key.as_str());
            batch.object(stored, name, Time::UNIX_EPOCH);
        }
        self.work(batch, kept).await?;
        for loaded in &kept.snapshots {
            let stored = snapshot_version(loaded);
            if let Some(Held::Until(until)) = self.locks.get(&VersionName::of(&stored))
                && until.as_second() > kept.claims.snapshot_until(loaded).as_second()
            {
                self.lines.push(Renewed {
                    chunk: loaded.blake3,
                    version_id: stored.version_id,
                    first: RelPath::from(loaded.snapshot.id.as_str()),
                    locked_until: *until,
                });
            }
        }
        Ok(())
    }

    /// Reads and extends the locks of a batch, then says what its chunks may claim.
    async fn work(&mut self, batch: Batch, kept: &Kept) -> Result<()> {
        let full = self.versions.full_lock().await?;
        let Batch { jobs, chunks, .. } = batch;
        let how = batch::How {
            versions: self.versions,
            vault: self.vault,
            settings: self.settings,
            now: self.now,
            full,
        };
        let mut looks = pin!(
            stream::iter(jobs)
                .map(|job| how.look(job))
                .buffer_unordered(self.transfers.max(1))
        );
        while let Some(looked) = looks.next().await {
            match self.versions.client().retrier.stop().requested() {
                None => {}
                Some(Why::Interrupted) => return Err(Error::Interrupted),
                Some(Why::TimeBudget) => {
                    return Err(Error::Resumable(
                        "the time budget ran out before every lock was looked at".to_owned(),
                    ));
                }
            }
            let (job, looked) = looked?;
            self.note(job, looked, full);
        }
        for (index, names) in chunks {
            let chunk = &kept.chunks[index].chunk;
            if let Some(until) = self.least(&names)
                && until.as_second() > chunk.locked_until.as_second()
            {
                self.lines.push(Renewed {
                    chunk: chunk.blake3,
                    version_id: chunk.version_id.clone(),
                    first: chunk.first.clone(),
                    locked_until: until,
                });
            }
        }
        Ok(())
    }

    fn note(&mut self, job: Job, looked: Looked, full: Retention) {
        let name = VersionName::of(&job.stored);
        let held = match looked.lock {
            batch::Lock::Enough(until) => Held::Until(until),
            batch::Lock::Extended => {
                self.renewed += 1;
                Held::Until(full.until)
            }
            batch::Lock::Gone => Held::Gone,
            batch::Lock::Refused(message) => {
                self.at_risk += 1;
                self.fail(job.name(), message);
                Held::Short
            }
        };
        self.locks.insert(name, held);
        let problem = match (held, looked.problem) {
            (Held::Gone, _) => Problem::Gone,
            (_, Some(problem)) => problem,
            (_, None) => return,
        };
        match job.entry {
            Some(entry) => {
                let blake3 = entry.content.map(|content| content.blake3);
                self.bad.insert(name, Bad { problem, blake3 });
            }
            None => self.fail(job.stored.key, problem.to_string()),
        }
    }

    /// The earliest of these locks; none where one of them is too short or there is none.
    fn least(&self, names: &[VersionName]) -> Option<Time> {
        let mut least = None;
        for name in names {
            match self.locks.get(name) {
                Some(Held::Until(until)) => {
                    least = Some(least.map_or(*until, |least: Time| least.min(*until)));
                }
                Some(Held::Gone) => {}
                Some(Held::Short) | None => return None,
            }
        }
        least
    }

    fn fail(&mut self, path: String, message: String) {
        let failure = Failure {
            path,
            stage: "renew",
            message,
        };
        self.events.send(Event::Failed(failure.clone()));
        self.failures.push(failure);
    }

    /// Tells every later run what is locked until when.
    async fn mend_ledger(&mut self) -> Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let lock = Lock {
            mode: self.settings.mode,
            period: self.settings.retention,
        };
        let now = self.versions.client().call(|store| store.now()).await?;
        let lines = std::mem::take(&mut self.lines);
        let sse = self.settings.sse.as_deref();
        write_ledger(self.vault, now, lock, sse, lines).await?;
        Ok(())
    }

    async fn finish(mut self, kept: Kept) -> Result<Renewal> {
        let bad = std::mem::take(&mut self.bad);
        let lost = mentions(self.vault, &kept, &bad).await?;
        for mention in lost.iter().filter(|mention| mention.healed_by.is_none()) {
            let ids = kept.ids(&kept.chunks[mention.chunk]);
            let first = ids.first().map(|id| id.as_str()).unwrap_or_default();
            let message = format!("{} (named by snapshot {first})", mention.lost);
            self.fail(mention.entry.path.display().into_owned(), message);
        }
        let until = |held: &Held| match held {
            Held::Until(until) => Some(*until),
            Held::Gone | Held::Short => None,
        };
        Ok(Renewal {
            versions: self.locks.len() as u64,
            renewed: self.renewed,
            at_risk: self.at_risk,
            failures: self.failures,
            lost,
            protected_until: self.locks.values().filter_map(until).min(),
            kept,
        })
    }
}
