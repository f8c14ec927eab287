//! Places at which a test can have the process die as by `kill -9`.
//!
//! Built without the feature `kill-points`, as every released binary is, nobody dies. With it,
//! `TIDELOCK_KILL_AT=NAME` or `NAME:NTH` (from 1) names where the process kills itself: no
//! destructor runs, nothing is flushed, no lease is given back.

/// Nothing happens here in a released binary.
#[cfg(not(any(feature = "kill-points", debug_assertions)))]
#[inline(always)]
pub(crate) fn reach(_name: &str) {}

/// A debug build panics here if `TIDELOCK_TEST_PANIC_AT` names the place: for the test of what a
/// panic prints.
#[cfg(all(not(feature = "kill-points"), debug_assertions))]
pub(crate) fn reach(name: &str) {
    static WANTED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let wanted = WANTED.get_or_init(|| std::env::var("TIDELOCK_TEST_PANIC_AT").ok());
    assert!(wanted.as_deref() != Some(name), "asked for at {name}");
}

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
