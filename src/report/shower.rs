//! The thread that shows events.

use super::out::{Shared, lock};
use super::progress::Progress;
use super::{Mode, human, json};
use crate::model::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

/// How often the waiting events are shown.
const TICK: Duration = Duration::from_millis(100);
/// How often JSON tells of progress.
const JSON_PROGRESS: Duration = Duration::from_secs(1);
/// How often a log gets a line.
const LOG_PROGRESS: Duration = Duration::from_secs(30);

/// Shows events as text or JSON.
pub(super) struct Shower {
    mode: Mode,
    out: Shared,
    err: Shared,
    progress: Progress,
    bar: Option<ProgressBar>,
    begun: Instant,
    last_progress: Instant,
}

impl Shower {
    pub(super) fn new(mode: Mode, out: Shared, err: Shared) -> Self {
        let now = Instant::now();
        Self {
            mode,
            out,
            err,
            progress: Progress::new(),
            bar: None,
            begun: now,
            last_progress: now,
        }
    }

    /// Shows events until there can be no more, or until `ended` is set and all that waited has
    /// been shown. A sender that is never dropped can't keep it.
    pub(super) fn run(&mut self, receiver: &mut UnboundedReceiver<Event>, ended: &AtomicBool) {
        loop {
            // Read before the queue is emptied: what was sent before the end is shown.
            let last = ended.load(Ordering::Acquire);
            let mut disconnected = false;
            loop {
                match receiver.try_recv() {
                    Ok(event) => self.show(&event),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => {
                        disconnected = true;
                        break;
                    }
                }
            }
            if last || disconnected {
                break;
            }
            self.tick(Instant::now());
            lock(&self.out).flush();
            lock(&self.err).flush();
            std::thread::park_timeout(TICK);
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        lock(&self.out).flush();
        lock(&self.err).flush();
    }

    fn show(&mut self, event: &Event) {
        self.progress.take(event);
        if self.mode.json {
            if let Some(line) = json::event(event) {
                lock(&self.out).line(&line);
            }
            return;
        }
        let Mode {
            quiet,
            verbose,
            colour,
            ..
        } = self.mode;
        let Some(line) = human::event(event, verbose > 0, quiet, colour) else {
            return;
        };
        let write = || {
            let (stream, line) = match &line {
                human::Line::Out(line) => (&self.out, line),
                human::Line::Err(line) => (&self.err, line),
            };
            let mut stream = lock(stream);
            stream.line(line);
            if self.bar.is_some() {
                stream.flush();
            }
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn tick(&mut self, now: Instant) {
        self.progress.sample(now);
        let due = |every| now.saturating_duration_since(self.last_progress) >= every;
        if self.mode.json {
            if due(JSON_PROGRESS) {
                self.last_progress = now;
                let elapsed = now.saturating_duration_since(self.begun);
                lock(&self.out).line(&json::progress(&self.progress, elapsed));
            }
        } else if self.mode.quiet {
        } else if self.mode.terminal && self.mode.verbose == 0 {
            self.draw();
        } else if due(LOG_PROGRESS) {
            self.last_progress = now;
            let line = format!("{}: {}", self.progress.phase, self.progress.line());
            lock(&self.err).line(line.trim_end_matches([':', ' ']));
        }
    }

    /// A bar once the work has a size, before that a turning wheel with what was done.
    fn draw(&mut self) {
        if self.bar.is_none() && self.progress.line().is_empty() {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10))
        });
        let template = if self.progress.bytes_total > 0 {
            bar.set_length(self.progress.bytes_total);
            bar.set_position(self.progress.bytes_done.min(self.progress.bytes_total));
            "{prefix:10} [{bar:20}] {msg}"
        } else {
            "{prefix:10} {spinner} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(self.progress.phase);
        bar.set_message(self.progress.line());
        bar.tick();
    }
}
