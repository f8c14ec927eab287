//! How far a command is, and how fast.

use super::text::{show_bytes, show_count, show_elapsed};
use crate::model::Event;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rate is that of so long ago until now.
const WINDOW: Duration = Duration::from_secs(15);

/// Counters, fed by events.
pub(super) struct Progress {
    pub(super) phase: &'static str,
    pub(super) files_done: u64,
    /// 0 where it is not known yet.
    pub(super) files_total: u64,
    pub(super) bytes_done: u64,
    /// 0 where it is not known yet.
    pub(super) bytes_total: u64,
    samples: VecDeque<(Instant, u64)>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            phase: "start",
            files_done: 0,
            files_total: 0,
            bytes_done: 0,
            bytes_total: 0,
            samples: VecDeque::new(),
        }
    }

    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Phase(phase) => self.phase = phase,
            Event::Total { files, bytes } => {
                self.files_total = *files;
                self.bytes_total = *bytes;
            }
            Event::Bytes { count, .. } => self.bytes_done += count,
            Event::FileDone => self.files_done += 1,
            _ => {}
        }
    }

    /// Notes the time, for the rate; to be called now and then.
    pub(super) fn sample(&mut self, now: Instant) {
        self.samples.push_back((now, self.bytes_done));
        while self
            .samples
            .get(1)
            .is_some_and(|(then, _)| now.saturating_duration_since(*then) > WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// Bytes a second lately; none before anything moved.
    fn rate(&self) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.0.saturating_duration_since(first.0).as_secs_f64();
        let bytes = last.1.saturating_sub(first.1);
        (seconds > 0.0 && bytes > 0).then(|| bytes as f64 / seconds)
    }

    /// `120/400 files, 1.2 GiB of 3.4 GiB, 25.0 MiB/s, 1 min 30 s left`.
    pub(super) fn line(&self) -> String {
        let mut parts = Vec::new();
        match self.files_total {
            0 if self.files_done == 0 => {}
            0 => parts.push(format!("{} files", show_count(self.files_done))),
            total => parts.push(format!(
                "{}/{} files",
                show_count(self.files_done),
                show_count(total)
            )),
        }
        match self.bytes_total {
            0 if self.bytes_done == 0 => {}
            0 => parts.push(show_bytes(self.bytes_done)),
            total => parts.push(format!(
                "{} of {}",
                show_bytes(self.bytes_done),
                show_bytes(total)
            )),
        }
        if let Some(rate) = self.rate() {
            parts.push(format!("{}/s", show_bytes(rate as u64)));
            let rest = self.bytes_total.saturating_sub(self.bytes_done);
            if rest > 0 {
                // A rate near 0 must not overflow the duration.
                let left = (rest as f64 / rate).min(1e9);
                let left = show_elapsed(Duration::from_secs_f64(left));
                parts.push(format!("{left} left"));
            }
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;

    #[test]
    fn the_rate_is_that_of_late_and_tells_the_time_left() {
        let mut progress = Progress::new();
        let begin = Instant::now();
        assert_eq!(progress.line(), "");
        progress.take(&Event::Total {
            files: 4,
            bytes: 400 << 20,
        });
        progress.take(&Event::FileDone);
        for second in 0..100 {
            progress.sample(begin + Duration::from_secs(second));
            progress.take(&Event::Bytes {
                side: Side::Sync,
                count: 1 << 20,
            });
        }
        assert_eq!(
            progress.line(),
            "1/4 files, 100.0 MiB of 400.0 MiB, 1.0 MiB/s, 5 min 0 s left"
        );
        assert!(progress.samples.len() < 20);
    }
}
