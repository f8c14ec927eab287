//! Files that a cloud drive keeps a placeholder of: told, and taken over without doubt.

use super::Run;
use crate::model::{Action, CloudFiles, Event, Kind, RelPath, Result, words};
use crate::plan::Plan;

/// Paths that a message names; the rest is counted.
const NAMED: usize = 5;

impl Run {
    /// Tells how many files are in the cloud alone, and which of them no copy is of.
    pub(super) fn tell_placeholders(&self, plan: &Plan, setting: CloudFiles) {
        let kept = plan.offline.iter().filter(|k| k.entry.kind == Kind::File);
        let kept = kept.count() as u64;
        let never = plan.never_stored.len() as u64;
        self.tally.skipped.add(kept + never);
        if kept > 0 {
            self.events.send(Event::Note(kept_in_words(kept)));
        }
        if never > 0 {
            let text = never_in_words(&plan.never_stored, setting);
            self.events.send(Event::Warning(text));
        }
    }

    /// The snapshot goes on naming what it named. That is no doubt: their drive says that the
    /// files are there, so deletes elsewhere go on, and the snapshot is complete.
    pub(super) async fn settle_offline(&mut self, plan: &Plan) -> Result<()> {
        for path in &plan.never_stored {
            self.events.send(Event::File {
                path: path.clone(),
                action: Action::Skip,
                side: None,
                size: 0,
                planned: false,
            });
        }
        for known in &plan.offline {
            // What an unfinished run has stored since is newer than the base's entry.
            if known.committed && !known.entry.carried {
                self.carry(known.entry.path.clone()).await?;
            }
        }
        Ok(())
    }
}

fn kept_in_words(count: u64) -> String {
    let files = words::count(count, "file is", "files are");
    format!("{files} in the cloud only, and kept as stored before")
}

fn never_in_words(paths: &[RelPath], setting: CloudFiles) -> String {
    let named: Vec<String> = paths.iter().take(NAMED).map(|p| format!("{p:?}")).collect();
    let more = match paths.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what_to_do = match setting {
        CloudFiles::Skip => {
            "have the drive keep them on this computer (for iCloud: `brctl download PATH`), or set \
             cloud_files = \"download\""
        }
        CloudFiles::Download => {
            "an .icloud stub can't be read, only iCloud itself fetches what it stands for: \
             `brctl download PATH`"
        }
    };
    let them = if paths.len() == 1 {
        "1 file is in the cloud only and was never stored"
    } else {
        "files are in the cloud only and were never stored"
    };
    let count = match paths.len() {
        1 => String::new(),
        count => format!("{count} "),
    };
    format!(
        "{count}{them}: {}{more}. To have them backed up, {what_to_do}",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f69_what_was_never_stored_is_named_with_the_way_out() {
        let paths: Vec<RelPath> = ["a", "b", "c", "d", "e", "f", "g"]
            .map(RelPath::from)
            .into();
        let text = never_in_words(&paths, CloudFiles::Skip);
        assert!(
            text.starts_with("7 files are in the cloud only and were never stored: "),
            "{text}"
        );
        assert!(text.contains("\"e\" and 2 more. "), "{text}");
        assert!(
            text.ends_with("or set cloud_files = \"download\""),
            "{text}"
        );
        let text = never_in_words(&paths[..1], CloudFiles::Download);
        assert!(
            text.starts_with("1 file is in the cloud only and was never stored: \"a\". "),
            "{text}"
        );
        assert!(text.contains("brctl download"), "{text}");
    }
}
