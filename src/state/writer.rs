//! The thread that owns the state, and the handle that async code speaks to it by.

use crate::model::{Blake3, Error, RelPath, Result};
use crate::state::error::translate;
use crate::state::view::PAGE;
use crate::state::{Base, Change, Found, Row, State, UploadId, UploadPart, UploadRow, View};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// A batch is committed after so many writes, or so much time, whichever comes first. What a
/// crash can lose of it is looked up on the stores again.
const BATCH_WRITES: usize = 500;
const BATCH_TIME: Duration = Duration::from_millis(500);

/// Jobs that may wait; senders are held up beyond that, so that memory stays bounded.
const QUEUE: usize = 4_096;

/// The state for async code: cheap to clone, and never blocks the runtime.
///
/// All work goes in order through one thread, which keeps a transaction open over many writes: no
/// file costs a commit of its own. Reads see all writes that were sent before them, committed or
/// not. [`flush`](Self::flush) before anything that relies on them being on disk.
///
/// A write that was sent but fails later is not lost silently: the next call of any kind on any
/// clone has its error, and so has each one after that.
///
/// When the last clone is dropped, the thread commits what it has and closes the state.
#[derive(Clone, Debug)]
pub struct StateHandle {
    jobs: Sender<Job>,
    room: Arc<Semaphore>,
    failure: Failure,
}

type Work = Box<dyn FnOnce(&mut State) -> Result<()> + Send>;

enum Job {
    /// A write or read within the batch.
    Work(Work, OwnedSemaphorePermit),
    /// Commit now and tell.
    Flush(oneshot::Sender<Result<()>>),
    /// Commit, close and tell.
    Close(oneshot::Sender<Result<()>>),
}

impl StateHandle {
    /// Gives the state to a thread of its own.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(state: State) -> Result<Self> {
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
        Ok(Self {
            jobs,
            room: Arc::new(Semaphore::new(QUEUE)),
            failure,
        })
    }

    /// Runs something on the state and waits for its result; any of [`State`]'s methods will do.
    /// Dropping the future does not undo it.
    ///
    /// # Errors
    /// Its own, or that of an earlier write.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, result) = oneshot::channel();
        self.send(Box::new(move |state| {
            // Nobody may be waiting any more.
            let _ = answer.send(work(state));
            Ok(())
        }))
        .await?;
        match result.await {
            Ok(result) => result,
            Err(_) => Err(self.failure.get().unwrap_or_else(closed)),
        }
    }

    /// Sends a write without waiting for it.
    ///
    /// # Errors
    /// That of an earlier write.
    pub async fn post(
        &self,
        work: impl FnOnce(&mut State) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.send(Box::new(work)).await
    }

    /// Notes a change, see [`State::put_pending`].
    ///
    /// # Errors
    /// That of an earlier write.
    pub async fn put_pending(&self, change: Change) -> Result<()> {
        self.post(move |state| state.put_pending(&[change])).await
    }

    /// Notes an upload, see [`State::save_upload`].
    ///
    /// # Errors
    /// That of an earlier write.
    pub async fn save_upload(&self, upload: UploadRow) -> Result<()> {
        self.post(move |state| state.save_upload(&upload)).await
    }

    /// Notes a finished part, see [`State::add_parts`].
    ///
    /// # Errors
    /// That of an earlier write.
    pub async fn add_part(&self, id: UploadId, part: UploadPart) -> Result<()> {
        self.post(move |state| state.add_parts(&id, &[part])).await
    }

    /// Forgets an upload, see [`State::remove_upload`].
    ///
    /// # Errors
    /// That of an earlier write.
    pub async fn remove_upload(&self, id: UploadId) -> Result<()> {
        self.post(move |state| state.remove_upload(&id)).await
    }

    /// Where a content is stored, see [`State::find_content`].
    ///
    /// # Errors
    /// The disk's.
    pub async fn find_content(&self, blake3: Blake3, size: u64) -> Result<Vec<Found>> {
        self.call(move |state| state.find_content(&blake3, size))
            .await
    }

    /// What is known of a path, see [`State::get`].
    ///
    /// # Errors
    /// The disk's.
    pub async fn get(&self, path: RelPath) -> Result<Option<Found>> {
        self.call(move |state| state.get(&path)).await
    }

    /// The entries of a view, in path order, page by page.
    pub fn rows(&self, view: View) -> Rows {
        Rows {
            handle: self.clone(),
            view,
            page: Vec::new().into_iter(),
            after: None,
        }
    }

    /// Begins a new base, see [`State::rebuild_begin`].
    ///
    /// # Errors
    /// The disk's.
    pub async fn rebuild(&self) -> Result<Rebuild> {
        self.call(State::rebuild_begin).await?;
        Ok(Rebuild {
            handle: self.clone(),
            rows: Vec::new(),
        })
    }

    /// Commits everything that was sent so far.
    ///
    /// # Errors
    /// That of this commit or of an earlier write.
    pub async fn flush(&self) -> Result<()> {
        self.wait(Job::Flush).await
    }

    /// Commits and closes; the lock is free afterwards. Other clones get errors from then on.
    ///
    /// # Errors
    /// That of this commit or of an earlier write.
    pub async fn close(self) -> Result<()> {
        self.wait(Job::Close).await
    }

    async fn send(&self, work: Work) -> Result<()> {
        if let Some(error) = self.failure.get() {
            return Err(error);
        }
        let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else {
            return Err(closed());
        };
        self.jobs
            .send(Job::Work(work, permit))
            .map_err(|_| self.failure.get().unwrap_or_else(closed))
    }

    async fn wait(&self, job: impl FnOnce(oneshot::Sender<Result<()>>) -> Job) -> Result<()> {
        let (answer, result) = oneshot::channel();
        let sent = self.jobs.send(job(answer));
        match (sent, result.await) {
            (Ok(()), Ok(result)) => result,
            _ => Err(self.failure.get().unwrap_or_else(closed)),
        }
    }
}

/// A base that is being filled; see [`State::rebuild_finish`]. Dropped, it leaves the old base.
#[derive(Debug)]
pub struct Rebuild {
    handle: StateHandle,
    rows: Vec<Row>,
}

impl Rebuild {
    /// Adds an entry; fastest in path order.
    ///
    /// # Errors
    /// That of an earlier write.
    pub async fn push(&mut self, row: Row) -> Result<()> {
        self.rows.push(row);
        if self.rows.len() >= PAGE {
            self.send().await?;
        }
        Ok(())
    }

    /// Makes what was pushed the base, on disk when this returns.
    ///
    /// # Errors
    /// The disk's; then the old base stays.
    pub async fn finish(mut self, base: Base) -> Result<()> {
        self.send().await?;
        self.handle
            .call(move |state| state.rebuild_finish(&base))
            .await?;
        self.handle.flush().await
    }

    async fn send(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        // Awaited, so that no more than one page waits.
        self.handle
            .call(move |state| state.rebuild_push(&rows))
            .await
    }
}

/// A walk through a view. Changes behind the place that it has reached are not seen.
#[derive(Debug)]
pub struct Rows {
    handle: StateHandle,
    view: View,
    page: std::vec::IntoIter<Found>,
    after: Option<RelPath>,
}

impl Rows {
    /// The next entry.
    ///
    /// # Errors
    /// The disk's.
    pub async fn next(&mut self) -> Result<Option<Found>> {
        if self.page.len() == 0 {
            let (view, after) = (self.view, self.after.take());
            self.page = self
                .handle
                .call(move |state| state.page(view, after.as_ref(), PAGE))
                .await?
                .into_iter();
        }
        let next = self.page.next();
        self.after = next.as_ref().map(|found| found.row.entry.path.clone());
        Ok(next)
    }
}

/// The first error of a write that nobody waited for.
#[derive(Clone, Debug, Default)]
struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    fn get(&self) -> Option<Error> {
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

fn closed() -> Error {
    Error::Failed("the state has been closed".to_owned())
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
