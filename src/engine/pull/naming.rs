//! Gives fetched files their names, and moves what was edited out of the way.

use super::book::Book;
use super::fetch::{pulled, went_away};
use super::look::{Task, local};
use super::tally::Tally;
use crate::engine::download::folder::{Place, os_name};
use crate::engine::download::publish::{self, taken};
use crate::engine::download::temp;
use crate::model::{Content, Error, Result, Time};
use crate::plan::pull::{Local, LocalFile, Remote, Step, conflict_name};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::sync::{Arc, OnceLock};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Names that are tried before an edited file is left where it is.
const MOST_COPIES: u32 = 1_000;

/// What is to become of a file whose content is there.
#[derive(Debug)]
pub(super) struct Job {
    remote: Remote,
    mtime: Time,
    content: Content,
    /// The file that may be replaced, as long as it looks like this; none where there was none, or
    /// where it is to be moved aside.
    replaces: Option<LocalFile>,
    /// There is an edited file.
    aside: bool,
    /// The content was here already, under an old name.
    copied: bool,
    /// Where an edited file went.
    copy: OnceLock<OsString>,
    /// The file as it got its name.
    named: OnceLock<LocalFile>,
}

impl Job {
    pub(super) fn new(task: &Task, remote: &Remote, mtime: Time, content: Content) -> Self {
        let aside = task.step == Step::Compare;
        Self {
            remote: remote.clone(),
            mtime,
            content,
            replaces: task.seen.filter(|_| !aside),
            aside,
            copied: false,
            copy: OnceLock::new(),
            named: OnceLock::new(),
        }
    }

    /// Nothing was fetched for it.
    pub(super) fn copied(self) -> Self {
        Self {
            copied: true,
            ..self
        }
    }
}

/// A file that waits for its name.
pub(super) type Ready = publish::Ready<Job>;

/// Starts to name files; tally and book hear of each. `date` is for the names of edited files.
pub(super) fn publisher(
    tally: Arc<Tally>,
    book: Arc<Book>,
    date: String,
) -> (mpsc::Sender<Ready>, JoinHandle<Result<()>>) {
    publish::start(
        dress,
        move |ready: &Ready| name(ready, &date),
        move |ready, named| conclude(ready, named, &tally, &book),
    )
}

/// Its own mode stays with a file that gets new content.
fn dress(ready: &Ready) -> io::Result<()> {
    use cap_std::fs::MetadataExt;
    let there = ready.place.metadata().ok();
    let mode = there.filter(|it| it.is_file()).map(|it| it.mode());
    ready.temp.dress(mode, Some(ready.job.mtime))
}

fn name(ready: &Ready, date: &str) -> io::Result<()> {
    let (job, place) = (&ready.job, &ready.place);
    if let Some(seen) = &job.replaces {
        if local(place)? == Local::File(*seen) {
            return publish(ready, true);
        }
        // Edited since it was looked at.
        move_aside(ready, date)?;
    } else if job.aside {
        move_aside(ready, date)?;
    }
    publish(ready, false)
}

/// Until all of a batch is durable, a program may have found the file and edited it: what is noted
/// is what got the name.
fn publish(ready: &Ready, replace: bool) -> io::Result<()> {
    ready.temp.publish(&ready.place, replace)?;
    if let Local::File(file) = local(&ready.place)? {
        let _ = ready.job.named.set(file);
    }
    Ok(())
}

/// Whatever is there by now, it is moved whole.
fn move_aside(ready: &Ready, date: &str) -> io::Result<()> {
    let place = &ready.place;
    for number in 1..MOST_COPIES {
        let name = conflict_name(place.name.as_encoded_bytes(), date, number);
        let Some(name) = os_name(&name) else {
            return Err(ErrorKind::InvalidFilename.into());
        };
        let beside = Place {
            folder: Arc::clone(&place.folder),
            name: name.to_owned(),
        };
        match temp::move_to_free(place, &beside) {
            Ok(()) => {
                let _ = ready.job.copy.set(beside.name);
                return Ok(());
            }
            // It went away: the name is free.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn conclude(ready: &Ready, named: io::Result<()>, tally: &Tally, book: &Book) {
    let job = &ready.job;
    let (path, size) = (&job.remote.path, job.content.size);
    if let Some(copy) = job.copy.get() {
        tally.conflict(path, &copy.to_string_lossy(), size);
    }
    let named: Result<()> = named.map_err(|error| taken(error, &ready.place));
    let noted = named.and_then(|()| {
        let file = job.named.get().ok_or_else(|| went_away(&ready.place))?;
        book.note(pulled(file, &job.remote, job.content))
    });
    match noted {
        Ok(()) if job.copied => tally.copied(path, size),
        Ok(()) => tally.downloaded(path, size),
        Err(error @ Error::Resumable(_)) => tally.give_up(error),
        Err(error) => tally.failed(path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::download::folder::Walk;
    use crate::engine::download::temp::{AS_USUAL, Temp};
    use crate::model::{Events, RelPath, time};
    use crate::plan::pull::edited;
    use crate::state::PullState;

    #[test]
    fn an_edit_before_a_batch_is_durable_is_not_taken_for_what_was_pulled() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state.sqlite");
        let open = || {
            PullState::open(&state, "test", time::local_now())
                .unwrap()
                .0
        };
        let (tally, book) = (Tally::new(Events::none()), Book::new(Some(open())));
        let path = RelPath::from("a");
        let mut walk = Walk::to_write(&dir.path().join("to")).unwrap();
        let place = walk.place(&path).unwrap().unwrap();
        let temp = Temp::create(&place.folder, AS_USUAL).unwrap();
        temp.write_at(b"theirs", 0).unwrap();
        let remote = Remote {
            path: path.clone(),
            key: "lib/a".to_owned(),
            size: 6,
            etag: "e".to_owned(),
            modified: Time::UNIX_EPOCH,
        };
        let task = Task {
            step: Step::Create,
            path,
            base: None,
            remote: Some(remote.clone()),
            seen: None,
        };
        let content = Content::of(b"theirs");
        let job = Job::new(&task, &remote, Time::UNIX_EPOCH, content);
        let temp = Arc::new(temp);
        let ready = Ready { temp, place, job };

        dress(&ready).unwrap();
        let named = name(&ready, "2026-11-27");
        std::fs::write(ready.place.path(), b"edited").unwrap();
        conclude(&ready, named, &tally, &book);
        book.close(false).unwrap();
        drop(book);

        let noted = open().all().unwrap().pop().unwrap();
        let Local::File(file) = local(&ready.place).unwrap() else {
            panic!("no file");
        };
        assert_ne!(edited(&noted, &file, false), Some(false));
    }
}
