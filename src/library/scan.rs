//! The walk: every path of the library, by `lstat` alone.

use crate::library::filter::{Filter, relative};
use crate::library::root::{Root, RootProblem};
use crate::library::stat::{self, Trust};
use crate::library::{cloud, empty, trouble, twins};
use crate::model::{CloudFiles, Error, Failure, Kind, LibrarySettings, RelPath, Seen};
use ignore::{DirEntry, ParallelVisitor, ParallelVisitorBuilder, WalkBuilder, WalkState};
use std::ffi::OsStr;
use std::fs;
use std::io::Error as IoError;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The top folder that Tidelock keeps to itself on both targets.
const RESERVED: &str = ".tidelock";
/// Entries that a thread gathers before it takes the lock.
const BATCH: usize = 256;

/// What lies below the root.
#[derive(Debug, Default)]
pub struct Scan {
    /// Files, symbolic links, special files and empty folders, sorted by raw path bytes. What
    /// vanished during the scan is absent.
    pub entries: Vec<Seen>,
    /// What could not be looked at, sorted by path: it, and all that lay below it, is neither
    /// there nor gone.
    pub unseen: Vec<Unseen>,
    /// What is in the cloud alone, sorted by path: it, and all that lies below it, is there, but
    /// its bytes are not.
    pub placeholders: Vec<RelPath>,
    /// Worth telling the user, but no failure: twins, patterns that are not used.
    pub notes: Vec<String>,
    /// Files and folders that the patterns left out; a folder counts as one.
    pub excluded: u64,
    /// Regular files among the entries. 0 is an empty library.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A file or folder that could not be looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unseen {
    /// It and all below it.
    pub path: RelPath,
    /// Why, for the report; its stage is `scan`.
    pub failure: Failure,
}

impl Unseen {
    pub(crate) fn new(path: RelPath, message: String) -> Self {
        let failure = Failure {
            path: path.display().into_owned(),
            stage: "scan",
            message,
        };
        Self { path, failure }
    }
}

/// Why there is no scan.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The root can't be listed, or went away: for the guard to judge.
    #[error(transparent)]
    Root(#[from] RootProblem),
    /// Wrong patterns, a top folder `.tidelock`, an interruption.
    #[error(transparent)]
    Other(#[from] Error),
}

/// Lists the library, with as many threads as there are cores.
///
/// `progress` gets the number of entries found so far, now and then, from any thread. Setting
/// `stop` ends the scan with [`Error::Interrupted`] within one folder's listing.
///
/// # Errors
/// See [`ScanError`]. Single files and folders that can't be seen are no error of the scan: they
/// are in [`Scan::unseen`].
pub fn scan(
    root: &Root,
    settings: &LibrarySettings,
    stop: &AtomicBool,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Scan, ScanError> {
    let filter = Arc::new(Filter::new(&root.path, settings)?);
    let findings = Findings {
        root: &root.path,
        filter: &filter,
        trust: Trust::from(settings),
        cloud_files: settings.cloud_files,
        stop,
        progress,
        found: AtomicU64::new(0),
        gathered: Mutex::default(),
    };
    walker(root, &filter).visit(&mut &findings);

    if stop.load(Ordering::Relaxed) {
        return Err(Error::Interrupted.into());
    }
    let mut gathered = findings
        .gathered
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    // A disk that is unplugged in the middle looks like files that vanish one after another.
    root.check_again(settings.ignore_inode)?;
    if let Some(problem) = gathered.root_problem.take() {
        return Err(problem.into());
    }
    if gathered.reserved {
        return Err(reserved(&root.path).into());
    }
    let (unseen, notes) = filter.take_findings();
    gathered.unseen.extend(unseen);
    let mut scan = gathered.into_scan();
    scan.notes.extend(notes);
    scan.excluded = filter.excluded();
    Ok(scan)
}

fn walker(root: &Root, filter: &Arc<Filter>) -> ignore::WalkParallel {
    let filter = Arc::clone(filter);
    WalkBuilder::new(&root.path)
        .standard_filters(false)
        .follow_links(false)
        .same_file_system(false)
        .filter_entry(move |entry| filter.admits(entry.path(), is_dir(entry)))
        .build_parallel()
}

fn is_dir(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_dir())
}

fn reserved(root: &Path) -> Error {
    Error::Usage(format!(
        "{} is a name that Tidelock keeps for itself on both targets: rename it, or exclude \
         \"/{RESERVED}\"",
        root.join(RESERVED).display()
    ))
}

/// What all threads share.
struct Findings<'a> {
    root: &'a Path,
    filter: &'a Filter,
    trust: Trust,
    cloud_files: CloudFiles,
    stop: &'a AtomicBool,
    progress: &'a (dyn Fn(u64) + Sync),
    found: AtomicU64,
    gathered: Mutex<Gathered>,
}

/// What was found, in no order.
#[derive(Default)]
struct Gathered {
    entries: Vec<Seen>,
    dirs: Vec<Seen>,
    unseen: Vec<Unseen>,
    placeholders: Vec<RelPath>,
    /// Each with the path that it stands for, if nothing is there.
    stubs: Vec<(RelPath, Seen)>,
    root_problem: Option<RootProblem>,
    reserved: bool,
}

impl Gathered {
    fn into_scan(mut self) -> Scan {
        self.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.dirs.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.unseen.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.unseen.dedup_by(|a, b| a.path == b.path);
        let (files, away) = cloud::settle_stubs(self.stubs, &self.entries, &self.dirs);
        if !files.is_empty() {
            self.entries.extend(files);
            self.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        }
        self.placeholders.extend(away);
        self.placeholders.sort_unstable();
        self.placeholders.dedup();
        let paths = self.entries.iter().chain(&self.dirs).map(|seen| &seen.path);
        let notes = twins::notes(paths);
        let unseen = self.unseen.iter().map(|unseen| &unseen.path);
        let mut unseen: Vec<&RelPath> = unseen.chain(&self.placeholders).collect();
        unseen.sort_unstable();
        let empty = empty::empty_folders(self.dirs, &self.entries, &unseen);
        if !empty.is_empty() {
            self.entries.extend(empty);
            self.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        }
        let files = || self.entries.iter().filter(|seen| seen.kind == Kind::File);
        Scan {
            files: files().count() as u64,
            bytes: files().map(|seen| seen.size).sum(),
            unseen: self.unseen,
            placeholders: self.placeholders,
            notes,
            excluded: 0,
            entries: self.entries,
        }
    }
}

impl<'s> ParallelVisitorBuilder<'s> for &'s Findings<'_> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 's> {
        Box::new(Visitor {
            shared: self,
            batch: Gathered::default(),
        })
    }
}

/// One thread's part of the walk; what it gathered is handed over when it is dropped.
struct Visitor<'a> {
    shared: &'a Findings<'a>,
    batch: Gathered,
}

impl ParallelVisitor for Visitor<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        if self.shared.stop.load(Ordering::Relaxed) {
            return WalkState::Quit;
        }
        match entry {
            Ok(entry) if entry.depth() == 0 => WalkState::Continue,
            Ok(entry) if entry.depth() == 1 && entry.file_name() == RESERVED => {
                self.batch.reserved = true;
                WalkState::Quit
            }
            Ok(entry) => self.look(entry.path()),
            Err(error) => self.listing_failed(error),
        }
    }
}

impl Visitor<'_> {
    fn look(&mut self, path: &Path) -> WalkState {
        let looked = fs::symlink_metadata(path).and_then(|metadata| {
            let relative = relative(self.shared.root, path);
            let mut seen = stat::seen(relative, &metadata, self.shared.trust);
            if seen.kind == Kind::Symlink {
                seen.target = Some(fs::read_link(path)?.into_os_string().into_vec());
            }
            Ok((seen, metadata))
        });
        let looked = match looked {
            Ok((seen, metadata)) => match self.in_the_cloud(seen, &metadata) {
                Some(seen) => Ok(seen),
                None => return WalkState::Skip,
            },
            Err(error) => Err(error),
        };
        match looked {
            Ok(seen) if seen.kind == Kind::Dir => {
                self.batch.dirs.push(seen);
                return WalkState::Continue;
            }
            Ok(seen) => self.batch.entries.push(seen),
            Err(error) => return self.unseen(path, error),
        }
        if self.batch.entries.len() >= BATCH {
            self.hand_over();
        }
        // No folder (any more): a link that took a folder's place is not entered.
        WalkState::Skip
    }

    /// Sets a cloud drive's placeholder aside; gives everything else back.
    fn in_the_cloud(&mut self, mut seen: Seen, metadata: &fs::Metadata) -> Option<Seen> {
        if cloud::is_dataless(metadata) {
            if self.shared.cloud_files == CloudFiles::Skip {
                self.batch.placeholders.push(seen.path);
                return None;
            }
            // To send a file to the cloud, and to fetch it, changes nothing but the ctime.
            seen.identity.ctime = 0;
            return Some(seen);
        }
        let Some(path) = cloud::stub_of(&seen.path, metadata) else {
            return Some(seen);
        };
        let stands_for = self.shared.root.join(OsStr::from_bytes(path.as_bytes()));
        if self.shared.filter.admits(&stands_for, false) {
            self.batch.stubs.push((path, seen));
        }
        None
    }

    /// A folder can't be listed, or not to its end.
    fn listing_failed(&mut self, error: ignore::Error) -> WalkState {
        let path = path_of(&error).map(Path::to_owned);
        let source = error
            .into_io_error()
            .unwrap_or_else(|| IoError::other("the folder can't be listed"));
        let Some(path) = path.filter(|path| path != self.shared.root) else {
            self.batch.root_problem = Some(RootProblem::Unreadable {
                path: self.shared.root.to_owned(),
                source,
            });
            return WalkState::Quit;
        };
        self.unseen(&path, source)
    }

    fn unseen(&mut self, path: &Path, error: IoError) -> WalkState {
        if trouble::is_gone(&error) {
            return WalkState::Skip;
        }
        // A folder that may be listed but not entered refuses each of its files: one entry,
        // and one message, for the folder.
        let at_fault = match path.parent() {
            Some(parent) if trouble::may_not_enter(parent, &error) => parent,
            _ => path,
        };
        if at_fault == self.shared.root {
            self.batch.root_problem = Some(RootProblem::Unreadable {
                path: self.shared.root.to_owned(),
                source: error,
            });
            return WalkState::Quit;
        }
        let path = relative(self.shared.root, at_fault);
        if self
            .batch
            .unseen
            .last()
            .is_none_or(|last| last.path != path)
        {
            let why = format!("can't be read: {}", trouble::explain(&error));
            self.batch.unseen.push(Unseen::new(path, why));
        }
        WalkState::Skip
    }

    fn hand_over(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let count = batch.entries.len() as u64;
        {
            let gathered = self.shared.gathered.lock();
            let mut gathered = gathered.unwrap_or_else(PoisonError::into_inner);
            gathered.entries.extend(batch.entries);
            gathered.dirs.extend(batch.dirs);
            gathered.unseen.extend(batch.unseen);
            gathered.placeholders.extend(batch.placeholders);
            gathered.stubs.extend(batch.stubs);
            gathered.reserved |= batch.reserved;
            if batch.root_problem.is_some() {
                gathered.root_problem = batch.root_problem;
            }
        }
        if count == 0 {
            return;
        }
        let found = self.shared.found.fetch_add(count, Ordering::Relaxed) + count;
        (self.shared.progress)(found);
    }
}

impl Drop for Visitor<'_> {
    fn drop(&mut self) {
        self.hand_over();
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
