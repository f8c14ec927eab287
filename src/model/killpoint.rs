//! Places at which a test can have the process die as by `kill -9`.
//!
//! Built without the feature `kill-points`, as every released binary is, this is nothing. With it,
//! `TIDELOCK_KILL_AT=NAME` or `NAME:NTH` (from 1) names where the process kills itself: no
//! destructor runs, nothing is flushed, no lease is given back.

/// The process dies here if the environment says so.
#[cfg(not(feature = "kill-points"))]
#[inline(always)]
pub(crate) fn reach(_name: &str) {}

/// The process dies here if the environment says so.
#[cfg(feature = "kill-points")]
pub(crate) fn reach(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| {
        let wanted = std::env::var("TIDELOCK_KILL_AT").ok()?;
        let (name, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
        Some((name.to_owned(), AtomicU64::new(nth.parse().ok()?)))
    });
    let Some((wanted, left)) = wanted else { return };
    if wanted == name && left.fetch_sub(1, Ordering::SeqCst) == 1 {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}
