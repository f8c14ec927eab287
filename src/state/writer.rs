//! The thread that owns the state, and batches what is written to it.

use crate::model::{Error, Result};
use crate::state::State;
use crate::state::error::translate;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// A batch is committed after so many writes, or so much time, whichever comes first. What a
/// crash can lose of it is looked up on the stores again.
const BATCH_WRITES: usize = 500;
const BATCH_TIME: Duration = Duration::from_millis(500);

pub(super) type Work = Box<dyn FnOnce(&mut State) -> Result<()> + Send>;

pub(super) enum Job {
    /// A write or read within the batch.
    Work(Work, OwnedSemaphorePermit),
    /// Commit now and tell.
    Flush(oneshot::Sender<Result<()>>),
    /// Commit, close and tell.
    Close(oneshot::Sender<Result<()>>),
}

/// Starts the thread. It ends when the sender and its clones are dropped, or by [`Job::Close`].
pub(super) fn start(state: State) -> Result<(Sender<Job>, Failure)> {
    let (jobs, inbox) = channel();
    let failure = Failure::default();
    let writer = Writer {
        state,
        inbox,
        failure: failure.clone(),
        batch: None,
    };
    std::thread::Builder::new()
        .name("state".to_owned())
        .spawn(move || writer.run())
        .map_err(|error| Error::Failed(format!("no thread for the state: {error}")))?;
    Ok((jobs, failure))
}

/// The first error of a write that nobody waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    pub(super) fn get(&self) -> Option<Error> {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.as_ref().map(|error| match error {
            Error::Resumable(message) => Error::Resumable(message.clone()),
            Error::Held(message) => Error::Held(message.clone()),
            other => Error::Failed(other.to_string()),
        })
    }

    fn set(&self, error: Error) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
    }
}

struct Writer {
    state: State,
    inbox: Receiver<Job>,
    failure: Failure,
    batch: Option<Batch>,
}

/// An open transaction.
struct Batch {
    since: Instant,
    writes: usize,
}

impl Writer {
    fn run(mut self) {
        loop {
            match self.next() {
                Ok(Job::Work(work, permit)) => {
                    self.work(work);
                    drop(permit);
                }
                Ok(Job::Flush(answer)) => {
                    let _ = answer.send(self.settle());
                }
                Ok(Job::Close(answer)) => {
                    let result = self.settle();
                    drop(self);
                    let _ = answer.send(result);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => self.commit(),
                Err(RecvTimeoutError::Disconnected) => return self.commit(),
            }
        }
    }

    /// Waits no longer than the batch may stay open.
    fn next(&self) -> Result<Job, RecvTimeoutError> {
        match &self.batch {
            Some(batch) => {
                let left = BATCH_TIME.saturating_sub(batch.since.elapsed());
                self.inbox.recv_timeout(left)
            }
            None => self
                .inbox
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn work(&mut self, work: Work) {
        // After a failure nothing more is written: a dropped job answers with the failure.
        if self.failure.get().is_some() {
            return;
        }
        let result = self.begin().and_then(|()| work(&mut self.state));
        match result {
            // A full disk makes SQLite roll back the whole batch, acknowledged writes included.
            Ok(()) if self.state.conn.is_autocommit() => {
                self.failure.set(Error::Resumable(format!(
                    "{}: the last changes could not be written (is the disk full?); \
                     run the same command again to go on",
                    self.state.file().display()
                )))
            }
            Ok(()) => {
                if self.batch.as_ref().is_some_and(Batch::is_full) {
                    self.commit();
                }
            }
            Err(error) => self.failure.set(error),
        }
    }

    fn begin(&mut self) -> Result<()> {
        if let Some(batch) = &mut self.batch {
            batch.writes += 1;
            return Ok(());
        }
        self.state.read(|conn| conn.execute_batch("BEGIN"))?;
        self.batch = Some(Batch {
            since: Instant::now(),
            writes: 1,
        });
        Ok(())
    }

    fn commit(&mut self) {
        if self.batch.take().is_none() || self.state.conn.is_autocommit() {
            return;
        }
        if let Err(error) = self.state.conn.execute_batch("COMMIT") {
            self.failure.set(translate(self.state.file(), &error));
        }
    }

    fn settle(&mut self) -> Result<()> {
        self.commit();
        self.failure.get().map_or(Ok(()), Err)
    }
}

impl Batch {
    fn is_full(&self) -> bool {
        self.writes >= BATCH_WRITES || self.since.elapsed() >= BATCH_TIME
    }
}
