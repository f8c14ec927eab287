//! One file: look, fetch, prove, hand over to be named.

use super::Request;
use super::content::{Lost, fill};
use super::tally::Tally;
use crate::engine::download::blocking;
use crate::engine::download::fetch::Fetcher;
use crate::engine::download::folder::Place;
use crate::engine::download::publish::{self, taken};
use crate::engine::download::receive::hash_file;
use crate::engine::download::temp::{self, OWNER_ALONE, Temp};
use crate::model::{Blake3, Content, Entry, Error, RelPath, Result, StoreErrorKind, Stored, Time};
use crate::plan::restore::{Existing, Step, step};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A file whose version is gone or damaged; another snapshot may know another version.
#[derive(Clone, Debug)]
pub(super) struct LostFile {
    pub(super) entry: Entry,
    pub(super) why: String,
}

/// What is to become of a file whose content is there.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) replace: bool,
    pub(super) mode: Option<u32>,
    pub(super) mtime: Option<Time>,
    pub(super) path: RelPath,
    pub(super) size: u64,
}

/// A file that waits for its name.
pub(super) type Ready = publish::Ready<Job>;

/// Starts to name files; the tally hears of each.
pub(super) fn publisher(tally: Arc<Tally>) -> (mpsc::Sender<Ready>, JoinHandle<Result<()>>) {
    publish::start(
        |ready: &Ready| ready.temp.dress(ready.job.mode, ready.job.mtime),
        |ready: &Ready| ready.temp.publish(&ready.place, ready.job.replace),
        move |ready, named| match named {
            Ok(()) => tally.restored(&ready.job.path, ready.job.size),
            Err(error) => tally.failed(&ready.job.path, taken(error, &ready.place)),
        },
    )
}

/// What all files share.
pub(super) struct Files {
    pub(super) fetcher: Fetcher,
    pub(super) existing: Existing,
    /// Archived versions are being asked for.
    pub(super) thaws: bool,
    pub(super) tally: Arc<Tally>,
    pub(super) lost: Mutex<Vec<LostFile>>,
}

impl Files {
    pub(super) fn new(fetcher: Fetcher, request: &Request, tally: Arc<Tally>) -> Self {
        Self {
            fetcher,
            existing: request.existing,
            thaws: request.thaws,
            tally,
            lost: Mutex::default(),
        }
    }

    /// Restores one file from the version that its entry names; the tally hears how it went, once
    /// it has its name.
    pub(super) async fn restore(
        &self,
        entry: Entry,
        place: Place,
        publisher: &mpsc::Sender<Ready>,
    ) {
        match self.attempt(&entry, place, publisher).await {
            Ok(()) => {}
            Err(Lost::Content(why)) => {
                let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
                lost.push(LostFile { entry, why });
            }
            Err(Lost::Error(error)) => self.gave_up(&entry, error),
        }
    }

    /// Tells why a file was not restored. Archived content is not lost, but late.
    pub(super) fn gave_up(&self, entry: &Entry, error: Error) {
        match error {
            Error::Store(error) if error.kind == StoreErrorKind::Archived => {
                self.tally.archived(&entry.path, entry.size(), self.thaws);
            }
            error => self.tally.failed(&entry.path, error),
        }
    }

    /// As [`Files::restore`], with the failure for the caller to judge.
    ///
    /// # Errors
    /// Whatever kept the file from being written.
    pub(super) async fn attempt(
        &self,
        entry: &Entry,
        place: Place,
        publisher: &mpsc::Sender<Ready>,
    ) -> Result<(), Lost> {
        let (content, stored) = named(entry)?;
        let (step, temp) = self.begin(entry, &place).await?;
        let Some(temp) = temp else {
            return match step {
                Step::Keep | Step::Touch | Step::Compare => {
                    self.tally.unchanged();
                    Ok(())
                }
                refused => Err(refusal(refused, &place).into()),
            };
        };
        let replace = step == Step::Replace;
        fill(&self.fetcher, stored, &content, &temp).await?;
        let ready = Ready {
            temp,
            place,
            job: Job {
                replace,
                mode: entry.mode,
                mtime: entry.mtime,
                path: entry.path.clone(),
                size: content.size,
            },
        };
        let ended = |_| Error::Failed("the restore was given up".into());
        Ok(publisher.send(ready).await.map_err(ended)?)
    }

    /// What to do for a file, by what is there; time and mode are set here where only they differ.
    ///
    /// # Errors
    /// `Damage` where the snapshot names no version, `Io` where what is there can't be read.
    pub(super) async fn decide(&self, entry: &Entry, place: &Place) -> Result<Step> {
        let decide = self.decider(entry, place)?;
        blocking(decide).await
    }

    fn decider(
        &self,
        entry: &Entry,
        place: &Place,
    ) -> Result<impl FnOnce() -> Result<Step> + Send + use<>> {
        let (content, _) = named(entry)?;
        let (place, existing) = (place.clone(), self.existing);
        let (mode, mtime) = (entry.mode, entry.mtime);
        Ok(move || {
            let there = place.there().map_err(Error::io(place.path()))?;
            let mut decided = step(&content, mtime, there, None, existing);
            if decided == Step::Compare {
                let hash = hash(&place)?;
                decided = step(&content, mtime, there, Some(hash), existing);
            }
            if decided == Step::Touch {
                let file = place.open().map_err(Error::io(place.path()))?;
                temp::dress(&file, mode, mtime).map_err(Error::io(place.path()))?;
            }
            Ok(decided)
        })
    }

    /// As [`decide`](Self::decide); where the file is to be written, it is begun at once.
    async fn begin(&self, entry: &Entry, place: &Place) -> Result<(Step, Option<Arc<Temp>>)> {
        let decide = self.decider(entry, place)?;
        let (size, place) = (entry.size(), place.clone());
        // A small file is written in one piece as soon as it is there.
        let reserve = size > self.fetcher.range_length();
        let begun = move || {
            let step = decide()?;
            if !matches!(step, Step::Create | Step::Replace) {
                return Ok((step, None));
            }
            let temp = Temp::create(&place.folder, OWNER_ALONE).map_err(Error::io(place.path()))?;
            if reserve {
                temp.reserve(size).map_err(Error::io(place.path()))?;
            }
            Ok((step, Some(Arc::new(temp))))
        };
        self.fetcher.on_disk(size, begun).await
    }
}

fn hash(place: &Place) -> Result<Blake3> {
    let file = place.open().map_err(Error::io(place.path()))?;
    hash_file(file).map_err(Error::io(place.path()))
}

fn named(entry: &Entry) -> Result<(Content, &Stored)> {
    match (entry.content, &entry.stored) {
        (Some(content), Some(stored)) => Ok((content, stored)),
        _ => Err(Error::Damage(format!(
            "{}: the snapshot names no version for this file",
            entry.path
        ))),
    }
}

/// What people read where something may not be replaced.
pub(super) fn refusal(step: Step, place: &Place) -> Error {
    let path = place.path();
    let path = path.display();
    Error::Refused(match step {
        Step::FolderInTheWay => {
            format!("{path}: a folder is where a file belongs; move it away")
        }
        Step::Twin => format!(
            "{path}: this disk can't tell the name from another one that is there (they differ \
             only in case or Unicode form); restore it by its path into another folder (--to)"
        ),
        _ => format!("{path}: something else is there; --overwrite replaces it"),
    })
}

/// A second name for a file that is there.
pub(super) fn link(from: &Place, to: &Place, replace: bool) -> Result<()> {
    temp::link(from, to, replace).map_err(|error| taken(error, to))
}
