//! Restores a snapshot, or parts of it, into a folder.
//!
//! What holds at any moment, after a crash too, is told in `engine::download`.
//!
//! # Order
//!
//! A look at everything (sizes, conflicts, free space); files, many at once; empty folders and
//! further names of files; symbolic links last, so that none is there while files are written.
//! Each is a way of its own through the manifest, so memory does not grow with the library.

mod archived;
mod content;
mod file;
mod heal;
mod links;
mod passes;
mod survey;
mod tally;
#[cfg(test)]
mod tests;

use crate::engine::download::fetch::Fetcher;
use crate::engine::download::folder::Walk;
use crate::engine::download::trouble::is_full;
use crate::engine::download::{blocking, space};
use crate::engine::look;
use crate::engine::retry::Retrier;
use crate::engine::stop::Stop;
use crate::model::{
    Entry, Error, Event, Events, ExitCode, Failure, Preview, RestoreSummary, Result, Side, words,
};
use crate::plan::restore::{Existing, Selection};
use crate::snapshot::{Found, Vault};
use file::Files;
use passes::{Passes, Source, Wanted};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use survey::{Look, Survey, survey};
use tally::{Tally, Totals};

/// What helps where the disk is too small.
const WAY_OUT: &str = "restore to another disk, or restore single paths";

/// What is to be restored, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder; made where it is missing.
    pub to: PathBuf,
    /// Which paths.
    pub selection: Selection,
    /// What may happen to files that are there.
    pub existing: Existing,
    /// Tell, touch nothing.
    pub dry_run: bool,
    /// Whether a person will be asked before a large restore, who wants to know what is archived.
    pub asks: bool,
    /// The vault asks for the retrieval of archived versions, so they are late, not lost.
    pub thaws: bool,
    /// Requests in flight.
    pub transfers: usize,
    /// Bytes of file contents in memory.
    pub memory: u64,
}

/// How a restore ended.
#[derive(Debug)]
pub struct Restored {
    /// Counts.
    pub summary: RestoreSummary,
    /// Everything that is not there as it should be, by name.
    pub errors: Vec<Failure>,
    /// `Done`, or the gravest of what happened.
    pub exit: ExitCode,
    /// What ended it before its time: a full disk, a stop, lost credentials, a lost network.
    pub ended_by: Option<Error>,
}

/// Restores what `request` selects of a snapshot.
///
/// Files that are right already are left alone and counted, so an interrupted restore goes on where
/// it was. A file's failure is told and does not keep others from being restored; a full disk, lost
/// credentials, a lost network or a stop end the restore, and [`Restored`] still says what is there.
/// Before the first write `agree` is asked; without its consent nothing is done.
///
/// # Errors
/// What keeps it from beginning: the folder can't be made or opened, another restore is writing it
/// (`Held`), or the disk has too little room (`Usage`: nothing is written then).
pub async fn restore(
    vault: &Vault,
    found: &Found,
    request: &Request,
    retrier: &Retrier,
    agree: impl AsyncFn(&Preview) -> Result<bool>,
    events: &Events,
) -> Result<Restored> {
    let snapshot = &found.loaded.snapshot;
    let chunks = look::chunks(snapshot, &request.selection);
    let missing = format!("the snapshot {} has no such path", snapshot.id);
    let wanted = Wanted::Chunks(chunks);
    let from = Origin {
        snapshot: Some(snapshot.id.to_string()),
        wanted,
        missing: &missing,
    };
    let mut restored = write(vault, from, request, retrier, agree, events).await?;
    restored.summary.snapshot = Some(snapshot.id.to_string());
    Ok(restored)
}

/// Restores these entries, which may come from many snapshots; what the request selects and they
/// do not have is told as `missing`.
///
/// # Errors
/// As [`restore`].
pub async fn restore_entries(
    vault: &Vault,
    mut entries: Vec<Entry>,
    missing: &str,
    request: &Request,
    retrier: &Retrier,
    agree: impl AsyncFn(&Preview) -> Result<bool>,
    events: &Events,
) -> Result<Restored> {
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let firsts: HashMap<_, _> = entries
        .iter()
        .map(|entry| (entry.path.clone(), entry.content))
        .collect();
    for entry in &mut entries {
        // A further name of a file that is not among them is a file of its own.
        let first = entry.hardlink.as_ref();
        if first.is_some_and(|first| firsts.get(first) != Some(&entry.content)) {
            entry.hardlink = None;
        }
    }
    let from = Origin {
        snapshot: None,
        wanted: Wanted::Entries(entries),
        missing,
    };
    write(vault, from, request, retrier, agree, events).await
}

/// Where a restore takes what it writes.
struct Origin<'a> {
    snapshot: Option<String>,
    wanted: Wanted,
    /// What is said of a path that is not there.
    missing: &'a str,
}

async fn write(
    vault: &Vault,
    from: Origin<'_>,
    request: &Request,
    retrier: &Retrier,
    agree: impl AsyncFn(&Preview) -> Result<bool>,
    events: &Events,
) -> Result<Restored> {
    let Origin {
        snapshot,
        wanted,
        missing,
    } = from;
    let tally = Arc::new(Tally::new(events.clone()));
    let source = Source::new(vault, wanted, &request.selection, &tally);
    let how = Look {
        root: request.to.clone(),
        existing: request.existing,
        dry_run: request.dry_run,
        events: events.clone(),
        classes: Arc::default(),
    };
    let stopped = watch(retrier.stop().clone(), Arc::clone(&tally));
    events.send(Event::Phase("list"));
    let survey = survey(source.first_look(), &request.selection, &how).await?;
    let to = request.to.clone();
    let needed = survey.needed();
    let free = blocking(move || space::check(&to, needed, WAY_OUT)).await;
    let mut preview = preview(&survey, request, snapshot);
    // Where there is no room for it, what it would be is worth knowing all the same.
    preview.free_bytes = free.as_ref().ok().copied().flatten();
    let shows = request.dry_run || preview.is_large();
    if shows && (request.dry_run || request.asks) && free.is_ok() && !tally.is_over() {
        let seen = (&survey, &how);
        let parallel = request.transfers;
        let selection = &request.selection;
        preview.archive = archived::archived(vault, &source, selection, seen, parallel).await?;
    }
    announce(&survey, preview.clone(), shows, events);
    free?;
    let mut fetched = 0;
    if !request.dry_run && !tally.is_over() && !agree(&preview).await? {
        stopped.abort();
        return Ok(conclude(tally.finish(), &request.to, 0));
    }
    if !request.dry_run && !tally.is_over() {
        let to = request.to.clone();
        let walk = blocking(move || Walk::to_write(&to)).await?;
        events.send(Event::Phase("restore"));
        let files = Files::new(
            Fetcher::new(
                Side::Backup,
                Arc::clone(vault.store()),
                retrier.clone(),
                request.transfers,
                request.memory,
                events.clone(),
            ),
            request,
            Arc::clone(&tally),
        );
        let passes = Passes::new(&source, &files, walk, &request.to, &survey.overlaps);
        passes.all(&survey).await?;
        fetched = files.fetcher.fetched();
    }
    stopped.abort();
    for path in request.selection.missing(&survey.found) {
        let path = path.display().into_owned();
        tally.note_failure(path, ExitCode::Partial, missing.to_owned());
    }
    let left = survey.fetch.saturating_sub(tally.bytes_written());
    let mut restored = conclude(tally.finish(), &request.to, left);
    restored.summary.bytes_downloaded = fetched;
    Ok(restored)
}

fn preview(survey: &Survey, request: &Request, snapshot: Option<String>) -> Preview {
    Preview {
        to: request.to.clone(),
        snapshot,
        files: survey.files,
        others: survey.others,
        fetch_files: survey.fetch_files,
        fetch_bytes: survey.fetch,
        replaced: survey.replaced,
        right: survey.right,
        compared: survey.compared,
        refused: survey.refused,
        ..Preview::default()
    }
}

fn announce(survey: &Survey, preview: Preview, shows: bool, events: &Events) {
    events.send(Event::Total {
        files: survey.files,
        bytes: survey.fetch,
    });
    events.send(if shows {
        Event::Preview(Box::new(preview))
    } else {
        Event::Note(format!(
            "files selected: {}; to download and write: {} ({})",
            words::digits(survey.files),
            words::digits(survey.fetch_files),
            bytesize::ByteSize(survey.fetch)
        ))
    });
    if survey.specials > 0 {
        events.send(Event::Note(format!(
            "{} named by the snapshot and not restored",
            words::count(
                survey.specials,
                "socket, FIFO or device is",
                "sockets, FIFOs or devices are"
            )
        )));
    }
    if let Some(note) = survey.carried_note() {
        events.send(Event::Warning(note));
    }
    if let Some(note) = survey.overlap_note() {
        events.send(Event::Warning(note));
    }
}

/// Ends the restore as soon as a stop is wished for.
fn watch(stop: Stop, tally: Arc<Tally>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        tally.give_up(stop.wait().await.error());
    })
}

fn conclude(totals: Totals, to: &Path, left: u64) -> Restored {
    let ended_by = totals.fatal.map(|error| match error {
        Error::Io { source, .. } if is_full(&source) => space::ran_out(to, left),
        other => other,
    });
    let exit = ended_by.as_ref().map_or(ExitCode::Done, Error::exit_code);
    Restored {
        summary: totals.summary,
        errors: totals.errors,
        exit: totals.exit.and(exit),
        ended_by,
    }
}
