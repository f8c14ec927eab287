//! The look before the first byte: what there is to restore, what is there already, what it takes.

use super::archived::{self, ASKED, Groups};
use crate::engine::download::blocking;
use crate::engine::download::folder::Walk;
use crate::engine::download::space::Needed;
use crate::engine::kept::VersionName;
use crate::model::archive::Archive;
use crate::model::{Action, Entry, Event, Events, Kind, RelPath, Result, Stored, words};
use crate::plan::Overlaps;
use crate::plan::restore::{Existing, Selection, Step, There, step};
use futures::stream::{Stream, StreamExt};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

/// Carried paths are counted, and so many of them named.
const NAMED: usize = 10;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Survey {
    /// Regular files selected.
    pub(super) files: u64,
    /// Those of them that must come, as far as sizes and times tell.
    pub(super) fetch_files: u64,
    /// Their bytes.
    pub(super) fetch: u64,
    /// The first versions of them, with their bytes: one more than are asked for one by one.
    pub(super) to_fetch: Vec<(Stored, u64)>,
    /// Of them, those that are archived, by the classes that were given.
    pub(super) archived: Groups,
    /// Those of them that replace a file.
    pub(super) replaced: u64,
    /// Files that are right already.
    pub(super) right: u64,
    /// Files that have to be read first.
    pub(super) compared: u64,
    /// Files that differ and stay.
    pub(super) refused: u64,
    /// Bytes that the disk must have free.
    pub(super) grow: u64,
    /// Names that are new on the disk.
    pub(super) new_files: u64,
    /// Entries that wait for all files: empty folders and further names of a file.
    pub(super) after_files: u64,
    /// Symbolic links.
    pub(super) symlinks: u64,
    /// Empty folders and symbolic links.
    pub(super) others: u64,
    /// Sockets, FIFOs, devices: never restored.
    pub(super) specials: u64,
    /// Entries that the snapshot took over from an older one.
    pub(super) carried: u64,
    /// The first of them.
    pub(super) carried_names: Vec<RelPath>,
    /// Paths that can't be side by side on a disk.
    pub(super) overlaps: Overlaps,
    /// Which of the paths asked for the snapshot has.
    pub(super) found: HashSet<RelPath>,
}

/// Where and how the survey looks.
#[derive(Clone)]
pub(super) struct Look {
    pub(super) root: PathBuf,
    pub(super) existing: Existing,
    pub(super) dry_run: bool,
    pub(super) events: Events,
    /// Versions that are known to be archived.
    pub(super) classes: Arc<HashMap<VersionName, Archive>>,
}

impl Look {
    /// The same, without a word about single entries.
    pub(super) fn silent(&self) -> Self {
        Self {
            dry_run: false,
            events: Events::none(),
            ..self.clone()
        }
    }
}

/// Goes through all entries once, touching nothing.
///
/// # Errors
/// `Io` if the folder can't be opened.
pub(super) async fn survey(
    entries: impl Stream<Item = Vec<Entry>>,
    selection: &Selection,
    look: &Look,
) -> Result<Survey> {
    let root = look.root.clone();
    let mut walk = blocking(move || Walk::to_look(&root)).await?;
    let mut survey = Survey::default();
    let mut entries = pin!(entries);
    while let Some(chunk) = entries.next().await {
        for entry in &chunk {
            survey
                .found
                .extend(selection.roots_of(&entry.path).cloned());
        }
        let look = look.clone();
        (walk, survey) = blocking(move || {
            for entry in &chunk {
                survey.count(entry, walk.as_mut(), &look);
            }
            Ok((walk, survey))
        })
        .await?;
    }
    Ok(survey)
}

impl Survey {
    fn count(&mut self, entry: &Entry, walk: Option<&mut Walk>, look: &Look) {
        self.overlaps.take(entry);
        if entry.carried {
            self.carried += 1;
            if self.carried_names.len() < NAMED {
                self.carried_names.push(entry.path.clone());
            }
        }
        self.others += u64::from(matches!(entry.kind, Kind::Dir | Kind::Symlink));
        match entry.kind {
            Kind::Special => self.specials += 1,
            Kind::Symlink => self.symlinks += 1,
            Kind::Dir => self.after_files += 1,
            Kind::File => self.count_file(entry, walk, look),
        }
        if look.dry_run && entry.kind != Kind::File && entry.kind != Kind::Special {
            tell(entry, Action::Restore, &look.events);
        }
    }

    fn count_file(&mut self, entry: &Entry, walk: Option<&mut Walk>, look: &Look) {
        self.files += 1;
        let Some(content) = &entry.content else {
            return;
        };
        let place = walk.and_then(|walk| walk.place(&entry.path).ok().flatten());
        let there = place
            .and_then(|place| place.there().ok())
            .unwrap_or(There::Nothing);
        let step = step(content, entry.mtime, there, None, look.existing);
        let writes = matches!(step, Step::Create | Step::Replace);
        if look.dry_run {
            match step {
                Step::Create | Step::Replace => tell(entry, Action::Restore, &look.events),
                // Whether the content differs is only known after hashing it.
                Step::Keep | Step::Touch | Step::Compare => {}
                Step::Differs | Step::FolderInTheWay | Step::Twin => {
                    tell(entry, Action::Refuse, &look.events);
                }
            }
        }
        match step {
            Step::Create | Step::Replace => {}
            Step::Keep | Step::Touch => self.right += 1,
            Step::Compare => self.compared += 1,
            Step::Differs | Step::FolderInTheWay | Step::Twin => self.refused += 1,
        }
        if entry.hardlink.is_some() {
            self.after_files += 1;
        } else if writes {
            self.fetch += content.size;
            self.fetch_files += 1;
            self.replaced += u64::from(step == Step::Replace);
            self.note_version(entry, content.size, look);
            self.new_files += u64::from(step == Step::Create);
            let freed = match there {
                There::File { size, .. } => size,
                _ => 0,
            };
            self.grow += content.size.saturating_sub(freed);
        }
    }

    fn note_version(&mut self, entry: &Entry, size: u64, look: &Look) {
        let Some(stored) = &entry.stored else {
            return;
        };
        if self.to_fetch.len() <= ASKED {
            self.to_fetch.push((stored.clone(), size));
        }
        if let Some(archive) = look.classes.get(&VersionName::of(stored)) {
            archived::add(&mut self.archived, *archive, false, size);
        }
    }

    /// What the disk must have free.
    pub(super) fn needed(&self) -> Needed {
        Needed {
            bytes: self.grow,
            files: self.new_files,
        }
    }

    /// For people: what is left out.
    pub(super) fn overlap_note(&self) -> Option<String> {
        let names = self.overlaps.names();
        let some: Vec<_> = names
            .iter()
            .take(NAMED)
            .map(|name| name.display())
            .collect();
        (!some.is_empty()).then(|| {
            let more = match names.len() - some.len() {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            format!(
                "a file had become a folder, or a folder a file, and the old one was carried: what \
                 was seen last is restored, the old one is in an earlier snapshot (tidelock \
                 history): {}{more}",
                some.join(", ")
            )
        })
    }

    /// For people: what was carried.
    pub(super) fn carried_note(&self) -> Option<String> {
        let mut names: Vec<_> = self
            .carried_names
            .iter()
            .map(|name| name.display())
            .collect();
        let rest = self.carried - names.len() as u64;
        if rest > 0 {
            names.push(format!("and {} more", words::digits(rest)).into());
        }
        (self.carried > 0).then(|| {
            let paths = words::count(self.carried, "path comes", "paths come");
            format!(
                "{paths} from an older snapshot, because the run could not see what is there: {}",
                names.join(", ")
            )
        })
    }
}

fn tell(entry: &Entry, action: Action, events: &Events) {
    events.send(Event::File {
        path: entry.path.clone(),
        action,
        side: None,
        size: entry.size(),
        planned: true,
    });
}
