//! A point in time in the user's words, for `--at`.

use crate::model::Time;
use jiff::{SignedDuration, Span, Timestamp, ZonedDateTime, civil};

/// Reads what people write for "as it was then".
///
/// `now` brings the time zone with it. A time of day without an offset is local time. A day alone
/// (`2026-11-01`, `today`, `yesterday`) means the last moment of that day, so that the snapshot
/// that was taken in the course of it counts. Spans lie before `now`: `3 days ago`, `7d`, `1y 6mo`
/// (`m` is minutes, `mo` months).
///
/// # Errors
/// What is wrong with it, naming the text and the forms that are understood.
pub fn parse(text: &str, now: &ZonedDateTime) -> Result<Time, String> {
    let trimmed = text.trim();
    named_day(trimmed, now)
        .or_else(|| instant(trimmed))
        .or_else(|| local(trimmed, now))
        .or_else(|| span_before(trimmed, now))
        .ok_or_else(|| {
            format!(
                "{text:?} is not a time: write 2026-11-01, \"2026-11-01 14:30\", \
                 2026-11-01T14:30:00Z, \"3 days ago\", 7d or yesterday"
            )
        })
}

fn named_day(text: &str, now: &ZonedDateTime) -> Option<Time> {
    match text.to_ascii_lowercase().as_str() {
        "now" => Some(now.timestamp()),
        "today" => end_of_day(now.date(), now),
        "yesterday" => end_of_day(now.date().yesterday().ok()?, now),
        _ => None,
    }
}

/// With an offset: the same moment everywhere.
fn instant(text: &str) -> Option<Time> {
    text.parse::<Timestamp>().ok()
}

/// Without one: what the clock on the wall shows. In the hour that a change of the clocks repeats
/// the first counts, and in the one that it leaves out the time moves on by the gap.
fn local(text: &str, now: &ZonedDateTime) -> Option<Time> {
    if let Some(date) = date_alone(text) {
        return end_of_day(date, now);
    }
    let clock: civil::DateTime = text.parse().ok()?;
    Some(
        clock
            .to_zoned_datetime(now.time_zone().clone())
            .ok()?
            .timestamp(),
    )
}

fn date_alone(text: &str) -> Option<civil::Date> {
    civil::Date::strptime("%Y-%m-%d", text).ok()
}

fn end_of_day(date: civil::Date, now: &ZonedDateTime) -> Option<Time> {
    let next = date.tomorrow().ok()?;
    let midnight = next.to_zoned_datetime(now.time_zone().clone()).ok()?;
    let before = midnight.timestamp() - SignedDuration::from_nanos(1);
    Some(before)
}

/// Whole days and months go by the calendar, so `1d` across a change of the clocks keeps the hour.
fn span_before(text: &str, now: &ZonedDateTime) -> Option<Time> {
    let bare = text
        .strip_suffix("ago")
        .map_or(text, |rest| rest.trim_end());
    let bare = match bare.split_once(' ') {
        Some(("a" | "an", unit)) => format!("1 {unit}"),
        _ => bare.to_owned(),
    };
    let span: Span = bare.parse().ok()?;
    // A sign of its own ("-7d", "in …") would be a guess at what is meant.
    if span.is_negative() {
        return None;
    }
    Some(now.checked_sub(span).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> ZonedDateTime {
        "2026-11-23T10:00:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    fn at(text: &str) -> String {
        parse(text, &now()).unwrap().to_string()
    }

    #[test]
    fn a_moment_with_an_offset_is_the_same_everywhere() {
        assert_eq!(at("2026-11-01T14:30:00Z"), "2026-11-01T14:30:00Z");
        assert_eq!(at("2026-11-01T14:30:00+05:00"), "2026-11-01T09:30:00Z");
        assert_eq!(at("2026-11-01 14:30:00.5Z"), "2026-11-01T14:30:00.5Z");
    }

    #[test]
    fn a_moment_without_an_offset_is_local() {
        assert_eq!(at("2026-11-01 14:30"), "2026-11-01T13:30:00Z");
        assert_eq!(at("2026-07-01T14:30:10"), "2026-07-01T12:30:10Z");
    }

    #[test]
    fn a_day_alone_means_its_end() {
        assert_eq!(at("2026-11-01"), "2026-11-01T22:59:59.999999999Z");
        assert_eq!(at("yesterday"), "2026-11-22T22:59:59.999999999Z");
        assert_eq!(at("Today"), "2026-11-23T22:59:59.999999999Z");
    }

    #[test]
    fn spans_lie_before_now() {
        assert_eq!(at("3 days ago"), "2026-11-20T09:00:00Z");
        assert_eq!(at("7d"), "2026-11-16T09:00:00Z");
        assert_eq!(at("a week ago"), "2026-11-16T09:00:00Z");
        assert_eq!(at("1y 6mo"), "2025-05-23T08:00:00Z");
        assert_eq!(at("90m"), "2026-11-23T07:30:00Z");
        // Ten in the morning stays ten in the morning, though the clocks changed between.
        assert_eq!(at("30 days ago"), "2026-10-24T08:00:00Z");
        assert_eq!(at("now"), "2026-11-23T09:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for bad in [
            "",
            "soon",
            "-7d",
            "2026-13-01",
            "11/01/2026",
            "7",
            "2026-11-01 25:00",
        ] {
            let message = parse(bad, &now()).expect_err(bad);
            assert!(message.contains("3 days ago"), "{message}");
        }
    }
}
