//! One target under examination, and the probe's own corner of it.

use crate::engine::retry::Retrier;
use crate::model::{Connection, Crc64, Mode, Result, Retention, Side, StoreResult, Target, Time};
use crate::store::{Attributes, ConnectOptions, Put, S3Store, Store};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Few requests, one after the other.
const TRANSFERS: usize = 2;

/// Probes of every run have this in front of their keys, below the target's prefix.
const FOLDER: &str = ".tidelock/doctor-";

/// How long probes of the backup are locked at first.
pub(super) const LOCK: Duration = Duration::from_secs(23 * 60 * 60);

/// A target, its store, and where in it this run's probes go.
pub(super) struct Subject {
    pub(super) side: Side,
    pub(super) target: Target,
    pub(super) connection: Connection,
    pub(super) store: S3Store,
    pub(super) retrier: Retrier,
    sse: Option<String>,
    nonce: String,
    wrote: AtomicBool,
}

impl Subject {
    /// Sends nothing yet.
    pub(super) async fn connect(
        side: Side,
        target: &Target,
        connection: &Connection,
        sse: Option<&String>,
        nonce: &str,
        retrier: &Retrier,
    ) -> Result<Self> {
        let transfers = TRANSFERS;
        let store = S3Store::connect(target, connection, ConnectOptions { transfers }).await?;
        Ok(Self {
            side,
            target: target.clone(),
            connection: connection.clone(),
            store,
            retrier: retrier.clone(),
            sse: sse.cloned(),
            nonce: nonce.to_owned(),
            wrote: AtomicBool::new(false),
        })
    }

    /// The full key of a probe.
    pub(super) fn key(&self, name: &str) -> String {
        self.target.key(&format!("{FOLDER}{}/{name}", self.nonce))
    }

    /// In front of the probes of every run.
    pub(super) fn all_probes(&self) -> String {
        self.target.key(FOLDER)
    }

    /// Whether anything may be there that has to be taken away.
    pub(super) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
    }

    /// Notes before the first write that it may happen, and after a refusal that it did not.
    pub(super) fn note_write(&self, may_have_happened: bool) {
        self.wrote.store(may_have_happened, Ordering::Relaxed);
    }

    /// What probes are written with: on the backup, a lock.
    pub(super) fn attributes(&self, lock: Option<Retention>) -> Attributes {
        Attributes {
            metadata: vec![("mtime".to_owned(), "0.000000000".to_owned())],
            retention: lock,
            sse: self.sse.clone(),
            ..Attributes::default()
        }
    }

    /// A small object of few bytes.
    pub(super) fn put(&self, name: &str, lock: Option<Retention>) -> Put {
        let body = self.body();
        Put {
            key: self.key(name),
            crc64nvme: Crc64::of(&body),
            body,
            attributes: self.attributes(lock),
            condition: crate::store::Condition::Always,
        }
    }

    /// What every probe holds.
    pub(super) fn body(&self) -> Bytes {
        format!("a probe of `tidelock doctor`, {}\n", self.nonce).into()
    }

    /// Sends a request that may be repeated until it is answered.
    pub(super) async fn call<'a, T, F, Fut>(&'a self, request: F) -> StoreResult<T>
    where
        F: Fn(&'a S3Store) -> Fut,
        Fut: Future<Output = StoreResult<T>>,
    {
        self.retrier.run(|| request(&self.store)).await
    }
}

/// A lock that is over within a day.
pub(super) fn lock(mode: Mode, now: Time, length: Duration) -> Retention {
    let until = now.checked_add(length).unwrap_or(now);
    Retention { mode, until }
}

/// The store's time; its answers carry it, so this costs no request once there was one.
pub(super) async fn server_now(subject: &Subject) -> StoreResult<Time> {
    subject.call(|store| store.now()).await
}
