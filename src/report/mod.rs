//! Shows what happens: text for people, JSON Lines for programs, progress, logs.
//!
//! Events are shown by a thread of their own, so that a terminal that was stopped, or a pipe that
//! nobody reads, never holds up a run. A closed output ends the showing and nothing else.

mod desk;
mod ending;
mod forecast;
mod groups;
mod human;
mod json;
mod log;
mod look;
mod metrics;
mod notify;
mod out;
mod pager;
mod pick;
mod preview;
mod progress;
mod rows;
mod screen;
mod shower;
mod table;
pub mod tables;
mod terminal;
mod text;
mod width;

pub use desk::Desk;
pub use ending::Ending;
pub use forecast::forecast_lines;
pub use groups::Groups;
pub use log::start_logging;
pub use look::Look;
pub use metrics::Metrics;
pub use notify::{News, Notifier, Occasion};
pub use pager::Pager;
pub use pick::pick;
pub use preview::question;
pub use rows::Rows;
pub use screen::Screen;
pub use table::hung;
pub use text::{plain, show_bytes, show_day, show_elapsed, show_minute};

use crate::model::{Error, Event, ExitCode, time};
use jiff::tz::TimeZone;
use out::{Out, Shared};
use shower::Shower;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// How to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mode {
    /// Standard output is JSON Lines alone.
    pub json: bool,
    /// Nothing but errors and warnings.
    pub quiet: bool,
    /// How often `-v` was given: from 1 on every file is named.
    pub verbose: u8,
    /// Standard error is a terminal.
    pub terminal: bool,
    /// Colours are wanted there.
    pub colour: bool,
    /// What standard output is.
    pub look: Look,
    /// Standard input and standard error are terminals, so somebody can be asked.
    pub interactive: bool,
    /// Foldable groups of a CI's log.
    pub groups: Groups,
}

/// Shows events until it is finished.
pub struct Reporter {
    mode: Mode,
    out: Shared,
    err: Shared,
    desk: Desk,
    /// The reader's, for dates.
    zone: TimeZone,
    /// The group that is open.
    group: Option<String>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Begins to show events on the screen; dates are those of `zone`.
pub fn start(
    mode: Mode,
    screen: &Screen,
    zone: TimeZone,
    mut receiver: UnboundedReceiver<Event>,
) -> Reporter {
    let ended = Arc::new(AtomicBool::new(false));
    let (desk, jobs) = Desk::new(mode.interactive && !mode.json);
    let mut shower = Shower::new(mode, screen, jobs);
    let thread = std::thread::Builder::new()
        .name("report".to_owned())
        .spawn({
            let ended = Arc::clone(&ended);
            move || shower.run(&mut receiver, &ended)
        });
    Reporter {
        mode,
        out: Arc::clone(&screen.out),
        err: Arc::clone(&screen.err),
        desk,
        zone,
        group: None,
        ended,
        // Without a thread (the system refused one) the run goes on in silence.
        thread: thread.ok(),
    }
}

impl Reporter {
    /// Of several libraries, says which one all that follows is about.
    pub fn heading(&self, name: &str, path: &str) {
        let line = if self.mode.json {
            json::heading(name, path)
        } else {
            format!("\n{}  {}", plain(name), plain(path))
        };
        if self.mode.json || !self.mode.quiet {
            out::lock(&self.out).line(&line);
        }
    }

    /// Begins a group in a CI's log, which ends before the errors and the summary do.
    pub fn group(&mut self, title: &str) {
        let now = time::local_now().as_second();
        let line = self.mode.groups.begin(&plain(title), now);
        if let Some(line) = line.filter(|_| !self.mode.json && !self.mode.quiet) {
            out::lock(&self.out).line(&line);
            self.group = Some(plain(title).into_owned());
        }
    }

    fn end_group(&mut self) {
        let now = time::local_now().as_second();
        let title = self.group.take();
        if let Some(line) = title.and_then(|title| self.mode.groups.end(&title, now)) {
            let mut out = out::lock(&self.out);
            out.line(&line);
            out.flush();
        }
    }

    /// For commands that print rows.
    pub fn rows(&self) -> Rows {
        Rows::new(self.mode.json, self.mode.look, Arc::clone(&self.out))
    }

    /// For commands that ask.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Shows what was still waiting, then the error (on standard error), then the summary, which
    /// in JSON is the last line.
    pub fn finish(mut self, ending: &Ending<'_>) {
        self.stop();
        self.end_group();
        if let Some(error) = ending.error {
            let mut err = out::lock(&self.err);
            err.line(&human::error(&error.to_string(), self.mode.colour));
            err.flush();
        }
        let mut out = out::lock(&self.out);
        if self.mode.json {
            out.line(&json::summary(ending));
        } else if !self.mode.quiet {
            for line in human::summary(ending, self.mode.look, &self.zone) {
                out.line(&line);
            }
        }
        out.flush();
    }

    fn stop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the thread has been printed; the summary still stands.
            let _ = thread.join();
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Prints an error where people look for it; no error if they don't.
pub fn print_error(message: &str, colour: bool) {
    let mut err = Out::new(std::io::stderr());
    err.line(&human::error(message, colour));
    err.flush();
}

/// Prints a JSON summary of a command that failed before anything could begin.
pub fn print_failed_start(command: &str, exit: ExitCode, elapsed: Duration, error: &Error) {
    let line = json::summary(&Ending {
        command,
        exit,
        elapsed,
        error: Some(error),
        ..Ending::default()
    });
    let mut out = Out::new(std::io::stdout());
    out.line(&line);
    out.flush();
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
