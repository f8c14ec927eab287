//! Is this a night's work, or ransomware's? Two looks: at how much of the library has other
//! content than before, and at what the changed files are by now.

use crate::model::{Entry, Error, Limit, words};
use crate::plan::guard::allowed;
use crate::plan::{Known, Mirror, Task};

/// `max_change` as a share never refuses fewer overwrites than this.
pub const FLOOR_CHANGE: u64 = 100;

/// So many changed files must have lost their kind before that means anything.
const FEWEST_LOST: u64 = 10;

/// What was found by looking at the beginnings of changed files, now and before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Files looked at.
    pub files: u64,
    /// Those that no longer are what they were: known magic numbers gone, or noise where there
    /// was text.
    pub lost: u64,
    /// Files looked at whose name promises a magic number.
    pub photos: u64,
    /// Those of them without it by now.
    pub photos_lost: u64,
}

impl Look {
    /// Adds one file.
    pub fn add(&mut self, has_known_kind: bool, lost: bool) {
        self.files += 1;
        self.lost += u64::from(lost);
        self.photos += u64::from(has_known_kind);
        self.photos_lost += u64::from(has_known_kind && lost);
    }

    /// Whether file types change all over: in most of what was looked at, or in most photos.
    pub fn is_all_over(&self) -> bool {
        let most = |lost: u64, of: u64| lost >= FEWEST_LOST && lost * 2 > of;
        most(self.lost, self.files) || most(self.photos_lost, self.photos)
    }
}

/// What the guard on overwrites looks at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ChangeGuard {
    /// Files whose content differs from what was remembered; touched ones not counted.
    pub changed: u64,
    /// What a share of `max_change` is taken of: files remembered before this run. New files do
    /// not count, so that nobody can hide overwrites among them.
    pub total: u64,
    /// `max_change`.
    pub limit: Limit,
    /// `max_change` was given for this one run.
    pub overridden: bool,
    /// What the changed files are.
    pub look: Look,
}

/// Whether a night looks like ransomware: the reason, as half a sentence.
///
/// | over the limit | types change all over | overridden | verdict |
/// |---|---|---|---|
/// | yes | – | – | suspect: too many |
/// | no | yes | no | suspect: types |
/// | no | yes | yes | fine |
/// | no | no | – | fine |
pub fn check_change(guard: &ChangeGuard) -> Option<String> {
    let ChangeGuard {
        changed,
        total,
        look,
        ..
    } = guard;
    let limit = allowed(guard.limit, *total, FLOOR_CHANGE);
    let have = if *changed == 1 { "has" } else { "have" };
    if *changed > limit {
        return Some(format!(
            "{} of {} {have} other content than before, more than the {} that max_change allows",
            words::digits(*changed),
            words::files(*total),
            words::digits(limit),
        ));
    }
    if look.is_all_over() && !guard.overridden {
        return Some(format!(
            "of {} looked at, {} no longer of the former type",
            words::count(look.files, "changed file", "changed files"),
            words::count(look.lost, "is", "are")
        ));
    }
    None
}

/// Whether a file may have other content than the latest snapshot has of its path, by all that
/// can be told without reading it. What an unfinished run has stored since counts, too.
pub fn may_overwrite(task: &Task) -> bool {
    task.known.as_deref().is_some_and(|known| {
        let is_file = known.entry.content.is_some();
        is_file && !(task.same && known.committed)
    })
}

/// The mirror's task of a file that has gone to the backup meanwhile, where it is `now`.
///
/// | content | the mirror's object held | task |
/// |---|---|---|
/// | as before | – | nothing but times may have to be set |
/// | other | what a committed snapshot names | written over |
/// | other | what only this machine knew | rescued, then written over |
/// | other | anything else | as it was |
pub fn after_backup(task: Task, now: Option<Known>) -> Task {
    let Some(now) = now else { return task };
    let seen = &task.seen;
    let unmoved = now.identity == seen.identity && now.device == seen.device;
    let same_time = now.entry.mtime == Some(seen.mtime) || now.identity.ctime != 0;
    let same = now.entry.size() == seen.size && unmoved && same_time;
    let before = task.known.as_deref();
    let is_committed = before.is_some_and(|known| known.committed);
    let unchanged = before.filter(|known| known.entry.content == now.entry.content);
    let (known, mirror) = match (unchanged, task.mirror) {
        // The mirror's object has the former time.
        (Some(before), mirror) => {
            let mtime = before.entry.mtime;
            let entry = Entry { mtime, ..now.entry };
            (Known { entry, ..now }, mirror)
        }
        (None, Mirror::Holds { etag }) if is_committed => (now, Mirror::Cleared { etag }),
        (None, Mirror::Holds { etag }) => (now, Mirror::Foreign { etag }),
        (None, mirror) => (now, mirror),
    };
    Task {
        known: Some(Box::new(known)),
        same,
        mirror,
        ..task
    }
}

/// Whether so many files that may have changed (by size and times) can possibly be over the
/// limit. If not, nothing has to be counted.
pub fn may_exceed(upper_bound: u64, total: u64, limit: Limit) -> bool {
    upper_bound > allowed(limit, total, FLOOR_CHANGE)
}

/// A suspect night's refusal, with the way back and the exact override.
///
/// `clean` is the newest snapshot from before, `made` the one that this run has committed.
pub fn change_refusal(
    place: &str,
    why: &str,
    changed: u64,
    clean: Option<&str>,
    made: Option<&str>,
) -> Error {
    let backup = made.map_or_else(String::new, |id| {
        format!(" The backup went on: snapshot {id}, marked suspect.")
    });
    let back = clean.map_or_else(String::new, |id| {
        format!(
            " The newest snapshot from before is {id}, which `tidelock restore` takes by default."
        )
    });
    let changed = changed.max(1);
    Error::Refused(format!(
        "this looks like ransomware: {why}. Nothing on {place} was touched.{backup}{back} If the \
         changes are meant, run once more with --max-change {changed}"
    ))
}

/// Up to `most` of some things, evenly spread.
pub fn spread<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let count = all.len();
    if count <= most {
        return all;
    }
    let picked = |index: usize| (index * most) / count != ((index + 1) * most) / count;
    let all = all.into_iter().enumerate();
    all.filter(|(index, _)| picked(*index))
        .map(|(_, one)| one)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> ChangeGuard {
        ChangeGuard {
            changed: 50,
            total: 1000,
            limit: Limit::Percent(50.0),
            overridden: false,
            look: Look::default(),
        }
    }

    const GONE: Look = Look {
        files: 40,
        lost: 30,
        photos: 40,
        photos_lost: 30,
    };

    #[test]
    fn f55_the_change_verdict_follows_the_table() {
        let over = |changed| ChangeGuard { changed, ..guard() };
        let look = GONE;
        // over the limit, all over, overridden -> suspect
        for (row, (guard, suspect)) in [
            (over(501), true),
            (over(500), false),
            (ChangeGuard { look, ..guard() }, true),
            (
                ChangeGuard {
                    look,
                    overridden: true,
                    ..guard()
                },
                false,
            ),
            (
                ChangeGuard {
                    overridden: true,
                    limit: Limit::Count(49),
                    ..guard()
                },
                true,
            ),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(check_change(&guard).is_some(), suspect, "row {row}");
        }
    }

    #[test]
    fn f55_a_share_never_refuses_under_a_hundred_files() {
        let all = ChangeGuard {
            changed: 100,
            total: 100,
            ..guard()
        };
        assert_eq!(check_change(&all), None);
        let more = ChangeGuard {
            changed: 101,
            total: 101,
            ..guard()
        };
        assert!(check_change(&more).is_some());
        assert!(!may_exceed(100, 100, Limit::Percent(50.0)));
        assert!(may_exceed(101, 101, Limit::Percent(50.0)));
    }

    #[test]
    fn f55_types_change_all_over_only_where_most_and_not_just_a_few_did() {
        let look = |files, lost, photos, photos_lost| Look {
            files,
            lost,
            photos,
            photos_lost,
        };
        assert!(!look(9, 9, 9, 9).is_all_over());
        assert!(look(10, 10, 10, 10).is_all_over());
        assert!(!look(1000, 500, 1000, 500).is_all_over());
        assert!(look(1000, 501, 1000, 501).is_all_over());
        // Most photos, among many documents that were written on.
        assert!(look(1000, 30, 40, 30).is_all_over());
    }

    #[test]
    fn a_spread_takes_from_everywhere() {
        assert_eq!(spread(vec![1, 2, 3], 5), [1, 2, 3]);
        let picked = spread((0..10_000).collect(), 1_000);
        assert_eq!(picked.len(), 1_000);
        assert!(picked.windows(2).all(|pair| pair[1] - pair[0] == 10));
    }

    #[test]
    fn f55_the_refusal_names_the_way_back_and_the_override() {
        let error = change_refusal("s3://a/b", "why", 7, Some("old"), Some("new"));
        let text = error.to_string();
        for part in ["s3://a/b", "old", "new", "--max-change 7", "why"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
