//! Which paths are part of the library.
//!
//! As in gitignore, the more specific rule wins, and a folder that is left out takes all below it
//! along, whatever other rules say of that. From the weakest to the strongest:
//!
//! 1. the built-in list of system folders,
//! 2. `exclude` (a later pattern beats an earlier one, `!pattern` takes in again),
//! 3. `.tidelockignore` files, those of deeper folders over those above,
//! 4. `include`.
//!
//! The `ignore` crate supplies syntax and matching. It could read `.tidelockignore` by itself,
//! but it would block on a FIFO of that name, follow a link, drop what it can't read or parse,
//! and could not rank `include` above.

use crate::library::scan::Unseen;
use crate::library::trouble;
use crate::model::{Error, LibrarySettings, RelPath, Result};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fs::{Mode, OFlags};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Error as IoError, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The file in the tree that holds patterns for its folder.
const IGNORE_FILE: &str = ".tidelockignore";

/// What systems, and Tidelock itself, keep in folders for themselves.
const SYSTEM: &[&str] = &[
    ".Spotlight-V100/",
    ".Trashes/",
    ".fseventsd/",
    ".TemporaryItems/",
    "$RECYCLE.BIN/",
    "System Volume Information/",
    "lost+found/",
    // Where `pull` moves what the mirror does not have any more.
    ".tidelock-trash/",
    // A file that a restore or pull is writing, or has left unfinished.
    ".tidelock-restore-*.tmp",
    "@eaDir/",
    "#recycle/",
    "#snapshot/",
];

/// The rules, and what came up while they were applied.
#[derive(Debug)]
pub(crate) struct Filter {
    root: PathBuf,
    system: Gitignore,
    exclude: Gitignore,
    include: Gitignore,
    /// By folder, only those that have any.
    tree: RwLock<HashMap<PathBuf, Arc<Gitignore>>>,
    excluded: AtomicU64,
    unseen: Mutex<Vec<Unseen>>,
    notes: Mutex<Vec<String>>,
}

impl Filter {
    /// Reads the patterns, and the root's own `.tidelockignore`.
    ///
    /// # Errors
    /// `Usage` for a pattern that is none, `Io` for a `.tidelockignore` that can't be read: what
    /// it leaves out must not be stored by accident, under a lock that nobody can lift.
    pub(crate) fn new(root: &Path, settings: &LibrarySettings) -> Result<Self> {
        let system: &[&str] = if settings.default_excludes {
            SYSTEM
        } else {
            &[]
        };
        let filter = Self {
            root: root.to_owned(),
            system: patterns(root, "default_excludes", system)?,
            exclude: patterns(root, "exclude", &settings.exclude)?,
            include: patterns(root, "include", &settings.include)?,
            tree: RwLock::default(),
            excluded: AtomicU64::new(0),
            unseen: Mutex::default(),
            notes: Mutex::default(),
        };
        filter
            .read_folder(root)
            .map_err(Error::io(root.join(IGNORE_FILE)))?;
        Ok(filter)
    }

    /// Whether the path is part of the library. For a folder, its `.tidelockignore` is read too;
    /// if that fails, the folder is unseen as a whole.
    pub(crate) fn admits(&self, path: &Path, is_dir: bool) -> bool {
        if self.leaves_out(path, is_dir) {
            self.excluded.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        if !is_dir {
            return true;
        }
        match self.read_folder(path) {
            Ok(()) => true,
            Err(error) => {
                let why = format!(
                    "its {IGNORE_FILE} can't be read: {}",
                    trouble::explain(&error)
                );
                let unseen = Unseen::new(relative(&self.root, path), why);
                lock(&self.unseen).push(unseen);
                false
            }
        }
    }

    /// How many files and folders were left out; a folder counts as one.
    pub(crate) fn excluded(&self) -> u64 {
        self.excluded.load(Ordering::Relaxed)
    }

    /// Takes what came up.
    pub(crate) fn take_findings(&self) -> (Vec<Unseen>, Vec<String>) {
        (
            std::mem::take(&mut *lock(&self.unseen)),
            std::mem::take(&mut *lock(&self.notes)),
        )
    }

    fn leaves_out(&self, path: &Path, is_dir: bool) -> bool {
        if self.include.matched(path, is_dir).is_ignore() {
            return false;
        }
        let in_tree = self.match_in_tree(path, is_dir);
        in_tree
            .or_else(|| decision(self.exclude.matched(path, is_dir)))
            .or_else(|| decision(self.system.matched(path, is_dir)))
            .unwrap_or(false)
    }

    /// The deepest `.tidelockignore` above the path that says anything about it.
    fn match_in_tree(&self, path: &Path, is_dir: bool) -> Option<bool> {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        if tree.is_empty() {
            return None;
        }
        path.ancestors()
            .skip(1)
            .filter_map(|folder| tree.get(folder))
            .find_map(|matcher| decision(matcher.matched(path, is_dir)))
    }

    fn read_folder(&self, folder: &Path) -> std::io::Result<()> {
        let path = folder.join(IGNORE_FILE);
        let text = match read_regular(&path) {
            Ok(Some(text)) => text,
            Ok(None) => {
                self.note(&path, "is not a regular file, its patterns are not used");
                return Ok(());
            }
            Err(error) if trouble::is_gone(&error) => return Ok(()),
            // The walk finds that out by itself, and blames the folder.
            Err(error) if trouble::may_not_enter(folder, &error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut builder = GitignoreBuilder::new(folder);
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let added = std::str::from_utf8(line)
                .map_err(|_| "is not UTF-8".to_owned())
                .and_then(|line| add(&mut builder, line));
            if let Err(why) = added {
                self.note(&path, &format!("line {} is not used: {why}", index + 1));
            }
        }
        match builder.build() {
            Ok(matcher) if matcher.is_empty() => {}
            Ok(matcher) => {
                let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
                tree.insert(folder.to_owned(), Arc::new(matcher));
            }
            Err(error) => self.note(&path, &format!("is not used: {error}")),
        }
        Ok(())
    }

    fn note(&self, path: &Path, what: &str) {
        lock(&self.notes).push(format!("{}: {what}", relative(&self.root, path)));
    }
}

/// The path below the root, byte for byte.
pub(crate) fn relative(root: &Path, path: &Path) -> RelPath {
    use std::os::unix::ffi::OsStrExt;
    let root = root.as_os_str().as_bytes();
    let path = path.as_os_str().as_bytes();
    let below = path.strip_prefix(root).unwrap_or(path);
    RelPath::new(below.strip_prefix(b"/").unwrap_or(below))
}

/// Whether a match leaves out (true) or takes in (false).
fn decision<T>(matched: Match<T>) -> Option<bool> {
    match matched {
        Match::None => None,
        Match::Ignore(_) => Some(true),
        Match::Whitelist(_) => Some(false),
    }
}

fn patterns(root: &Path, setting: &str, lines: &[impl AsRef<str>]) -> Result<Gitignore> {
    let wrong = |what: &str| Error::Usage(format!("[library] {setting}: {what}"));
    let mut builder = GitignoreBuilder::new(root);
    for line in lines.iter().map(AsRef::as_ref) {
        // Comments make no sense in a list, and `#recycle` is a folder that people have.
        let line = match line.strip_prefix('#') {
            Some(rest) => &format!(r"\#{rest}"),
            None => line,
        };
        add(&mut builder, line)
            .map_err(|why| wrong(&format!("{line:?} is not a pattern: {why}")))?;
    }
    builder.build().map_err(|error| wrong(&error.to_string()))
}

fn add(builder: &mut GitignoreBuilder, line: &str) -> Result<(), String> {
    builder
        .add_line(None, line)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// The bytes of a regular file; none for anything else, which is neither followed nor waited for.
fn read_regular(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    use rustix::io::Errno;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return Ok(None),
        Err(errno) => return Err(IoError::from(errno)),
    };
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(Some(text))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
