//! Carries out what was decided, one kind of step after another.

use super::Pull;
use super::book::Book;
use super::fetch::{Files, still_has};
use super::listing::Listing;
use super::look::Task;
use super::naming::publisher;
use super::proof::Proof;
use super::renamed::Renamed;
use super::trash::{empty_out, still_there};
use crate::engine::download::fetch::Fetcher;
use crate::engine::download::folder::Walk;
use crate::engine::download::publish::finished;
use crate::engine::download::walker::Walker;
use crate::engine::download::{blocking, space};
use crate::model::{Action, Event, ExitCode, RelPath, Result, words};
use crate::plan::pull::{Local, Step, check_trash, step};
use crate::plan::{DeleteGuard, DeleteVerdict};
use crate::state::Pulled;
use futures::stream::{self, StreamExt};
use std::collections::HashSet;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many files are hashed at once: disks gain nothing from more.
const HASHED_AT_ONCE: usize = 4;
/// So many paths are named where one line tells of many.
const NAMED: usize = 10;

impl Pull<'_> {
    pub(super) fn tell_refused(&self, listing: &Listing) {
        for (key, why) in &listing.refused {
            let message = format!("the object {key:?} is refused: {why}");
            self.tally
                .fault(key.clone(), "list", ExitCode::Damage, message);
        }
        if listing.in_trash > 0 {
            self.tally.events().send(Event::Warning(format!(
                "{} out: below {} in the mirror is the trash of a pulled folder",
                words::count(listing.in_trash, "object is left", "objects are left"),
                crate::plan::pull::TRASH
            )));
        }
    }

    /// Hashes the files that only their content can judge, and decides them.
    pub(super) async fn resolve(
        &self,
        tasks: Vec<Task>,
        walk: Option<Walk>,
        book: &Arc<Book>,
    ) -> Result<Vec<Task>> {
        let (open, mut decided): (Vec<Task>, Vec<Task>) =
            tasks.into_iter().partition(|task| task.step == Step::Hash);
        let (Some(walk), false) = (walk, open.is_empty()) else {
            return Ok(decided);
        };
        self.tally.events().send(Event::Phase("compare"));
        let walker = Walker::new(walk);
        let hashed: Vec<Option<Task>> = stream::iter(open)
            .map(|task| self.hash(task, &walker, book))
            .buffer_unordered(HASHED_AT_ONCE)
            .take_until(self.tally.over())
            .collect()
            .await;
        decided.extend(hashed.into_iter().flatten());
        decided.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(decided)
    }

    /// None where nothing is left to do, or the file could not be read.
    async fn hash(&self, mut task: Task, walker: &Walker, book: &Arc<Book>) -> Option<Task> {
        match self.is_edited(&task, walker).await {
            Ok(edited) => {
                let (base, remote) = (task.base.as_ref(), task.remote.as_ref());
                let local = task.seen.map_or(Local::Nothing, Local::File);
                task.step = step(base, remote, &local, Some(edited));
            }
            Err(error) => {
                self.tally.failed(&task.path, error);
                return None;
            }
        }
        if task.step != Step::Keep {
            return Some(task);
        }
        self.tally.unchanged(1);
        // Its times are other ones now: the next pull need not hash it again.
        if let (Some(base), Some(seen)) = (task.base, task.seen) {
            let pulled = Pulled {
                mtime: seen.mtime,
                identity: seen.identity,
                ..base
            };
            let book = Arc::clone(book);
            if let Err(error) = blocking(move || book.note(pulled)).await {
                self.tally.give_up(error);
            }
        }
        None
    }

    async fn is_edited(&self, task: &Task, walker: &Walker) -> Result<bool> {
        let place = walker.place(&task.path).await?;
        let (Some(base), Some(seen)) = (&task.base, task.seen) else {
            return Ok(true);
        };
        let content = base.content;
        blocking(move || Ok(!still_has(&place, &seen, &content)?)).await
    }

    /// Does what needs no bytes; returns the rest.
    pub(super) async fn settle(&self, tasks: Vec<Task>, book: &Arc<Book>) -> Result<Vec<Task>> {
        let (mut rest, mut gone, mut edited) = (Vec::new(), Vec::new(), Vec::new());
        for task in tasks {
            let size = task.seen.map_or(0, |seen| seen.size);
            match task.step {
                Step::Edited => {
                    self.tally.edited(&task.path, size);
                    edited.push(task.path);
                }
                Step::Outlives => {
                    self.tally.edited(&task.path, size);
                    let message = "it is gone from the mirror and was changed here, so it stays; \
                                   from now on it is a file of this folder alone";
                    self.tell_partial(&task, message);
                    gone.push(task.path);
                }
                Step::InTheWay => {
                    let message = "a folder, a link or something else is where this file belongs, \
                                   and is not replaced; move it away";
                    self.tally
                        .not_there(&task.path, ExitCode::Partial, message.to_owned());
                }
                Step::Twin => {
                    let message = "this disk can't tell the name from another one that is there \
                                   (they differ only in case or Unicode form)";
                    self.tally
                        .not_there(&task.path, ExitCode::Partial, message.to_owned());
                }
                Step::Forget => gone.push(task.path),
                _ => rest.push(task),
            }
        }
        if !edited.is_empty() {
            let named: Vec<_> = edited.iter().take(NAMED).map(ToString::to_string).collect();
            let more = match edited.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.tally.events().send(Event::Note(format!(
                "changed here, unchanged in the mirror, left as they are: {}{more}",
                named.join(", ")
            )));
        }
        let book = Arc::clone(book);
        blocking(move || gone.into_iter().try_for_each(|path| book.forget(path))).await?;
        Ok(rest)
    }

    fn tell_partial(&self, task: &Task, message: &str) {
        let path = task.path.to_string();
        self.tally
            .fault(path, "pull", ExitCode::Partial, message.to_owned());
    }

    pub(super) fn announce(&self, tasks: &[Task]) {
        let remotes = tasks.iter().filter_map(|task| task.remote.as_ref());
        let bytes: u64 = remotes.map(|remote| remote.size).sum();
        self.tally.expect(tasks.len() as u64, bytes);
    }

    pub(super) async fn tell_plan(&self, tasks: &[Task], renamed: &Renamed) {
        let copies = self.copies(tasks, renamed).await;
        for task in tasks {
            let size = task.remote.as_ref().map_or(0, |remote| remote.size);
            let is_here = copies.contains(&task.path);
            let action = match task.step {
                Step::Create | Step::Replace if is_here => Action::Copy,
                Step::Create | Step::Replace => Action::Download,
                Step::Compare if task.seen.is_some_and(|seen| seen.size != size) => {
                    Action::Conflict
                }
                // Whether contents of one size differ is only known after hashing.
                _ => Action::Adopt,
            };
            self.tally.tell(&task.path, action, size, true);
        }
    }

    /// What a dry run takes for renamed, by the checksums that a pull asks for too.
    async fn copies(&self, tasks: &[Task], renamed: &Renamed) -> HashSet<RelPath> {
        let fits = |task: &&Task| matches!(task.step, Step::Create | Step::Replace);
        let looks = tasks.iter().filter(fits).filter_map(|task| {
            let remote = task.remote.as_ref()?;
            renamed.has_one_of(remote.size).then_some(async move {
                let head = self.client.call(|store| store.head(&remote.key, None));
                // A pull tells what went wrong.
                let proof = Proof::of(&head.await.ok()?);
                renamed.foresee(&proof).then(|| task.path.clone())
            })
        });
        let looks: Vec<_> = looks.collect();
        stream::iter(looks)
            .buffer_unordered(self.request.transfers.max(1))
            .take_until(self.tally.over())
            .filter_map(ready)
            .collect()
            .await
    }

    /// Fetches; returns how many bytes came.
    pub(super) async fn fetch(
        &self,
        tasks: Vec<Task>,
        renamed: &Arc<Renamed>,
        walk: Walk,
        book: &Arc<Book>,
    ) -> Result<u64> {
        let (to, needed) = (self.request.to.clone(), room_for(&tasks));
        blocking(move || space::check(&to, needed, "pull to another disk").map(drop)).await?;
        self.tally.events().send(Event::Phase("transfer"));
        let files = Files {
            fetcher: Fetcher::new(
                self.client.side,
                Arc::clone(&self.client.store),
                self.client.retrier.clone(),
                self.request.transfers,
                self.request.memory,
                self.tally.events().clone(),
            ),
            client: self.client.clone(),
            walker: Walker::new(walk),
            renamed: Arc::clone(renamed),
            book: Arc::clone(book),
            tally: Arc::clone(&self.tally),
            unproven: AtomicU64::new(0),
        };
        let date = self.request.date.clone();
        let (publisher, named) = publisher(Arc::clone(&self.tally), Arc::clone(book), date);
        // Some of them wait for the disk, so more files than requests may be under way. Dropped
        // where the pull is given up; unfinished files go with it.
        stream::iter(tasks)
            .map(|task| files.pull(task, &publisher))
            .buffer_unordered(2 * self.request.transfers.max(1))
            .take_until(self.tally.over())
            .for_each(ready)
            .await;
        drop(publisher);
        finished(named).await?;
        match files.unproven.load(Ordering::Relaxed) {
            0 => {}
            count => self.tally.events().send(Event::Note(format!(
                "{} no checksum that can be held against the bytes; only the length was checked",
                words::count(count, "object has", "objects have")
            ))),
        }
        Ok(files.fetcher.fetched())
    }

    /// Moves to the trash what the mirror does not have any more, if nothing speaks against it.
    pub(super) async fn throw(
        &self,
        doomed: Vec<Task>,
        guard: DeleteGuard,
        looking: Walk,
        book: &Arc<Book>,
    ) -> Result<()> {
        if doomed.is_empty() || self.tally.is_over() {
            return Ok(());
        }
        let guard = DeleteGuard {
            doubt: self.tally.is_in_doubt(),
            ..guard
        };
        match check_trash(&guard) {
            DeleteVerdict::Doubt => {
                self.put_off("some files could not be seen, fetched or written", &doomed);
                return Ok(());
            }
            DeleteVerdict::Refused { why, override_flag } => {
                self.refuse(&why, &override_flag, &doomed);
                return Ok(());
            }
            DeleteVerdict::Allowed => {}
        }
        if self.request.dry_run {
            for task in &doomed {
                let size = task.seen.map_or(0, |seen| seen.size);
                self.tally.tell(&task.path, Action::Trash, size, true);
            }
            return Ok(());
        }
        self.tally.events().send(Event::Phase("delete"));
        match still_there(self.client, &doomed, self.request.transfers.max(1)).await {
            Ok(None) => {}
            Ok(Some(path)) => {
                let why = format!("the listing left out {path}, which is there");
                self.put_off(&why, &doomed);
                return Ok(());
            }
            Err(error) => {
                let why = format!("whether they are gone could not be asked ({error})");
                self.put_off(&why, &doomed);
                return Ok(());
            }
        }
        let date = self.request.date.clone();
        empty_out(doomed, looking, date, &self.tally, book).await
    }

    fn put_off(&self, why: &str, doomed: &[Task]) {
        let wait = words::count(doomed.len() as u64, "file waits", "files wait");
        let message = format!("{why}: nothing was moved to the trash ({wait})");
        let to = self.request.to.display().to_string();
        self.tally.fault(to, "delete", ExitCode::Partial, message);
    }

    fn refuse(&self, why: &str, override_flag: &str, doomed: &[Task]) {
        let named: Vec<_> = doomed
            .iter()
            .take(NAMED)
            .map(|it| it.path.to_string())
            .collect();
        let more = match doomed.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let outcome = if self.request.dry_run {
            "A pull would move nothing to the trash; all else would go on"
        } else {
            "Nothing was moved to the trash; all else went on"
        };
        let message = format!(
            "{why}: {}{more}. {outcome}. If the mirror is right, run once more with \
             {override_flag}",
            named.join(", ")
        );
        let to = self.request.to.display().to_string();
        self.tally.fault(to, "delete", ExitCode::Refused, message);
        for task in doomed {
            self.tally
                .tell(&task.path, Action::Refuse, 0, self.request.dry_run);
        }
    }
}

/// What the disk must have free: a file is replaced only once the new one is whole.
fn room_for(tasks: &[Task]) -> space::Needed {
    let mut needed = space::Needed::default();
    for task in tasks {
        let size = task.remote.as_ref().map_or(0, |remote| remote.size);
        match task.step {
            Step::Create => {
                needed.bytes += size;
                needed.files += 1;
            }
            Step::Replace => {
                needed.bytes += size.saturating_sub(task.seen.map_or(0, |seen| seen.size));
            }
            _ => {}
        }
    }
    needed
}
