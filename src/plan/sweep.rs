//! Which versions of a vault nobody needs any more.

use crate::model::Time;
use std::time::Duration;

/// What nobody names stays for so long after its snapshot was dropped, or after it was written: so
/// a restore or a run that is under way loses nothing.
pub const GRACE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Who names a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// A kept snapshot.
    Kept,
    /// Only dropped ones, the last of them until then in its days of grace.
    Until(Time),
    /// Nobody.
    Nobody,
}

/// What becomes of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sweep {
    /// It is needed.
    Keep,
    /// It can go from then on.
    Later(Time),
    /// It can go.
    Now,
}

/// | named by | lock | since | verdict |
/// |---|---|---|---|
/// | a kept snapshot | – | – | keep |
/// | dropped ones, or nobody | over | the end of all grace | now |
/// | dropped ones, or nobody | otherwise | | later: when both are over |
///
/// `locked` is the end of its lock, where it has one.
pub fn sweep(naming: Naming, written: Time, locked: Option<Time>, now: Time) -> Sweep {
    let written_long_ago = written.checked_add(GRACE).unwrap_or(Time::MAX);
    let grace = match naming {
        Naming::Kept => return Sweep::Keep,
        Naming::Until(end) => end.max(written_long_ago),
        Naming::Nobody => written_long_ago,
    };
    let end = locked.map_or(grace, |locked| locked.max(grace));
    if end <= now {
        Sweep::Now
    } else {
        Sweep::Later(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f45_a_version_goes_only_when_nobody_names_it_and_lock_and_grace_are_over() {
        let day = |day: i64| Time::from_second(day * 86_400).unwrap();
        let now = day(100);
        for (naming, written, locked, expected) in [
            (Naming::Kept, 1, None, Sweep::Keep),
            (Naming::Nobody, 1, None, Sweep::Now),
            (Naming::Nobody, 1, Some(99), Sweep::Now),
            (Naming::Nobody, 1, Some(101), Sweep::Later(day(101))),
            (Naming::Nobody, 93, None, Sweep::Now),
            (Naming::Nobody, 94, Some(1), Sweep::Later(day(101))),
            (Naming::Until(day(100)), 1, Some(100), Sweep::Now),
            (Naming::Until(day(101)), 1, Some(50), Sweep::Later(day(101))),
            (
                Naming::Until(day(101)),
                1,
                Some(150),
                Sweep::Later(day(150)),
            ),
        ] {
            let found = sweep(naming, day(written), locked.map(day), now);
            assert_eq!(found, expected, "{naming:?} {written} {locked:?}");
        }
    }
}
