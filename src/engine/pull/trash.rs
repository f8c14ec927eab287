//! Moves what the mirror does not have any more to the trash.

use super::book::Book;
use super::look::{Task, local};
use super::tally::Tally;
use crate::engine::client::Client;
use crate::engine::download::blocking;
use crate::engine::download::folder::{Place, Walk, os_name};
use crate::engine::download::temp;
use crate::model::{Error, ExitCode, RelPath, Result, StoreErrorKind, StoreResult};
use crate::plan::pull::{Local, TRASH, trash_name};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;

/// Names that are tried in the trash before a file is left where it is.
const MOST_COPIES: u32 = 1_000;

/// The first of these objects that is there, though the listing did not have it.
///
/// # Errors
/// The store's.
pub(super) async fn still_there(
    client: &Client,
    tasks: &[Task],
    parallel: usize,
) -> StoreResult<Option<RelPath>> {
    let looks = tasks.iter().filter_map(|task| {
        let key = &task.base.as_ref()?.key;
        Some(async move {
            match client.call(|store| store.head(key, None)).await {
                Ok(_) => Ok(Some(task.path.clone())),
                Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
    });
    let looks: Vec<_> = looks.collect();
    let mut looks = stream::iter(looks).buffer_unordered(parallel);
    while let Some(found) = looks.try_next().await? {
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Moves the files, as long as they are as they were seen, and removes the folders that this
/// leaves empty.
///
/// # Errors
/// What no single path can be named for.
pub(super) async fn empty_out(
    tasks: Vec<Task>,
    looking: Walk,
    date: String,
    tally: &Arc<Tally>,
    book: &Arc<Book>,
) -> Result<()> {
    let (tally, book) = (Arc::clone(tally), Arc::clone(book));
    blocking(move || {
        let mut bin = Bin {
            trash: looking.another(true)?,
            looking,
            date,
        };
        let mut folders = BTreeSet::new();
        for task in tasks {
            if tally.is_over() {
                break;
            }
            match bin.throw(&task) {
                Ok(true) => {
                    folders.extend(parents(&task.path));
                    book.forget(task.path.clone())?;
                    tally.trashed(&task.path, task.seen.map_or(0, |seen| seen.size));
                }
                Ok(false) => tally.not_there(
                    &task.path,
                    ExitCode::Partial,
                    "it changed while the pull ran, so it stays; the next pull looks at it again"
                        .to_owned(),
                ),
                Err(error) => tally.failed(&task.path, error),
            }
        }
        bin.remove_empty(&folders)
    })
    .await
}

struct Bin {
    looking: Walk,
    trash: Walk,
    date: String,
}

impl Bin {
    /// Moves one file; false where it is not the one that was seen.
    fn throw(&mut self, task: &Task) -> Result<bool> {
        let Some(place) = self.looking.place(&task.path)? else {
            return Ok(false);
        };
        let now = local(&place).map_err(Error::io(place.path()))?;
        if task.seen.is_none_or(|seen| now != Local::File(seen)) {
            return Ok(false);
        }
        let mut path = format!("{TRASH}/{}/", self.date).into_bytes();
        path.extend_from_slice(task.path.as_bytes());
        let Some(target) = self.trash.place(&RelPath::new(path))? else {
            return Err(Error::Failed(format!("{TRASH}: it went away")));
        };
        move_to(&place, &target)?;
        Ok(true)
    }

    /// Deepest first: a folder that others were in may be empty now too.
    fn remove_empty(&mut self, folders: &BTreeSet<RelPath>) -> Result<()> {
        self.looking.rewind()?;
        for folder in folders.iter().rev() {
            // Best effort: whatever is in it keeps it.
            if let Ok(Some(place)) = self.looking.place(folder) {
                let _ = place.folder.dir().remove_dir(&place.name);
            }
        }
        Ok(())
    }
}

fn move_to(place: &Place, target: &Place) -> Result<()> {
    for number in 1..MOST_COPIES {
        let name = trash_name(target.name.as_encoded_bytes(), number);
        let Some(name) = os_name(&name) else { break };
        let free = Place {
            folder: Arc::clone(&target.folder),
            name: name.to_owned(),
        };
        match temp::move_to_free(place, &free) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            moved => return moved.map_err(Error::io(place.path())),
        }
    }
    let full = ErrorKind::AlreadyExists.into();
    Err(Error::io(target.path())(full))
}

/// The folders above a path.
fn parents(path: &RelPath) -> impl Iterator<Item = RelPath> {
    let bytes = path.as_bytes();
    let slashes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(end, _)| RelPath::new(&bytes[..end]))
}
