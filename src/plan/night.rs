//! Which share of all versions is read tonight.

use crate::model::Time;

/// A part of the circle from 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NightShare {
    from: f64,
    length: f64,
}

/// The share of a night, so that whoever reads `percent` every night has read everything after
/// 100 / `percent` nights, or a few more.
///
/// The nights are counted in rounds of a length that shares no divisor with 2, 7 and 30, so that
/// those who verify every other night, weekly or monthly do not meet the same share for ever.
pub fn share_of_night(percent: f64, now: Time) -> NightShare {
    let length = (percent / 100.0).clamp(0.0, 1.0);
    // At least one night in 100,000: less than that is nothing.
    let mut nights = (1.0 / length.max(1e-5)).ceil() as i64;
    while nights > 1 && [2, 3, 5, 7].iter().any(|prime| nights % prime == 0) {
        nights += 1;
    }
    let night = now.as_second().div_euclid(86_400).rem_euclid(nights);
    NightShare {
        from: night as f64 / nights as f64,
        length,
    }
}

impl NightShare {
    /// Whether it has this place, from 0 up to 1.
    pub fn has(self, place: f64) -> bool {
        (place - self.from).rem_euclid(1.0) < self.length || self.length >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nights_until_all(percent: f64, every: i64) -> Option<usize> {
        let mut left: Vec<f64> = (0..5_000).map(|n| f64::from(n) / 5_000.0).collect();
        (1..=400)
            .find(|&run| {
                let second = 1_800_000_000 + i64::from(run) * every * 86_400;
                let share = share_of_night(percent, Time::from_second(second).expect("time"));
                left.retain(|&place| !share.has(place));
                left.is_empty()
            })
            .map(|run| run as usize)
    }

    #[test]
    fn over_a_month_of_nights_everything_is_read_once() {
        assert_eq!(nights_until_all(100.0 / 30.0, 1), Some(31));
        assert_eq!(nights_until_all(100.0, 1), Some(1));
        assert_eq!(nights_until_all(10.0, 1), Some(11));
    }

    #[test]
    fn whoever_verifies_every_so_many_days_reads_everything_too() {
        for every in [2, 3, 7, 14, 30] {
            for percent in [50.0, 100.0 / 7.0, 10.0, 5.0] {
                assert!(
                    nights_until_all(percent, every).is_some(),
                    "{percent} {every}"
                );
            }
        }
    }

    #[test]
    fn a_night_reads_the_share_that_was_asked_for() {
        for percent in [1.0, 10.0, 33.0] {
            let share = share_of_night(percent, Time::UNIX_EPOCH);
            let read = (0..100_000)
                .filter(|&n| share.has(f64::from(n) / 100_000.0))
                .count();
            assert!(
                (read as f64 / 1_000.0 - percent).abs() < 0.01,
                "{percent} {read}"
            );
        }
    }
}
