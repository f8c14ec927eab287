//! Gives complete files their names, durably and many at a time.
//!
//! A disk makes a hundred files durable in hardly more time than one, so what arrives while a batch
//! is being synced makes the next batch. The order holds for each file: content on disk, then the
//! name, then the folder on disk.

use super::blocking;
use super::folder::{Folder, Place};
use super::temp::Temp;
use crate::model::{Error, Result};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Each waiting file holds an open handle.
const BATCH: usize = 64;
/// So long a batch that is not full waits for more: each sync costs about the same.
const GATHERING: Duration = Duration::from_millis(50);
/// From so many on, one sync of the file system is cheaper than one for each file.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SYNC_ALL_FROM: usize = 8;

/// A file with its right content under its temporary name, and what it is for.
#[derive(Debug)]
pub(in crate::engine) struct Ready<J> {
    pub(in crate::engine) temp: Arc<Temp>,
    pub(in crate::engine) place: Place,
    pub(in crate::engine) job: J,
}

/// Starts the publisher. It ends when the sender is dropped and all is named. `dress` gives one file
/// its mode and time; `name` gives it, durable by then, its name; `done` hears how each file ended,
/// once its name is durable.
pub(in crate::engine) fn start<J, M, N, D>(
    dress: M,
    name: N,
    done: D,
) -> (mpsc::Sender<Ready<J>>, JoinHandle<Result<()>>)
where
    J: Send + 'static,
    M: Fn(&Ready<J>) -> io::Result<()> + Send + Sync + 'static,
    N: Fn(&Ready<J>) -> io::Result<()> + Send + Sync + 'static,
    D: Fn(&Ready<J>, io::Result<()>) + Send + Sync + 'static,
{
    let (sender, mut receiver) = mpsc::channel(BATCH);
    let how = Arc::new((dress, name, done));
    let task = tokio::spawn(async move {
        let mut batch = Vec::new();
        while receiver.recv_many(&mut batch, BATCH).await > 0 {
            gather(&mut receiver, &mut batch).await;
            let (batch, how) = (std::mem::take(&mut batch), Arc::clone(&how));
            blocking(move || {
                publish(batch, &how.0, &how.1, &how.2);
                Ok(())
            })
            .await?;
        }
        Ok(())
    });
    (sender, task)
}

/// Takes what else comes soon.
async fn gather<T>(receiver: &mut mpsc::Receiver<T>, batch: &mut Vec<T>) {
    let end = Instant::now() + GATHERING;
    while batch.len() < BATCH {
        let room = BATCH - batch.len();
        match timeout_at(end, receiver.recv_many(batch, room)).await {
            Ok(count) if count > 0 => {}
            _ => return,
        }
    }
}

/// Waits until all is named.
pub(in crate::engine) async fn finished(task: JoinHandle<Result<()>>) -> Result<()> {
    task.await
        .map_err(|error| Error::Failed(format!("naming files failed: {error}")))?
}

fn publish<J>(
    mut batch: Vec<Ready<J>>,
    dress: &impl Fn(&Ready<J>) -> io::Result<()>,
    name: &impl Fn(&Ready<J>) -> io::Result<()>,
    done: &impl Fn(&Ready<J>, io::Result<()>),
) {
    batch.retain(|ready| match dress(ready) {
        Ok(()) => true,
        Err(error) => {
            done(ready, Err(error));
            false
        }
    });
    let synced = sync_file_system(&batch);
    let mut named = Vec::with_capacity(batch.len());
    for ready in &batch {
        let durable = if synced {
            Ok(())
        } else {
            ready.temp.file().sync_all()
        };
        match durable.and_then(|()| name(ready)) {
            Ok(()) => named.push(ready),
            Err(error) => done(ready, Err(error)),
        }
    }
    let mut last: Option<(&Arc<Folder>, bool)> = None;
    for ready in named {
        let folder = &ready.place.folder;
        let durable = match last {
            Some((synced, durable)) if Arc::ptr_eq(synced, folder) => durable,
            _ => folder.sync().is_ok(),
        };
        last = Some((folder, durable));
        if !durable {
            tracing::warn!(file = %ready.place.path().display(), "its name may not survive a power cut");
        }
        done(ready, Ok(()));
    }
}

/// Whether one sync has made the whole batch durable.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn sync_file_system<J>(batch: &[Ready<J>]) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |ready: &Ready<J>| ready.temp.file().metadata().ok().map(|it| it.dev());
    let Some(first) = batch.first().filter(|_| batch.len() >= SYNC_ALL_FROM) else {
        return false;
    };
    let one_device = device(first).is_some() && batch.iter().all(|it| device(it) == device(first));
    one_device && rustix::fs::syncfs(first.temp.file()).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sync_file_system<J>(_batch: &[Ready<J>]) -> bool {
    false
}

/// A name that was free when the file was begun is taken now: by its twin, or by somebody else.
pub(in crate::engine) fn taken(error: io::Error, place: &Place) -> Error {
    if error.kind() != ErrorKind::AlreadyExists {
        return Error::io(place.path())(error);
    }
    Error::Refused(format!(
        "{}: the name was taken in the meantime; names that differ only in case or Unicode \
         form can't live side by side on some disks: bring it alone, by its path, to \
         another folder (--to)",
        place.path().display()
    ))
}
