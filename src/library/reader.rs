//! Opening and reading files, never through a link, never a mix of two states.

use crate::library::root::{Root, RootProblem};
use crate::library::stat::{self, Trust};
use crate::library::trouble;
use crate::model::{Failure, LibrarySettings, RelPath, Seen, Time};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It vanished since the scan: no failure, and no delete either until a clean scan says so.
    #[error("vanished since the scan")]
    Gone,
    /// It is not, or no longer, the state that was asked for: read it again from the start.
    #[error("changed while it was read: {0}")]
    Changed(&'static str),
    /// The system refuses.
    #[error("can't be read: {}", trouble::explain(.0))]
    Failed(#[source] IoError),
}

impl ReadError {
    /// For the report, where it is to be a failure.
    pub fn failure(&self, path: &RelPath) -> Failure {
        Failure {
            path: path.display().into_owned(),
            stage: "read",
            message: self.to_string(),
        }
    }
}

/// The library's root, held open, so that a disk mounted over it later changes nothing.
#[derive(Debug)]
pub struct Library {
    root: OwnedFd,
    trust: Trust,
}

/// A regular file in the state that [`OpenFile::seen`] describes.
///
/// Shared freely between threads: reading goes by offset. Blocks; use blocking threads.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    seen: Seen,
    trust: Trust,
}

impl Library {
    /// Opens the root that was scanned.
    ///
    /// # Errors
    /// `WentAway` if another folder is there now, or why it can't be opened.
    pub fn open(root: &Root, settings: &LibrarySettings) -> Result<Self, RootProblem> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let unreadable = |errno: Errno| RootProblem::Unreadable {
            path: root.path.clone(),
            source: errno.into(),
        };
        let fd = match rustix::fs::open(&root.path, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) => {
                return Err(RootProblem::WentAway(root.path.clone()));
            }
            opened => opened.map_err(unreadable)?,
        };
        root.check_again(settings.ignore_inode)?;
        Ok(Self {
            root: fd,
            trust: Trust::from(settings),
        })
    }

    /// Opens a file in the state that the scan saw.
    ///
    /// # Errors
    /// `Changed` where it is in another state by now, or no regular file, or behind a link:
    /// [`Library::open_as_is`] takes the new state.
    pub fn open_regular(&self, expected: &Seen) -> Result<OpenFile, ReadError> {
        let opened = self.open_as_is(&expected.path)?;
        match stat::difference(expected, &opened.seen) {
            Some(why) => Err(ReadError::Changed(why)),
            None => Ok(opened),
        }
    }

    /// Opens a file in whatever state it is now.
    ///
    /// # Errors
    /// As [`Library::open_regular`], without the comparison.
    pub fn open_as_is(&self, path: &RelPath) -> Result<OpenFile, ReadError> {
        let file = File::from(open_beneath(self.root.as_fd(), path).map_err(translate)?);
        let metadata = file.metadata().map_err(ReadError::Failed)?;
        if !metadata.is_file() {
            return Err(ReadError::Changed("it is not a regular file any more"));
        }
        Ok(OpenFile {
            file,
            seen: stat::seen(path.clone(), &metadata, self.trust),
            trust: self.trust,
        })
    }
}

impl OpenFile {
    /// The state when it was opened.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// How long to wait, and then to [`check`](Self::check_unchanged), before what is read can be
    /// believed; none where the file has kept still for long enough. `now` is the local clock's.
    pub fn unsettled(&self, now: Time) -> Option<Duration> {
        stat::unsettled(&self.seen, now)
    }

    /// Fills the buffer from `offset` on.
    ///
    /// # Errors
    /// `Changed` where the file ends before the buffer is full.
    pub fn read_part(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        match self.file.read_exact_at(buffer, offset) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(ReadError::Changed("it became shorter"))
            }
            Err(error) => Err(ReadError::Failed(error)),
        }
    }

    /// Proves that all that was read since the file was opened belongs to one state of it, as far
    /// as the file system tells. To be called after the last part, before anything is committed.
    ///
    /// # Errors
    /// `Changed` if not.
    pub fn check_unchanged(&self) -> Result<(), ReadError> {
        let metadata = self.file.metadata().map_err(ReadError::Failed)?;
        let now = stat::seen(self.seen.path.clone(), &metadata, self.trust);
        if let Some(why) = stat::difference(&self.seen, &now) {
            return Err(ReadError::Changed(why));
        }
        // Some file systems (procfs, FUSE) report a size and deliver more.
        match self.file.read_at(&mut [0], self.seen.size) {
            Ok(0) => Ok(()),
            Ok(_) => Err(ReadError::Changed("it is longer than its size says")),
            Err(error) => Err(ReadError::Failed(error)),
        }
    }
}

fn translate(errno: Errno) -> ReadError {
    match errno {
        Errno::NOENT => ReadError::Gone,
        Errno::LOOP | Errno::XDEV | Errno::NOTDIR => {
            ReadError::Changed("it is, or lies behind, a symbolic link or a file by now")
        }
        Errno::NXIO | Errno::NODEV => ReadError::Changed("it is not a regular file any more"),
        errno => ReadError::Failed(errno.into()),
    }
}

/// `NONBLOCK`, because a FIFO may have taken the file's place.
const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Opens a path without following any link on its way.
#[cfg(target_os = "linux")]
fn open_beneath(root: BorrowedFd<'_>, path: &RelPath) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(root, path.as_bytes(), OPEN, Mode::empty(), resolve) {
        // Before Linux 5.6, and in sandboxes that do not know the call.
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => open_by_steps(root, path),
        result => result,
    }
}

/// Opens a path without following any link on its way.
#[cfg(not(target_os = "linux"))]
fn open_beneath(root: BorrowedFd<'_>, path: &RelPath) -> Result<OwnedFd, Errno> {
    open_by_steps(root, path)
}

/// The portable way: one folder at a time.
fn open_by_steps(root: BorrowedFd<'_>, path: &RelPath) -> Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    const STEP: OFlags = OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    const STEP: OFlags = OFlags::RDONLY;
    let step = STEP | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (folders, name) = split(path.as_bytes());
    let mut folder: Option<OwnedFd> = None;
    for segment in folders
        .split(|&byte| byte == b'/')
        .filter(|s| !s.is_empty())
    {
        let at = folder.as_ref().map_or(root, AsFd::as_fd);
        folder = Some(openat(at, segment, step, Mode::empty())?);
    }
    openat(
        folder.as_ref().map_or(root, AsFd::as_fd),
        name,
        OPEN,
        Mode::empty(),
    )
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests;
