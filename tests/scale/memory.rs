//! What the process holds, as the kernel counts it.

use std::fs;

/// Forgets the peak so far and returns what is held now, in bytes; none where the kernel does not tell.
pub(crate) fn begin() -> Option<u64> {
    // Linux: proc(5), `clear_refs`, 5 resets the peak.
    fs::write("/proc/self/clear_refs", "5").ok()?;
    read("VmRSS:")
}

/// The most that was held since, in bytes.
pub(crate) fn peak() -> Option<u64> {
    read("VmHWM:")
}

fn read(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}
