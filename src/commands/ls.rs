//! `tidelock ls`: what a snapshot names, from its manifest alone.

use super::Outcome;
use super::reading::{Backup, Which};
use crate::engine::look;
use crate::engine::stop::Stop;
use crate::model::{
    Entry, Error, Event, Events, ExitCode, Failure, RelPath, Result, Settings, Summary,
};
use crate::plan::restore::Selection;
use crate::report::Rows;
use crate::report::tables::Entries;
use crate::snapshot::as_line;
use futures::stream::StreamExt;
use jiff::ZonedDateTime;
use std::collections::HashSet;
use std::ffi::OsString;
use std::pin::pin;

/// What the command line says beside the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ls {
    /// `[PATH...]`: files, or folders with all below them; none means all.
    pub paths: Vec<OsString>,
    /// Which snapshot.
    pub which: Which,
}

/// Prints a row for every entry, in the order of paths.
pub async fn run(
    settings: &Settings,
    command: &Ls,
    now: &ZonedDateTime,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    let mut listing = Listing {
        now,
        table: Entries::new(rows.look(), now.time_zone().clone()),
        rows,
        events,
        exit: ExitCode::Done,
        errors: Vec::new(),
    };
    match listing.print(settings, command, stop).await {
        Ok(()) => Outcome {
            exit: listing.exit,
            summary: Summary {
                errors: listing.errors,
                ..Summary::default()
            },
            error: None,
        },
        Err(error) => Outcome::not_begun(error),
    }
}

struct Listing<'a> {
    now: &'a ZonedDateTime,
    table: Entries,
    rows: &'a Rows,
    events: &'a Events,
    exit: ExitCode,
    errors: Vec<Failure>,
}

impl Listing<'_> {
    async fn print(&mut self, settings: &Settings, command: &Ls, stop: &Stop) -> Result<()> {
        let select = command.which.select(self.now)?;
        let paths = command.paths.iter().map(|path| path.as_encoded_bytes());
        let selection = Selection::parse(paths)?;
        let backup = Backup::open(settings, stop).await?;
        let found = backup.find(&select).await?;
        look::introduce(&found, self.events);
        let chunks = look::chunks(&found.loaded.snapshot, &selection);
        let mut seen: HashSet<RelPath> = HashSet::new();
        let mut chunks = pin!(look::entries(&backup.vault, chunks, &selection));
        while let Some(chunk) = chunks.next().await {
            if stop.requested().is_some() {
                return Err(Error::Interrupted);
            }
            match chunk {
                Ok(chunk) => {
                    for refused in chunk.refused {
                        self.fail(ExitCode::Damage, refused.path, refused.message);
                    }
                    for entry in &chunk.entries {
                        seen.extend(selection.roots_of(&entry.path).cloned());
                        if !self.row(entry) {
                            return Ok(());
                        }
                    }
                }
                Err(error) => {
                    let exit = error.exit_code();
                    self.fail(exit, "manifest".to_owned(), error.to_string());
                }
            }
        }
        for missing in selection.missing(&seen) {
            let message = format!("snapshot {} has no such path", found.loaded.snapshot.id);
            self.fail(ExitCode::Partial, missing.display().into_owned(), message);
        }
        Ok(())
    }

    /// False once nobody reads any more.
    fn row(&self, entry: &Entry) -> bool {
        self.rows.lines(&as_line(entry), || self.table.row(entry))
    }

    fn fail(&mut self, exit: ExitCode, path: String, message: String) {
        let failure = Failure {
            path,
            stage: "snapshot",
            message,
        };
        self.events.send(Event::Failed(failure.clone()));
        self.errors.push(failure);
        self.exit = self.exit.and(exit);
    }
}
