//! Durations, sizes, rates and limits as people write them.

use crate::model::Limit;
use bytesize::ByteSize;
use jiff::Span;
use std::time::Duration;

const DAY: u64 = 86_400;

/// Reads `60d`, `1y`, `5h`, `30m`, `1d 12h`. A month is 30 days and a year 365.
///
/// # Errors
/// What is wrong and how to write it. Zero and negative durations are errors.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let hint = "write a number with a unit, such as 60d, 1y, 5h or 30m";
    if text.trim().bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("has no unit; {hint}"));
    }
    let span: Span = text
        .trim()
        .parse()
        .map_err(|_| format!("is not a duration; {hint}"))?;
    if span.is_negative() {
        return Err("is negative".to_owned());
    }
    let days = i64::from(span.get_years()) * 365
        + i64::from(span.get_months()) * 30
        + i64::from(span.get_weeks()) * 7
        + i64::from(span.get_days());
    let seconds =
        i64::from(span.get_hours()) * 3_600 + span.get_minutes() * 60 + span.get_seconds();
    let total = days
        .unsigned_abs()
        .saturating_mul(DAY)
        .saturating_add(seconds.unsigned_abs());
    if total == 0 {
        return Err("must be longer than a second".to_owned());
    }
    Ok(Duration::from_secs(total))
}

/// The shortest form that [`parse_duration`] reads back.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    for (unit, length) in [("y", 365 * DAY), ("d", DAY), ("h", 3_600), ("m", 60)] {
        if seconds > 0 && seconds.is_multiple_of(length) {
            return format!("{}{unit}", seconds / length);
        }
    }
    format!("{seconds}s")
}

/// Reads `64M`, `8MiB`, `1.5G`, `1000`: bytes. `K`, `M`, `G` and `T` are binary multiples, as in
/// `KiB`; `KB` and `MB` are decimal ones.
///
/// # Errors
/// What is wrong and how to write it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let hint = "write a size such as 64M or 8MiB";
    if text.starts_with('-') {
        return Err(format!("is negative; {hint}"));
    }
    let binary = match text.bytes().last() {
        Some(b'k' | b'K' | b'm' | b'M' | b'g' | b'G' | b't' | b'T') => format!("{text}iB"),
        _ => text.to_owned(),
    };
    binary
        .parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("is not a size; {hint}"))
}

/// Reads a rate in bytes a second: `25M`, `25M/s`; `0` and `off` mean no limit.
///
/// # Errors
/// What is wrong and how to write it.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("off") {
        return Ok(0);
    }
    parse_size(text.strip_suffix("/s").unwrap_or(text))
        .map_err(|_| "is not a rate; write bytes a second, such as 25M".to_owned())
}

/// Reads `10%` or a number of files.
///
/// # Errors
/// What is wrong and how to write it.
pub fn parse_limit(text: &str) -> Result<Limit, String> {
    let text = text.trim();
    let Some(percent) = text.strip_suffix('%') else {
        return text.parse().map(Limit::Count).map_err(|_| {
            "is not a limit; write a share such as 10% or a number of files".to_owned()
        });
    };
    match percent.trim_end().parse::<f64>() {
        Ok(share) if (0.0..=100.0).contains(&share) => Ok(Limit::Percent(share)),
        Ok(_) => Err("must lie between 0% and 100%".to_owned()),
        Err(_) => Err("is not a percentage; write 10%".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, seconds) in [
            ("60d", 60 * DAY),
            ("1y", 365 * DAY),
            ("5h", 18_000),
            ("30m", 1_800),
            ("2w", 14 * DAY),
            ("1d12h", 129_600),
            ("90s", 90),
            (" 7 days ", 7 * DAY),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for bad in [
            "",
            "60",
            "d",
            "-1d",
            "0d",
            "0s",
            "sixty days",
            "60x",
            "1d 1",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn durations_are_shown_so_that_they_can_be_read_back() {
        for text in ["1y", "60d", "5h", "30m", "7s", "400d"] {
            assert_eq!(show_duration(parse_duration(text).expect(text)), text);
        }
    }

    #[test]
    fn sizes_are_binary_unless_they_say_otherwise() {
        for (text, bytes) in [
            ("64M", 64 << 20),
            ("8MiB", 8 << 20),
            ("8 MiB", 8 << 20),
            ("1.5G", 3 << 29),
            ("10k", 10 << 10),
            ("1MB", 1_000_000),
            ("1000", 1000),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "M", "64X", "-1M", "lots", "1e3M"] {
            assert!(parse_size(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rates_are_bytes_a_second() {
        assert_eq!(parse_rate("25M"), Ok(25 << 20));
        assert_eq!(parse_rate("25M/s"), Ok(25 << 20));
        assert_eq!(parse_rate("off"), Ok(0));
        assert!(parse_rate("fast").is_err());
    }

    #[test]
    fn limits_are_shares_or_counts() {
        assert_eq!(parse_limit("10%"), Ok(Limit::Percent(10.0)));
        assert_eq!(parse_limit("0.5 %"), Ok(Limit::Percent(0.5)));
        assert_eq!(parse_limit("100%"), Ok(Limit::Percent(100.0)));
        assert_eq!(parse_limit("250"), Ok(Limit::Count(250)));
        for bad in ["101%", "-1%", "nan%", "inf%", "%", "-3", "1.5", "ten"] {
            assert!(parse_limit(bad).is_err(), "{bad:?}");
        }
    }
}
