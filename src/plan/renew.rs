//! When a chunk's locks are extended.

use crate::model::{Blake3, RelPath, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether a chunk's locks are to be extended now.
///
/// | left of the lock | due |
/// |---|---|
/// | less than `renew_below` | yes |
/// | less than `renew_below` + a share of half of (`retention` − `renew_below`) | yes |
/// | more | no |
///
/// The share is fixed for each `first` path by its hash, so that chunks that were locked in one
/// night come due over many, and nights are alike.
pub fn renew_due(
    locked_until: Time,
    now: Time,
    retention: Duration,
    renew_below: Duration,
    first: &RelPath,
) -> bool {
    let hash = Blake3::of(first.as_bytes()).0;
    let share = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let rest = retention.saturating_sub(renew_below).as_nanos() / 2;
    let early = (rest * u128::from(share)) >> 32;
    let threshold = renew_below.as_nanos() + early;
    let left = locked_until.as_nanosecond() - now.as_nanosecond();
    left < i128::try_from(threshold).unwrap_or(i128::MAX)
}

/// What is renewed as one: a chunk of a manifest, or a snapshot object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renewable<'a> {
    /// Its lock holds until then at least.
    pub until: Time,
    /// The first path: chunks that share it share most of what they name, and come due together.
    pub first: &'a RelPath,
    /// Requests that its renewal takes.
    pub requests: u64,
}

/// Which of these are renewed by a run, so that runs are alike.
///
/// | left of the lock | due |
/// |---|---|
/// | less than `renew_below` | yes |
/// | less than `renew_below` + half of (`retention` − `renew_below`) | as many, the shortest first, as leave an equal share for each run until the first line applies |
/// | more | no |
///
/// The next runs are expected at the `interval` that has passed since the last one. A fixed date
/// for each chunk would not do: nights are whole, so what is renewed every 16 nights and what is
/// renewed every 24 would meet on the 48th.
pub fn due_now(
    all: &[Renewable<'_>],
    now: Time,
    retention: Duration,
    renew_below: Duration,
    interval: Duration,
) -> Vec<usize> {
    let spread = retention.saturating_sub(renew_below) / 2;
    let step = interval.clamp(
        Duration::from_secs(3600),
        spread.max(Duration::from_secs(3600)),
    );
    let mut families: BTreeMap<&RelPath, Family> = BTreeMap::new();
    for (index, one) in all.iter().enumerate() {
        let left = one.until.as_nanosecond() - now.as_nanosecond() - nanos(renew_below);
        if left < nanos(spread).max(1) {
            let family = families.entry(one.first).or_default();
            family.left = family.left.min(left);
            family.requests = family.requests.max(one.requests);
            family.members.push(index);
        }
    }
    let mut order: Vec<(&RelPath, Family)> = families.into_iter().collect();
    let share = |family: &Family| match family.left {
        ..0 => family.requests as f64,
        left => family.requests as f64 / (1 + left / nanos(step)) as f64,
    };
    let target: f64 = order.iter().map(|(_, family)| share(family)).sum();
    // Within a day by hash, so that a night's work is spread over the library.
    let day = nanos(Duration::from_secs(86_400));
    order.sort_by_cached_key(|(first, family)| {
        (family.left.div_euclid(day), Blake3::of(first.as_bytes()))
    });
    let mut done = 0.0;
    let mut due = Vec::new();
    for (_, family) in order {
        let requests = family.requests as f64;
        if family.left < 0 || done + requests / 2.0 <= target {
            done += requests;
            due.extend(family.members);
        }
    }
    due.sort_unstable();
    due
}

struct Family {
    /// Nanoseconds until `renew_below` is reached.
    left: i128,
    requests: u64,
    members: Vec<usize>,
}

impl Default for Family {
    fn default() -> Self {
        Self {
            left: i128::MAX,
            requests: 0,
            members: Vec::new(),
        }
    }
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn due(left: u32, retention: u32, renew_below: u32, first: &str) -> bool {
        let now = Time::UNIX_EPOCH;
        let until = now + left * DAY;
        let (retention, renew_below) = (retention * DAY, renew_below * DAY);
        renew_due(until, now, retention, renew_below, &RelPath::from(first))
    }

    #[test]
    fn what_is_below_the_threshold_is_due_and_what_is_above_the_spread_is_not() {
        for first in ["a", "b", "2024/07/IMG_0001.JPG", "z"] {
            for (left, retention, renew_below, expected) in [
                (29, 60, 30, true),
                (0, 60, 30, true),
                (45, 60, 30, false),
                (60, 60, 30, false),
                // Nothing is left for a spread.
                (59, 60, 60, true),
                (60, 60, 60, false),
                // A threshold above the retention is refused elsewhere; here it means always.
                (60, 60, 61, true),
            ] {
                assert_eq!(
                    due(left, retention, renew_below, first),
                    expected,
                    "{first} {left}"
                );
            }
        }
    }

    #[test]
    fn an_expired_lock_is_due() {
        let now = Time::UNIX_EPOCH + 100 * DAY;
        let expired = Time::UNIX_EPOCH;
        assert!(renew_due(
            expired,
            now,
            60 * DAY,
            Duration::ZERO,
            &RelPath::from("a")
        ));
    }

    #[test]
    fn chunks_locked_in_one_night_come_due_over_many() {
        let mut nights = BTreeMap::<u32, u32>::new();
        for n in 0..3_000 {
            let first = format!("{n}");
            let night = (0..=60).rev().find(|&left| due(left, 60, 30, &first));
            *nights.entry(night.expect("in the end")).or_default() += 1;
        }
        // 15 nights, from 44 days left down to 30, with 200 each on average.
        assert_eq!(
            nights.keys().copied().collect::<Vec<_>>(),
            (30..=44).collect::<Vec<_>>()
        );
        assert!(
            nights.values().all(|&count| (140..260).contains(&count)),
            "{nights:?}"
        );
    }
}
