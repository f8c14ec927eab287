//! From the system's `stat` to [`Seen`].

use crate::model::{Identity, Kind, LibrarySettings, RelPath, Seen, Time, time};
use std::fs::{FileType, Metadata};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Which parts of a file's identity mean nothing on this file system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trust {
    ignore_inode: bool,
    ignore_ctime: bool,
}

impl From<&LibrarySettings> for Trust {
    fn from(settings: &LibrarySettings) -> Self {
        Self {
            ignore_inode: settings.ignore_inode,
            ignore_ctime: settings.ignore_ctime,
        }
    }
}

/// What `lstat` or `fstat` says, without a link's target.
pub(crate) fn seen(path: RelPath, metadata: &Metadata, trust: Trust) -> Seen {
    let kind = kind(metadata.file_type());
    Seen {
        path,
        kind,
        size: if kind == Kind::File {
            metadata.size()
        } else {
            0
        },
        mtime: time::from_unix(metadata.mtime(), metadata.mtime_nsec()),
        mode: metadata.mode() & 0o7777,
        identity: identity(metadata, trust),
        device: metadata.dev(),
        // Without inodes nobody can tell which files are one.
        links: if trust.ignore_inode {
            1
        } else {
            metadata.nlink()
        },
        target: None,
    }
}

/// Why `now` is not the state of the file that `before` describes; none if it is. Identity counts
/// where both have it.
pub(crate) fn difference(before: &Seen, now: &Seen) -> Option<&'static str> {
    let differ = |one: u64, two: u64| one != 0 && two != 0 && one != two;
    if before.size != now.size {
        Some("its size changed")
    } else if before.mtime != now.mtime {
        Some("its modification time changed")
    } else if differ(before.identity.inode, now.identity.inode) {
        Some("it was replaced by another file")
    } else if differ(
        before.identity.ctime.cast_unsigned(),
        now.identity.ctime.cast_unsigned(),
    ) {
        Some("its content or attributes changed")
    } else {
        None
    }
}

/// A change that is younger than this may still be going on: a `write` stamps the file when it
/// begins, not when it ends; and before Linux 6.13 two changes within a tick of the kernel's clock
/// (up to 10 ms) have the same stamp.
const QUIET: Duration = Duration::from_millis(300);

/// File systems that count whole seconds (FAT: two at a time).
const QUIET_IN_SECONDS: Duration = Duration::from_secs(2);

/// Further ahead than this a stamp comes from a clock that was wrong once, and says nothing.
const AHEAD: Duration = Duration::from_secs(60);

/// How long a file must be left alone before [`difference`] tells every change of it; none where
/// that long has passed.
pub(crate) fn unsettled(seen: &Seen, now: Time) -> Option<Duration> {
    let changed = match seen.identity.ctime {
        0 => seen.mtime.as_nanosecond(),
        ctime => ctime.into(),
    };
    let quiet = if changed % 1_000_000_000 == 0 {
        QUIET_IN_SECONDS
    } else {
        QUIET
    };
    let age = now.as_nanosecond() - changed;
    match u64::try_from(age) {
        Ok(age) => quiet
            .checked_sub(Duration::from_nanos(age))
            .filter(|rest| !rest.is_zero()),
        Err(_) if age.unsigned_abs() > AHEAD.as_nanos() => None,
        Err(_) => Some(quiet),
    }
}

fn kind(file_type: FileType) -> Kind {
    if file_type.is_file() {
        Kind::File
    } else if file_type.is_dir() {
        Kind::Dir
    } else if file_type.is_symlink() {
        Kind::Symlink
    } else {
        Kind::Special
    }
}

fn identity(metadata: &Metadata, trust: Trust) -> Identity {
    let ctime = metadata
        .ctime()
        .saturating_mul(1_000_000_000)
        .saturating_add(metadata.ctime_nsec());
    Identity {
        inode: if trust.ignore_inode {
            0
        } else {
            metadata.ino()
        },
        ctime: if trust.ignore_ctime { 0 } else { ctime },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::time::UNIX_EPOCH;

    fn file() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("f");
        fs::write(&path, "12345").expect("write");
        (dir, path)
    }

    #[test]
    fn f07_times_before_1970_and_far_ahead_are_kept_to_the_nanosecond() {
        let (_dir, path) = file();
        for (time, shown) in [
            (
                UNIX_EPOCH - Duration::new(86_400, 1),
                "1969-12-30T23:59:59.999999999Z",
            ),
            (
                UNIX_EPOCH + Duration::new(4_102_444_800, 5),
                "2100-01-01T00:00:00.000000005Z",
            ),
        ] {
            File::options()
                .write(true)
                .open(&path)
                .and_then(|f| f.set_modified(time))
                .expect("touch");
            let metadata = fs::symlink_metadata(&path).expect("stat");
            let seen = seen("f".into(), &metadata, Trust::default());
            assert_eq!(seen.mtime.to_string(), shown);
        }
    }

    #[test]
    fn identity_that_means_nothing_is_zero() {
        let (_dir, path) = file();
        fs::hard_link(&path, path.with_extension("2")).expect("link");
        let metadata = fs::symlink_metadata(&path).expect("stat");
        let trusted = seen("f".into(), &metadata, Trust::default());
        assert!(trusted.identity.inode != 0 && trusted.identity.ctime != 0);
        assert_eq!((trusted.size, trusted.links), (5, 2));
        assert_eq!(trusted.mode & !0o7777, 0, "no bits of the file's type");
        let trust = Trust {
            ignore_inode: true,
            ignore_ctime: true,
        };
        let untrusted = seen("f".into(), &metadata, trust);
        assert_eq!(untrusted.identity, Identity::default());
        assert_eq!(untrusted.links, 1);
        assert_eq!(difference(&trusted, &untrusted), None);
    }

    #[test]
    fn f06_each_part_of_a_file_s_state_tells_a_change() {
        let (_dir, path) = file();
        let metadata = fs::symlink_metadata(&path).expect("stat");
        let before = seen("f".into(), &metadata, Trust::default());
        let mut now = before.clone();
        now.mode = 0;
        assert_eq!(difference(&before, &now), None);
        for change in [
            |now: &mut Seen| now.size += 1,
            |now: &mut Seen| now.mtime = crate::model::Time::UNIX_EPOCH,
            |now: &mut Seen| now.identity.inode += 1,
            |now: &mut Seen| now.identity.ctime += 1,
        ] {
            let mut now = before.clone();
            change(&mut now);
            assert!(difference(&before, &now).is_some(), "{now:?}");
        }
    }

    #[test]
    fn a_million_files_fit_in_memory() {
        // 170 bytes each with a path of 40 bytes and the allocator's own.
        assert!(size_of::<Seen>() <= 112, "{}", size_of::<Seen>());
    }

    #[test]
    fn f04_a_change_counts_as_over_when_the_file_was_left_alone() {
        let second = 1_000_000_000;
        let at = |ctime: i64| {
            let (_dir, path) = file();
            let metadata = fs::metadata(path).expect("stat");
            let mut seen = seen("f".into(), &metadata, Trust::default());
            seen.identity.ctime = ctime;
            seen
        };
        let now = time::from_unix(1_000, 500_000_000);
        let ms = Duration::from_millis;
        for (what, ctime, expected) in [
            (
                "just now",
                1_000 * second + 499_999_999,
                Some(QUIET - Duration::from_nanos(1)),
            ),
            ("a while ago", 1_000 * second + 300_000_000, Some(ms(100))),
            ("long enough ago", 1_000 * second + 200_000_000, None),
            ("in whole seconds", 1_000 * second, Some(ms(1_500))),
            ("in whole seconds, over", 998 * second, None),
            ("by a clock that is ahead", 1_001 * second + 1, Some(QUIET)),
            ("by a clock that was wrong", 9_000 * second, None),
        ] {
            assert_eq!(unsettled(&at(ctime), now), expected, "{what}");
        }
        let mut without_ctime = at(0);
        without_ctime.mtime = time::from_unix(1_000, 400_000_000);
        assert_eq!(unsettled(&without_ctime, now), Some(ms(200)));
    }
}
