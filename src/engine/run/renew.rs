//! Extending locks before they run out.

use super::Run;
use super::stages::Progress;
use crate::engine::renewal::{By, Renewal, Request, renew};
use crate::engine::versions::{Extended, Versions};
use crate::model::{
    Entry, Event, ExitCode, Failure, RelPath, Result, Retention, StoreErrorKind, Stored, Time,
    words,
};
use crate::snapshot::{Claims, Loaded};
use crate::state::{Change, Found, Row, View};
use futures::stream::{self, StreamExt};
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::Arc;

/// Rows whose locks are extended at a time.
const BATCH: usize = 1000;

impl Run {
    /// Extends, chunk by chunk, whatever is due of what any kept snapshot names. First of all, so
    /// that it happens while the library can't be seen, and so that what is found gone is stored
    /// again by this very run.
    pub(super) async fn renew_kept(&mut self, progress: &mut Progress) -> Result<()> {
        if self.which.backs_up() {
            self.renew_all(progress).await?;
        }
        Ok(())
    }

    /// `sync` alone renews only where it commits: what it rescues is named beside all that the
    /// parent names.
    pub(super) async fn renew_for_rescue(&mut self) -> Result<()> {
        if self.which.backs_up() {
            return Ok(());
        }
        let mut progress = Progress::default();
        self.renew_all(&mut progress).await?;
        if !progress.lost.is_empty() {
            self.raise(ExitCode::Damage);
        }
        self.tell_at_once(progress);
        Ok(())
    }

    /// A checkpoint promises of its locks what every snapshot does.
    pub(super) async fn renew_for_checkpoint(&mut self) -> Result<()> {
        let mut progress = Progress::default();
        self.renew_rows(&mut progress).await?;
        self.tell_at_once(progress);
        Ok(())
    }

    fn tell_at_once(&mut self, progress: Progress) {
        if progress.at_risk > 0 {
            self.raise(ExitCode::Damage);
        }
        for failure in progress.late {
            self.fail(failure.path, failure.stage, failure.message);
        }
    }

    async fn renew_all(&mut self, progress: &mut Progress) -> Result<()> {
        let (Some(backup), Some(settings)) = (&mut self.backup, &self.settings.backup) else {
            return Ok(());
        };
        if backup.latest.is_none() {
            return Ok(());
        }
        let listed = backup.listed.take();
        let (versions, vault) = (Arc::clone(&backup.versions), backup.vault.clone());
        let remembered = backup.remembered.clone();
        let transfers = self.settings.run.transfers;
        let check = async || self.check_leases().await;
        let request = Request {
            vault: &vault,
            listed,
            settings,
            by: By::Claims,
            transfers,
            events: &self.events,
        };
        let renewal = renew(&versions, request, check).await?;
        if let Some(remembered) = remembered {
            // All three folders were listed for it.
            remembered.tidy().await?;
        }
        self.take_in(renewal, progress).await
    }

    async fn take_in(&mut self, renewal: Renewal, progress: &mut Progress) -> Result<()> {
        self.tally.renewed.add(renewal.renewed);
        if renewal.renewed > 0 {
            let note = format!(
                "{} extended",
                words::count(renewal.renewed, "lock was", "locks were")
            );
            self.events.send(Event::Note(note));
        }
        progress.at_risk += renewal.at_risk;
        if let Some(settings) = &self.settings.backup {
            progress.prunable = renewal.kept.prunable(&settings.keep, &TimeZone::system());
        }
        if !renewal.failures.is_empty() {
            self.raise(ExitCode::Damage);
        }
        for (id, error) in &renewal.kept.unreadable {
            let warning = format!("snapshot {id}: {error}");
            self.events.send(Event::Warning(warning));
        }
        progress.late.extend(renewal.failures);
        let lost: Vec<Stored> = renewal
            .lost
            .iter()
            .filter_map(|mention| mention.entry.stored.clone())
            .collect();
        if !lost.is_empty() {
            self.state
                .call(move |state| state.forget_versions(&lost))
                .await?;
        }
        progress.lost = renewal.lost;
        if let Some(backup) = &mut self.backup {
            backup.claims = renewal.kept.claims;
            for chunk in &renewal.lost_chunks {
                backup.claims.forget(chunk);
            }
        }
        Ok(())
    }

    /// After the commit: what was lost and could not be stored again is told of.
    pub(super) async fn settle_lost(&mut self, progress: &mut Progress) -> Result<()> {
        for mention in std::mem::take(&mut progress.lost) {
            if mention.healed_by.is_none() && !self.has_again(&mention.entry).await? {
                let path = mention.entry.path.display().into_owned();
                self.lost_for_good(progress, path, &mention.lost.to_string());
            }
        }
        Ok(())
    }

    pub(super) fn lost_for_good(&mut self, progress: &mut Progress, path: String, why: &str) {
        self.raise(ExitCode::Damage);
        progress.late.push(Failure {
            path,
            stage: "renew",
            message: format!("{why}, and the library does not have this content any more"),
        });
    }

    pub(super) async fn has_again(&self, entry: &Entry) -> Result<bool> {
        let Some(content) = entry.content else {
            return Ok(false);
        };
        let found = self
            .state
            .find_content(content.blake3, content.size)
            .await?;
        Ok(found.iter().any(|found| found.row.entry.stored.is_some()))
    }

    /// Just before the commit: whatever the snapshot is going to name and what has less than
    /// `renew_below` left, e.g. what an interrupted run stored long ago.
    pub(super) async fn renew_rows(&mut self, progress: &mut Progress) -> Result<()> {
        let (Some(backup), Some(settings)) = (&self.backup, &self.settings.backup) else {
            return Ok(());
        };
        if !self.which.backs_up() {
            return Ok(());
        }
        let versions = Arc::clone(&backup.versions);
        let full = versions.full_lock().await?;
        let now = self.now().await?;
        let least = now.checked_add(settings.renew_below).unwrap_or(Time::MAX);
        let mut claimed = Claimed::of(backup.latest.as_ref(), &backup.claims);
        let mut batch: Vec<Row> = Vec::new();
        let mut rows = self.state.rows(View::Merged);
        while let Some(found) = rows.next().await? {
            let until = claimed.until(&found).unwrap_or(Time::UNIX_EPOCH);
            if found.row.entry.stored.is_some() && until < least {
                batch.push(found.row);
            }
            if batch.len() >= BATCH {
                let full_batch = std::mem::take(&mut batch);
                self.extend(&versions, full_batch, full, progress).await?;
            }
        }
        self.extend(&versions, batch, full, progress).await
    }

    async fn extend(
        &self,
        versions: &Versions,
        rows: Vec<Row>,
        full: Retention,
        progress: &mut Progress,
    ) -> Result<()> {
        let distinct: HashMap<String, Stored> = rows
            .iter()
            .filter_map(|row| row.entry.stored.clone())
            .map(|stored| (stored.version_id.clone(), stored))
            .collect();
        let ended: HashMap<String, bool> = stream::iter(distinct)
            .map(|(id, stored)| async move {
                let ended = versions.ensure(&stored, full).await;
                (id, self.note_extended(&stored, ended))
            })
            .buffer_unordered(self.settings.run.transfers)
            .collect()
            .await;
        for mut row in rows {
            let id = row.entry.stored.as_ref().map(|it| it.version_id.as_str());
            if id.and_then(|id| ended.get(id)) == Some(&true) {
                row.locked_until = Some(full.until);
                self.state.put_pending(Change::Store(row)).await?;
            } else {
                progress.at_risk += 1;
                progress.late.push(Failure {
                    path: row.entry.path.display().into_owned(),
                    stage: "renew",
                    message: "its version is gone, or its lock could not be extended".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn note_extended(&self, stored: &Stored, ended: crate::model::StoreResult<Extended>) -> bool {
        match ended {
            Ok(Extended::Now) => {
                self.tally.renewed.one();
                true
            }
            Ok(Extended::Before) => true,
            Ok(Extended::Gone) => false,
            Err(error) => {
                if error.kind != StoreErrorKind::NotFound {
                    tracing::warn!(key = stored.key, %error, "a lock could not be extended");
                }
                false
            }
        }
    }

    /// The earliest lock that the latest snapshot names, as far as claims tell.
    pub(super) fn protected_until(&self) -> Option<Time> {
        let backup = self.backup.as_ref()?;
        let snapshot = &backup.latest.as_ref()?.snapshot;
        let chunks = snapshot.manifest.iter().chain(&snapshot.rescued);
        let until = chunks.map(|chunk| backup.claims.locked_until(chunk)).min();
        Some(until.unwrap_or(snapshot.protected_until)).filter(|until| *until > Time::UNIX_EPOCH)
    }
}

/// Raises rows' own dates to what is claimed of the chunk of the latest snapshot that they lie in:
/// renewals go by chunk, and not every row is written anew for them.
pub(super) struct Claimed {
    /// First path and claim, in the order of paths.
    chunks: Vec<(RelPath, Time)>,
    at: usize,
}

impl Claimed {
    pub(super) fn of(latest: Option<&Loaded>, claims: &Claims) -> Self {
        let manifest = latest.map(|loaded| &*loaded.snapshot.manifest);
        let chunks = manifest.unwrap_or_default().iter();
        Self {
            chunks: chunks
                .map(|chunk| (chunk.first.clone(), claims.locked_until(chunk)))
                .collect(),
            at: 0,
        }
    }

    /// A lower bound of the lock of a row's version. Rows come in the order of paths.
    pub(super) fn until(&mut self, found: &Found) -> Option<Time> {
        let own = found.row.locked_until;
        found.row.entry.stored.as_ref()?;
        let path = &found.row.entry.path;
        let next = |at: usize| self.chunks.get(at + 1);
        while next(self.at).is_some_and(|(first, _)| first <= path) {
            self.at += 1;
        }
        match self.chunks.get(self.at) {
            Some((first, until)) if found.committed && first <= path => {
                Some(own.map_or(*until, |own| own.max(*until)))
            }
            _ => own,
        }
    }
}
