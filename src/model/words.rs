//! Counts in words: the one place that knows `1 file` from `2 files`.

/// `1,234,567`.
pub fn digits(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 version`, `1,234 versions`: whatever follows the number, both ways. A verb may come along:
/// `count(n, "lock is", "locks are")`.
pub fn count(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", digits(count), if count == 1 { one } else { many })
}

/// `1 file`, `1,234 files`.
pub fn files(number: u64) -> String {
    count(number, "file", "files")
}

/// `1 snapshot`, `1,234 snapshots`.
pub fn snapshots(number: u64) -> String {
    count(number, "snapshot", "snapshots")
}

/// `1 version`, `1,234 versions`.
pub fn versions(number: u64) -> String {
    count(number, "version", "versions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_never_many() {
        assert_eq!(files(0), "0 files");
        assert_eq!(files(1), "1 file");
        assert_eq!(snapshots(2), "2 snapshots");
        assert_eq!(versions(1_234_567), "1,234,567 versions");
        assert_eq!(count(1, "lock is due", "locks are due"), "1 lock is due");
        assert_eq!(digits(7), "7");
    }
}
