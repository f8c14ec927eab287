//! Restores a snapshot, or parts of it, into a folder.
//!
//! # What holds at any moment, after a crash too
//!
//! Every name below the folder is absent, as it was before, or complete: bytes are written under a
//! temporary name beside it, proven by BLAKE3, made durable, and only then named. Nothing outside
//! the folder is touched: everything is reached from open handles, one name at a time, and symbolic
//! links are never followed. What a crash leaves are temporary files, which the next restore into
//! the same folders removes.
//!
//! # Order
//!
//! A look at everything (sizes, conflicts, free space); files, many at once; empty folders and
//! further names of files; symbolic links last, so that none is there while files are written.
//! Each is a way of its own through the manifest, so memory does not grow with the library.

mod content;
mod fetch;
mod file;
mod folder;
mod heal;
mod links;
mod passes;
mod publish;
mod space;
mod survey;
mod tally;
mod temp;
#[cfg(test)]
mod tests;

use crate::engine::look;
use crate::engine::retry::Retrier;
use crate::engine::stop::Stop;
use crate::model::{Error, Event, Events, ExitCode, Failure, RestoreSummary, Result};
use crate::plan::restore::{Existing, Selection};
use crate::snapshot::{Found, Vault};
use content::blocking;
use fetch::Fetcher;
use file::Files;
use folder::Walk;
use passes::{Passes, Source};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use survey::{Look, Survey, survey};
use tally::{Tally, Totals};

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
///
/// # Errors
/// What keeps it from beginning: the folder can't be made or opened, another restore is writing it
/// (`Held`), or the disk has too little room (`Failed`).
pub async fn restore(
    vault: &Vault,
    found: &Found,
    request: &Request,
    retrier: &Retrier,
    events: &Events,
) -> Result<Restored> {
    let tally = Arc::new(Tally::new(events.clone()));
    let source = Source::new(vault, &found.loaded.snapshot, &request.selection, &tally);
    look::introduce(found, events);
    let how = Look {
        root: request.to.clone(),
        existing: request.existing,
        dry_run: request.dry_run,
        events: events.clone(),
    };
    let stopped = watch(retrier.stop().clone(), Arc::clone(&tally));
    events.send(Event::Phase("list"));
    let survey = survey(source.first_look(), &request.selection, &how).await?;
    announce(&survey, events);
    let mut fetched = 0;
    if !request.dry_run && !tally.is_over() {
        let walk = open(&request.to, survey.grow).await?;
        events.send(Event::Phase("restore"));
        let files = Files::new(
            Fetcher::new(
                Arc::clone(vault.store()),
                retrier.clone(),
                request.transfers,
                request.memory,
                events.clone(),
            ),
            request.existing,
            Arc::clone(&tally),
        );
        let passes = Passes::new(&source, &files, walk, &request.to);
        passes.all(&survey).await?;
        fetched = files.fetcher.fetched();
    }
    stopped.abort();
    for missing in request.selection.missing(&survey.found) {
        let message = format!("the snapshot {} has no such path", found.loaded.snapshot.id);
        tally.note_failure(missing.display().into_owned(), ExitCode::Partial, message);
    }
    let left = survey.fetch.saturating_sub(tally.bytes_written());
    let mut restored = conclude(tally.finish(), &request.to, left);
    restored.summary.snapshot = Some(found.loaded.snapshot.id.to_string());
    restored.summary.bytes_downloaded = fetched;
    Ok(restored)
}

fn announce(survey: &Survey, events: &Events) {
    events.send(Event::Total {
        files: survey.files,
        bytes: survey.fetch,
    });
    events.send(Event::Note(format!(
        "files selected: {}; {} to download and write",
        survey.files,
        bytesize::ByteSize(survey.fetch)
    )));
    if survey.specials > 0 {
        events.send(Event::Note(format!(
            "{} sockets, FIFOs or devices are named by the snapshot and not restored",
            survey.specials
        )));
    }
    if let Some(note) = survey.carried_note() {
        events.send(Event::Warning(note));
    }
}

async fn open(root: &Path, needed: u64) -> Result<Walk> {
    let root = root.to_owned();
    blocking(move || {
        let walk = Walk::to_write(&root)?;
        space::check(&root, needed)?;
        Ok(walk)
    })
    .await
}

/// Ends the restore as soon as a stop is wished for.
fn watch(stop: Stop, tally: Arc<Tally>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        tally.give_up(stop.wait().await.error());
    })
}

fn conclude(totals: Totals, to: &Path, left: u64) -> Restored {
    let ended_by = totals.fatal.map(|error| match error {
        Error::Io { source, .. } if tally::is_full(&source) => space::ran_out(to, left),
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
