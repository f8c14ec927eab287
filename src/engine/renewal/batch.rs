//! Versions looked at together: enough of them that all requests in flight have work.

use super::{By, Held};
use crate::engine::kept::{NamedChunk, VersionName};
use crate::engine::verify::{Expected, Problem, look_at};
use crate::engine::versions::{Extended, Versions};
use crate::model::{BackupSettings, Entry, Error, RelPath, Result, Retention, Stored, Time};
use crate::plan::renew_due;
use crate::snapshot::{ChunkRef, Vault};
use std::collections::{HashMap, HashSet};

/// So many versions are a batch; a single chunk may bring more.
const ENOUGH: usize = 2_000;
/// So many names of versions are one too, where most were met before.
const ENOUGH_NAMES: usize = 200_000;

/// One version to look at.
pub(super) struct Job {
    pub(super) stored: Stored,
    /// Where it is a file's.
    pub(super) entry: Option<Box<Entry>>,
    /// The latest claim of anyone.
    claimed: Time,
    /// Of the chunk, for the spread.
    first: RelPath,
    /// Where it is a chunk object itself.
    pub(super) chunk: Option<ChunkRef>,
}

impl Job {
    /// For messages.
    pub(super) fn name(&self) -> String {
        match &self.entry {
            Some(entry) => entry.path.display().into_owned(),
            None => self.stored.key.clone(),
        }
    }
}

/// What became of a version's lock.
pub(super) enum Lock {
    /// Long enough.
    Enough(Time),
    /// Extended to the full length.
    Extended,
    /// The version is gone.
    Gone,
    /// The store did not extend it, and why.
    Refused(String),
}

/// What was seen and done.
pub(super) struct Looked {
    pub(super) lock: Lock,
    /// What is wrong with its content.
    pub(super) problem: Option<Problem>,
}

/// Work, and which chunks may claim what comes of it.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) jobs: Vec<Job>,
    /// Chunks by number, with all versions that they name, their own among them.
    pub(super) chunks: Vec<(usize, Vec<VersionName>)>,
    names: usize,
    planned: HashSet<VersionName>,
}

impl Batch {
    /// A chunk, with what it names.
    pub(super) fn take(
        &mut self,
        index: usize,
        chunk: &NamedChunk,
        entries: Vec<Entry>,
        known: &HashMap<VersionName, Held>,
    ) {
        let (claimed, first) = (chunk.chunk.locked_until, &chunk.chunk.first);
        let mut names = Vec::with_capacity(entries.len() + 1);
        let own = Job {
            stored: chunk.stored(),
            entry: None,
            claimed,
            first: first.clone(),
            chunk: Some(chunk.chunk.clone()),
        };
        let files = entries.into_iter().filter_map(|entry| {
            Some(Job {
                stored: entry.stored.clone()?,
                entry: Some(Box::new(entry)),
                claimed,
                first: first.clone(),
                chunk: None,
            })
        });
        for job in std::iter::once(own).chain(files) {
            let name = VersionName::of(&job.stored);
            names.push(name);
            if !known.contains_key(&name) && self.planned.insert(name) {
                self.jobs.push(job);
            }
        }
        self.names += names.len();
        self.chunks.push((index, names));
    }

    /// An object that is no chunk.
    pub(super) fn object(&mut self, stored: Stored, first: RelPath, claimed: Time) {
        self.jobs.push(Job {
            stored,
            entry: None,
            claimed,
            first,
            chunk: None,
        });
    }

    /// Whether it is worth its requests.
    pub(super) fn is_full(&self) -> bool {
        self.jobs.len() >= ENOUGH || self.names >= ENOUGH_NAMES
    }
}

/// By what measure locks are extended.
pub(super) struct How<'a> {
    pub(super) versions: &'a Versions,
    pub(super) vault: &'a Vault,
    pub(super) settings: &'a BackupSettings,
    pub(super) by: By,
    pub(super) now: Time,
    pub(super) full: Retention,
}

impl How<'_> {
    /// Extends a version's lock where that is due.
    pub(super) async fn look(&self, job: Job) -> Result<(Job, Looked)> {
        if self.by == By::Claims {
            let lock = self.extend(&job).await?;
            let problem = None;
            return Ok((job, Looked { lock, problem }));
        }
        let expected = job.entry.as_deref().and_then(Expected::of_entry);
        let expected =
            expected.unwrap_or_else(|| Expected::of_object(&job.stored, Time::UNIX_EPOCH));
        let seen = look_at(self.vault, &self.versions.client().retrier, &expected).await?;
        let problem = seen.problem.clone();
        let until = seen.until().unwrap_or(Time::UNIX_EPOCH);
        let lowered = until.as_second() < job.claimed.as_second();
        let (retention, below) = (self.settings.retention, self.settings.renew_below);
        let lock = if problem == Some(Problem::Gone) {
            Lock::Gone
        } else if lowered || renew_due(until, self.now, retention, below, &job.first) {
            self.extend(&job).await?
        } else {
            Lock::Enough(until)
        };
        Ok((job, Looked { lock, problem }))
    }

    async fn extend(&self, job: &Job) -> Result<Lock> {
        match self.versions.ensure(&job.stored, self.full).await {
            Ok(Extended::Now) => Ok(Lock::Extended),
            Ok(Extended::Before) => Ok(Lock::Enough(self.full.until)),
            Ok(Extended::Gone) => Ok(Lock::Gone),
            Err(error) if ends_all(&error) => Err(Error::Store(error)),
            Err(error) => Ok(Lock::Refused(error.to_string())),
        }
    }
}

/// What no other version can escape.
fn ends_all(error: &crate::model::StoreError) -> bool {
    use crate::model::StoreErrorKind::*;
    matches!(
        error.kind,
        NoSuchBucket | BadCredentials | ExpiredCredentials | WrongRegion | Unreachable | Tls
    )
}
