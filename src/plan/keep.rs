//! Which snapshots stay: the keep policy, in restic's words and meanings.
//!
//! After restic's documentation of `forget`: for each of the last `n` hours (days, weeks, …) that
//! have a snapshot, the newest one is kept; hours and days in which there is none do not count. A
//! week is one of ISO 8601. Where there are fewer than `n`, the oldest snapshot stays as well. A
//! snapshot that any rule keeps is kept.

use crate::model::{KeepPolicy, Time};
use jiff::tz::TimeZone;
use jiff::{Span, ZonedDateTime};

/// An incomplete snapshot that was followed so soon is what a long run had until then.
const CHECKPOINT_HOURS: i64 = 12;

/// A snapshot, as the policy sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// When it was made.
    pub time: Time,
    /// Its run saw and stored everything.
    pub complete: bool,
    /// It looks like the work of ransomware.
    pub suspect: bool,
    /// It was written long after `time`: whoever can write can forge one for any past day.
    pub backdated: bool,
}

/// Decides for each snapshot, the oldest first, whether it stays.
///
/// Beside what the policy keeps, the newest stays, since the next one is made from it; the newest
/// that is not suspect, which a restore takes; and the newest of those that is complete. A
/// checkpoint goes once a later snapshot is there, which holds all that it held; so does a
/// backdated one, and neither takes another's place.
///
/// # Errors
/// Why the policy can't be obeyed: it keeps nothing, or `within` is no span.
pub fn keep(
    snapshots: &[Candidate],
    policy: &KeepPolicy,
    zone: &TimeZone,
) -> Result<Vec<bool>, String> {
    if is_empty(policy) {
        return Err("the keep policy keeps no snapshot at all".to_owned());
    }
    let clean = |one: &Candidate| !one.suspect && !one.backdated;
    // Where a file can never be read, no night is complete.
    let newest_clean = snapshots.iter().rposition(clean);
    let newest_whole = snapshots.iter().rposition(|one| clean(one) && one.complete);
    let newest = snapshots.len().checked_sub(1);
    let counted: Vec<usize> = (0..snapshots.len())
        .filter(|&index| !snapshots[index].backdated && !is_checkpoint(snapshots, index))
        .collect();
    let times: Vec<ZonedDateTime> = counted
        .iter()
        .map(|&index| snapshots[index].time.to_zoned_datetime(zone.clone()))
        .collect();
    let mut stays = vec![false; snapshots.len()];
    for (place, kept) in by_policy(&times, policy)?.into_iter().enumerate() {
        stays[counted[place]] = kept;
    }
    for index in newest_whole.into_iter().chain(newest_clean).chain(newest) {
        stays[index] = true;
    }
    Ok(stays)
}

fn is_empty(policy: &KeepPolicy) -> bool {
    *policy == KeepPolicy::default()
}

fn is_checkpoint(snapshots: &[Candidate], index: usize) -> bool {
    let own = &snapshots[index];
    let soon = |next: &Candidate| {
        let hours = next.time.as_second() - own.time.as_second();
        hours < CHECKPOINT_HOURS * 3600
    };
    !own.complete && snapshots.get(index + 1).is_some_and(soon)
}

/// One rule: how many are still to be kept, and what makes two snapshots one of a kind.
struct Rule {
    left: u32,
    period: fn(&ZonedDateTime, usize) -> (i64, i64),
    last: Option<(i64, i64)>,
}

fn by_policy(times: &[ZonedDateTime], policy: &KeepPolicy) -> Result<Vec<bool>, String> {
    let mut stays = vec![false; times.len()];
    let since = match (&policy.within, times.last()) {
        (Some(within), Some(newest)) => Some(before(newest, within)?),
        _ => None,
    };
    let rule = |left, period| Rule {
        left,
        period,
        last: None,
    };
    let mut rules = [
        rule(policy.last, |_, place| (place as i64, 0)),
        rule(policy.hourly, |time, _| (day(time), i64::from(time.hour()))),
        rule(policy.daily, |time, _| (day(time), 0)),
        rule(policy.weekly, |time, _| {
            let week = time.date().iso_week_date();
            (i64::from(week.year()), i64::from(week.week()))
        }),
        rule(policy.monthly, |time, _| {
            (i64::from(time.year()), i64::from(time.month()))
        }),
        rule(policy.yearly, |time, _| (i64::from(time.year()), 0)),
    ];
    for (place, time) in times.iter().enumerate().rev() {
        stays[place] = since.as_ref().is_some_and(|since| time > since);
        for rule in rules.iter_mut().filter(|rule| rule.left > 0) {
            let period = (rule.period)(time, place);
            if rule.last != Some(period) || place == 0 {
                rule.last = Some(period);
                rule.left -= 1;
                stays[place] = true;
            }
        }
    }
    Ok(stays)
}

fn day(time: &ZonedDateTime) -> i64 {
    i64::from(time.year()) * 1000 + i64::from(time.day_of_year())
}

/// The beginning of a span that ends at `newest`: `1y`, `5m` (months), `30d`, `7d12h`, after
/// restic, whose units are `y`, `m`, `d` and `h`; weeks (`w`) as well.
fn before(newest: &ZonedDateTime, within: &str) -> Result<ZonedDateTime, String> {
    let wrong = || {
        format!(
            "keep.within = {within:?} is no span of years, months, weeks, days and hours, such as \
             \"1y6m\" or \"30d\""
        )
    };
    let mut span = Span::new();
    let mut rest = within.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: i64 = rest[..end].parse().map_err(|_| wrong())?;
        let unit = rest[end..].find(|c: char| c.is_ascii_digit() || c.is_whitespace());
        let (unit, next) = rest[end..].split_at(unit.unwrap_or(rest.len() - end));
        let longer = match unit {
            "y" | "year" | "years" => span.try_years(number),
            "m" | "mo" | "month" | "months" => span.try_months(number),
            "w" | "week" | "weeks" => span.try_weeks(number),
            "d" | "day" | "days" => span.try_days(number),
            "h" | "hour" | "hours" => span.try_hours(number),
            _ => return Err(wrong()),
        };
        span = longer.map_err(|_| wrong())?;
        rest = next.trim_start();
    }
    newest.checked_sub(span).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Candidate {
        Candidate {
            time: format!("{time}Z").parse().expect(time),
            complete: true,
            suspect: false,
            backdated: false,
        }
    }

    fn kept(snapshots: &[Candidate], policy: &KeepPolicy) -> Vec<usize> {
        let stays = keep(snapshots, policy, &TimeZone::UTC).unwrap();
        (0..stays.len()).filter(|&index| stays[index]).collect()
    }

    fn all(times: &[&str]) -> Vec<Candidate> {
        times.iter().map(|time| at(time)).collect()
    }

    const NIGHTS: [&str; 8] = [
        "2024-12-30T02:00:00",
        "2025-12-28T02:00:00",
        "2026-10-31T02:00:00",
        "2026-11-01T02:00:00",
        "2026-11-01T14:10:00",
        "2026-11-01T14:50:00",
        "2026-11-02T02:00:00",
        "2026-11-03T02:00:00",
    ];

    #[test]
    fn each_rule_keeps_the_newest_of_its_periods_as_restic_does() {
        let none = KeepPolicy::default;
        let nights = all(&NIGHTS);
        let within = |span: &str| Some(span.to_owned());
        for (policy, expected) in [
            (KeepPolicy { last: 1, ..none() }, vec![7]),
            (KeepPolicy { last: 3, ..none() }, vec![5, 6, 7]),
            (
                KeepPolicy {
                    hourly: 3,
                    ..none()
                },
                vec![5, 6, 7],
            ),
            (
                KeepPolicy {
                    hourly: 4,
                    ..none()
                },
                vec![3, 5, 6, 7],
            ),
            // Days without a snapshot do not count.
            (KeepPolicy { daily: 4, ..none() }, vec![2, 5, 6, 7]),
            // Monday begins a week: 2 November 2026 is one.
            (
                KeepPolicy {
                    weekly: 2,
                    ..none()
                },
                vec![5, 7],
            ),
            (
                KeepPolicy {
                    monthly: 2,
                    ..none()
                },
                vec![2, 7],
            ),
            (
                KeepPolicy {
                    yearly: 2,
                    ..none()
                },
                vec![1, 7],
            ),
            // Fewer than asked for: the oldest stays as well.
            (
                KeepPolicy {
                    yearly: 9,
                    ..none()
                },
                vec![0, 1, 7],
            ),
            (
                KeepPolicy {
                    within: within("1d12h"),
                    ..none()
                },
                vec![4, 5, 6, 7],
            ),
            (
                KeepPolicy {
                    within: within("1m"),
                    ..none()
                },
                vec![2, 3, 4, 5, 6, 7],
            ),
            (
                KeepPolicy {
                    within: within("1y"),
                    ..none()
                },
                vec![1, 2, 3, 4, 5, 6, 7],
            ),
            (
                KeepPolicy {
                    last: 1,
                    monthly: 2,
                    ..none()
                },
                vec![2, 7],
            ),
        ] {
            assert_eq!(kept(&nights, &policy), expected, "{policy:?}");
        }
    }

    #[test]
    fn the_last_day_of_december_can_lie_in_the_first_week_of_the_next_year() {
        let nights = all(&[
            "2024-12-29T02:00:00",
            "2024-12-30T02:00:00",
            "2025-01-02T02:00:00",
        ]);
        let policy = KeepPolicy {
            weekly: 1,
            ..KeepPolicy::default()
        };
        assert_eq!(kept(&nights, &policy), [2]);
        let policy = KeepPolicy {
            weekly: 2,
            ..KeepPolicy::default()
        };
        assert_eq!(kept(&nights, &policy), [0, 2]);
    }

    #[test]
    fn f55_the_newest_and_the_newest_clean_and_whole_ones_stay_whatever_the_policy_says() {
        let mut nights = all(&NIGHTS);
        nights[5..]
            .iter_mut()
            .for_each(|night| night.suspect = true);
        nights[4].complete = false;
        let policy = KeepPolicy {
            last: 1,
            ..KeepPolicy::default()
        };
        assert_eq!(kept(&nights, &policy), [3, 4, 7]);
        nights[4].complete = true;
        assert_eq!(kept(&nights, &policy), [4, 7]);
    }

    /// Else an attack that lasts for as many nights as the policy keeps would leave nothing of
    /// what was before.
    #[test]
    fn f55_nights_that_never_are_complete_keep_their_newest_clean_one_too() {
        let mut nights = all(&NIGHTS);
        for (index, night) in nights.iter_mut().enumerate() {
            (night.complete, night.suspect) = (false, index > 3);
        }
        let policy = KeepPolicy {
            last: 2,
            ..KeepPolicy::default()
        };
        assert_eq!(kept(&nights, &policy), [3, 6, 7]);
    }

    #[test]
    fn a_checkpoint_goes_once_a_later_one_is_there_and_an_incomplete_night_does_not() {
        let mut nights = all(&NIGHTS);
        for index in [2, 4, 7] {
            nights[index].complete = false;
        }
        let policy = KeepPolicy {
            last: 9,
            ..KeepPolicy::default()
        };
        // 4 was followed within the hour, 2 a day later, 7 by nothing.
        assert_eq!(kept(&nights, &policy), [0, 1, 2, 3, 5, 6, 7]);
    }

    /// Whoever can write could otherwise have the pruner drop every true night of the past.
    #[test]
    fn f56_backdated_snapshots_take_no_other_s_place() {
        let mut nights = all(&NIGHTS);
        let forged = nights.clone().into_iter().map(|night| Candidate {
            time: night.time + std::time::Duration::from_secs(60),
            backdated: true,
            ..night
        });
        nights = nights
            .iter()
            .copied()
            .zip(forged)
            .flat_map(|(a, b)| [a, b])
            .collect();
        // The newest of all is a true one.
        nights.pop();
        let policy = KeepPolicy {
            last: 2,
            daily: 3,
            monthly: 9,
            within: Some("1y".to_owned()),
            ..KeepPolicy::default()
        };
        let honest = kept(&all(&NIGHTS), &policy);
        let doubled: Vec<_> = honest.iter().map(|index| index * 2).collect();
        assert_eq!(kept(&nights, &policy), doubled);
    }

    #[test]
    fn a_policy_that_keeps_nothing_is_refused_and_so_is_no_span() {
        let nights = all(&NIGHTS);
        keep(&nights, &KeepPolicy::default(), &TimeZone::UTC).unwrap_err();
        for span in ["", "y", "3", "2x", "1y 5"] {
            let within = Some(span.to_owned());
            let policy = KeepPolicy {
                within,
                ..KeepPolicy::default()
            };
            let ended = keep(&nights, &policy, &TimeZone::UTC);
            assert!(ended.is_err() || span.is_empty(), "{span}");
        }
        assert_eq!(
            kept(
                &[],
                &KeepPolicy {
                    last: 1,
                    ..KeepPolicy::default()
                }
            ),
            [0; 0]
        );
    }
}
