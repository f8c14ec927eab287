//! What is in the folder, and what that makes of each path.

use super::proof::content_of;
use super::tally::Tally;
use crate::engine::download::blocking;
use crate::engine::download::folder::{Place, Walk};
use crate::model::{Content, Error, ExitCode, Identity, RelPath, Result, time};
use crate::plan::pull::{Local, LocalFile, Remote, Step, edited, step};
use crate::state::Pulled;
use std::cmp::Ordering;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// One path that needs something.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) step: Step,
    pub(super) path: RelPath,
    pub(super) base: Option<Pulled>,
    pub(super) remote: Option<Remote>,
    pub(super) seen: Option<LocalFile>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tasks: Vec<Task>,
    /// Files that are right.
    pub(super) unchanged: u64,
    /// Of the files that earlier pulls brought, how many names are taken by anything now.
    pub(super) there: u64,
}

/// Looks at every path that the mirror has or an earlier pull has brought, both in the order of
/// paths. Without a walk there is no folder yet.
pub(super) async fn look(
    walk: Option<Walk>,
    bases: Vec<Pulled>,
    remotes: Vec<Remote>,
    checksum: bool,
    tally: &Arc<Tally>,
) -> Result<(Option<Walk>, Found)> {
    let tally = Arc::clone(tally);
    blocking(move || {
        let mut looking = Looking {
            walk,
            checksum,
            tally,
            found: Found::default(),
        };
        for (base, remote) in merge(bases, remotes) {
            if looking.tally.is_over() {
                break;
            }
            looking.one(base, remote);
        }
        Ok((looking.walk, looking.found))
    })
    .await
}

struct Looking {
    walk: Option<Walk>,
    checksum: bool,
    tally: Arc<Tally>,
    found: Found,
}

impl Looking {
    fn one(&mut self, base: Option<Pulled>, remote: Option<Remote>) {
        let path = match (&base, &remote) {
            (_, Some(remote)) => remote.path.clone(),
            (Some(base), None) => base.path.clone(),
            (None, None) => return,
        };
        let local = match self.local(&path) {
            Ok(local) => local,
            Err(error @ Error::Refused(_)) => {
                self.found.there += u64::from(base.is_some());
                let message = error.to_string();
                return self.tally.not_there(&path, ExitCode::Partial, message);
            }
            Err(error) => return self.tally.failed(&path, error),
        };
        if base.is_some() && local != Local::Nothing {
            self.found.there += 1;
        }
        let seen = match local {
            Local::File(file) => Some(file),
            _ => None,
        };
        let known = base.as_ref().zip(seen.as_ref());
        let edited = known.and_then(|(base, file)| edited(base, file, self.checksum));
        match step(base.as_ref(), remote.as_ref(), &local, edited) {
            Step::Keep => self.found.unchanged += 1,
            step => self.found.tasks.push(Task {
                step,
                path,
                base,
                remote,
                seen,
            }),
        }
    }

    fn local(&mut self, path: &RelPath) -> Result<Local> {
        let place = match &mut self.walk {
            Some(walk) => walk.place(path)?,
            None => None,
        };
        match place {
            Some(place) => local(&place).map_err(Error::io(place.path())),
            None => Ok(Local::Nothing),
        }
    }
}

/// Both in the order of paths, equal paths together.
fn merge(
    bases: Vec<Pulled>,
    remotes: Vec<Remote>,
) -> impl Iterator<Item = (Option<Pulled>, Option<Remote>)> {
    let (mut bases, mut remotes) = (bases.into_iter().peekable(), remotes.into_iter().peekable());
    std::iter::from_fn(move || {
        let order = match (bases.peek(), remotes.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(base), Some(remote)) => base.path.cmp(&remote.path),
        };
        Some(match order {
            Ordering::Less => (bases.next(), None),
            Ordering::Greater => (None, remotes.next()),
            Ordering::Equal => (bases.next(), remotes.next()),
        })
    })
}

/// What is at a place, without following it.
pub(super) fn local(place: &Place) -> io::Result<Local> {
    use cap_std::fs::MetadataExt;
    let metadata = match place.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Local::Nothing),
        other => other?,
    };
    if !metadata.is_file() {
        return Ok(Local::InTheWay);
    }
    let ctime = metadata.ctime().saturating_mul(1_000_000_000);
    Ok(Local::File(LocalFile {
        size: metadata.len(),
        mtime: time::from_unix(metadata.mtime(), metadata.mtime_nsec()),
        identity: Identity {
            inode: metadata.ino(),
            ctime: ctime.saturating_add(metadata.ctime_nsec()),
        },
        exact: place.is_exact(),
    }))
}

/// Reads the file at a place; an error where it changes meanwhile or is not the one that was seen.
pub(super) fn read(place: &Place, seen: &LocalFile) -> Result<Content> {
    let content = place.open().and_then(content_of);
    let content = content.map_err(Error::io(place.path()))?;
    still_is(place, seen)?;
    if content.size == seen.size {
        return Ok(content);
    }
    Err(changes(place))
}

/// An error where the file at a place is not, by `lstat`, the one that was seen.
pub(super) fn still_is(place: &Place, seen: &LocalFile) -> Result<()> {
    let now = local(place).map_err(Error::io(place.path()))?;
    if now == Local::File(*seen) {
        return Ok(());
    }
    Err(changes(place))
}

fn changes(place: &Place) -> Error {
    Error::Partial(format!(
        "{}: it changes while the pull runs; the next pull looks at it again",
        place.path().display()
    ))
}
