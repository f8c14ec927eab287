//! What became of each path, and whether the pull goes on.

use crate::engine::download::trouble::{exit_of, is_fatal};
use crate::model::{Action, Error, Event, Events, ExitCode, Failure, PullSummary, RelPath};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Shared by all that work.
#[derive(Debug)]
pub(super) struct Tally {
    events: Events,
    state: Mutex<Totals>,
    over: Notify,
}

/// The end of a pull.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) summary: PullSummary,
    /// Of files that are not complete yet.
    pub(super) bytes_left: u64,
    pub(super) errors: Vec<Failure>,
    pub(super) exit: ExitCode,
    /// Something could not be seen, fetched or written: nothing may be moved away.
    pub(super) doubt: bool,
    pub(super) fatal: Option<Error>,
}

impl Tally {
    pub(super) fn new(events: Events) -> Self {
        Self {
            events,
            state: Mutex::new(Totals {
                summary: PullSummary::default(),
                bytes_left: 0,
                errors: Vec::new(),
                exit: ExitCode::Done,
                doubt: false,
                fatal: None,
            }),
            over: Notify::new(),
        }
    }

    /// So much is to come.
    pub(super) fn expect(&self, files: u64, bytes: u64) {
        self.state().bytes_left = bytes;
        self.events.send(Event::Total { files, bytes });
    }

    /// The file is there as the mirror has it.
    pub(super) fn downloaded(&self, path: &RelPath, size: u64) {
        self.state().summary.downloaded += 1;
        self.came(path, Action::Download, size);
    }

    /// The same, out of what was here under an old name.
    pub(super) fn copied(&self, path: &RelPath, size: u64) {
        self.state().summary.copied += 1;
        self.came(path, Action::Copy, size);
    }

    fn came(&self, path: &RelPath, how: Action, size: u64) {
        let mut state = self.state();
        state.bytes_left = state.bytes_left.saturating_sub(size);
        drop(state);
        self.tell(path, how, size, false);
        self.events.send(Event::FileDone);
    }

    /// The file that is there is what the mirror has.
    pub(super) fn adopted(&self, path: &RelPath, size: u64) {
        self.state().summary.adopted += 1;
        self.tell(path, Action::Adopt, size, false);
        self.events.send(Event::FileDone);
    }

    /// Files that were right already.
    pub(super) fn unchanged(&self, count: u64) {
        self.state().summary.unchanged += count;
    }

    /// A file that was edited here stays.
    pub(super) fn edited(&self, path: &RelPath, size: u64) {
        self.state().summary.edited += 1;
        self.tell(path, Action::Keep, size, false);
    }

    /// An edited file lies beside the mirror's version now, under this name.
    pub(super) fn conflict(&self, path: &RelPath, copy: &str, size: u64) {
        self.state().summary.conflicts += 1;
        self.tell(path, Action::Conflict, size, false);
        let message = format!(
            "it was changed here and in the mirror: {path} is the mirror's version now, what was \
             here is kept beside it as {copy:?}"
        );
        self.fault(path.to_string(), "pull", ExitCode::Partial, message);
    }

    /// A file was moved to the trash.
    pub(super) fn trashed(&self, path: &RelPath, size: u64) {
        self.state().summary.trashed += 1;
        self.tell(path, Action::Trash, size, false);
    }

    /// The path could not be handled. A reason that no other file can escape ends the pull.
    pub(super) fn failed(&self, path: &RelPath, error: Error) {
        self.state().doubt = true;
        self.events.send(Event::FileDone);
        if is_fatal(&error) {
            self.give_up(error);
        } else {
            let exit = match exit_of(&error) {
                // Somebody else's folder or file is in the way: no guard's doing.
                ExitCode::Refused => ExitCode::Partial,
                other => other,
            };
            self.not_there(path, exit, error.to_string());
        }
    }

    /// The path is not there as the mirror has it, which casts no doubt on others.
    pub(super) fn not_there(&self, path: &RelPath, exit: ExitCode, message: String) {
        self.state().summary.failed += 1;
        self.fault(path.to_string(), "pull", exit, message);
    }

    /// Something that people must know.
    pub(super) fn fault(&self, path: String, stage: &'static str, exit: ExitCode, message: String) {
        let failure = Failure {
            path,
            stage,
            message,
        };
        self.events.send(Event::Failed(failure.clone()));
        let mut state = self.state();
        state.errors.push(failure);
        state.exit = state.exit.and(exit);
    }

    /// Tells of one path.
    pub(super) fn tell(&self, path: &RelPath, action: Action, size: u64, planned: bool) {
        self.events.send(Event::File {
            path: path.clone(),
            action,
            side: None,
            size,
            planned,
        });
    }

    /// Where events go.
    pub(super) fn events(&self) -> &Events {
        &self.events
    }

    /// Ends the pull; the first reason counts.
    pub(super) fn give_up(&self, error: Error) {
        self.state().fatal.get_or_insert(error);
        self.over.notify_one();
    }

    /// Returns once the pull was given up; for one waiter at a time.
    pub(super) async fn over(&self) {
        while !self.is_over() {
            self.over.notified().await;
        }
    }

    /// Whether nothing new may begin.
    pub(super) fn is_over(&self) -> bool {
        self.state().fatal.is_some()
    }

    /// Whether something could not be seen, fetched or written.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.state().doubt
    }

    /// Whether all is as it should be so far.
    pub(super) fn is_clean(&self) -> bool {
        let state = self.state();
        state.exit == ExitCode::Done && state.fatal.is_none()
    }

    /// Takes the result out.
    pub(super) fn finish(&self) -> Totals {
        let empty = Self::new(Events::none());
        std::mem::replace(&mut *self.state(), empty.into_totals())
    }

    fn into_totals(self) -> Totals {
        self.state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, Totals> {
        // Each change is complete in itself, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
