//! What a lease says, and what may be done with it.

use crate::engine::host::Process;
use crate::engine::unfinished::Unfinished;
use crate::model::{Error, Result, Time};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A lease that was not renewed for so long, by the server's clock, may be taken over.
pub const STALE: Duration = Duration::from_secs(15 * 60);

/// Who takes a lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// What it does, for people: `tidelock run`.
    pub what: String,
    /// Where it runs.
    pub process: Process,
    /// Tells this run from any other.
    pub nonce: String,
}

impl Holder {
    /// This process, doing `what` (`tidelock run`), with a nonce of its own.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new(what: &str) -> Result<Self> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)
            .map_err(|error| Error::Failed(format!("no random numbers for a lease: {error}")))?;
        Ok(Self {
            what: what.to_owned(),
            process: Process::current(),
            nonce: HEXLOWER.encode(&nonce),
        })
    }
}

/// `tidelock run on nas, pid 4711`; add since when.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, process, .. } = self;
        write!(f, "{what} on {}, pid {}", process.host, process.pid)
    }
}

/// The lease object. Readers ignore fields that they do not know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub holder: String,
    pub host: String,
    pub boot_id: String,
    pub pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_start: Option<u64>,
    pub nonce: String,
    /// By the server's clock, as is `renewed`.
    pub taken: Time,
    /// Differs with each heartbeat, so that each one changes the object's ETag: who read the lease
    /// before a heartbeat can't take it over after it.
    pub renewed: Time,
    #[serde(default)]
    pub released: bool,
    /// The run that released it named everything that it had stored: no version and no unfinished
    /// upload of its own has to be looked for.
    #[serde(default)]
    pub clean: bool,
    /// The sync targets that a run has ended with 0 into; handed on from lease to lease.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<String>,
    /// What the next run can go on with; handed on likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<Unfinished>,
}

/// What is handed on from lease to lease.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Legacy {
    pub settled: Vec<String>,
    pub unfinished: Vec<Unfinished>,
}

impl Record {
    pub(super) fn new(holder: &Holder, now: Time, legacy: Legacy) -> Self {
        let process = holder.process.clone();
        Self {
            holder: holder.what.clone(),
            host: process.host,
            boot_id: process.boot_id,
            pid: process.pid,
            pid_namespace: process.pid_namespace,
            process_start: process.started,
            nonce: holder.nonce.clone(),
            taken: now,
            renewed: now,
            released: false,
            clean: false,
            settled: legacy.settled,
            unfinished: legacy.unfinished,
        }
    }

    /// Whether its process is known to have ended, as seen from `here`.
    fn is_gone(&self, here: &Process) -> bool {
        let process = Process {
            host: self.host.clone(),
            boot_id: self.boot_id.clone(),
            pid_namespace: self.pid_namespace.clone(),
            pid: self.pid,
            started: self.process_start,
        };
        process.is_gone(here)
    }
}

/// `tidelock run on nas, pid 4711, since 2026-…`
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            holder,
            host,
            pid,
            taken,
            ..
        } = self;
        write!(f, "{holder} on {host}, pid {pid}, since {taken:.0}")
    }
}

/// A lease object as it was read.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub etag: String,
    pub last_modified: Time,
    /// None where it can't be read: then only its age counts.
    pub record: Option<Record>,
}

impl Found {
    /// Whether the lease may be taken at `now`, the server's time, from `here`.
    ///
    /// | released | its process is known to be gone | older than 15 minutes | free |
    /// |---|---|---|---|
    /// | yes | – | – | yes |
    /// | no | yes | – | yes |
    /// | no | no | yes | yes |
    /// | no | no | no | no |
    pub(super) fn is_free(&self, now: Time, here: &Process) -> bool {
        let given_up = |record: &Record| record.released || record.is_gone(here);
        self.record.as_ref().is_some_and(given_up) || self.is_stale(now)
    }

    fn is_stale(&self, now: Time) -> bool {
        let age = now.as_second() - self.last_modified.as_second();
        u64::try_from(age).is_ok_and(|age| age >= STALE.as_secs())
    }

    /// The holder, for a message.
    pub(super) fn words(&self) -> String {
        match &self.record {
            Some(record) => record.to_string(),
            None => "an unknown program, whose lease can't be read".to_owned(),
        }
    }

    /// Whether its run has left nothing that has to be looked for.
    pub(super) fn is_clean(&self) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.released && record.clean)
    }

    /// What is handed on to the next lease.
    pub(super) fn legacy(self) -> Legacy {
        self.record
            .map(|record| Legacy {
                settled: record.settled,
                unfinished: record.unfinished,
            })
            .unwrap_or_default()
    }
}
