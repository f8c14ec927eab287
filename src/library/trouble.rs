//! What the system's refusals mean, in words.

use rustix::fs::{Access, access};
use rustix::io::Errno;
use std::io::{Error as IoError, ErrorKind};
use std::path::Path;

/// Whether a path that was just listed is gone: it, or a folder above it, was removed or
/// replaced since.
pub(crate) fn is_gone(error: &IoError) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// The reason, and what can be done about it.
pub(crate) fn explain(error: &IoError) -> String {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied if cfg!(target_os = "macos") => {
            "; allow Full Disk Access for the program that starts Tidelock in System Settings, \
             Privacy & Security, or exclude it"
        }
        ErrorKind::PermissionDenied => {
            "; give the user that runs Tidelock read access, or exclude it"
        }
        ErrorKind::StaleNetworkFileHandle | ErrorKind::NotConnected | ErrorKind::TimedOut => {
            "; is the network share still mounted?"
        }
        // EIO has no kind of its own in std.
        _ if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
            "; the disk may be failing or unplugged"
        }
        _ => "",
    };
    format!("{error}{advice}")
}

/// Whether the error only says that no name in `folder` may be resolved: then the folder is at
/// fault, not the one name.
pub(crate) fn may_not_enter(folder: &Path, error: &IoError) -> bool {
    error.kind() == ErrorKind::PermissionDenied
        && access(folder, Access::EXEC_OK) == Err(Errno::ACCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f03_a_refusal_says_what_to_do() {
        let words = |errno: Errno| explain(&IoError::from(errno));
        let denied = if cfg!(target_os = "macos") {
            "Full Disk Access"
        } else {
            "read access"
        };
        assert!(words(Errno::ACCESS).contains(denied));
        assert!(words(Errno::PERM).contains(denied));
        assert!(words(Errno::STALE).contains("still mounted"));
        assert!(words(Errno::IO).contains("failing or unplugged"));
    }

    #[test]
    fn f14_only_absence_counts_as_gone() {
        for (errno, gone) in [
            (Errno::NOENT, true),
            (Errno::NOTDIR, true),
            (Errno::ACCESS, false),
            (Errno::IO, false),
            (Errno::NAMETOOLONG, false),
            (Errno::STALE, false),
        ] {
            assert_eq!(is_gone(&errno.into()), gone, "{errno}");
        }
    }
}
