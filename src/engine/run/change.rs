//! A night that looks like ransomware: the backup goes on, the mirror waits.
//!
//! How many files have other content can only be known once they have been read, and the mirror
//! must not be touched before. So where sizes and times let it seem possible that too many have
//! changed, the files go to the backup alone first. Then they are counted; and where all is well,
//! the mirror's part is done in a second pass, which reads again what has to be sent.

use super::Run;
use crate::engine::memory::known;
use crate::engine::transfer::{Batch, Transfer};
use crate::library::Library;
use crate::model::{Blake3, Entry, Event, Kind, Limit, RelPath, Result, Stored, killpoint};
use crate::plan::{
    ChangeGuard, Look, Mirror, Plan, Task, after_backup, change_refusal, check_change, may_exceed,
    may_overwrite,
};
use crate::snapshot::{Found as Snapshot, Select};
use crate::state::View;
use futures::stream::{self, StreamExt};
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

/// Chunks of the clean snapshot fetched ahead.
const CHUNKS_AT_A_TIME: usize = 4;

/// Why a night is suspect, for the refusal.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    why: String,
    changed: u64,
    /// The newest snapshot from before.
    clean: Option<String>,
}

/// A file whose content may differ from what was remembered, and where that content is kept.
pub(super) struct Changed {
    pub(super) path: RelPath,
    pub(super) before: Option<Stored>,
}

/// What changed since the newest clean snapshot.
struct Count {
    changed: Vec<Changed>,
    total: u64,
}

impl Run {
    /// Brings all files where they belong; the mirror's objects only if this is no night that
    /// looks like ransomware.
    pub(super) async fn transfer_guarded(
        &mut self,
        mut tasks: Vec<Task>,
        rest: &Plan,
        library: Arc<Library>,
    ) -> Result<Batch> {
        let clean = self.newest_clean().await?;
        let look = self
            .look_beforehand(&tasks, &library, clean.is_some())
            .await;
        if !self.is_doubtful(&tasks, rest, look) && clean.is_none() {
            self.rescue_before(&mut tasks).await?;
            killpoint::reach("rescued");
            let transfer = self.transfer(library);
            return self.transfer_all(&transfer, tasks).await;
        }
        // Until it is known better: a checkpoint must not pass for a clean snapshot.
        self.suspect = Some("it was not yet known how much of the library had changed".to_owned());
        let (first, hashes) = self.first_pass(&tasks, &library).await?;
        if first.stopped.is_some() {
            return Ok(first);
        }
        let count = match &clean {
            Some(clean) => self.count_since(clean, rest, &hashes).await?,
            None => self.count_changed(&tasks, rest, &hashes).await?,
        };
        let look = match clean {
            Some(_) => self.look_at(&library, &count.changed).await,
            None => look,
        };
        self.suspicion = self.suspicion(&count, look, clean.as_ref());
        self.suspect = self.suspicion.as_ref().map(|found| found.why.clone());
        if self.suspect.is_some() || self.sync.is_none() {
            return Ok(first);
        }
        self.second_pass(tasks, library, first).await
    }

    /// The refusal of a suspect night, once its snapshot is committed.
    pub(super) fn suspect_refusal(&self) -> Option<crate::model::Error> {
        let found = self.suspicion.as_ref()?;
        let place = self.sync_target();
        let latest = self.backup.as_ref().filter(|_| self.which.backs_up());
        let made = latest.and_then(|backup| backup.latest.as_ref());
        let made = made.map(|loaded| loaded.snapshot.id.as_str());
        Some(change_refusal(
            place.as_deref().unwrap_or("the sync target"),
            &found.why,
            found.changed,
            found.clean.as_deref(),
            made,
        ))
    }

    /// Where the latest snapshot is suspect: the newest that is not. Then everything is compared
    /// with that one, so that the nights after are no less careful than the first.
    async fn newest_clean(&self) -> Result<Option<Snapshot>> {
        let Some(backup) = &self.backup else {
            return Ok(None);
        };
        let is_suspect = |latest: &crate::snapshot::Loaded| latest.snapshot.suspect.is_some();
        if !backup.latest.as_ref().is_some_and(is_suspect) {
            return Ok(None);
        }
        match backup.vault.find(&Select::Latest).await {
            Ok(found) => Ok(Some(found)),
            // There is no clean one: nothing to compare with.
            Err(crate::model::Error::Usage(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn limit(&self) -> (Limit, bool) {
        let sync = self.settings.sync.as_ref();
        sync.map_or((Limit::Percent(50.0), false), |sync| {
            (sync.max_change, sync.max_change_override)
        })
    }

    /// Whether so many files may have changed, or so many are no longer what they were, that the
    /// mirror has to wait.
    pub(super) fn is_doubtful(&self, tasks: &[Task], rest: &Plan, look: Look) -> bool {
        let (limit, overridden) = self.limit();
        let bound = tasks.iter().filter(|task| may_overwrite(task)).count() as u64;
        may_exceed(bound, rest.known_files, limit) || (look.is_all_over() && !overridden)
    }

    /// The look at file types, before anything is read or sent.
    pub(super) async fn look_beforehand(
        &self,
        tasks: &[Task],
        library: &Arc<Library>,
        later: bool,
    ) -> Look {
        if later {
            return Look::default();
        }
        let changed = tasks.iter().filter(|task| may_overwrite(task));
        let changed: Vec<Changed> = changed
            .map(|task| Changed {
                path: task.seen.path.clone(),
                before: task.known.as_deref().and_then(|k| k.entry.stored.clone()),
            })
            .collect();
        self.look_at(library, &changed).await
    }

    /// Everything that the backup needs. Where no version is written (`sync`), the contents alone.
    async fn first_pass(
        &mut self,
        tasks: &[Task],
        library: &Arc<Library>,
    ) -> Result<(Batch, HashMap<RelPath, Blake3>)> {
        let transfer = self.transfer_to_backup(Arc::clone(library));
        if !self.which.backs_up() || self.backup.is_none() {
            let hashes = self.hash_all(&transfer, tasks).await;
            return Ok((
                Batch {
                    stopped: self.stop.requested(),
                    ..Batch::default()
                },
                hashes,
            ));
        }
        let needed = |task: &&Task| {
            let known = task.known.as_deref().filter(|_| task.same);
            known.is_none_or(|known| known.entry.stored.is_none())
        };
        let first: Vec<Task> = tasks.iter().filter(needed).cloned().collect();
        self.tally
            .backup_unchanged
            .add((tasks.len() - first.len()) as u64);
        let first = first.into_iter().map(|task| Task {
            mirror: Mirror::Off,
            ..task
        });
        let first = first.collect();
        Ok((self.transfer_all(&transfer, first).await?, HashMap::new()))
    }

    async fn hash_all(&self, transfer: &Arc<Transfer>, tasks: &[Task]) -> HashMap<RelPath, Blake3> {
        let changed = tasks.iter().filter(|task| may_overwrite(task));
        let hashed = stream::iter(changed).map(|task| async move {
            let path = task.seen.path.clone();
            // Unreadable ones are told of when their turn comes.
            let content = transfer.hash(&path).await.ok()?;
            Some((path, content.blake3))
        });
        let jobs = self.settings.run.transfers;
        let stopped = pin!(self.stop.wait());
        let hashed = hashed.buffer_unordered(jobs).take_until(stopped);
        hashed.filter_map(async |found| found).collect().await
    }

    /// Files whose content is not that of the latest snapshot.
    async fn count_changed(
        &self,
        tasks: &[Task],
        rest: &Plan,
        hashes: &HashMap<RelPath, Blake3>,
    ) -> Result<Count> {
        let mut changed = Vec::new();
        for task in tasks.iter().filter(|task| may_overwrite(task)) {
            let path = task.seen.path.clone();
            let (base, now) = self
                .state
                .call({
                    let path = path.clone();
                    move |state| Ok((state.get_base(&path)?, state.get(&path)?))
                })
                .await?;
            let Some(base) = base.map(|found| found.row.entry) else {
                continue;
            };
            let now = match hashes.get(&path) {
                Some(hash) => Some(*hash),
                None => now.and_then(|found| hash_of(&found.row.entry)),
            };
            if hash_of(&base).is_some() && now.is_some() && hash_of(&base) != now {
                let before = base.stored;
                changed.push(Changed { path, before });
            }
        }
        let total = rest.known_files;
        Ok(Count { changed, total })
    }

    /// Files whose content is not that of a certain snapshot. Both lists are in path order.
    async fn count_since(
        &self,
        clean: &Snapshot,
        rest: &Plan,
        hashes: &HashMap<RelPath, Blake3>,
    ) -> Result<Count> {
        let Some(backup) = &self.backup else {
            let (changed, total) = (Vec::new(), 0);
            return Ok(Count { changed, total });
        };
        let gone: HashSet<&RelPath> = rest.gone.iter().map(|known| &known.entry.path).collect();
        let snapshot = &clean.loaded.snapshot;
        let mut rows = self.state.rows(View::Merged);
        let mut row = rows.next().await?;
        let mut changed = Vec::new();
        let chunks = snapshot.manifest.clone();
        let mut chunks = pin!(backup.vault.entries(chunks, CHUNKS_AT_A_TIME));
        while let Some(chunk) = chunks.next().await {
            let entries = match chunk {
                Ok(chunk) => chunk.entries,
                Err(error) => {
                    self.fail(snapshot.id.to_string(), "snapshot", error.to_string());
                    continue;
                }
            };
            for before in entries.into_iter().filter(|entry| entry.kind == Kind::File) {
                while row.as_ref().is_some_and(|r| r.row.entry.path < before.path) {
                    row = rows.next().await?;
                }
                let own = row.as_ref().map(|found| &found.row.entry);
                let own = own.filter(|entry| entry.path == before.path);
                let hash = hashes.get(&before.path).copied();
                let now = hash.or_else(|| own.and_then(hash_of));
                if now.is_some() && now != hash_of(&before) && !gone.contains(&before.path) {
                    let (path, before) = (before.path, before.stored);
                    changed.push(Changed { path, before });
                }
            }
        }
        let total = snapshot.files;
        Ok(Count { changed, total })
    }

    fn suspicion(&self, count: &Count, look: Look, clean: Option<&Snapshot>) -> Option<Suspicion> {
        let (limit, overridden) = self.limit();
        let changed = count.changed.len() as u64;
        let why = check_change(&ChangeGuard {
            changed,
            total: count.total,
            limit,
            overridden,
            look,
        })?;
        let latest = self.backup.as_ref().and_then(|b| b.latest.as_ref());
        let clean = clean.map(|found| &found.loaded).or(latest);
        let clean = clean.map(|loaded| loaded.snapshot.id.to_string());
        Some(Suspicion {
            why,
            changed,
            clean,
        })
    }

    /// The mirror's part, now that all is well.
    async fn second_pass(
        &mut self,
        tasks: Vec<Task>,
        library: Arc<Library>,
        first: Batch,
    ) -> Result<Batch> {
        let missing = first.failed.iter().chain(&first.gone);
        let missing: HashSet<RelPath> = missing.map(|task| task.seen.path.clone()).collect();
        let mut second = Vec::with_capacity(tasks.len());
        for task in tasks {
            if missing.contains(&task.seen.path) {
                continue;
            }
            let now = self.state.get(task.seen.path.clone()).await?;
            second.push(after_backup(task, now.map(known)));
        }
        let note = "the library has changed, but not too much: now the mirror";
        self.events.send(Event::Note(note.to_owned()));
        self.rescue_before(&mut second).await?;
        let transfer = self.transfer_to_mirror(library);
        let mut batch = self.transfer_all(&transfer, second).await?;
        batch.failed.extend(first.failed);
        batch.gone.extend(first.gone);
        Ok(batch)
    }
}

fn hash_of(entry: &Entry) -> Option<Blake3> {
    entry.content.map(|content| content.blake3)
}
