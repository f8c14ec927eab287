//! The ways through the manifest: files, then what hangs on them, then symbolic links.

use super::file::{self, Files};
use super::heal;
use super::links;
use super::survey::Survey;
use super::tally::Tally;
use crate::engine::download::blocking;
use crate::engine::download::folder::{Place, Walk, os_name};
use crate::engine::download::publish::finished;
use crate::engine::download::temp;
use crate::engine::download::walker::Walker;
use crate::engine::look;
use crate::model::{Entry, Error, ExitCode, Kind, RelPath, Result};
use crate::plan::Overlaps;
use crate::plan::restore::{Selection, Step, unfit};
use crate::snapshot::{ChunkRef, Vault};
use futures::stream::{self, Stream, StreamExt};
use std::collections::{HashMap, HashSet};
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What a restore writes.
#[derive(Debug)]
pub(super) enum Wanted {
    /// The selected entries of these chunks.
    Chunks(Vec<ChunkRef>),
    /// These entries, in the order of paths.
    Entries(Vec<Entry>),
}

/// The entries to restore, as often as they are needed.
pub(super) struct Source<'a> {
    pub(super) vault: &'a Vault,
    pub(super) selection: &'a Selection,
    pub(super) tally: &'a Arc<Tally>,
    wanted: Wanted,
    /// Chunks that could not be read, each told of once.
    broken: Mutex<HashSet<String>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        vault: &'a Vault,
        wanted: Wanted,
        selection: &'a Selection,
        tally: &'a Arc<Tally>,
    ) -> Self {
        Self {
            vault,
            selection,
            tally,
            wanted,
            broken: Mutex::default(),
        }
    }

    /// The entries, with a word on each that was refused.
    pub(super) fn first_look(&self) -> impl Stream<Item = Vec<Entry>> {
        self.read(true).take_until(self.tally.over())
    }

    /// The entries once more, chunk by chunk.
    pub(super) fn again(&self) -> impl Stream<Item = Vec<Entry>> {
        self.read(false).take_until(self.tally.over())
    }

    /// The entries.
    pub(super) fn entries(&self) -> impl Stream<Item = Entry> {
        self.read(false).flat_map(stream::iter)
    }

    fn read(&self, tell: bool) -> impl Stream<Item = Vec<Entry>> {
        let chunks = match &self.wanted {
            Wanted::Entries(entries) => {
                return stream::iter([entries.clone()]).left_stream();
            }
            Wanted::Chunks(chunks) => chunks.clone(),
        };
        let chunks = look::entries(self.vault, chunks, self.selection);
        let entries = chunks.filter_map(move |chunk| {
            ready(match chunk {
                Ok(chunk) => {
                    for refused in chunk.refused.into_iter().filter(|_| tell) {
                        let (path, why) = (refused.path, refused.message);
                        self.tally.note_failure(path, ExitCode::Damage, why);
                    }
                    Some(chunk.entries)
                }
                Err(error) => {
                    self.note_broken(error);
                    None
                }
            })
        });
        entries.right_stream()
    }

    fn note_broken(&self, error: Error) {
        let message = error.to_string();
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if broken.insert(message.clone()) {
            self.tally.manifest_failed(error, message);
        }
    }
}

/// Writes what the source gives.
pub(super) struct Passes<'a> {
    source: &'a Source<'a>,
    files: &'a Files,
    root: PathBuf,
    walk: Walker,
    overlaps: &'a Overlaps,
    /// The path that stands for a content whose first name was not asked for.
    stand_ins: Mutex<HashMap<RelPath, RelPath>>,
}

impl<'a> Passes<'a> {
    pub(super) fn new(
        source: &'a Source<'a>,
        files: &'a Files,
        walk: Walk,
        root: &Path,
        overlaps: &'a Overlaps,
    ) -> Self {
        Self {
            source,
            files,
            root: root.to_owned(),
            walk: Walker::new(walk),
            overlaps,
            stand_ins: Mutex::default(),
        }
    }

    /// All of it, until done or given up.
    ///
    /// # Errors
    /// Only what no path can be named for.
    pub(super) async fn all(&self, survey: &Survey) -> Result<()> {
        self.write_files().await?;
        self.heal().await?;
        if survey.after_files > 0 {
            self.walk.rewind().await?;
            self.after_files().await?;
            self.heal().await?;
        }
        if survey.symlinks > 0 {
            self.walk.rewind().await?;
            self.symlinks().await?;
        }
        Ok(())
    }

    /// The entries that a disk can hold side by side.
    fn entries(&self) -> impl Stream<Item = Entry> {
        let entries = self.source.entries();
        entries.filter(|entry| ready(!self.overlaps.leave_out(entry)))
    }

    async fn write_files(&self) -> Result<()> {
        let (publisher, named) = file::publisher(Arc::clone(self.source.tally));
        let entries = self.entries();
        let placed = entries
            .filter(|entry| ready(self.is_file_now(entry)))
            .then(|entry| self.place(entry))
            .filter_map(ready);
        // Some of them wait for the disk, so more files than requests may be under way.
        let jobs = placed
            .map(|(entry, place)| self.files.restore(entry, place, &publisher))
            .buffer_unordered(2 * self.files.fetcher.parallel());
        // Dropped where the restore is given up; unfinished files go with it.
        jobs.take_until(self.source.tally.over())
            .for_each(ready)
            .await;
        drop(publisher);
        finished(named).await
    }

    /// A further name of a file waits for the first one, unless that was not asked for.
    fn is_file_now(&self, entry: &Entry) -> bool {
        match &entry.hardlink {
            _ if entry.kind != Kind::File => false,
            None => true,
            Some(first) if self.source.selection.covers(first) => false,
            Some(first) => {
                let mut stand_ins = lock(&self.stand_ins);
                let new = !stand_ins.contains_key(first);
                if new {
                    stand_ins.insert(first.clone(), entry.path.clone());
                }
                new
            }
        }
    }

    async fn after_files(&self) -> Result<()> {
        let (publisher, named) = file::publisher(Arc::clone(self.source.tally));
        let root = self.root.clone();
        let mut firsts = blocking(move || Walk::to_look(&root)).await?;
        let waiting = |entry: &Entry| {
            entry.kind == Kind::Dir || (entry.kind == Kind::File && entry.hardlink.is_some())
        };
        let mut entries = std::pin::pin!(self.entries().filter(|e| ready(waiting(e))));
        while let Some(entry) = entries.next().await {
            if self.source.tally.is_over() {
                break;
            }
            let Some((entry, place)) = self.place(entry).await else {
                continue;
            };
            if entry.kind == Kind::Dir {
                self.make(entry, place, links::folder).await;
            } else if let Some(place) = self.link(&entry, place, &mut firsts).await {
                self.files.restore(entry, place, &publisher).await;
            }
        }
        drop(publisher);
        finished(named).await
    }

    async fn symlinks(&self) -> Result<()> {
        let symlinks = self.entries();
        let symlinks = symlinks.filter(|entry| ready(entry.kind == Kind::Symlink));
        let mut symlinks = std::pin::pin!(symlinks);
        while let Some(entry) = symlinks.next().await {
            if self.source.tally.is_over() {
                break;
            }
            if let Some((entry, place)) = self.place(entry).await {
                self.make(entry, place, links::symlink).await;
            }
        }
        Ok(())
    }

    /// Makes a folder or a symbolic link.
    async fn make(
        &self,
        entry: Entry,
        place: Place,
        how: fn(&Entry, &Place, crate::plan::restore::Existing) -> Result<bool>,
    ) {
        let existing = self.files.existing;
        let path = entry.path.clone();
        match blocking(move || how(&entry, &place, existing)).await {
            Ok(_) => {}
            Err(error) => self.source.tally.failed(&path, error),
        }
    }

    /// Makes a further name of a file. Gives the place back where there is nothing to link to, so
    /// that the content is fetched instead.
    async fn link(&self, entry: &Entry, place: Place, firsts: &mut Option<Walk>) -> Option<Place> {
        let first = self.stand_in(entry)?;
        if first == entry.path {
            // Restored with the files.
            return None;
        }
        if self.source.tally.has_failed(&first) {
            return Some(place);
        }
        let replace = match self.files.decide(entry, &place).await {
            Ok(Step::Create) => false,
            Ok(Step::Replace) => true,
            // Kept or refused: said so in the one place that does.
            _ => return Some(place),
        };
        let Some(mut walk) = firsts.take() else {
            return Some(place);
        };
        let (entry, at) = (entry.clone(), place.clone());
        let (path, size) = (entry.path.clone(), entry.size());
        let linked = blocking(move || {
            let from = walk.place(&first).ok().flatten();
            let from = from.filter(|from| links::is_this(&entry, from));
            let linked = from.is_some_and(|from| file::link(&from, &at, replace).is_ok());
            Ok((walk, linked))
        });
        match linked.await {
            Ok((walk, true)) => {
                *firsts = Some(walk);
                self.source.tally.restored(&path, size);
                None
            }
            Ok((walk, false)) => {
                *firsts = Some(walk);
                Some(place)
            }
            Err(_) => Some(place),
        }
    }

    fn stand_in(&self, entry: &Entry) -> Option<RelPath> {
        let first = entry.hardlink.as_ref()?;
        let stand_ins = lock(&self.stand_ins);
        Some(stand_ins.get(first).unwrap_or(first).clone())
    }

    /// Finds what is lost elsewhere in the vault.
    async fn heal(&self) -> Result<()> {
        let lost = std::mem::take(&mut *lock(&self.files.lost));
        if lost.is_empty() || self.source.tally.is_over() {
            for lost in lost {
                self.source
                    .tally
                    .failed(&lost.entry.path, Error::Damage(lost.why));
            }
            return Ok(());
        }
        let (publisher, named) = file::publisher(Arc::clone(self.source.tally));
        let elsewhere = heal::search(self.source.vault, &lost).await;
        self.walk.rewind().await?;
        for lost in lost {
            if let Some((entry, place)) = self.place(lost.entry.clone()).await {
                let others = elsewhere.of(&entry);
                heal::restore(self.files, lost, others, place, &publisher).await;
            }
        }
        drop(publisher);
        finished(named).await
    }

    /// Where an entry belongs; the failure is told where there is no way.
    async fn place(&self, entry: Entry) -> Option<(Entry, Place)> {
        let placed = match unfit(&entry.path, cfg!(windows)) {
            Some(why) => Err(Error::Damage(format!("{} {why}", entry.path))),
            None if is_temporary(&entry.path) => Err(Error::Partial(format!(
                "{}: restores give such names to unfinished files and remove them, so it is not \
                 restored; to have it, fetch its version with an S3 tool",
                entry.path
            ))),
            None => self.walk.place(&entry.path).await,
        };
        match placed {
            Ok(place) => Some((entry, place)),
            Err(error) => {
                self.source.tally.failed(&entry.path, error);
                None
            }
        }
    }
}

fn is_temporary(path: &RelPath) -> bool {
    let mut names = path.segments().filter_map(os_name);
    names.any(temp::is_temporary)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
