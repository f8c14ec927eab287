//! `--dry-run`: the plan, printed; nothing is touched.

use super::Run;
use super::forecast::Sketch;
use super::stages::Progress;
use crate::library::Library;
use crate::model::{Action, Event, ExitCode, RelPath, Result, Side};
use crate::plan::{DeleteVerdict, Mirror, Plan, Task};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often each action is planned on each side, and what that asks of the targets.
#[derive(Default)]
struct Planned {
    counts: BTreeMap<(Option<Side>, Action), u64>,
    sketch: Sketch,
}

impl Planned {
    /// One line a side: `sync: 2 upload, 1 delete`.
    fn lines(&self) -> String {
        if self.counts.is_empty() {
            return "nothing to do".to_owned();
        }
        let mut sides: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for ((side, action), count) in &self.counts {
            let side = side.map_or("library", Side::as_str);
            let part = format!("{count} {}", action.as_str());
            sides.entry(side).or_default().push(part);
        }
        let lines = sides
            .iter()
            .map(|(side, parts)| format!("{side}: {}", parts.join(", ")));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Run {
    /// Tells what a run would do, as far as that can be known without reading any file.
    pub(super) async fn dry_run(
        &mut self,
        plan: Plan,
        library: Arc<Library>,
        scan_errors: bool,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut all = Planned::default();
        for task in &plan.tasks {
            self.predict(task, &mut all).await?;
        }
        let look = self.look_beforehand(&plan.tasks, &library, false).await;
        if self.is_doubtful(&plan.tasks, &plan, look) {
            let text = "so many files seem to have changed that a run would send them to the \
                        backup alone first, and write to the mirror only if fewer than max_change \
                        really have, and most are still of the type that they were of";
            self.events.send(Event::Warning(text.to_owned()));
        }
        for path in plan.special.iter().chain(&plan.never_stored) {
            self.planned(&mut all, path, Action::Skip, None, 0);
        }
        let verdict = self.judge(&plan, scan_errors).await?;
        let action = match &verdict {
            DeleteVerdict::Allowed => Action::Delete,
            DeleteVerdict::Doubt | DeleteVerdict::Refused { .. } => Action::Refuse,
        };
        for extra in &plan.extras {
            self.planned(
                &mut all,
                &extra.object.path,
                action,
                Some(Side::Sync),
                extra.object.size,
            );
        }
        for known in plan.offline.iter().filter(|known| !known.entry.carried) {
            let (path, size) = (&known.entry.path, known.entry.size());
            self.planned(&mut all, path, Action::Carry, None, size);
        }
        if action == Action::Refuse {
            for known in &plan.gone {
                let (path, size) = (&known.entry.path, known.entry.size());
                self.planned(&mut all, path, Action::Carry, None, size);
            }
        }
        let route = self.route_in_words().unwrap_or_default();
        let text = format!(
            "dry run, nothing was touched; planned:\n{}{route}",
            all.lines()
        );
        self.events.send(Event::Note(text));
        progress.forecast = Some(self.foretell(&plan, &verdict, all.sketch).await?);
        if let DeleteVerdict::Refused { why, override_flag } = verdict {
            self.raise(ExitCode::Refused);
            return Err(self.refusal(&plan, &why, &override_flag));
        }
        if scan_errors {
            self.raise(ExitCode::Partial);
        }
        Ok(())
    }

    async fn predict(&self, task: &Task, all: &mut Planned) -> Result<()> {
        let (path, size) = (&task.seen.path, task.seen.size);
        // A second path of one inode has the content of the first, which is done before it.
        let moved = !task.same
            && (task.hardlink.is_some() || self.memory.is_like(size, task.seen.mtime).await?);
        let backs_up = self.backup.is_some() && self.which.backs_up();
        let stored = task.same
            && task
                .known
                .as_deref()
                .is_some_and(|k| k.entry.stored.is_some());
        if backs_up && !stored {
            let action = match task.mirror {
                _ if moved => Action::Reference,
                Mirror::Off => Action::Upload,
                _ if self.copies.is_some() => Action::Copy,
                _ => Action::Upload,
            };
            self.planned(all, path, action, Some(Side::Backup), size);
        }
        let send = if moved { Action::Copy } else { Action::Upload };
        let actions: &[Action] = match &task.mirror {
            Mirror::Off => &[],
            Mirror::Holds { .. } if task.same => &[],
            Mirror::Absent | Mirror::Holds { .. } | Mirror::Cleared { .. } => &[send],
            Mirror::Unknown { size: theirs, .. } if *theirs == size => &[Action::Adopt],
            Mirror::Unknown { .. } | Mirror::Foreign { .. } if self.backup.is_some() => {
                &[Action::Rescue, send]
            }
            Mirror::Unknown { .. } | Mirror::Foreign { .. } => &[send],
        };
        for &action in actions {
            self.planned(all, path, action, Some(Side::Sync), size);
        }
        Ok(())
    }

    fn planned(
        &self,
        all: &mut Planned,
        path: &RelPath,
        action: Action,
        side: Option<Side>,
        size: u64,
    ) {
        *all.counts.entry((side, action)).or_default() += 1;
        all.sketch.take(action, side, size);
        let path = path.clone();
        self.events.send(Event::File {
            path,
            action,
            side,
            size,
            planned: true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planned_is_counted_a_line_a_side() {
        let mut all = Planned::default();
        assert_eq!(all.lines(), "nothing to do");
        for (side, action, count) in [
            (Some(Side::Sync), Action::Delete, 1),
            (Some(Side::Sync), Action::Upload, 2),
            (None, Action::Skip, 3),
        ] {
            all.counts.insert((side, action), count);
        }
        assert_eq!(all.lines(), "library: 3 skip\nsync: 2 upload, 1 delete");
    }
}
