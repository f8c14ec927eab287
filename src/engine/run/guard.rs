//! May anything be deleted, and what becomes of paths that are not there?

use super::Run;
use crate::engine::memory::row;
use crate::engine::transfer::Batch;
use crate::model::{Action, Error, Event, Kind, Limit, RelPath, Result, Side};
use crate::plan::{DeleteGuard, DeleteVerdict, Extra, Known, Plan, check_deletes};
use crate::state::Change;
use std::collections::HashSet;

/// Victims that a refusal lists; the rest is counted.
const LISTED: usize = 10;

impl Run {
    /// Entries that change without any bytes being sent, and what this machine learned of
    /// unchanged files.
    pub(super) async fn remember_entries(&mut self, plan: &mut Plan) -> Result<()> {
        for entry in std::mem::take(&mut plan.entries) {
            self.state.put_pending(Change::Store(row(entry))).await?;
        }
        let identities = std::mem::take(&mut plan.identities);
        if !identities.is_empty() {
            self.state
                .call(move |state| state.set_identities(&identities))
                .await?;
        }
        for path in &plan.special {
            let (path, action) = (path.clone(), Action::Skip);
            self.events.send(Event::File {
                path,
                action,
                side: None,
                size: 0,
                planned: false,
            });
        }
        let unchanged = plan.unchanged;
        if self.sync.is_some() {
            self.tally.sync_unchanged.add(unchanged);
        }
        if self.backup.is_some() && self.which.backs_up() {
            self.tally.backup_unchanged.add(unchanged);
        }
        Ok(())
    }

    /// Files that could not be read or stored, and files that vanished since the scan, keep the
    /// entry that the base has of them. Returns whether none had to be carried.
    pub(super) async fn settle_missing(&mut self, batch: &Batch) -> Result<bool> {
        let mut whole = batch.failed.is_empty();
        for task in &batch.gone {
            let path = &task.seen.path;
            self.events
                .send(Event::Note(format!("{path} vanished before it was read")));
        }
        for task in batch.failed.iter().chain(&batch.gone) {
            let path = task.seen.path.clone();
            let now = self.state.get(path.clone()).await?;
            let stored_now = now.as_ref().is_some_and(|found| {
                let entry = &found.row.entry;
                !found.committed && entry.stored.is_some() && entry.mtime == Some(task.seen.mtime)
            });
            if !stored_now {
                whole &= !self.carry(path).await?;
            }
        }
        Ok(whole)
    }

    /// The guard's verdict on this run's deletes.
    pub(super) async fn judge(&self, plan: &Plan, doubt: bool) -> Result<DeleteVerdict> {
        let deletes = self.count_deletes(plan).await?;
        let limits = self.settings.sync.as_ref();
        Ok(check_deletes(&DeleteGuard {
            deletes,
            total: plan
                .known_files
                .max(plan.files)
                .max(plan.extras.len() as u64),
            limit: limits.map_or(Limit::Percent(10.0), |sync| sync.max_delete),
            overridden: limits.is_some_and(|sync| sync.max_delete_override),
            first_run: self.first_run && !plan.extras.is_empty(),
            doubt,
        }))
    }

    /// Deletes, those of moved content left out: a renamed folder is none.
    async fn count_deletes(&self, plan: &Plan) -> Result<u64> {
        let gone: HashSet<&RelPath> = plan.gone.iter().map(|known| &known.entry.path).collect();
        let mut extras = 0;
        for extra in &plan.extras {
            extras += u64::from(!self.moved(extra.holds.as_ref(), &gone).await?);
        }
        let mut files = 0;
        for known in plan
            .gone
            .iter()
            .filter(|known| known.entry.kind == Kind::File)
        {
            files += u64::from(!self.moved(Some(known), &gone).await?);
        }
        Ok(match (&self.sync, self.which.backs_up()) {
            (None, _) => files,
            (Some(_), true) => extras.max(files),
            // Nothing is dropped from any snapshot: what is gone from the mirror already stays
            // remembered, and is no delete again.
            (Some(_), false) => extras,
        })
    }

    /// Whether a content that vanished from its path was found at another one.
    async fn moved(&self, known: Option<&Known>, gone: &HashSet<&RelPath>) -> Result<bool> {
        let Some(content) = known.and_then(|known| known.entry.content) else {
            return Ok(false);
        };
        let found = self
            .state
            .find_content(content.blake3, content.size)
            .await?;
        for found in found {
            let path = found.row.entry.path;
            if gone.contains(&path) {
                continue;
            }
            // The path may have another content by now.
            let now = self.state.get(path).await?;
            if now.is_some_and(|now| now.row.entry.content == Some(content)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What deletes would be of, with its bytes: objects of the mirror, or remembered files.
    fn victims<'a>(&self, plan: &'a Plan) -> Vec<(&'a RelPath, u64)> {
        let extras = plan
            .extras
            .iter()
            .map(|extra| (&extra.object.path, extra.object.size));
        let gone = plan
            .gone
            .iter()
            .filter(|known| known.entry.kind == Kind::File);
        let gone = gone.map(|known| (&known.entry.path, known.entry.size()));
        if self.sync.is_some() && !plan.extras.is_empty() {
            extras.collect()
        } else {
            gone.collect()
        }
    }

    /// Tells of every delete that was refused.
    pub(super) fn tell_victims(&self, plan: &Plan) {
        let side = self.sync.as_ref().map(|_| Side::Sync);
        for (path, size) in self.victims(plan) {
            let (path, action) = (path.clone(), Action::Refuse);
            let planned = false;
            self.events.send(Event::File {
                path,
                action,
                side,
                size,
                planned,
            });
        }
    }

    /// Paths that are remembered but were not found: dropped from the next snapshot where deletes
    /// are allowed, carried otherwise. Returns whether none had to be carried.
    pub(super) async fn settle_gone(
        &mut self,
        plan: &Plan,
        verdict: &DeleteVerdict,
    ) -> Result<bool> {
        let drop = *verdict == DeleteVerdict::Allowed && !self.tally.any_failure();
        for known in &plan.gone {
            let path = known.entry.path.clone();
            if drop {
                self.state.put_pending(Change::Drop(path)).await?;
            } else {
                self.carry(path).await?;
            }
        }
        Ok(drop || plan.gone.is_empty())
    }

    /// Takes the base's entry over, and says whether there was one: a path that the base does not
    /// have is not named at all.
    pub(super) async fn carry(&self, path: RelPath) -> Result<bool> {
        let base = self.state.call({
            let path = path.clone();
            move |state| state.get_base(&path)
        });
        match base.await? {
            // Without a backup target the state alone remembers, and no version is to be named.
            Some(found)
                if found.row.entry.kind != Kind::File
                    || found.row.entry.stored.is_some()
                    || self.backup.is_none() =>
            {
                let mut row = found.row;
                row.entry.carried = true;
                let size = row.entry.size();
                self.state.put_pending(Change::Carry(row)).await?;
                let action = Action::Carry;
                self.events.send(Event::File {
                    path,
                    action,
                    side: None,
                    size,
                    planned: false,
                });
                Ok(true)
            }
            _ => {
                self.state.put_pending(Change::Drop(path)).await?;
                Ok(false)
            }
        }
    }

    /// The refusal, with the first victims and the exact override.
    pub(super) fn refusal(&self, plan: &Plan, why: &str, override_flag: &str) -> Error {
        let place = match &self.settings.sync {
            Some(sync) => sync.target.to_string(),
            None => "the library".to_owned(),
        };
        let victims = self.victims(plan);
        let named: Vec<String> = victims
            .iter()
            .take(LISTED)
            .map(|(path, _)| format!("{path:?}"))
            .collect();
        let more = match victims.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more (-v names all)"),
        };
        let outcome = if self.settings.run.dry_run {
            "A run would delete nothing; uploads and the backup would go on"
        } else {
            "Nothing was deleted; uploads and the backup went on"
        };
        Error::Refused(format!(
            "{place}: {why}: {}{more}. {outcome}. If these deletes are meant, run once more with \
             {override_flag}",
            named.join(", ")
        ))
    }

    /// An extra whose path the base still names; for deletes only.
    pub(super) fn delete_event(extra: &Extra) -> Event {
        let (path, size) = (extra.object.path.clone(), extra.object.size);
        let (action, side) = (Action::Delete, Some(Side::Sync));
        Event::File {
            path,
            action,
            side,
            size,
            planned: false,
        }
    }
}
