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
        let verdict = check_deletes(&DeleteGuard {
            deletes,
            total: plan
                .known_files
                .max(plan.files)
                .max(plan.extras.len() as u64),
            limit: limits.map_or(Limit::Percent(10.0), |sync| sync.max_delete),
            overridden: limits.is_some_and(|sync| sync.max_delete_override),
            first_run: self.first_run && !plan.extras.is_empty(),
            doubt,
        });
        if matches!(verdict, DeleteVerdict::Refused { .. }) {
            self.tell_victims(plan);
        }
        Ok(verdict)
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
        Ok(if self.sync.is_some() {
            extras.max(files)
        } else {
            files
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
        Ok(found
            .iter()
            .any(|found| !gone.contains(&found.row.entry.path)))
    }

    fn tell_victims(&self, plan: &Plan) {
        let extras = plan
            .extras
            .iter()
            .map(|extra| (&extra.object.path, extra.object.size));
        let gone = plan
            .gone
            .iter()
            .filter(|known| known.entry.kind == Kind::File);
        let gone = gone.map(|known| (&known.entry.path, known.entry.size()));
        let side = self.sync.as_ref().map(|_| Side::Sync);
        let victims: Vec<_> = if side.is_some() {
            extras.collect()
        } else {
            gone.collect()
        };
        // A dry run names each of them anyway.
        if !self.settings.run.dry_run {
            let paths = victims.iter().map(|(path, _)| path.display().into_owned());
            self.events.send(Event::Note(some_of(paths.collect())));
        }
        for (path, size) in victims {
            let (path, action) = (path.clone(), Action::Refuse);
            self.events.send(Event::File {
                path,
                action,
                side,
                size,
                planned: false,
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
    async fn carry(&self, path: RelPath) -> Result<bool> {
        let base = self.state.call({
            let path = path.clone();
            move |state| state.get_base(&path)
        });
        match base.await? {
            Some(found)
                if found.row.entry.kind != Kind::File || found.row.entry.stored.is_some() =>
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

    /// The refusal, with the exact override.
    pub(super) fn refusal(&self, why: &str, override_flag: &str) -> Error {
        let place = match &self.settings.sync {
            Some(sync) => sync.target.to_string(),
            None => "the library".to_owned(),
        };
        Error::Refused(format!(
            "{place}: {why}. Nothing was deleted; uploads and the backup went on. If these deletes \
             are meant, run once more with {override_flag}; --dry-run lists them all"
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

/// The first of what would be deleted, and how many more there are.
fn some_of(paths: Vec<String>) -> String {
    let mut text = "these would be deleted:".to_owned();
    for path in paths.iter().take(LISTED) {
        // A name of several lines must not look like several names.
        text.push_str(&format!("\n  {}", path.replace('\n', "\\n")));
    }
    if paths.len() > LISTED {
        text.push_str(&format!("\n  and {} more", paths.len() - LISTED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_first_victims_and_counts_the_rest() {
        let names = |count: u32| (0..count).map(|n| format!("{n}.jpg")).collect();
        let text = some_of(names(12));
        assert_eq!(text.lines().count(), 1 + LISTED + 1, "{text}");
        assert!(text.ends_with("\n  9.jpg\n  and 2 more"), "{text}");
        assert!(some_of(names(10)).ends_with("\n  9.jpg"));
        assert_eq!(
            some_of(vec!["a\nerror: all is lost".to_owned()])
                .lines()
                .count(),
            2
        );
    }
}
