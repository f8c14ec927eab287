//! Points in time, to the nanosecond.

use std::time::SystemTime;

/// A point in time, UTC, to the nanosecond.
pub type Time = jiff::Timestamp;

/// A file's time as a [`Time`]; what lies outside of years -9999 to 9999 is moved to the nearest
/// representable time, which only garbage on a damaged disk ever needs.
pub fn from_unix(seconds: i64, nanoseconds: i64) -> Time {
    let nanoseconds = nanoseconds.clamp(0, 999_999_999) as i32;
    Time::new(seconds, nanoseconds).unwrap_or(if seconds < 0 { Time::MIN } else { Time::MAX })
}

/// The local clock. Only for progress and time-outs: whatever is stored uses the server's time.
pub fn local_now() -> Time {
    Time::try_from(SystemTime::now()).unwrap_or(Time::UNIX_EPOCH)
}

/// Decimal seconds since 1970 with nanoseconds: the `mtime` metadata that rclone reads and writes.
pub fn to_decimal_seconds(time: Time) -> String {
    let total = time.as_nanosecond();
    let sign = if total < 0 { "-" } else { "" };
    let total = total.unsigned_abs();
    format!(
        "{sign}{}.{:09}",
        total / 1_000_000_000,
        total % 1_000_000_000
    )
}

/// Reads [`to_decimal_seconds`]'s form, also with fewer or no digits behind the point.
pub fn from_decimal_seconds(text: &str) -> Option<Time> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i128 = whole.parse::<u64>().ok()?.into();
    let nanoseconds: i128 = format!("{fraction:0<9}").parse::<u32>().ok()?.into();
    let total = seconds * 1_000_000_000 + nanoseconds;
    Time::from_nanosecond(if negative { -total } else { total }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_seconds_are_reversible_before_and_after_1970() {
        for text in [
            "0.000000000",
            "1700000000.123456789",
            "-1.500000000",
            "-86400.000000001",
        ] {
            let time = from_decimal_seconds(text).expect(text);
            assert_eq!(to_decimal_seconds(time), text);
        }
        assert_eq!(
            from_decimal_seconds("12.5"),
            from_decimal_seconds("12.500000000")
        );
        assert_eq!(from_decimal_seconds("x"), None);
    }
}
