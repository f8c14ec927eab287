//! What became of each path, and whether the restore goes on.

use crate::engine::download::trouble::{exit_of, is_fatal};
use crate::model::{
    Action, Error, Event, Events, ExitCode, Failure, RelPath, RestoreSummary, StoreErrorKind,
};
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Shared by all that write.
#[derive(Debug)]
pub(super) struct Tally {
    events: Events,
    state: Mutex<State>,
    over: Notify,
}

#[derive(Debug, Default)]
struct State {
    summary: RestoreSummary,
    bytes_written: u64,
    errors: Vec<Failure>,
    exit: Option<ExitCode>,
    /// Regular files without a right copy in the folder: nothing can be linked to them.
    failed: HashSet<RelPath>,
    fatal: Option<Error>,
}

/// The end of a restore.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) summary: RestoreSummary,
    pub(super) errors: Vec<Failure>,
    pub(super) exit: ExitCode,
    pub(super) fatal: Option<Error>,
}

impl Tally {
    pub(super) fn new(events: Events) -> Self {
        Self {
            events,
            state: Mutex::default(),
            over: Notify::new(),
        }
    }

    /// Where events go.
    pub(super) fn events(&self) -> &Events {
        &self.events
    }

    /// The name exists and is complete.
    pub(super) fn restored(&self, path: &RelPath, size: u64) {
        let mut state = self.state();
        state.summary.files += 1;
        state.bytes_written += size;
        drop(state);
        self.events.send(Event::File {
            path: path.clone(),
            action: Action::Restore,
            side: None,
            size,
            planned: false,
        });
        self.events.send(Event::FileDone);
    }

    /// The file was right already.
    pub(super) fn unchanged(&self) {
        self.state().summary.unchanged += 1;
        self.events.send(Event::FileDone);
    }

    /// The path was not restored. A reason that no other file can escape ends the restore.
    pub(super) fn failed(&self, path: &RelPath, error: Error) {
        self.state().failed.insert(path.clone());
        self.events.send(Event::FileDone);
        if is_fatal(&error) {
            self.give_up(error);
        } else {
            self.note_failure(
                path.display().into_owned(),
                exit_of(&error),
                error.to_string(),
            );
        }
    }

    /// The file's version is archived. With `asked`, its retrieval is under way; else it counts as
    /// not restored.
    pub(super) fn archived(&self, path: &RelPath, size: u64, asked: bool) {
        let mut state = self.state();
        state.failed.insert(path.clone());
        state.summary.archived += 1;
        drop(state);
        self.events.send(Event::FileDone);
        if asked {
            self.events.send(Event::File {
                path: path.clone(),
                action: Action::Thaw,
                side: None,
                size,
                planned: false,
            });
        } else {
            let why = "is in an archive storage class and must be retrieved (thawed) first";
            let path = path.display().into_owned();
            self.note_failure(path.clone(), ExitCode::Partial, format!("{path} {why}"));
        }
    }

    /// A part of the manifest can't be read: what it names can't be restored, nor named.
    pub(super) fn manifest_failed(&self, error: Error, message: String) {
        if is_fatal(&error) {
            self.give_up(error);
        } else {
            let gone = matches!(&error, Error::Store(it) if it.kind == StoreErrorKind::NotFound);
            let exit = if gone || matches!(error, Error::Format(_)) {
                ExitCode::Damage
            } else {
                exit_of(&error)
            };
            self.note_failure("manifest".to_owned(), exit, message);
        }
    }

    /// Something that was asked for is not there as it should be.
    pub(super) fn note_failure(&self, path: String, exit: ExitCode, message: String) {
        let failure = Failure {
            path,
            stage: "restore",
            message,
        };
        self.events.send(Event::Failed(failure.clone()));
        let mut state = self.state();
        state.summary.failed += 1;
        state.errors.push(failure);
        state.exit = Some(state.exit.map_or(exit, |before| before.and(exit)));
    }

    /// Ends the restore; the first reason counts.
    pub(super) fn give_up(&self, error: Error) {
        self.state().fatal.get_or_insert(error);
        self.over.notify_one();
    }

    /// Returns once the restore was given up; for one waiter at a time.
    pub(super) async fn over(&self) {
        while !self.is_over() {
            self.over.notified().await;
        }
    }

    /// Whether nothing new may begin.
    pub(super) fn is_over(&self) -> bool {
        self.state().fatal.is_some()
    }

    /// Whether a file of this run has no right copy in the folder.
    pub(super) fn has_failed(&self, path: &RelPath) -> bool {
        self.state().failed.contains(path)
    }

    /// Bytes of the files that are complete.
    pub(super) fn bytes_written(&self) -> u64 {
        self.state().bytes_written
    }

    /// Takes the result out.
    pub(super) fn finish(&self) -> Totals {
        let state = std::mem::take(&mut *self.state());
        Totals {
            summary: state.summary,
            errors: state.errors,
            exit: state.exit.unwrap_or(ExitCode::Done),
            fatal: state.fatal,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete in itself, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
