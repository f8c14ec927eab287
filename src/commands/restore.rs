//! `tidelock restore`: from the backup target into a folder, without any state.

use super::Outcome;
use super::reading::{Backup, Which};
use crate::engine::history::find_version;
use crate::engine::kept::Kept;
use crate::engine::look;
use crate::engine::removed::{Removed, removed};
use crate::engine::restore::{Request, Restored, restore, restore_entries};
use crate::engine::stop::Stop;
use crate::engine::thaw::Thaw;
use crate::model::archive::Tier;
use crate::model::{
    BackupSummary, Entry, Error, Event, Events, ExitCode, Failure, Preview, RelPath,
    RestoreSummary, Result, Settings, StoreErrorKind, Summary, Time, when,
};
use crate::plan::restore::{Existing, Selection};
use crate::report::{Desk, pick, question, show_minute};
use crate::snapshot::{Found, Select, Snapshot};
use futures::stream::StreamExt;
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use std::ffi::OsString;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

/// What the command line says beside the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Restore {
    /// `PATH...`; none means all.
    pub paths: Vec<OsString>,
    /// `--to`.
    pub to: PathBuf,
    /// Which snapshot.
    pub which: Which,
    /// `--overwrite`.
    pub overwrite: bool,
    /// `--deleted-since`.
    pub deleted_since: Option<String>,
    /// `--version-id`.
    pub version_id: Option<String>,
    /// `--thaw`.
    pub thaw: Option<Tier>,
    /// `--pick`.
    pub pick: bool,
}

/// Restores.
pub async fn run(
    settings: &Settings,
    command: &Restore,
    now: &ZonedDateTime,
    desk: &Desk,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    let thaw = Arc::new(Thaw::new(command.thaw));
    let person = Person {
        desk,
        asks: desk.is_attended() && !settings.run.yes,
        zone: now.time_zone(),
        stop,
    };
    let restored = attempt(settings, command, (now, &person), &thaw, events).await;
    let archived = thaw.conclusion(now.timestamp());
    let (restored, requests) = match (restored, archived) {
        (Ok((restored, requests)), archived) => (late(restored, archived), requests),
        // A snapshot or a chunk is archived itself.
        (Err(error), Some(archived)) if is_archived(&error) => {
            return Outcome::not_begun(archived);
        }
        (Err(error), _) => return Outcome::not_begun(error),
    };
    Outcome {
        exit: restored.exit,
        summary: Summary {
            backup: Some(requests),
            restore: Some(restored.summary),
            errors: restored.errors,
            ..Summary::default()
        },
        error: restored.ended_by,
    }
}

/// What was met in the archive ends a restore, unless something graver did.
fn late(mut restored: Restored, archived: Option<Error>) -> Restored {
    let Some(archived) = archived else {
        return restored;
    };
    restored.exit = restored.exit.and(archived.exit_code());
    match restored.ended_by {
        None => restored.ended_by = Some(archived),
        Some(_) => restored.errors.push(Failure {
            path: "archive".to_owned(),
            stage: "restore",
            message: archived.to_string(),
        }),
    }
    restored
}

fn is_archived(error: &Error) -> bool {
    matches!(error, Error::Store(error) if error.kind == StoreErrorKind::Archived)
}

async fn attempt(
    settings: &Settings,
    command: &Restore,
    (now, person): (&ZonedDateTime, &Person<'_>),
    thaw: &Arc<Thaw>,
    events: &Events,
) -> Result<(Restored, BackupSummary)> {
    let what = What::of(command, now)?;
    if command.pick && !person.desk.is_attended() {
        return Err(Error::Usage(NOBODY_PICKS.to_owned()));
    }
    let mut request = Request {
        to: command.to.clone(),
        selection: command.selection()?,
        existing: Existing {
            overwrite: command.overwrite,
            checksum: settings.run.checksum,
        },
        dry_run: settings.run.dry_run,
        asks: person.asks,
        thaws: command.thaw.is_some(),
        transfers: settings.run.transfers,
        memory: settings.run.memory,
    };
    let backup = Backup::open_thawing(settings, person.stop, Some(thaw)).await?;
    let restored = match what {
        What::Snapshot(select) => {
            let found = backup.find(&select).await?;
            look::introduce(&found, events);
            if command.pick {
                let entries = entries(&backup, &found, &request.selection, events).await?;
                let title = title(&found.loaded.snapshot, now);
                match person.pick(title, entries).await? {
                    Some(chosen) => request.selection = chosen,
                    None => return Ok((nothing(events), BackupSummary::default())),
                }
            }
            let agree = async |preview: &Preview| person.agree(preview, events).await;
            let (vault, retrier) = (&backup.vault, &backup.retrier);
            restore(vault, &found, &request, retrier, agree, events).await?
        }
        What::Version(path, id) => {
            let kept = backup.kept(settings).await?;
            let found = find_version(&backup.vault, &kept.snapshots, &path, &id).await;
            let entry = found.map_err(|error| kept.blame_unreadable(error))?;
            given(&backup, (vec![entry], ""), &request, person, events).await?
        }
        What::Removed(since) => {
            let kept = backup.kept(settings).await?;
            let chosen = &request.selection;
            let found = removed(&backup.vault, &kept.snapshots, since, chosen).await?;
            announce(&found, &kept, events);
            if command.pick && !found.entries.is_empty() {
                let title = "what was removed from the library".to_owned();
                match person.pick(title, found.entries.clone()).await? {
                    Some(chosen) => request.selection = chosen,
                    None => return Ok((nothing(events), BackupSummary::default())),
                }
            }
            let selected = |entry: &Entry| request.selection.covers(&entry.path);
            let entries = found.entries.into_iter().filter(selected).collect();
            let missing = "no kept snapshot says that anything of this path was removed since then";
            given(&backup, (entries, missing), &request, person, events).await?
        }
    };
    let summary = BackupSummary {
        requests: backup.requests(),
        ..BackupSummary::default()
    };
    Ok((restored, summary))
}

/// What is to be restored.
enum What {
    Snapshot(Select),
    Version(RelPath, String),
    Removed(Time),
}

impl What {
    fn of(command: &Restore, now: &ZonedDateTime) -> Result<Self> {
        let select = command.which.select(now)?;
        let wrong = |why: &str| Err(Error::Usage(why.to_owned()));
        match (&command.version_id, &command.deleted_since) {
            (None, None) => Ok(Self::Snapshot(select)),
            (Some(_), Some(_)) => wrong("--version-id and --deleted-since exclude each other"),
            _ if command.which != Which::default() => wrong(
                "--version-id and --deleted-since look at all snapshots: leave out --at and --snapshot",
            ),
            (Some(id), None) => {
                let selection = command.selection()?;
                let mut paths = selection.roots();
                match (paths.next(), paths.next()) {
                    (Some(path), None) => Ok(Self::Version(path.clone(), id.clone())),
                    _ => wrong("--version-id is of one file: name that one path"),
                }
            }
            (None, Some(text)) => {
                let time = when::parse(text, now);
                let wrong = |why| Error::Usage(format!("--deleted-since {why}"));
                time.map(Self::Removed).map_err(wrong)
            }
        }
    }
}

impl Restore {
    fn selection(&self) -> Result<Selection> {
        Selection::parse(self.paths.iter().map(|path| path.as_encoded_bytes()))
    }
}

async fn given(
    backup: &Backup,
    (entries, missing): (Vec<Entry>, &str),
    request: &Request,
    person: &Person<'_>,
    events: &Events,
) -> Result<Restored> {
    let agree = async |preview: &Preview| person.agree(preview, events).await;
    let (vault, retrier) = (&backup.vault, &backup.retrier);
    restore_entries(vault, entries, missing, request, retrier, agree, events).await
}

const NOBODY_PICKS: &str = "--pick asks a person, and this is no terminal (or --json is given): name \
                            the paths instead, as in `tidelock restore 2024/summer a.jpg --to DIR`; \
                            `tidelock ls` lists them";

/// Whoever sits at the terminal, if somebody does.
struct Person<'a> {
    desk: &'a Desk,
    /// A large restore needs a yes.
    asks: bool,
    zone: &'a TimeZone,
    stop: &'a Stop,
}

impl Person<'_> {
    async fn agree(&self, preview: &Preview, events: &Events) -> Result<bool> {
        if !self.asks || !preview.is_large() {
            return Ok(true);
        }
        let answer = self.desk.confirm(question(preview));
        let agreed = self.unless_stopped(answer).await?;
        if !agreed {
            let text = "nothing was written; --yes restores without a question";
            events.send(Event::Note(text.to_owned()));
        }
        Ok(agreed)
    }

    /// The paths that were chosen, if any.
    async fn pick(&self, title: String, entries: Vec<Entry>) -> Result<Option<Selection>> {
        let chosen = pick(self.desk, title, entries, self.zone.clone());
        let chosen = self.unless_stopped(chosen).await?;
        if chosen.is_empty() {
            return Ok(None);
        }
        let chosen = Selection::parse(chosen.iter().map(|path| path.as_bytes()));
        chosen.map(Some)
    }

    async fn unless_stopped<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            answer = answer => answer,
            why = self.stop.wait() => Err(why.error()),
        }
    }
}

/// Nothing was chosen.
fn nothing(events: &Events) -> Restored {
    let text = "nothing was chosen, and nothing was written";
    events.send(Event::Note(text.to_owned()));
    Restored {
        summary: RestoreSummary::default(),
        errors: Vec::new(),
        exit: ExitCode::Done,
        ended_by: None,
    }
}

/// All that a snapshot has of what was selected, to choose from.
async fn entries(
    backup: &Backup,
    found: &Found,
    selection: &Selection,
    events: &Events,
) -> Result<Vec<Entry>> {
    let chunks = look::chunks(&found.loaded.snapshot, selection);
    let mut chunks = pin!(look::entries(&backup.vault, chunks, selection));
    let mut entries = Vec::new();
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => entries.extend(chunk.entries),
            Err(Error::Store(error)) => return Err(Error::Store(error)),
            // The rest can be had; what is chosen of it is restored.
            Err(error) => events.send(Event::Warning(error.to_string())),
        }
    }
    Ok(entries)
}

fn title(snapshot: &Snapshot, now: &ZonedDateTime) -> String {
    let taken = show_minute(snapshot.time, now.time_zone());
    format!("snapshot {} of {taken}", snapshot.id)
}

fn announce(found: &Removed, kept: &Kept, events: &Events) {
    for id in &found.passed_over {
        events.send(Event::Warning(format!(
            "nothing is taken from snapshot {id}, which looks like the work of ransomware"
        )));
    }
    for (id, error) in &kept.unreadable {
        let message = format!("snapshot {id} can't be read and is left out: {error}");
        events.send(Event::Warning(message));
    }
    if found.entries.is_empty() {
        let message = "no kept snapshot says that anything was removed since then";
        events.send(Event::Note(message.to_owned()));
    }
}
