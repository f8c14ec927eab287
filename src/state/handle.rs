//! How async code speaks to the state.

use crate::model::{Blake3, Error, RelPath, Result};
use crate::state::view::PAGE;
use crate::state::writer::{self, Failure, Job, Work};
use crate::state::{Base, Change, Found, Row, State, UploadId, UploadPart, UploadRow, View};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::{Semaphore, oneshot};

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

impl StateHandle {
    /// Gives the state to a thread of its own.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(state: State) -> Result<Self> {
        let (jobs, failure) = writer::start(state)?;
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

fn closed() -> Error {
    Error::Failed("the state has been closed".to_owned())
}
