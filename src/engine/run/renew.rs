//! Extending locks before they run out.

use super::Run;
use super::stages::Progress;
use crate::engine::versions::Versions;
use crate::model::{Event, ExitCode, Result, Retention, Stored, Time};
use crate::plan::renew_due;
use crate::snapshot::{ChunkRef, Lock, Renewed, write_ledger};
use crate::state::{Change, Found, Row, View};
use futures::stream::{self, StreamExt};
use std::collections::HashSet;
use std::sync::Arc;

/// Rows whose locks are extended at a time.
const BATCH: usize = 1000;

impl Run {
    /// Extends what the next snapshot names and what has too little left: chunk by chunk where a
    /// chunk is due, and each version whose own lock is too short or unknown.
    pub(super) async fn renew(&mut self, progress: &mut Progress) -> Result<()> {
        if self.backup.is_some() && self.which.backs_up() {
            progress.at_risk = self.renew_rows(View::Merged, When::Early).await?;
        }
        Ok(())
    }

    /// The same for the latest snapshot, while the library can't be seen.
    pub(super) async fn renew_in_absence(&mut self) -> Result<()> {
        if self.backup.is_some() && self.which.backs_up() {
            self.renew_rows(View::Base, When::Early).await?;
        }
        Ok(())
    }

    /// What a commit in the middle of a run needs: nothing that it names may have less than
    /// `renew_below` left.
    pub(super) async fn renew_for_commit(&mut self, view: View) -> Result<()> {
        if self.renew_rows(view, When::Late).await? > 0 {
            self.raise(ExitCode::Damage);
        }
        Ok(())
    }

    /// Extends what is due of `view` and of what the latest snapshot has rescued. Returns how many
    /// versions have less than `renew_below` left and could not be extended.
    async fn renew_rows(&mut self, view: View, when: When) -> Result<u64> {
        let (Some(backup), Some(settings)) = (&self.backup, &self.settings.backup) else {
            return Ok(0);
        };
        let versions = Arc::clone(&backup.versions);
        let full = versions.full_lock().await?;
        let now = self.now().await?;
        let least = now.checked_add(settings.renew_below).unwrap_or(Time::MAX);
        let aim = Aim { full, least };
        let Latest { manifest, rescued } = self.latest_chunks();
        let due = self.due(&manifest, now, when);
        let mut ended = Renewal::default();
        if !due.is_empty() {
            // All that a chunk names, changed since or not: its new date is a claim about each.
            let mut span = Spans::new(&due, &manifest);
            let in_due = |row: &Row, until| until < full.until && span.contains(row);
            let chunks = self.renew_where(&versions, View::Base, aim, in_due).await?;
            ended.failed += chunks.failed;
        }
        ended += self
            .renew_where(&versions, view, aim, |_, until| until < least)
            .await?;
        let rescued = self.due(&rescued, now, when);
        ended += self.renew_rescued(&versions, &rescued, aim).await?;
        if ended.failed == 0 {
            self.renew_chunks(&versions, [due, rescued].concat(), full)
                .await?;
        }
        Ok(ended.at_risk)
    }

    /// Extends the locks of the rows that are picked, given each with what is known of its lock.
    async fn renew_where(
        &self,
        versions: &Versions,
        view: View,
        aim: Aim,
        mut picked: impl FnMut(&Row, Time) -> bool,
    ) -> Result<Renewal> {
        let mut ended = Renewal::default();
        let mut batch: Vec<Found> = Vec::new();
        let mut rows = self.state.rows(view);
        while let Some(found) = rows.next().await? {
            let until = found.row.locked_until.unwrap_or(Time::UNIX_EPOCH);
            if found.row.entry.stored.is_some() && picked(&found.row, until) {
                batch.push(found);
            }
            if batch.len() >= BATCH {
                ended += self
                    .extend(versions, std::mem::take(&mut batch), aim)
                    .await?;
            }
        }
        ended += self.extend(versions, batch, aim).await?;
        Ok(ended)
    }

    /// What rescued chunks name is in no row of the state.
    async fn renew_rescued(
        &self,
        versions: &Versions,
        due: &[ChunkRef],
        aim: Aim,
    ) -> Result<Renewal> {
        let mut ended = Renewal::default();
        let Some(backup) = &self.backup else {
            return Ok(ended);
        };
        let mut chunks = std::pin::pin!(backup.vault.entries(due.to_vec(), 1));
        while let Some(chunk) = chunks.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    ended.failed += 1;
                    self.fail("rescued", "renew", error.to_string());
                    continue;
                }
            };
            let short = backup.claims.locked_until(&chunk.chunk) < aim.least;
            let stored = chunk.entries.into_iter().filter_map(|entry| entry.stored);
            let stored: Vec<Stored> = stored.collect();
            let all = stored.len();
            let left = (all - self.extend_all(versions, stored, aim.full).await.len()) as u64;
            ended.failed += left;
            ended.at_risk += if short { left } else { 0 };
        }
        Ok(ended)
    }

    /// The chunks of the latest snapshot.
    fn latest_chunks(&self) -> Latest {
        let latest = self.backup.as_ref().and_then(|b| b.latest.as_ref());
        latest.map_or_else(Latest::default, |latest| Latest {
            manifest: latest.snapshot.manifest.clone(),
            rescued: latest.snapshot.rescued.clone(),
        })
    }

    /// Those chunks whose locks are to be extended now.
    fn due(&self, chunks: &[ChunkRef], now: Time, when: When) -> Vec<ChunkRef> {
        let (Some(backup), Some(settings)) = (&self.backup, &self.settings.backup) else {
            return Vec::new();
        };
        let is_due = |chunk: &&ChunkRef| {
            let until = backup.claims.locked_until(chunk);
            let least = settings.renew_below;
            // A retention that is no longer than the threshold leaves nothing to spread.
            let retention = match when {
                When::Early => settings.retention,
                When::Late => least,
            };
            renew_due(until, now, retention, least, &chunk.first)
        };
        chunks.iter().filter(is_due).cloned().collect()
    }

    async fn extend(&self, versions: &Versions, rows: Vec<Found>, aim: Aim) -> Result<Renewal> {
        let stored = rows
            .iter()
            .filter_map(|found| found.row.entry.stored.clone());
        let done = self.extend_all(versions, stored.collect(), aim.full).await;
        let mut ended = Renewal::default();
        let mut named = Vec::new();
        for Found { mut row, committed } in rows {
            let version = row.entry.stored.as_ref().map(|stored| &stored.version_id);
            if version.is_some_and(|id| done.contains(id)) {
                row.locked_until = Some(aim.full.until);
                if committed {
                    named.push(row);
                } else {
                    let carried = row.entry.carried;
                    let change = if carried {
                        Change::Carry
                    } else {
                        Change::Store
                    };
                    self.state.put_pending(change(row)).await?;
                }
            } else {
                ended.failed += 1;
                ended.at_risk += u64::from(row.locked_until.is_none_or(|until| until < aim.least));
            }
        }
        self.state.post(move |state| state.relock(&named)).await?;
        Ok(ended)
    }

    /// Extends each version's lock once; the ids of those whose lock holds as asked now.
    async fn extend_all(
        &self,
        versions: &Versions,
        all: Vec<Stored>,
        full: Retention,
    ) -> HashSet<String> {
        let mut seen = HashSet::new();
        let distinct = all
            .into_iter()
            .filter(|stored| seen.insert(stored.version_id.clone()));
        let distinct: Vec<Stored> = distinct.collect();
        stream::iter(distinct)
            .map(|stored| async move {
                let held = self.extend_one(versions, &stored, full).await;
                held.then_some(stored.version_id)
            })
            .buffer_unordered(self.settings.run.transfers)
            .filter_map(|held| async move { held })
            .collect()
            .await
    }

    /// Extends one lock unless the store has a longer one; whether it holds as asked.
    async fn extend_one(&self, versions: &Versions, stored: &Stored, full: Retention) -> bool {
        match versions.extend(stored, full).await {
            Ok(()) => {
                self.tally.renewed.one();
                true
            }
            Err(error) => {
                let held = versions.lock_of(stored).await.ok().flatten();
                if held.is_some_and(|held| held.until >= full.until) {
                    return true;
                }
                self.fail(stored.key.clone(), "renew", error.to_string());
                false
            }
        }
    }

    /// The chunk objects themselves; then the ledger tells everyone.
    async fn renew_chunks(
        &mut self,
        versions: &Versions,
        due: Vec<ChunkRef>,
        full: Retention,
    ) -> Result<()> {
        let mut lines = Vec::new();
        for chunk in due {
            let (key, version_id) = (chunk.key.clone(), chunk.version_id.clone());
            let stored = Stored {
                key,
                version_id,
                etag: String::new(),
            };
            if !self.extend_one(versions, &stored, full).await {
                continue;
            }
            lines.push(Renewed {
                chunk: chunk.blake3,
                version_id: chunk.version_id.clone(),
                first: chunk.first.clone(),
                locked_until: full.until,
            });
            if let Some(backup) = &mut self.backup {
                backup.claims.renewed(&chunk, full.until);
            }
        }
        let (Some(backup), Some(settings)) = (&self.backup, &self.settings.backup) else {
            return Ok(());
        };
        if lines.is_empty() {
            return Ok(());
        }
        let renewed = self.tally.renewed.get();
        self.events
            .send(Event::Note(format!("{renewed} locks were extended")));
        let lock = Lock {
            mode: settings.mode,
            period: settings.retention,
        };
        write_ledger(
            &backup.vault,
            self.now().await?,
            lock,
            settings.sse.as_deref(),
            lines,
        )
        .await?;
        Ok(())
    }
}

/// When a chunk's locks are due.
#[derive(Clone, Copy)]
enum When {
    /// Some time before they fall below `renew_below`, spread over many nights.
    Early,
    /// Once they have.
    Late,
}

/// What locks are extended to, and what they must not fall below.
#[derive(Clone, Copy)]
struct Aim {
    full: Retention,
    least: Time,
}

/// How extending went.
#[derive(Clone, Copy, Default)]
struct Renewal {
    /// Versions whose lock could not be extended.
    failed: u64,
    /// Those of them that have too little left.
    at_risk: u64,
}

impl std::ops::AddAssign for Renewal {
    fn add_assign(&mut self, other: Self) {
        self.failed += other.failed;
        self.at_risk += other.at_risk;
    }
}

#[derive(Default)]
struct Latest {
    manifest: Vec<ChunkRef>,
    rescued: Vec<ChunkRef>,
}

/// Which rows, in path order, lie in chunks that are due.
struct Spans<'a> {
    chunks: &'a [ChunkRef],
    due: HashSet<&'a str>,
    at: usize,
}

impl<'a> Spans<'a> {
    fn new(due: &'a [ChunkRef], chunks: &'a [ChunkRef]) -> Self {
        let due = due.iter().map(|chunk| chunk.version_id.as_str()).collect();
        Self { chunks, due, at: 0 }
    }

    fn contains(&mut self, row: &Row) -> bool {
        let path = &row.entry.path;
        while self
            .chunks
            .get(self.at + 1)
            .is_some_and(|next| next.first <= *path)
        {
            self.at += 1;
        }
        let chunk = self.chunks.get(self.at);
        chunk.is_some_and(|chunk| {
            chunk.first <= *path && self.due.contains(chunk.version_id.as_str())
        })
    }
}
