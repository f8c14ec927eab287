//! The lease: who is writing a target.
//!
//! One small object a target, `.tidelock/lease.json` below its prefix, written only on conditions,
//! so that of two takers one wins. Its holder renews it every 5 minutes; after 15 minutes without,
//! by the server's clock, or as soon as its process is known to be gone, the next run takes it
//! over. The former holder, should it wake up, finds out by [`Lease::check`] before its next commit
//! or delete.

mod object;
mod record;
#[cfg(test)]
mod tests;

use crate::engine::client::Client;
use crate::engine::unfinished::Unfinished;
use crate::model::{Error, Result, Side, StoreErrorKind, Time};
use crate::store::Condition;
use record::{Found, Record};
pub use record::{Holder, STALE};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::AbortHandle;

/// A held lease is renewed so often.
pub const HEARTBEAT: Duration = Duration::from_secs(5 * 60);

/// After a renewal that failed the next one comes sooner.
const HEARTBEAT_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Where a store checks no conditions, two takers may both have found the lease free. The later
/// write is there after this pause, so that only one of them reads its own lease back.
const SETTLING: Duration = Duration::from_secs(5);

/// How often a free lease that others snatched away is reached for again.
const ROUNDS: u32 = 5;

/// What a run found when it took a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Before {
    /// No lease: the target was never written, or its last lease was deleted in good order.
    Nothing,
    /// A run that has named everything that it had stored.
    Clean,
    /// A run that died or was stopped: versions and unfinished uploads may be there that nothing
    /// names.
    Unclean,
}

/// A target's lease, held by this run and renewed in the background.
///
/// Dropping it stops the renewal and leaves the object as it is: another run takes it over, on
/// this machine as soon as this process has ended. [`Lease::release`] gives it back in good order.
#[derive(Debug)]
pub struct Lease {
    held: Arc<Held>,
    before: Before,
    heartbeat: AbortHandle,
}

struct Held {
    client: Client,
    state: Mutex<HeldState>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({})", self.client.target)
    }
}

struct HeldState {
    /// As it was last written.
    record: Record,
    /// Of the object as this run last knew it.
    etag: String,
    /// Why it is not held any more.
    lost: Option<String>,
}

/// The sync targets into which a run has ended with 0, by the backup target's lease. Outlives the
/// local state; empty where there is no lease or it can't be read, which is the careful answer.
///
/// # Errors
/// The store's.
pub async fn read_settled(client: &Client) -> Result<Vec<String>> {
    let found = object::look(client).await?;
    Ok(found.map(Found::legacy).unwrap_or_default().settled)
}

impl Lease {
    /// Takes the lease of the client's target.
    ///
    /// # Errors
    /// [`Error::Held`] if another run holds it, naming that run's host, process and time; the
    /// store's.
    pub async fn take(client: Client, holder: &Holder) -> Result<Self> {
        for _ in 0..ROUNDS {
            let found = object::look(&client).await?;
            // The clock of the answer that the lease came with.
            let now = client.store.now().await?;
            if let Some(found) = &found
                && !found.is_free(now, &holder.process)
            {
                return Err(held_by_another(&client, found));
            }
            let condition = match &found {
                Some(found) => Condition::IfMatch(found.etag.clone()),
                None => Condition::IfAbsent,
            };
            if let Some(found) = &found {
                tracing::debug!(target = %client.target, was = found.words(), "taking a free lease");
            }
            let before = match &found {
                None => Before::Nothing,
                Some(found) if found.is_clean() => Before::Clean,
                Some(_) => Before::Unclean,
            };
            let legacy = found.map(Found::legacy).unwrap_or_default();
            let record = Record::new(holder, now, legacy);
            if let Some(etag) = object::write(&client, &record, condition).await? {
                confirm(&client, &record).await?;
                return Ok(Self::held(client, record, etag, before));
            }
        }
        Err(Error::Held(format!(
            "several runs are reaching for {} at once; run again in a minute",
            client.target
        )))
    }

    fn held(client: Client, record: Record, etag: String, before: Before) -> Self {
        let state = HeldState {
            record,
            etag,
            lost: None,
        };
        let held = Arc::new(Held {
            client,
            state: Mutex::new(state),
        });
        let heartbeat = tokio::spawn(beat(Arc::clone(&held))).abort_handle();
        Self {
            held,
            before,
            heartbeat,
        }
    }

    /// Makes sure that this run still holds the lease: call it before each commit and before
    /// deletes. A lease that is due for it, as after the machine slept, is renewed.
    ///
    /// # Errors
    /// [`Error::Held`] if another run has taken it over, for good: then nothing may be committed
    /// or deleted any more. The store's, if it can't be told.
    pub async fn check(&self) -> Result<()> {
        let mut state = self.held.state().await?;
        self.held.look_again(&mut state).await?;
        let now = self.held.client.store.now().await?;
        if is_due(&state.record, now) {
            self.held.renew(&mut state, now).await?;
        }
        Ok(())
    }

    /// What was there before.
    pub fn before(&self) -> Before {
        self.before
    }

    /// The target's side.
    pub fn side(&self) -> Side {
        self.held.client.side
    }

    /// The object's key and ETag, as this run has written it.
    pub async fn object(&self) -> (String, String) {
        let etag = self.held.state.lock().await.etag.clone();
        (object::key(&self.held.client), etag)
    }

    /// The sync targets into which a run has ended with 0, as earlier leases handed them on.
    pub async fn settled(&self) -> Vec<String> {
        self.held.state.lock().await.record.settled.clone()
    }

    /// Unfinished uploads that an earlier run left.
    pub async fn unfinished(&self) -> Vec<Unfinished> {
        self.held.state.lock().await.record.unfinished.clone()
    }

    /// Sets what [`release`](Self::release) hands on of this run's unfinished uploads.
    pub async fn leave(&self, unfinished: Vec<Unfinished>) {
        self.held.state.lock().await.record.unfinished = unfinished;
    }

    /// Gives the lease back: the sync target's object is deleted, the backup target's overwritten
    /// as released. `settled` adds a sync target that this run has ended with 0 into; only the
    /// backup target's lease can remember it. `clean`: everything that this run has stored is
    /// named.
    ///
    /// # Errors
    /// [`Error::Held`] if another run has taken it over meanwhile; the store's, and then it will
    /// be taken over.
    pub async fn release(&self, settled: Option<&str>, clean: bool) -> Result<()> {
        // A heartbeat that is under way ends first: dropped, it could land behind the release.
        let mut state = self.held.state().await?;
        self.heartbeat.abort();
        let result = match self.held.client.side {
            Side::Sync => self.held.delete(&mut state).await,
            Side::Backup => self.held.overwrite(&mut state, settled, clean).await,
        };
        state
            .lost
            .get_or_insert_with(|| "this run has given its lease back".to_owned());
        result
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

impl Held {
    /// Whoever has the state is the only one of this run that reads or writes the object.
    async fn state(&self) -> Result<MutexGuard<'_, HeldState>> {
        let state = self.state.lock().await;
        match &state.lost {
            Some(why) => Err(Error::Held(why.clone())),
            None => Ok(state),
        }
    }

    /// Reads the object; fails for good if it is another's, or none.
    async fn look_again(&self, state: &mut HeldState) -> Result<()> {
        let found = object::look(&self.client).await?;
        match found {
            Some(found) if is_ours(&found, &state.record) => {
                state.etag = found.etag;
                Ok(())
            }
            found => Err(self.lose(state, found.as_ref())),
        }
    }

    fn lose(&self, state: &mut HeldState, found: Option<&Found>) -> Error {
        let target = &self.client.target;
        let now_held = match found {
            Some(found) => format!("was taken over by {}", found.words()),
            None => "is gone".to_owned(),
        };
        let why = format!(
            "the lease on {target} {now_held}: this run commits and deletes nothing more there; \
             run again when the other has ended"
        );
        state.lost = Some(why.clone());
        Error::Held(why)
    }

    /// Writes `record` over this run's lease. A refusal may come from an earlier renewal whose
    /// answer nobody waited for, so the object is looked at before it counts as lost.
    async fn write(&self, state: &mut HeldState, record: Record) -> Result<()> {
        for _ in 0..ROUNDS {
            let condition = Condition::IfMatch(state.etag.clone());
            if let Some(etag) = object::write(&self.client, &record, condition).await? {
                (state.record, state.etag) = (record, etag);
                return Ok(());
            }
            self.look_again(state).await?;
        }
        Err(self.lose(state, None))
    }

    async fn renew(&self, state: &mut HeldState, now: Time) -> Result<()> {
        let record = Record {
            renewed: now,
            ..state.record.clone()
        };
        self.write(state, record).await
    }

    async fn overwrite(
        &self,
        state: &mut HeldState,
        settled: Option<&str>,
        clean: bool,
    ) -> Result<()> {
        let mut record = Record {
            released: true,
            clean,
            ..state.record.clone()
        };
        record.settled.extend(settled.map(str::to_owned));
        record.settled.sort();
        record.settled.dedup();
        self.write(state, record).await
    }

    async fn delete(&self, state: &mut HeldState) -> Result<()> {
        let key = object::key(&self.client);
        for _ in 0..ROUNDS {
            let etag = state.etag.clone();
            let deleted = self
                .client
                .call(|store| store.delete(&key, Some(&etag)))
                .await;
            match deleted {
                Ok(()) => return Ok(()),
                Err(error) if error.kind == StoreErrorKind::PreconditionFailed => {
                    self.look_again(state).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.lose(state, None))
    }
}

/// Reads a lease back that has just been written.
async fn confirm(client: &Client, record: &Record) -> Result<()> {
    if !client.store.conditional_writes() {
        tokio::time::sleep(SETTLING).await;
    }
    match object::look(client).await? {
        Some(found) if is_ours(&found, record) => Ok(()),
        Some(found) => Err(held_by_another(client, &found)),
        None => Err(Error::Held(format!(
            "the lease on {} was deleted by someone as soon as it was taken; run again",
            client.target
        ))),
    }
}

/// Renews the lease until it is lost, released or dropped.
async fn beat(held: Arc<Held>) {
    let mut pause = HEARTBEAT;
    loop {
        tokio::time::sleep(pause).await;
        let renewed = async {
            let mut state = held.state().await?;
            let now = held.client.store.now().await?;
            held.renew(&mut state, now).await
        };
        pause = match renewed.await {
            Ok(()) => HEARTBEAT,
            Err(error) => {
                if held.state().await.is_err() {
                    return;
                }
                tracing::warn!(%error, "the lease could not be renewed; trying again soon");
                HEARTBEAT_AFTER_FAILURE
            }
        };
    }
}

fn is_ours(found: &Found, own: &Record) -> bool {
    let same = |record: &Record| record.nonce == own.nonce && !record.released;
    found.record.as_ref().is_some_and(same)
}

/// By the server's clock: the local one stands still while a machine sleeps.
fn is_due(record: &Record, now: Time) -> bool {
    let age = now.as_second() - record.renewed.as_second();
    u64::try_from(age).is_ok_and(|age| age >= HEARTBEAT.as_secs())
}

fn held_by_another(client: &Client, found: &Found) -> Error {
    let until = found
        .last_modified
        .checked_add(STALE)
        .unwrap_or(found.last_modified);
    Error::Held(format!(
        "another run holds {}: {}; wait for it to end. If it has died elsewhere, \
         its lease can be taken over from {until:.0} on",
        client.target,
        found.words()
    ))
}
