//! The folder that a restore or a pull writes, reached by open handles alone.
//!
//! Every step down goes from an open folder to one name in it and refuses symbolic links, so a
//! link that somebody planted, or plants in the meantime, leads nowhere.

use crate::model::{Error, RelPath, Result, time};
use crate::plan::restore::There;
use cap_primitives::fs::{FollowSymlinks, open_dir_nofollow};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::temp;

/// One open folder of the tree.
#[derive(Debug)]
pub(in crate::engine) struct Folder {
    dir: Dir,
    path: PathBuf,
    /// What was there on entering, where the file system takes several spellings for one name.
    names: Option<HashSet<OsString>>,
}

impl Folder {
    /// The handle.
    pub(in crate::engine) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Where a name in it is, for messages.
    pub(in crate::engine) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Makes what happened to its names durable.
    pub(in crate::engine) fn sync(&self) -> io::Result<()> {
        // Windows has no such call; its file systems journal names.
        if cfg!(windows) {
            return Ok(());
        }
        as_file(&self.dir)?.sync_all()
    }

    fn open(dir: Dir, path: PathBuf, folding: bool, clean: bool) -> io::Result<Self> {
        let mut names = folding.then(HashSet::new);
        if names.is_some() || clean {
            for entry in dir.entries()? {
                let name = entry?.file_name();
                if clean && temp::is_temporary(&name) {
                    tracing::info!(file = %path.join(&name).display(), "removing an unfinished file of a former run");
                    dir.remove_file(&name)?;
                } else if let Some(names) = &mut names {
                    names.insert(name);
                }
            }
        }
        Ok(Self { dir, path, names })
    }
}

/// A name in an open folder.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Place {
    /// The folder.
    pub(in crate::engine) folder: Arc<Folder>,
    /// The name.
    pub(in crate::engine) name: OsString,
}

impl Place {
    /// What is there, without following it.
    pub(in crate::engine) fn there(&self) -> io::Result<There> {
        let metadata = match self.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(There::Nothing),
            other => other?,
        };
        let kind = metadata.file_type();
        Ok(if kind.is_dir() {
            There::Folder
        } else if kind.is_file() {
            There::File {
                size: metadata.len(),
                mtime: modified(&metadata),
                exact: self.is_exact(),
            }
        } else {
            There::Other
        })
    }

    /// As `lstat`.
    pub(in crate::engine) fn metadata(&self) -> io::Result<Metadata> {
        self.folder.dir.symlink_metadata(&self.name)
    }

    /// Opens what is there for reading; an error for a symbolic link.
    pub(in crate::engine) fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true)._cap_fs_ext_follow(FollowSymlinks::No);
        let file = self.folder.dir.open_with(&self.name, &options)?;
        Ok(file.into_std())
    }

    /// Opens the folder that is there; an error for a symbolic link.
    pub(in crate::engine) fn open_folder(&self) -> io::Result<File> {
        as_file(&open_nofollow(&self.folder.dir, &self.name)?)
    }

    /// Where it is, for messages.
    pub(in crate::engine) fn path(&self) -> PathBuf {
        self.folder.path_of(&self.name)
    }

    /// Whether what is there was there under this very spelling before this one came.
    pub(in crate::engine) fn is_exact(&self) -> bool {
        let names = self.folder.names.as_ref();
        names.is_none_or(|names| names.contains(&self.name))
    }
}

fn modified(metadata: &Metadata) -> Option<crate::model::Time> {
    #[cfg(unix)]
    {
        use cap_std::fs::MetadataExt;
        Some(time::from_unix(metadata.mtime(), metadata.mtime_nsec()))
    }
    #[cfg(not(unix))]
    {
        let modified = metadata.modified().ok()?.into_std();
        crate::model::Time::try_from(modified).ok()
    }
}

/// Steps through the tree in the order of paths, with one handle open for each level.
#[derive(Debug)]
pub(in crate::engine) struct Walk {
    root: Arc<Folder>,
    /// Below the root, down to the current folder.
    stack: Vec<(Box<[u8]>, Arc<Folder>)>,
    folding: bool,
    create: bool,
    clean: bool,
    /// Held as long as a walk of it lives: one at a time writes a folder.
    _lock: Option<Arc<File>>,
}

impl Walk {
    /// Opens a folder to write it, making it where it is missing.
    ///
    /// # Errors
    /// `Held` if another restore is writing it; `Usage` if it is no folder; `Io` if it can't be made
    /// or written.
    pub(in crate::engine) fn to_write(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root).map_err(no_folder(root))?;
        let dir = Dir::open_ambient_dir(root, ambient_authority()).map_err(no_folder(root))?;
        let lock = lock(&dir, root)?;
        let folding = temp::folds_names(&dir).map_err(Error::io(root))?;
        let folder = Folder::open(dir, root.to_owned(), folding, true).map_err(Error::io(root))?;
        Ok(Self {
            root: Arc::new(folder),
            stack: Vec::new(),
            folding,
            create: true,
            clean: true,
            _lock: lock.map(Arc::new),
        })
    }

    /// Opens a folder to look at it; nothing where there is none.
    ///
    /// # Errors
    /// `Usage` if it is no folder; `Io` if it can't be opened.
    pub(in crate::engine) fn to_look(root: &Path) -> Result<Option<Self>> {
        let dir = match Dir::open_ambient_dir(root, ambient_authority()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(no_folder(root))?,
        };
        let folder = Folder::open(dir, root.to_owned(), false, false).map_err(Error::io(root))?;
        Ok(Some(Self {
            root: Arc::new(folder),
            stack: Vec::new(),
            folding: false,
            create: false,
            clean: false,
            _lock: None,
        }))
    }

    /// Another walk from the same root, which makes missing folders or not. Where this one is to
    /// write, it too removes what a former run has left unfinished in the folders that it enters.
    ///
    /// # Errors
    /// `Io` if the root can't be opened again.
    pub(in crate::engine) fn another(&self, create: bool) -> Result<Self> {
        let mut walk = Self {
            root: Arc::clone(&self.root),
            stack: Vec::new(),
            folding: self.folding,
            create,
            clean: self.clean,
            _lock: self._lock.clone(),
        };
        walk.rewind()?;
        Ok(walk)
    }

    /// Goes back to the top for another way through. What this restore made by now counts as
    /// there, under the spelling that it gave.
    pub(in crate::engine) fn rewind(&mut self) -> Result<()> {
        self.stack.clear();
        let path = self.root.path.clone();
        let dir = self.root.dir.try_clone().map_err(Error::io(&path))?;
        let root = Folder::open(dir, path.clone(), self.folding, self.clean);
        self.root = Arc::new(root.map_err(Error::io(path))?);
        Ok(())
    }

    #[cfg(test)]
    pub(in crate::engine) fn pretend_folding(&mut self) {
        self.folding = true;
        self.rewind().unwrap();
    }

    /// Whether [`Walk::place`] has the folder of a path open, so that it won't touch the disk.
    pub(in crate::engine) fn is_at(&self, path: &RelPath) -> bool {
        let open = self.stack.iter().map(|(name, _)| &**name);
        let mut wanted = path.segments();
        open.into_iter().all(|name| wanted.next() == Some(name))
            && wanted.next().is_some()
            && wanted.next().is_none()
    }

    /// The place of a path, its folder opened (and made, on a walk to write). None on a walk to
    /// look where the folder is missing.
    ///
    /// # Errors
    /// `Refused` where a symbolic link, a file, or another spelling of the folder's name is in the
    /// way; `Io`.
    pub(in crate::engine) fn place(&mut self, path: &RelPath) -> Result<Option<Place>> {
        let mut segments: Vec<&[u8]> = path.segments().collect();
        let name = segments.pop().unwrap_or_default();
        let shared = self
            .stack
            .iter()
            .zip(&segments)
            .take_while(|((open, _), wanted)| **open == ***wanted)
            .count();
        self.stack.truncate(shared);
        for segment in &segments[shared..] {
            match self.down(segment)? {
                Some(folder) => self.stack.push(((*segment).into(), folder)),
                None => return Ok(None),
            }
        }
        let name = os_name(name)
            .ok_or_else(|| Error::Refused(format!("{path}: this system's names must be UTF-8; use a --to on a system that takes any name")))?;
        Ok(Some(Place {
            folder: Arc::clone(self.current()),
            name: name.to_owned(),
        }))
    }

    fn current(&self) -> &Arc<Folder> {
        self.stack.last().map_or(&self.root, |(_, folder)| folder)
    }

    fn down(&self, segment: &[u8]) -> Result<Option<Arc<Folder>>> {
        let parent = self.current();
        let shown = || parent.path.join(String::from_utf8_lossy(segment).as_ref());
        let Some(name) = os_name(segment) else {
            let message = format!(
                "{}: this system's names must be UTF-8; use a --to on a system that takes any name",
                shown().display()
            );
            return Err(Error::Refused(message));
        };
        let path = parent.path_of(name);
        let place = Place {
            folder: Arc::clone(parent),
            name: name.to_owned(),
        };
        let mut made = false;
        if self.create {
            match parent.dir.create_dir(name) {
                Ok(()) => made = true,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(path)(error)),
            }
        }
        let dir = match open_nofollow(&parent.dir, name) {
            Ok(dir) => dir,
            Err(error) if error.kind() == ErrorKind::NotFound && !self.create => return Ok(None),
            Err(error) => return Err(in_the_way(&place, error)),
        };
        if !made && !place.is_exact() {
            return Err(Error::Refused(format!(
                "{}: this file system can't tell the name from another one's that is there; \
                 bring it alone, by its path, to another folder (--to)",
                path.display()
            )));
        }
        Folder::open(dir, path.clone(), self.folding, self.clean)
            .map(|folder| Some(Arc::new(folder)))
            .map_err(Error::io(path))
    }
}

/// Why what was named as the folder to write can't be one.
fn no_folder(root: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => Error::Usage(format!(
            "{} is no folder, or lies below a file: name another place with --to",
            root.display()
        )),
        _ => Error::io(root)(error),
    }
}

/// A folder as a file, for what needs more than a handle to look names up with (`O_PATH`).
fn as_file(dir: &Dir) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true)._cap_fs_ext_maybe_dir(true);
    Ok(dir.open_with(".", &options)?.into_std())
}

fn open_nofollow(parent: &Dir, name: &OsStr) -> io::Result<Dir> {
    let parent = parent.try_clone()?.into_std_file();
    open_dir_nofollow(&parent, name.as_ref()).map(Dir::from_std_file)
}

/// Why a folder could not be entered: what is there says more than the system's error.
fn in_the_way(place: &Place, error: io::Error) -> Error {
    let path = place.path();
    let what = match place.metadata().map(|metadata| metadata.file_type()) {
        Ok(kind) if kind.is_symlink() => "a symbolic link is",
        Ok(kind) if !kind.is_dir() => "a file is",
        _ => return Error::io(path)(error),
    };
    Error::Refused(format!(
        "{}: {what} where a folder belongs, and is not followed or replaced; move it away",
        path.display()
    ))
}

fn lock(dir: &Dir, path: &Path) -> Result<Option<File>> {
    let file = as_file(dir).map_err(Error::io(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Held(format!(
            "another restore or pull is writing {}; wait for its end",
            path.display()
        ))),
        // Some file systems have no locks; then people must mind themselves.
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, "no lock on the restore folder");
            Ok(None)
        }
    }
}

/// A name as this system has it; none where it can't be one.
pub(in crate::engine) fn os_name(segment: &[u8]) -> Option<&OsStr> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        Some(OsStr::from_bytes(segment))
    }
    #[cfg(not(unix))]
    {
        std::str::from_utf8(segment).ok().map(OsStr::new)
    }
}
