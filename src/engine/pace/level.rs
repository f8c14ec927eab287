//! How many requests in flight serve best, found by trying.
//!
//! More requests in flight bring more throughput until something is busy all the time: a link, a
//! store, a processor. From there on they only wait for one another. The level climbs the hill of
//!
//! > rate · (rate / level)^[`EAGERNESS`]
//!
//! By Little's law `rate / level` is one over the latency, so this is Kleinrock's power (1979)
//! with latency counting less than throughput: its top lies a little beyond the knee. The level
//! doubles at first, then takes small steps up and down around the top, so that it follows a
//! network that changes.

use std::time::Duration;
use tokio::time::Instant;

/// How much a shorter latency is worth against a higher rate.
const EAGERNESS: f64 = 0.2;
/// Less than this is noise: a step that gains no more is taken back.
const GAIN: f64 = 1.02;
/// Doubling must gain so much to be done again.
const GAIN_BY_DOUBLING: f64 = 1.15;
/// What a request costs beside its bytes, in bytes: so that small and large ones can be added.
const COST: u64 = 128 << 10;
/// A window lasts so long at least.
const WINDOW: Duration = Duration::from_secs(1);

/// Finds the level. No I/O, no clock of its own.
#[derive(Debug)]
pub(super) struct Level {
    least: usize,
    most: usize,
    level: usize,
    doubling: bool,
    up: bool,
    window: Window,
    /// Of the level before: it and what it was worth.
    before: Option<(usize, f64)>,
}

#[derive(Debug, Default)]
struct Window {
    begun: Option<Instant>,
    requests: u64,
    /// Requests that had to wait for others.
    held_up: u64,
    work: u64,
}

impl Level {
    /// Between `least` and `most`, beginning at `level`.
    pub(super) fn new(least: usize, level: usize, most: usize) -> Self {
        let least = least.clamp(1, most.max(1));
        let most = most.max(1);
        Self {
            least,
            most,
            level: level.clamp(least, most),
            doubling: true,
            up: true,
            window: Window::default(),
            before: None,
        }
    }

    /// A request begins; `held_up` says that it had to wait for another to end.
    pub(super) fn begins(&mut self, held_up: bool) {
        self.window.held_up += u64::from(held_up);
    }

    /// Bytes go out or come in.
    pub(super) fn moves(&mut self, bytes: u64) {
        self.window.work += bytes;
    }

    /// The store asked to slow down, and the level is this now: what was learnt does not count any
    /// more.
    pub(super) fn lowered(&mut self, level: usize) {
        self.level = level;
        self.doubling = false;
        self.up = true;
        self.before = None;
        self.window = Window::default();
    }

    /// A request has ended well. The new level, where it changes.
    pub(super) fn ends(&mut self, now: Instant) -> Option<usize> {
        let begun = *self.window.begun.get_or_insert(now);
        self.window.requests += 1;
        self.window.work += COST;
        let elapsed = now.duration_since(begun);
        if elapsed < WINDOW || self.window.requests < 2 * self.level as u64 {
            return None;
        }
        let window = std::mem::take(&mut self.window);
        self.window.begun = Some(now);
        // Where nobody waits there is not enough to do, and nothing can be learnt.
        if window.held_up * 2 < window.requests {
            self.before = None;
            return None;
        }
        let rate = window.work as f64 / elapsed.as_secs_f64();
        let worth = rate * (rate / self.level as f64).powf(EAGERNESS);
        let next = self.next(worth);
        self.before = Some((self.level, worth));
        let changed = next != self.level;
        self.level = next;
        changed.then_some(next)
    }

    fn next(&mut self, worth: f64) -> usize {
        let Some((before, was)) = self.before else {
            return self.step();
        };
        let gained = worth / was;
        if self.doubling {
            if gained >= GAIN_BY_DOUBLING {
                return self.step();
            }
            self.doubling = false;
            self.up = false;
            return before;
        }
        // At either end no step was made that could be judged.
        if before != self.level && gained < GAIN {
            self.up = !self.up;
        }
        self.step()
    }

    fn step(&mut self) -> usize {
        let step = if self.doubling {
            self.level
        } else {
            (self.level / 5).max(1)
        };
        let next = if self.up {
            self.level + step
        } else {
            self.level.saturating_sub(step)
        };
        let next = next.clamp(self.least, self.most);
        if next == self.level {
            self.up = !self.up;
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store behind a line: each request takes `latency`, and all together at most `rate` a
    /// second go through, give or take a tenth.
    fn levels(latency: f64, rate: f64, bytes: u64, requests: usize) -> Vec<usize> {
        let mut level = Level::new(2, 16, 64);
        let mut now = Instant::now();
        let mut noise = 12_345_u64;
        let mut levels = Vec::new();
        let mut current = 16;
        for _ in 0..requests {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let shaken = 0.9 + (noise >> 40) as f64 / (1_u64 << 24) as f64 * 0.2;
            let possible = (current as f64 / latency).min(rate) * shaken;
            level.begins(true);
            level.moves(bytes);
            now += Duration::from_secs_f64(1.0 / possible);
            current = level.ends(now).unwrap_or(current);
            levels.push(current);
        }
        levels
    }

    fn mean(levels: &[usize]) -> f64 {
        let late = &levels[levels.len() / 4..];
        late.iter().sum::<usize>() as f64 / late.len() as f64
    }

    #[tokio::test]
    async fn a_fast_store_far_away_gets_as_many_as_there_may_be() {
        let levels = levels(0.1, 1e6, 64 << 10, 20_000);
        assert!(mean(&levels) > 50.0, "{}", mean(&levels));
        assert!(levels[..1_000].contains(&64), "soon");
    }

    #[tokio::test]
    async fn a_busy_store_nearby_gets_no_more_than_keep_it_busy() {
        // Busy with eight.
        let levels = levels(0.005, 1_600.0, 64 << 10, 100_000);
        let mean = mean(&levels);
        assert!((6.0..20.0).contains(&mean), "{mean}");
    }

    #[tokio::test]
    async fn a_thin_line_is_not_crowded() {
        // 2 Mbit/s, parts of 8 MiB.
        let levels = levels(0.1, 0.03, 8 << 20, 1_000);
        assert!(mean(&levels) < 10.0, "{}", mean(&levels));
    }

    #[tokio::test]
    async fn nothing_is_learnt_while_there_is_too_little_to_do() {
        let mut level = Level::new(2, 16, 64);
        let mut now = Instant::now();
        for _ in 0..10_000 {
            now += Duration::from_millis(10);
            level.begins(false);
            assert_eq!(level.ends(now), None);
        }
    }

    #[tokio::test]
    async fn after_a_slow_down_it_climbs_again_by_small_steps() {
        let mut level = Level::new(2, 16, 64);
        level.lowered(8);
        let mut now = Instant::now();
        let next = loop {
            now += Duration::from_millis(10);
            level.begins(true);
            if let Some(next) = level.ends(now) {
                break next;
            }
        };
        assert_eq!(next, 9);
    }
}
