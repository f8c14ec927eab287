//! Gives complete files their names, durably and many at a time.
//!
//! A disk makes a hundred files durable in hardly more time than one, so what arrives while a batch
//! is being synced makes the next batch. The order holds for each file: content on disk, then the
//! name, then the folder on disk.

use super::content::blocking;
use super::folder::{Folder, Place};
use super::tally::Tally;
use super::temp::Temp;
use crate::model::{Error, RelPath, Result};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Each waiting file holds an open handle.
const BATCH: usize = 64;
/// From so many on, one sync of the file system is cheaper than one for each file.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SYNC_ALL_FROM: usize = 8;

/// A file with its right content, mode and time, under its temporary name.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) temp: Arc<Temp>,
    pub(super) place: Place,
    pub(super) replace: bool,
    pub(super) path: RelPath,
    pub(super) size: u64,
}

/// Starts the publisher. It ends when the sender is dropped and all is named; the tally hears of
/// every file.
pub(super) fn start(tally: Arc<Tally>) -> (mpsc::Sender<Ready>, JoinHandle<Result<()>>) {
    let (sender, mut receiver) = mpsc::channel(BATCH);
    let task = tokio::spawn(async move {
        let mut batch = Vec::new();
        while receiver.recv_many(&mut batch, BATCH).await > 0 {
            let (batch, tally) = (std::mem::take(&mut batch), Arc::clone(&tally));
            blocking(move || {
                publish(batch, &tally);
                Ok(())
            })
            .await?;
        }
        Ok(())
    });
    (sender, task)
}

fn publish(batch: Vec<Ready>, tally: &Tally) {
    let synced = sync_file_system(&batch);
    let mut named = Vec::with_capacity(batch.len());
    for ready in batch {
        match name(&ready, synced) {
            Ok(()) => named.push(ready),
            Err(error) => tally.failed(&ready.path, taken(error, &ready.place)),
        }
    }
    let mut last: Option<(Arc<Folder>, bool)> = None;
    for ready in named {
        let folder = &ready.place.folder;
        let durable = match &last {
            Some((synced, durable)) if Arc::ptr_eq(synced, folder) => *durable,
            _ => folder.sync().is_ok(),
        };
        last = Some((Arc::clone(folder), durable));
        if !durable {
            tracing::warn!(file = %ready.place.path().display(), "its name may not survive a power cut");
        }
        tally.restored(&ready.path, ready.size);
    }
}

fn name(ready: &Ready, synced: bool) -> io::Result<()> {
    if !synced {
        ready.temp.file().sync_all()?;
    }
    ready.temp.publish(&ready.place, ready.replace)
}

/// Whether one sync has made the whole batch durable.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn sync_file_system(batch: &[Ready]) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |ready: &Ready| ready.temp.file().metadata().ok().map(|it| it.dev());
    let Some(first) = batch.first().filter(|_| batch.len() >= SYNC_ALL_FROM) else {
        return false;
    };
    let one_device = device(first).is_some() && batch.iter().all(|it| device(it) == device(first));
    one_device && rustix::fs::syncfs(first.temp.file()).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn sync_file_system(_batch: &[Ready]) -> bool {
    false
}

/// A name that was free when the file was begun is taken now: by its twin, or by somebody else.
pub(super) fn taken(error: io::Error, place: &Place) -> Error {
    if error.kind() != ErrorKind::AlreadyExists {
        return Error::io(place.path())(error);
    }
    Error::Refused(format!(
        "{}: the name was taken while the restore ran; names that differ only in case or Unicode \
         form can't live side by side on some disks",
        place.path().display()
    ))
}
