//! How far a command is, and how fast.

use super::text::{plain, show_bytes, show_elapsed};
use crate::model::{Event, RelPath, Side, words};
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
    /// Sent to or fetched from the sync target.
    pub(super) sync_bytes: u64,
    /// The same of the backup target.
    pub(super) backup_bytes: u64,
    /// Large files on their way, the largest first.
    in_flight: Vec<(RelPath, u64)>,
    samples: VecDeque<(Instant, u64)>,
}

/// So many of the files on their way are named.
const NAMED: usize = 3;
/// The bar's width, and the narrowest terminal that has one.
const BAR: usize = 20;
const BAR_FROM: usize = 60;

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            phase: "start",
            files_done: 0,
            files_total: 0,
            bytes_done: 0,
            bytes_total: 0,
            sync_bytes: 0,
            backup_bytes: 0,
            in_flight: Vec::new(),
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
            Event::Bytes { side, count } => {
                self.bytes_done += count;
                match side {
                    Side::Sync => self.sync_bytes += count,
                    Side::Backup => self.backup_bytes += count,
                }
            }
            Event::Begun { path, size } => {
                let place = self.in_flight.partition_point(|(_, other)| other >= size);
                self.in_flight.insert(place, (path.clone(), *size));
            }
            Event::Ended { path } => self.in_flight.retain(|(other, _)| other != path),
            Event::FileDone => self.files_done += 1,
            _ => {}
        }
    }

    /// The largest files on their way.
    pub(super) fn largest(&self) -> impl Iterator<Item = &(RelPath, u64)> {
        self.in_flight.iter().take(NAMED)
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
            0 => parts.push(words::files(self.files_done)),
            total => parts.push(format!(
                "{}/{}",
                words::digits(self.files_done),
                words::files(total)
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
        // Last, since the end is what a narrow terminal cuts off.
        format!("{}{}", parts.join(", "), self.by_target())
    }

    fn by_target(&self) -> String {
        if self.sync_bytes == 0 || self.backup_bytes == 0 {
            return String::new();
        }
        format!(
            " (sync {}, backup {})",
            show_bytes(self.sync_bytes),
            show_bytes(self.backup_bytes)
        )
    }

    /// For a log: where it is, how far, and what takes so long.
    pub(super) fn log_line(&self) -> String {
        let mut line = self.phase.to_owned();
        let done = self.line();
        if !done.is_empty() {
            line = format!("{line}: {done}");
        }
        let names: Vec<String> = self.largest().map(name).collect();
        if !names.is_empty() {
            line = format!("{line}; on their way: {}", names.join(", "));
        }
        line
    }

    /// For a terminal: a line with a bar where there is room for one, and the largest files on
    /// their way below it. No line is wider than `width`.
    pub(super) fn frame(&self, width: usize) -> Vec<String> {
        let bar = match self.bytes_total {
            0 => String::new(),
            _ if width < BAR_FROM => String::new(),
            total => {
                let share = self.bytes_done.min(total) as f64 / total as f64;
                let full = (share * BAR as f64) as usize;
                format!("[{:<BAR$}] ", "=".repeat(full))
            }
        };
        let first = format!("{:<9} {bar}{}", self.phase, self.line());
        let names = self.largest().map(|file| format!("  {}", name(file)));
        std::iter::once(first)
            .chain(names)
            .map(|line| cut(&line, width))
            .collect()
    }
}

fn name((path, size): &(RelPath, u64)) -> String {
    format!("{} ({})", plain(&path.display()), show_bytes(*size))
}

/// What fits into so many columns. Whatever is not ASCII may be two columns wide.
fn cut(line: &str, width: usize) -> String {
    let mut used = 0;
    let wide = |c: char| if c.is_ascii() { 1 } else { 2 };
    let fits = |c: &char| {
        used += wide(*c);
        used < width
    };
    line.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_frame_fits_into_any_terminal_and_names_the_largest_files() {
        let mut progress = Progress::new();
        progress.take(&Event::Phase("transfer"));
        progress.take(&Event::Total {
            files: 4,
            bytes: 400 << 20,
        });
        for (side, count) in [(Side::Sync, 50 << 20), (Side::Backup, 150 << 20)] {
            progress.take(&Event::Bytes { side, count });
        }
        for (path, size) in [
            ("b", 2 << 20),
            ("ä/film.mov", 90 << 20),
            ("c", 3 << 20),
            ("d", 1 << 20),
        ] {
            let path = path.into();
            progress.take(&Event::Begun { path, size });
        }
        assert_eq!(
            progress.frame(100),
            [
                "transfer  [==========          ] 0/4 files, 200.0 MiB of 400.0 MiB (sync 50.0 MiB, backup 150.0 MiB",
                "  ä/film.mov (90.0 MiB)",
                "  c (3.0 MiB)",
                "  b (2.0 MiB)"
            ]
        );
        for width in 0..100 {
            let frame = progress.frame(width);
            assert!(
                frame.iter().all(|line| line.chars().count() <= width),
                "{frame:?}"
            );
        }
        assert!(!progress.frame(40)[0].contains('['), "no room for a bar");
        progress.take(&Event::Ended {
            path: "ä/film.mov".into(),
        });
        assert!(
            progress
                .log_line()
                .ends_with("; on their way: c (3.0 MiB), b (2.0 MiB), d (1.0 MiB)")
        );
    }
}
