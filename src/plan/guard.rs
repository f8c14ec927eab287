//! No deletes on doubt.

use crate::model::{Limit, words};

/// `max_delete` never refuses fewer deletes than this, so that small libraries can be used.
pub const FLOOR_DELETE: u64 = 10;

/// How many of `total` a limit allows; a share is rounded down, and a limit that is a share is
/// never under `floor`. A plain number is meant as it stands.
pub fn allowed(limit: Limit, total: u64, floor: u64) -> u64 {
    match limit {
        Limit::Count(count) => count,
        Limit::Percent(percent) => ((total as f64 * percent / 100.0).floor() as u64).max(floor),
    }
}

/// What the guard on deletes looks at.
#[derive(Clone, Debug)]
pub struct DeleteGuard {
    /// Paths that would go, renamed ones not counted.
    pub deletes: u64,
    /// What a share of `max_delete` is taken of: files remembered or mirrored before this run.
    pub total: u64,
    /// `max_delete`.
    pub limit: Limit,
    /// `max_delete` was given for this one run.
    pub overridden: bool,
    /// No run into this prefix has ended with 0 yet.
    pub first_run: bool,
    /// Something could not be seen, read or stored.
    pub doubt: bool,
}

/// Whether deletes may happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeleteVerdict {
    /// They may.
    Allowed,
    /// They wait, because of errors that are reported on their own.
    Doubt,
    /// A limit refuses them; the reason and the override, for the message.
    Refused {
        /// Why, as half a sentence.
        why: String,
        /// The flag that lets exactly these deletes happen once.
        override_flag: String,
    },
}

/// | deletes | doubt | overridden | first run | over the limit | verdict |
/// |---|---|---|---|---|---|
/// | – | yes | – | – | – | doubt |
/// | 0 | no | – | – | – | allowed |
/// | > 0 | no | yes | – | no | allowed |
/// | > 0 | no | no | yes | – | refused |
/// | > 0 | no | – | – | yes | refused |
pub fn check_deletes(guard: &DeleteGuard) -> DeleteVerdict {
    // Also where nothing counts as a delete: a renamed file's old object stays, too.
    if guard.doubt {
        return DeleteVerdict::Doubt;
    }
    if guard.deletes == 0 {
        return DeleteVerdict::Allowed;
    }
    let override_flag = format!("--max-delete {}", guard.deletes);
    let deletes = guard.deletes;
    if guard.first_run && !guard.overridden {
        let why = format!(
            "this is the first run into that prefix, and {} there that the library does not have",
            words::count(deletes, "object is", "objects are")
        );
        return DeleteVerdict::Refused { why, override_flag };
    }
    let limit = allowed(guard.limit, guard.total, FLOOR_DELETE);
    if deletes > limit {
        let why = format!(
            "{} more than the {limit} that max_delete allows",
            words::count(deletes, "delete is", "deletes are")
        );
        return DeleteVerdict::Refused { why, override_flag };
    }
    DeleteVerdict::Allowed
}

/// Whether an empty library is a reason to stop: it has no files though some were remembered.
pub fn check_empty(files: u64, known_files: u64, allow_empty: bool) -> bool {
    files == 0 && known_files > 0 && !allow_empty
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> DeleteGuard {
        DeleteGuard {
            deletes: 5,
            total: 1000,
            limit: Limit::Percent(10.0),
            overridden: false,
            first_run: false,
            doubt: false,
        }
    }

    fn refused(guard: DeleteGuard) -> bool {
        matches!(check_deletes(&guard), DeleteVerdict::Refused { .. })
    }

    #[test]
    fn limits_have_a_floor_only_as_shares() {
        assert_eq!(allowed(Limit::Percent(10.0), 1000, 10), 100);
        assert_eq!(allowed(Limit::Percent(10.0), 20, 10), 10);
        assert_eq!(allowed(Limit::Count(3), 1000, 10), 3);
        assert_eq!(allowed(Limit::Percent(0.0), 1000, 10), 10);
    }

    #[test]
    fn verdicts_follow_the_table() {
        assert_eq!(check_deletes(&guard()), DeleteVerdict::Allowed);
        assert_eq!(
            check_deletes(&DeleteGuard {
                doubt: true,
                ..guard()
            }),
            DeleteVerdict::Doubt
        );
        let moved = DeleteGuard {
            doubt: true,
            deletes: 0,
            ..guard()
        };
        assert_eq!(check_deletes(&moved), DeleteVerdict::Doubt);
        assert!(refused(DeleteGuard {
            deletes: 101,
            ..guard()
        }));
        assert!(!refused(DeleteGuard {
            deletes: 100,
            ..guard()
        }));
        assert!(refused(DeleteGuard {
            first_run: true,
            ..guard()
        }));
        assert!(!refused(DeleteGuard {
            first_run: true,
            deletes: 0,
            ..guard()
        }));
        let once = DeleteGuard {
            first_run: true,
            overridden: true,
            ..guard()
        };
        assert!(!refused(DeleteGuard {
            limit: Limit::Count(5),
            ..once.clone()
        }));
        assert!(refused(DeleteGuard {
            limit: Limit::Count(4),
            ..once
        }));
    }

    #[test]
    fn the_printed_override_lets_exactly_these_deletes_happen() {
        let DeleteVerdict::Refused { override_flag, .. } = check_deletes(&DeleteGuard {
            deletes: 101,
            ..guard()
        }) else {
            panic!("not refused");
        };
        assert_eq!(override_flag, "--max-delete 101");
    }

    #[test]
    fn an_emptied_library_stops_but_a_new_empty_one_does_not() {
        assert!(check_empty(0, 3, false));
        assert!(!check_empty(0, 3, true));
        assert!(!check_empty(0, 0, false));
        assert!(!check_empty(1, 3, false));
    }
}
