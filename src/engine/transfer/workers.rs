//! Many files at a time.

use super::{Outcome, Transfer};
use crate::engine::stop::{GRACE, Why};
use crate::model::{Error, Result};
use crate::plan::Task;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// What became of a batch of files.
#[derive(Debug, Default)]
pub struct Batch {
    /// Files whose mirror object must be rescued first.
    pub deferred: Vec<Task>,
    /// Files that vanished.
    pub gone: Vec<Task>,
    /// Files that could not be read or stored.
    pub failed: Vec<Task>,
    /// Why not all were looked at, if so.
    pub stopped: Option<Why>,
}

/// Brings files where they belong, `jobs()` at a time, in the order given. `between` is called
/// between two files, at the most once a second: a place for checkpoints.
///
/// On a stop no further file is begun, and what is in flight is dropped after a grace of two
/// seconds; parts that have arrived by then are remembered.
///
/// # Errors
/// The first error that concerns the whole run; files in flight are dropped.
pub async fn run_batch<F>(
    transfer: &Arc<Transfer>,
    tasks: Vec<Task>,
    jobs: impl Fn() -> usize,
    mut between: F,
) -> Result<Batch>
where
    F: AsyncFnMut() -> Result<()>,
{
    let mut batch = Batch::default();
    let mut running: JoinSet<Result<Outcome>> = JoinSet::new();
    let mut tasks = tasks.into_iter();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        while running.len() < jobs().max(1)
            && transfer.stop.requested().is_none()
            && let Some(task) = tasks.next()
        {
            let transfer = Arc::clone(transfer);
            running.spawn(async move { transfer.file(task).await });
        }
        tokio::select! {
            ended = running.join_next() => match ended {
                Some(ended) => match (batch.take(ended), transfer.stop.requested()) {
                    (Err(Error::Interrupted), Some(why)) => batch.stopped = Some(why),
                    (ended, _) => ended?,
                },
                None => break,
            },
            _ = tick.tick() => between().await?,
            why = transfer.stop.wait() => {
                batch.stopped = Some(why);
                finish_soon(&mut running, &mut batch).await;
                return Ok(batch);
            }
        }
    }
    if tasks.len() > 0 && batch.stopped.is_none() {
        batch.stopped = transfer.stop.requested();
    }
    Ok(batch)
}

async fn finish_soon(running: &mut JoinSet<Result<Outcome>>, batch: &mut Batch) {
    let finish = async {
        while let Some(ended) = running.join_next().await {
            // The run ends anyway; an error now is no news.
            let _ = batch.take(ended);
        }
    };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        running.shutdown().await;
    }
}

impl Batch {
    fn take(&mut self, ended: Result<Result<Outcome>, tokio::task::JoinError>) -> Result<()> {
        match ended.map_err(|error| Error::Failed(format!("a worker died: {error}")))?? {
            Outcome::Done => {}
            Outcome::Deferred(task) => self.deferred.push(task),
            Outcome::Gone(task) => self.gone.push(task),
            Outcome::Failed(task) => self.failed.push(task),
        }
        Ok(())
    }
}
