//! The thread that shows events.

use super::desk::Job;
use super::out::{Shared, lock};
use super::progress::Progress;
use super::{Mode, Screen, human, json};
use crate::model::Event;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
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
    is_paging: Arc<AtomicBool>,
    /// What needs the terminal to itself.
    jobs: Receiver<Job>,
    progress: Progress,
    bar: Option<ProgressBar>,
    begun: Instant,
    last_progress: Instant,
}

impl Shower {
    pub(super) fn new(mode: Mode, screen: &Screen, jobs: Receiver<Job>) -> Self {
        let now = Instant::now();
        Self {
            mode,
            out: Arc::clone(&screen.out),
            err: Arc::clone(&screen.err),
            is_paging: Arc::clone(&screen.is_paging),
            jobs,
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
            // What was said before a question is shown before it.
            let job = self.jobs.try_recv().ok();
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
            if let Some(job) = job {
                self.pause();
                job();
            }
            // Lines first: a bar that is drawn before them would be left standing above them.
            lock(&self.out).flush();
            lock(&self.err).flush();
            self.tick(Instant::now());
            lock(&self.out).flush();
            lock(&self.err).flush();
            std::thread::park_timeout(TICK);
        }
        self.pause();
    }

    /// Gives the terminal away.
    fn pause(&mut self) {
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
        let Some(line) = human::event(event, &self.mode) else {
            return;
        };
        let write = || {
            let (stream, other, line) = match &line {
                human::Line::Out(line) => (&self.out, &self.err, line),
                human::Line::Err(line) => (&self.err, &self.out, line),
            };
            // On a terminal both streams are one: what was said first stands first.
            lock(other).flush();
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
        } else if self.mode.quiet || self.is_paging.load(Ordering::Acquire) {
        } else if self.mode.terminal && self.mode.verbose == 0 {
            self.draw();
        } else if due(LOG_PROGRESS) {
            self.last_progress = now;
            lock(&self.err).line(&self.progress.log_line());
        }
    }

    /// Draws anew, as wide as the terminal is by now.
    fn draw(&mut self) {
        if self.bar.is_none() && self.progress.line().is_empty() {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            let bar = ProgressBar::with_draw_target(None, target);
            // The frame is made here, so that it can be narrow, and without any colour.
            bar.with_style(
                ProgressStyle::with_template("{msg}").unwrap_or(ProgressStyle::default_spinner()),
            )
        });
        bar.set_message(self.progress.frame(columns()).join("\n"));
        bar.tick();
    }
}

/// The terminal's width.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    match size.map(|size| size.ws_col) {
        Ok(columns) if columns > 0 => columns.into(),
        _ => 80,
    }
}
