//! What a pull does for each path: the mirror's object, what the last pull brought, and the file
//! that is there now, looked at together.
//!
//! The mirror's version gets the name, as with other services that have one true copy; what was
//! edited here is moved beside it, whole, and nothing of it is ever rewritten or removed.

use crate::model::{Identity, RelPath, Time, words};
use crate::plan::{DeleteGuard, DeleteVerdict, check_deletes};
use crate::state::Pulled;

/// The folder in a pulled folder that removed files are moved to.
pub const TRASH: &str = ".tidelock-trash";

/// An object of the mirror, as a listing shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remote {
    /// The path that it stands for.
    pub path: RelPath,
    /// Full key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// By the server's clock.
    pub modified: Time,
}

/// What is in the folder under a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Local {
    /// Nothing.
    Nothing,
    /// A regular file.
    File(LocalFile),
    /// A folder, a symbolic link or something special.
    InTheWay,
}

/// A regular file, by `lstat`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalFile {
    /// Bytes.
    pub size: u64,
    /// Modification time.
    pub mtime: Time,
    /// Inode and ctime.
    pub identity: Identity,
    /// Whether it is spelled exactly so; false where the file system takes another spelling (case,
    /// Unicode form) for the same name.
    pub exact: bool,
}

/// Whether a file is as the last pull left it, as far as `lstat` tells; none where only its hash
/// can.
///
/// | size | mtime and ctime | `checksum` | edited |
/// |---|---|---|---|
/// | ≠ | | | yes |
/// | = | = | no | no |
/// | = | ≠ | | unknown |
/// | = | = | yes | unknown |
pub fn edited(base: &Pulled, file: &LocalFile, checksum: bool) -> Option<bool> {
    let same_times = file.mtime == base.mtime && file.identity.ctime == base.identity.ctime;
    if file.size != base.content.size {
        Some(true)
    } else if same_times && !checksum {
        Some(false)
    } else {
        None
    }
}

/// What to do for one path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Step {
    /// It is as the last pull left it, and so is the mirror.
    Keep,
    /// Fetch it under a free name.
    Create,
    /// Fetch it in the place of what the last pull brought.
    Replace,
    /// The object was written anew with the same content: take over its time.
    Refresh,
    /// Compare the file that is there with the object: equal, it is taken as pulled; otherwise it
    /// is moved beside, and the object fetched.
    Compare,
    /// It was edited here, and the mirror is as it was: it stays.
    Edited,
    /// Move it to the trash.
    Trash,
    /// It is gone from the mirror and was edited here: it stays.
    Outlives,
    /// It is gone on both sides.
    Forget,
    /// Hash the file, then ask again.
    Hash,
    /// Something that is no file is in the way.
    InTheWay,
    /// Another name that this file system can't tell from it is there.
    Twin,
}

/// Decides for one path. `edited` is [`edited`]'s answer, or what hashing has told.
///
/// | last pull | mirror | here | edited | step |
/// |---|---|---|---|---|
/// | – | yes | nothing | | Create |
/// | – | yes | file | | Compare |
/// | yes | as then | nothing | | Create |
/// | yes | as then | file | no | Keep |
/// | yes | written anew, same ETag | file | no | Refresh |
/// | yes | as then, or written anew | file | yes | Edited |
/// | yes | changed | nothing | | Create |
/// | yes | changed | file | no | Replace |
/// | yes | changed | file | yes | Compare |
/// | yes | gone | nothing, no file, other spelling | | Forget |
/// | yes | gone | file | no | Trash |
/// | yes | gone | file | yes | Outlives |
/// | yes | any | file | unknown | Hash |
/// | any | yes | no file | | InTheWay |
/// | any | yes | file, other spelling | | Twin |
/// | – | – | | | Forget |
pub fn step(
    base: Option<&Pulled>,
    remote: Option<&Remote>,
    local: &Local,
    edited: Option<bool>,
) -> Step {
    let file = match (local, remote) {
        (Local::Nothing, Some(_)) => return Step::Create,
        (Local::InTheWay, Some(_)) => return Step::InTheWay,
        (Local::Nothing | Local::InTheWay, None) => return Step::Forget,
        (Local::File(file), _) => file,
    };
    if !file.exact {
        return remote.map_or(Step::Forget, |_| Step::Twin);
    }
    let Some(base) = base else {
        return remote.map_or(Step::Forget, |_| Step::Compare);
    };
    let Some(edited) = edited else {
        return Step::Hash;
    };
    match (remote, edited) {
        (None, false) => Step::Trash,
        (None, true) => Step::Outlives,
        (Some(remote), _) if !is_same(base, remote) => {
            if edited {
                Step::Compare
            } else {
                Step::Replace
            }
        }
        (Some(_), true) => Step::Edited,
        (Some(remote), false) if remote.modified != base.modified => Step::Refresh,
        (Some(_), false) => Step::Keep,
    }
}

fn is_same(base: &Pulled, remote: &Remote) -> bool {
    base.etag == remote.etag && base.content.size == remote.size
}

/// Whether deletes may happen; `guard.first_run` means that no pull of this mirror into this
/// folder has ended with 0 yet. The table is [`check_deletes`]'s.
pub fn check_trash(guard: &DeleteGuard) -> DeleteVerdict {
    match check_deletes(guard) {
        DeleteVerdict::Refused { override_flag, .. } if guard.first_run && !guard.overridden => {
            let why = format!(
                "no pull into this folder has come to its end yet, and {} there that the mirror \
                 does not have any more",
                words::count(guard.deletes, "file is", "files are")
            );
            DeleteVerdict::Refused { why, override_flag }
        }
        other => other,
    }
}

/// The name beside `path` for an edited file: `a (conflict 2026-11-25).jpg`, then
/// `a (conflict 2026-11-25 2).jpg` and so on. Cut where it would be longer than file systems take.
pub fn conflict_name(name: &[u8], date: &str, number: u32) -> Vec<u8> {
    let numbered = match number {
        0 | 1 => String::new(),
        number => format!(" {number}"),
    };
    beside(name, &format!(" (conflict {date}{numbered})"))
}

/// The name of a file that comes to the trash where one of that name is already.
pub fn trash_name(name: &[u8], number: u32) -> Vec<u8> {
    match number {
        0 | 1 => name.to_vec(),
        number => beside(name, &format!(" ({number})")),
    }
}

/// The longest name that file systems take, in bytes.
const LONGEST: usize = 255;

fn beside(name: &[u8], mark: &str) -> Vec<u8> {
    let dot = name.iter().rposition(|byte| *byte == b'.');
    // A leading dot hides a file and begins no extension; nor does one far from the end.
    let dot = dot.filter(|dot| *dot > 0 && name.len() - dot <= 32);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let mut room = LONGEST.saturating_sub(mark.len() + extension.len());
    if room < stem.len() {
        // No character is cut in two, if they are UTF-8.
        while room > 0 && stem[room] & 0xC0 == 0x80 {
            room -= 1;
        }
    }
    let stem = &stem[..room.min(stem.len())];
    [stem, mark.as_bytes(), extension].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, Limit};
    use proptest::prelude::*;

    fn base() -> Pulled {
        Pulled {
            path: "a".into(),
            key: "lib/a".into(),
            etag: "one".into(),
            modified: Time::UNIX_EPOCH,
            content: Content::of(b"tide"),
            mtime: Time::UNIX_EPOCH,
            identity: Identity { inode: 7, ctime: 9 },
        }
    }

    fn remote(etag: &str, modified: Time) -> Remote {
        Remote {
            path: "a".into(),
            key: "lib/a".into(),
            size: 4,
            etag: etag.into(),
            modified,
        }
    }

    fn file(exact: bool) -> Local {
        Local::File(LocalFile {
            size: 4,
            mtime: Time::UNIX_EPOCH,
            identity: Identity { inode: 7, ctime: 9 },
            exact,
        })
    }

    #[test]
    fn steps_follow_the_table() {
        use Step::*;
        let known = base();
        let base = Some(&known);
        let same = &remote("one", Time::UNIX_EPOCH);
        let anew = &remote("one", Time::MAX);
        let other = &remote("two", Time::MAX);
        let (nothing, blocked) = (Local::Nothing, Local::InTheWay);
        let (there, twin) = (file(true), file(false));
        let (no, yes) = (Some(false), Some(true));
        let table = [
            (None, Some(same), nothing, None, Create),
            (None, Some(same), there, None, Compare),
            (base, Some(same), nothing, None, Create),
            (base, Some(same), there, no, Keep),
            (base, Some(anew), there, no, Refresh),
            (base, Some(same), there, yes, Edited),
            (base, Some(anew), there, yes, Edited),
            (base, Some(other), nothing, None, Create),
            (base, Some(other), there, no, Replace),
            (base, Some(other), there, yes, Compare),
            (base, None, nothing, None, Forget),
            (base, None, blocked, None, Forget),
            (base, None, twin, None, Forget),
            (base, None, there, no, Trash),
            (base, None, there, yes, Outlives),
            (base, Some(same), there, None, Hash),
            (base, Some(other), there, None, Hash),
            (base, None, there, None, Hash),
            (base, Some(other), blocked, None, InTheWay),
            (None, Some(same), blocked, None, InTheWay),
            (base, Some(same), twin, None, Twin),
            (None, Some(same), twin, None, Twin),
            (None, None, there, None, Forget),
        ];
        for (row, (base, remote, local, edited, expected)) in table.into_iter().enumerate() {
            assert_eq!(step(base, remote, &local, edited), expected, "row {row}");
        }
    }

    #[test]
    fn only_size_tells_an_edit_and_only_equal_times_tell_none() {
        let base = base();
        let Local::File(same) = file(true) else {
            panic!("a file");
        };
        assert_eq!(edited(&base, &same, false), Some(false));
        assert_eq!(edited(&base, &same, true), None);
        let longer = LocalFile { size: 5, ..same };
        assert_eq!(edited(&base, &longer, false), Some(true));
        let touched = LocalFile {
            mtime: Time::MAX,
            ..same
        };
        assert_eq!(edited(&base, &touched, false), None);
        let identity = Identity { inode: 7, ctime: 8 };
        let swapped = LocalFile { identity, ..same };
        assert_eq!(edited(&base, &swapped, false), None);
        let identity = Identity { inode: 8, ctime: 9 };
        let moved = LocalFile { identity, ..same };
        assert_eq!(edited(&base, &moved, false), Some(false));
    }

    fn locals() -> impl Strategy<Value = Local> {
        prop_oneof![
            Just(Local::Nothing),
            Just(Local::InTheWay),
            Just(file(true)),
            Just(file(false)),
        ]
    }

    proptest! {
        /// Whatever meets, what the last pull did not bring just so is never replaced or removed
        /// without a look at its content.
        #[test]
        fn only_what_a_pull_brought_and_nobody_edited_is_replaced_or_removed(
            known in any::<bool>(),
            etag in prop::option::of(prop::sample::select(vec!["one", "two"])),
            anew in any::<bool>(),
            local in locals(),
            edited in prop::option::of(any::<bool>()),
        ) {
            let base = known.then(base);
            let modified = if anew { Time::MAX } else { Time::UNIX_EPOCH };
            let remote = etag.map(|etag| remote(etag, modified));
            let step = step(base.as_ref(), remote.as_ref(), &local, edited);
            if matches!(step, Step::Replace | Step::Trash | Step::Refresh) {
                prop_assert!(known && edited == Some(false) && local == file(true));
            }
            if step == Step::Create {
                prop_assert!(local == Local::Nothing && remote.is_some());
            }
            if step == Step::Trash {
                prop_assert!(remote.is_none());
            }
            if remote.is_some() {
                prop_assert!(!matches!(step, Step::Forget | Step::Outlives));
            }
        }

        #[test]
        fn names_beside_fit_and_keep_their_extension(
            stem in "[a-zé🙂. ]{1,120}",
            extension in prop::option::of("[a-z]{1,5}"),
            number in 1u32..5000,
        ) {
            let mut name = stem;
            if let Some(extension) = &extension {
                name = format!("{name}.{extension}");
            }
            let beside = conflict_name(name.as_bytes(), "2026-11-25", number);
            prop_assert!(beside.len() <= LONGEST);
            let text = String::from_utf8(beside).expect("no character is cut in two");
            prop_assert!(text != name);
            if let Some(extension) = extension {
                prop_assert!(text.ends_with(&format!(").{extension}")), "{}", text);
            }
        }
    }

    #[test]
    fn names_beside_read_as_people_write_them() {
        let name = |name: &str, number| {
            String::from_utf8(conflict_name(name.as_bytes(), "2026-11-25", number)).unwrap()
        };
        assert_eq!(name("a.jpg", 1), "a (conflict 2026-11-25).jpg");
        assert_eq!(name("a.jpg", 2), "a (conflict 2026-11-25 2).jpg");
        assert_eq!(name(".profile", 1), ".profile (conflict 2026-11-25)");
        assert_eq!(name("README", 1), "README (conflict 2026-11-25)");
        assert_eq!(trash_name(b"a.jpg", 1), b"a.jpg");
        assert_eq!(trash_name(b"a.jpg", 3), b"a (3).jpg");
    }

    #[test]
    fn the_first_pull_s_limit_is_zero_and_says_so() {
        let guard = DeleteGuard {
            deletes: 1,
            total: 100,
            limit: Limit::Percent(10.0),
            overridden: false,
            first_run: true,
            doubt: false,
        };
        let DeleteVerdict::Refused { why, override_flag } = check_trash(&guard) else {
            panic!("allowed");
        };
        assert!(why.contains("no pull into this folder"), "{why}");
        assert_eq!(override_flag, "--max-delete 1");
        let later = DeleteGuard {
            first_run: false,
            ..guard
        };
        assert_eq!(check_trash(&later), DeleteVerdict::Allowed);
    }
}
