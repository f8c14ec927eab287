//! One file's way: read once, hashed, placed on both targets, remembered.

mod complete;
mod copying;
mod large;
mod multipart;
mod place;
mod sessions;
mod small;
mod source;
mod unread;
mod workers;

pub use copying::Copies;
pub use source::{SMALLEST_PART, part_len};
pub use workers::{Batch, run_batch};

use crate::engine::buffers::Buffers;
use crate::engine::memory::Memory;
use crate::engine::mirror::{MirrorWriter, Placed};
use crate::engine::stop::Stop;
use crate::engine::tally::Tally;
use crate::engine::unfinished::Unfinished;
use crate::engine::versions::Versions;
use crate::library::{Library, ReadError};
use crate::model::{
    Action, Content, Error, Event, Events, Failure, RelPath, Seen, Side, StoreError,
};
use crate::plan::{Mirror, Task};
use place::Payload;
use source::Source;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A file that keeps changing is given up after so many tries.
const TRIES: u32 = 3;

/// Before a changed file is read again, so that whoever writes it may finish.
const SETTLE: Duration = Duration::from_millis(250);

/// Everything that workers share.
pub struct Transfer {
    /// The library.
    pub library: Arc<Library>,
    /// What is known of contents.
    pub memory: Arc<Memory>,
    /// Bound on memory.
    pub buffers: Buffers,
    /// The sync target, where it takes part.
    pub sync: Option<Arc<MirrorWriter>>,
    /// The backup target, where it takes part.
    pub backup: Option<Arc<Versions>>,
    /// New content is sent to the sync target alone, and copied from there by the store.
    pub copies: Option<Arc<Copies>>,
    /// The backup's part was done and counted before: this is about the mirror.
    pub backup_counted: bool,
    /// Former runs may have left versions and uploads that nothing names.
    pub leftovers: bool,
    /// What another machine has sent of unfinished uploads.
    pub unfinished: Arc<Vec<Unfinished>>,
    /// Times mean nothing: an unchanged content keeps the remembered time.
    pub ignore_mtime: bool,
    /// Parts of one file in flight.
    pub parallel_parts: usize,
    /// Parts of large files in flight, see [`large_files`].
    pub turns: Semaphore,
    /// Counters.
    pub tally: Arc<Tally>,
    /// Progress.
    pub events: Events,
    /// The wish to stop.
    pub stop: Stop,
}

/// Files of so many bytes are named while they are on their way; others are there at once.
const SHOWN_FROM: u64 = 1 << 20;

/// Turns for large files, one for each part in flight: parts go to two targets, so that many keep
/// `requests` in flight. No file needs more than `parallel_parts`.
pub fn large_files(requests: usize, parallel_parts: usize) -> Semaphore {
    Semaphore::new((requests / 2).max(parallel_parts).max(1))
}

/// How a file's way ended.
#[derive(Debug)]
pub enum Outcome {
    /// It is where it belongs, and remembered.
    Done,
    /// The object of the sync target must be rescued before it can be overwritten.
    Deferred(Task),
    /// The file vanished since the scan.
    Gone(Task),
    /// It could not be read or stored; the failure is noted.
    Failed(Task),
}

/// Why a try did not succeed.
#[derive(Debug)]
enum Problem {
    /// The file changed while it was read.
    Changed,
    /// It is gone.
    Gone,
    /// The store dropped the parts; the file starts over, with what the mirror has by now.
    Restart(Mirror),
    /// See [`Outcome::Deferred`].
    Rescue(Mirror),
    /// Anything else.
    Failed { stage: &'static str, error: Error },
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Changed(_) => Self::Changed,
            ReadError::Gone => Self::Gone,
            other => Self::Failed {
                stage: "read",
                error: Error::Failed(other.to_string()),
            },
        }
    }
}

impl Problem {
    fn on(side: Side) -> impl FnOnce(Error) -> Self {
        move |error| Self::Failed {
            stage: side.as_str(),
            error,
        }
    }

    fn store(side: Side) -> impl FnOnce(StoreError) -> Self {
        move |error| Self::Failed {
            stage: side.as_str(),
            error: error.into(),
        }
    }

    fn state(error: Error) -> Self {
        Self::Failed {
            stage: "state",
            error,
        }
    }
}

impl Transfer {
    /// How many targets the bytes are sent to.
    pub fn sides(&self) -> u64 {
        if self.copies() {
            return 1;
        }
        u64::from(self.sync.is_some()) + u64::from(self.backup.is_some())
    }

    /// Reads a file for its content alone.
    ///
    /// # Errors
    /// What hinders its reading, or that it changed meanwhile.
    pub async fn hash(&self, path: &RelPath) -> Result<Content, ReadError> {
        let source = Source::open(&self.library, path).await?;
        let whole = source.whole(&self.buffers, None).await?;
        self.tally.hashed.one();
        self.tally.bytes_read.add(whole.content.size);
        Ok(whole.content)
    }

    /// Brings one file where it belongs.
    ///
    /// # Errors
    /// Only what concerns the whole run: locks that are not kept, expired credentials, a state
    /// that can't be written, a stop. What concerns the file alone is noted and in the outcome.
    pub async fn file(&self, task: Task) -> Result<Outcome, Error> {
        if task.seen.size < SHOWN_FROM {
            return self.try_file(task).await;
        }
        let (path, size) = (task.seen.path.clone(), task.seen.size);
        self.events.send(Event::Begun {
            path: path.clone(),
            size,
        });
        let ended = self.try_file(task).await;
        self.events.send(Event::Ended { path });
        ended
    }

    async fn try_file(&self, mut task: Task) -> Result<Outcome, Error> {
        // Once a file was not what it seemed, nothing but its bytes is believed.
        let mut believe = true;
        for last in [false, false, true] {
            let problem = match self.attempt(&mut task, believe).await {
                Ok(()) => {
                    self.events.send(Event::FileDone);
                    return Ok(Outcome::Done);
                }
                Err(problem) => problem,
            };
            match problem {
                Problem::Gone => return Ok(Outcome::Gone(task)),
                Problem::Rescue(mirror) => {
                    task.mirror = mirror;
                    return Ok(Outcome::Deferred(task));
                }
                Problem::Failed { stage, error } => return self.failed(task, stage, error),
                Problem::Restart(_) if last => {
                    let error = Error::Failed("the store keeps dropping its parts".to_owned());
                    return self.failed(task, "backup", error);
                }
                Problem::Restart(mirror) => task.mirror = mirror,
                Problem::Changed if last => break,
                Problem::Changed => {
                    believe = false;
                    tokio::time::sleep(SETTLE).await;
                }
            }
        }
        let message = format!("changed while it was read, {TRIES} times in a row");
        self.failed(task, "read", Error::Failed(message))
    }

    async fn attempt(&self, task: &mut Task, believe: bool) -> Result<(), Problem> {
        let source = Source::open(&self.library, &task.seen.path).await?;
        task.same &= believe && is_as_scanned(&task.seen, &source.seen);
        task.seen = source.seen.clone();
        if believe && let Some(placing) = self.unread(task).await? {
            return self.place(&placing, Payload::Unread(&source)).await;
        }
        if task.seen.size <= SMALLEST_PART {
            self.small(task, &source).await
        } else {
            self.large(task, &source).await
        }
    }

    /// Notes a failure, or passes it on where the whole run has to end.
    fn failed(&self, task: Task, stage: &'static str, error: Error) -> Result<Outcome, Error> {
        if stage == "state" || ends_the_run(&error) {
            return Err(error);
        }
        match stage {
            "read" => self.tally.unread.one(),
            "sync" => self.tally.sync_failed.one(),
            _ => self.tally.backup_failed.one(),
        }
        let (path, message) = (task.seen.path.to_string(), error.to_string());
        let failure = Failure {
            path,
            stage,
            message,
        };
        self.events.send(Event::Failed(failure.clone()));
        self.tally.fail(failure);
        Ok(Outcome::Failed(task))
    }

    /// Counts a version that was sent.
    fn version_sent(&self, placing: &place::Placing<'_>) {
        self.tally.backup_uploaded.one();
        self.tally.backup_bytes.add(placing.content.size);
        self.tell(placing.task, Action::Upload, Side::Backup);
    }

    /// Counts an object that was sent, unless it was refused.
    fn object_sent(&self, placing: &place::Placing<'_>, placed: &Placed) {
        if matches!(placed, Placed::Done(_)) {
            self.tally.sync_uploaded.one();
            self.tally.sync_bytes.add(placing.content.size);
            self.tell(placing.task, Action::Upload, Side::Sync);
        }
    }

    fn tell(&self, task: &Task, action: Action, side: Side) {
        let (path, size) = (task.seen.path.clone(), task.seen.size);
        self.events.send(Event::File {
            path,
            action,
            side: Some(side),
            size,
            planned: false,
        });
    }
}

/// Whether a file that was opened is still in the state that the scan saw.
fn is_as_scanned(scanned: &Seen, opened: &Seen) -> bool {
    scanned.size == opened.size
        && scanned.mtime == opened.mtime
        && scanned.identity == opened.identity
}

/// Whether an error about one file means that no other file will fare better.
pub(crate) fn ends_the_run(error: &Error) -> bool {
    use crate::model::StoreErrorKind::*;
    match error {
        Error::Refused(_) | Error::Held(_) | Error::Interrupted | Error::Resumable(_) => true,
        Error::Store(error) => matches!(
            error.kind,
            ExpiredCredentials
                | BadCredentials
                | NoSuchBucket
                | NoLock
                | WrongRegion
                | Tls
                | Unreachable
        ),
        _ => false,
    }
}
