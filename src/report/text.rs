//! Text that is safe on a terminal and numbers that people read at a glance.

use crate::model::Time;
use bytesize::ByteSize;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::time::Duration;

/// Makes text harmless for a terminal: control characters and those that reorder text are
/// spelled out (`\u{1b}`), so that a file's name can neither colour, move nor forge a line.
pub fn plain(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

/// As [`plain`], for messages of several lines.
pub(super) fn plain_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_unsafe(c))
}

fn escape(text: &str, is_unsafe: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

fn is_unsafe(c: char) -> bool {
    // C0, DEL and C1; then the explicit directional marks of Unicode's bidirectional algorithm
    // (UAX #9) and the separators that some terminals break lines at.
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `1.2 GiB`.
pub fn show_bytes(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`, `4 d 3 h`.
pub fn show_elapsed(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", elapsed.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// `2026-11-23 03:15`, by the clock on the wall.
pub fn show_minute(time: Time, zone: &TimeZone) -> String {
    let local = time.to_zoned_datetime(zone.clone());
    local.strftime("%Y-%m-%d %H:%M").to_string()
}

/// `2026-11-23`, the same.
pub fn show_day(time: Time, zone: &TimeZone) -> String {
    let local = time.to_zoned_datetime(zone.clone());
    local.strftime("%Y-%m-%d").to_string()
}

/// A text in a colour, where colours are wanted.
pub(super) fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour {
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_neither_colour_nor_forge_lines() {
        for (name, shown) in [
            ("2024/ä b.jpg", "2024/ä b.jpg"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\nerror: all is lost", "a\\nerror: all is lost"),
            ("a\rb\u{7f}\u{9b}c", "a\\rb\\u{7f}\\u{9b}c"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
        ] {
            assert_eq!(plain(name), shown);
        }
        assert_eq!(plain_lines("a\nb\u{1b}"), "a\nb\\u{1b}");
    }

    #[test]
    fn numbers_are_shown_for_people() {
        assert_eq!(show_bytes(0), "0 B");
        assert_eq!(show_bytes(34 << 20), "34.0 MiB");
        for (seconds, shown) in [
            (0.44, "0.4 s"),
            (12.9, "12 s"),
            (185.0, "3 min 5 s"),
            (7_450.0, "2 h 4 min"),
            (172_799.0, "47 h 59 min"),
            (356_400.0, "4 d 3 h"),
        ] {
            assert_eq!(show_elapsed(Duration::from_secs_f64(seconds)), shown);
        }
    }
}
