//! Extending locks before they run out.

use super::Run;
use super::stages::Progress;
use crate::engine::versions::Versions;
use crate::model::{Event, Result, Retention, Stored, Time};
use crate::plan::renew_due;
use crate::snapshot::{ChunkRef, Lock, Renewed, write_ledger};
use crate::state::{Change, Row, View};
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
            progress.at_risk = self.renew_rows(View::Merged).await?;
        }
        Ok(())
    }

    /// The same for the latest snapshot, while the library can't be seen.
    pub(super) async fn renew_in_absence(&mut self) -> Result<()> {
        if self.backup.is_some() && self.which.backs_up() {
            self.renew_rows(View::Base).await?;
        }
        Ok(())
    }

    /// Until when everything that the latest snapshot names is locked at least, renewals included.
    pub(super) fn protected_until(&self) -> Option<Time> {
        let backup = self.backup.as_ref()?;
        let snapshot = &backup.latest.as_ref()?.snapshot;
        let chunks = snapshot.manifest.iter().chain(&snapshot.rescued);
        chunks.map(|chunk| backup.claims.locked_until(chunk)).min()
    }

    /// Returns how many versions have less than `renew_below` left and could not be extended.
    async fn renew_rows(&mut self, view: View) -> Result<u64> {
        let (Some(backup), Some(settings)) = (&self.backup, &self.settings.backup) else {
            return Ok(0);
        };
        let versions = Arc::clone(&backup.versions);
        let full = versions.full_lock().await?;
        let now = self.now().await?;
        let least = now.checked_add(settings.renew_below).unwrap_or(Time::MAX);
        let due = self.due_chunks(now);
        let mut batch: Vec<Row> = Vec::new();
        let mut at_risk = 0;
        let mut rows = self.state.rows(view);
        let mut span = Spans::new(&due, backup.latest.as_ref().map(|l| &*l.snapshot.manifest));
        while let Some(found) = rows.next().await? {
            let row = found.row;
            let until = row.locked_until.unwrap_or(Time::UNIX_EPOCH);
            let in_due_chunk = span.contains(&row) && until < full.until;
            if row.entry.stored.is_some() && (until < least || in_due_chunk) {
                batch.push(row);
            }
            if batch.len() >= BATCH {
                at_risk += self
                    .extend(&versions, std::mem::take(&mut batch), full, least)
                    .await?;
            }
        }
        at_risk += self.extend(&versions, batch, full, least).await?;
        if at_risk == 0 {
            self.renew_chunks(&versions, due, full).await?;
        }
        Ok(at_risk)
    }

    /// The latest snapshot's chunks whose locks are to be extended now.
    fn due_chunks(&self, now: Time) -> Vec<ChunkRef> {
        let (Some(backup), Some(settings)) = (&self.backup, &self.settings.backup) else {
            return Vec::new();
        };
        let Some(latest) = &backup.latest else {
            return Vec::new();
        };
        let is_due = |chunk: &&ChunkRef| {
            let until = backup.claims.locked_until(chunk);
            renew_due(
                until,
                now,
                settings.retention,
                settings.renew_below,
                &chunk.first,
            )
        };
        latest
            .snapshot
            .manifest
            .iter()
            .filter(is_due)
            .cloned()
            .collect()
    }

    async fn extend(
        &self,
        versions: &Versions,
        rows: Vec<Row>,
        full: Retention,
        least: Time,
    ) -> Result<u64> {
        let jobs = self.settings.run.transfers;
        let mut seen = HashSet::new();
        let distinct: Vec<Stored> = rows
            .iter()
            .filter_map(|row| row.entry.stored.clone())
            .filter(|stored| seen.insert(stored.version_id.clone()))
            .collect();
        let extended: Vec<(Stored, bool)> = stream::iter(distinct)
            .map(|stored| async move {
                let ended = self.extend_one(versions, &stored, full).await;
                (stored, ended)
            })
            .buffer_unordered(jobs)
            .collect()
            .await;
        let done: HashSet<&str> = extended
            .iter()
            .filter(|(_, done)| *done)
            .map(|(stored, _)| stored.version_id.as_str())
            .collect();
        let mut at_risk = 0;
        for mut row in rows {
            let id = row
                .entry
                .stored
                .as_ref()
                .map(|stored| stored.version_id.as_str());
            if id.is_some_and(|id| done.contains(id)) {
                row.locked_until = Some(full.until);
                self.state.put_pending(Change::Store(row)).await?;
            } else if row.locked_until.is_none_or(|until| until < least) {
                at_risk += 1;
            }
        }
        Ok(at_risk)
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
            .send(Event::Note(format!("locks extended: {renewed}")));
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

/// Which rows, in path order, lie in chunks that are due.
struct Spans<'a> {
    chunks: &'a [ChunkRef],
    due: HashSet<&'a str>,
    at: usize,
}

impl<'a> Spans<'a> {
    fn new(due: &'a [ChunkRef], chunks: Option<&'a [ChunkRef]>) -> Self {
        let due = due.iter().map(|chunk| chunk.version_id.as_str()).collect();
        Self {
            chunks: chunks.unwrap_or_default(),
            due,
            at: 0,
        }
    }

    fn contains(&mut self, row: &Row) -> bool {
        if self.due.is_empty() {
            return false;
        }
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
