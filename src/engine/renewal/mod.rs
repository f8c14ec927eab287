//! Extends the locks of what kept snapshots name before they run out, and nothing else.
//!
//! A run decides by what snapshots and ledger claim, chunk by chunk, and asks for no lock; `renew`
//! reads the lock of everything ([`By`]). Either tells the ledger, so that the next run knows.
//!
//! With [`By::Locks`]:
//!
//! | a version's lock | what happens |
//! |---|---|
//! | has less than `renew_below` left, with its chunk's spread | extended to the full retention |
//! | is shorter than anyone claims: someone has lowered it | the same |
//! | is longer | no request that changes anything |
//! | cannot be extended | told, at risk; the others go on |
//! | the version is gone | told, unless another kept snapshot has the content; the others go on |

mod batch;
#[cfg(test)]
mod tests;
mod upcoming;

pub use upcoming::{Upcoming, upcoming};

use crate::engine::kept::{Kept, VersionName};
use crate::engine::stop::Why;
use crate::engine::verify::{Bad, Mention, Problem, mentions, snapshot_version};
use crate::engine::versions::Versions;
use crate::model::{
    BackupSettings, Blake3, Error, Event, Events, Failure, RelPath, Result, Retention, Stored, Time,
};
use crate::plan::{Renewable, due_now};
use crate::snapshot::{ChunkRef, LedgerObject, Lock, Renewed, SnapshotRef, Vault, write_ledger};
use batch::{Batch, Job, Looked};
use futures::stream::{self, StreamExt};
use std::collections::{HashMap, HashSet};
use std::pin::pin;

/// Chunks fetched ahead; each is up to 16,384 entries in memory.
const AHEAD: usize = 3;

/// By what it is decided which locks are due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// By claims: a due chunk's versions are extended without a look at them.
    Claims,
    /// By the locks themselves, each of which is read.
    Locks,
}

/// What became of the locks.
#[derive(Debug)]
pub struct Renewal {
    /// The snapshots that could be read, with the claims as they are now.
    pub kept: Kept,
    /// Distinct versions that were looked at or extended.
    pub versions: u64,
    /// Locks that were extended.
    pub renewed: u64,
    /// Versions that are not locked for as long as they should be.
    pub at_risk: u64,
    /// What went wrong, by name.
    pub failures: Vec<Failure>,
    /// Versions of files that are gone or have other content, healed ones too.
    pub lost: Vec<Mention>,
    /// Chunk objects that are gone or can't be read.
    pub lost_chunks: Vec<ChunkRef>,
    /// The earliest lock of all that was looked at.
    pub protected_until: Option<Time>,
}

impl Renewal {
    /// A word on each path whose content no kept snapshot has any more.
    pub fn unhealed(&self) -> impl Iterator<Item = Failure> {
        let lost = self.lost.iter().filter(|it| it.healed_by.is_none());
        lost.map(|mention| {
            let ids = self.kept.ids(&self.kept.chunks[mention.chunk]);
            let first = ids.first().map(|id| id.as_str()).unwrap_or_default();
            Failure {
                path: mention.entry.path.display().into_owned(),
                stage: "renew",
                message: format!("{} (named by snapshot {first})", mention.lost),
            }
        })
    }
}

/// What is renewed, and how.
pub struct Request<'a> {
    /// The backup target, to read from.
    pub vault: &'a Vault,
    /// All snapshots that are there, where the caller has listed them already.
    pub listed: Option<Vec<SnapshotRef>>,
    /// Its settings.
    pub settings: &'a BackupSettings,
    /// What decides.
    pub by: By,
    /// Requests in flight.
    pub transfers: usize,
    /// Where failures are told.
    pub events: &'a Events,
}

/// Renews a whole vault. The caller holds its lease; `check` proves that before the ledger is
/// written.
///
/// # Errors
/// The store's; a stop. Locks that were extended by then are extended.
pub async fn renew(
    versions: &Versions,
    request: Request<'_>,
    check: impl AsyncFnOnce() -> Result<()>,
) -> Result<Renewal> {
    let now = versions.client().call(|store| store.now()).await?;
    let (vault, settings) = (request.vault, request.settings);
    let mut kept = Kept::read_slim(vault, request.listed, now, settings.retention).await?;
    let mut renewer = Renewer {
        versions,
        vault,
        settings,
        by: request.by,
        transfers: request.transfers,
        events: request.events,
        now,
        locks: HashMap::new(),
        bad: HashMap::new(),
        lines: Vec::new(),
        failures: Vec::new(),
        lost_chunks: Vec::new(),
        renewed: 0,
        at_risk: 0,
    };
    let ended = renewer.everything(&kept).await;
    if !renewer.lines.is_empty() {
        check().await?;
        kept.claims.add_ledger(&renewer.mend_ledger().await?);
    }
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
    by: By,
    transfers: usize,
    events: &'a Events,
    now: Time,
    locks: HashMap<VersionName, Held>,
    bad: HashMap<VersionName, Bad>,
    lines: Vec<Renewed>,
    failures: Vec<Failure>,
    lost_chunks: Vec<ChunkRef>,
    renewed: u64,
    at_risk: u64,
}

impl Renewer<'_> {
    async fn everything(&mut self, kept: &Kept) -> Result<()> {
        self.objects(kept).await?;
        let chunks = kept.chunks.iter().map(|named| Renewable {
            until: named.chunk.locked_until,
            first: &named.chunk.first,
            requests: named.chunk.entries + 1,
        });
        let due = self.due(chunks.collect(), kept);
        let refs = due.iter().map(|&index| kept.chunks[index].chunk.clone());
        let chunks = self.vault.entries(refs.collect(), AHEAD);
        let mut chunks = pin!(chunks.zip(stream::iter(due)));
        let mut batch = Batch::default();
        while let Some((read, index)) = chunks.next().await {
            let named = &kept.chunks[index];
            let entries = match read {
                Ok(read) => read.entries,
                Err(Error::Store(error)) => return Err(Error::Store(error)),
                Err(error) => {
                    self.lost_chunks.push(named.chunk.clone());
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

    /// Which of these to work on.
    fn due(&self, all: Vec<Renewable<'_>>, kept: &Kept) -> Vec<usize> {
        if self.by == By::Locks {
            return (0..all.len()).collect();
        }
        let (retention, below) = (self.settings.retention, self.settings.renew_below);
        due_now(&all, self.now, retention, below, kept.interval(self.now))
    }

    /// Snapshot objects and prune records: few, and each its own ledger line.
    async fn objects(&mut self, kept: &Kept) -> Result<()> {
        let snapshots = kept.snapshots.iter().map(|loaded| {
            let name = RelPath::from(loaded.snapshot.id.as_str());
            (snapshot_version(loaded), loaded.blake3, name)
        });
        let prunes = kept.prunes.iter().cloned().map(|stored| {
            let key = stored.key.clone();
            (stored, Blake3::of(key.as_bytes()), RelPath::from(&*key))
        });
        let claimed =
            |blake3, stored: &Stored| kept.claims.object_until(blake3, &stored.version_id);
        let all: Vec<_> = snapshots.chain(prunes).collect();
        let renewable = all.iter().map(|(stored, blake3, name)| Renewable {
            until: claimed(*blake3, stored),
            first: name,
            requests: 1,
        });
        let due: HashSet<usize> = self.due(renewable.collect(), kept).into_iter().collect();
        let due: Vec<_> = all
            .into_iter()
            .enumerate()
            .filter(|(index, _)| due.contains(index))
            .map(|(_, object)| object)
            .collect();
        let mut batch = Batch::default();
        for (stored, blake3, name) in &due {
            batch.object(stored.clone(), name.clone(), claimed(*blake3, stored));
        }
        self.work(batch, kept).await?;
        for (stored, blake3, first) in due {
            if let Some(Held::Until(until)) = self.locks.get(&VersionName::of(&stored))
                && until.as_second() > claimed(blake3, &stored).as_second()
            {
                self.lines.push(Renewed {
                    chunk: blake3,
                    version_id: stored.version_id,
                    first,
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
            by: self.by,
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
            None => {
                self.lost_chunks.extend(job.chunk);
                self.fail(job.stored.key, problem.to_string());
            }
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
    async fn mend_ledger(&mut self) -> Result<LedgerObject> {
        let lock = Lock {
            mode: self.settings.mode,
            period: self.settings.retention,
        };
        let now = self.versions.client().call(|store| store.now()).await?;
        let lines = std::mem::take(&mut self.lines);
        let sse = self.settings.sse.as_deref();
        write_ledger(self.vault, now, lock, sse, lines).await
    }

    async fn finish(self, kept: Kept) -> Result<Renewal> {
        let lost = mentions(self.vault, &kept, &self.bad).await?;
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
            lost_chunks: self.lost_chunks,
            protected_until: self.locks.values().filter_map(until).min(),
            kept,
        })
    }
}
