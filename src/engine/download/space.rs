//! Whether the disk has room.

use crate::model::{Error, Result};
use bytesize::ByteSize;
use std::path::Path;

/// Bytes free for this user; none where the system does not tell (some network disks say 0 of 0).
pub(in crate::engine) fn free(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let numbers = rustix::fs::statvfs(path).ok()?;
        let block = numbers.f_frsize;
        (numbers.f_blocks > 0).then(|| numbers.f_bavail.saturating_mul(block))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Refuses to begin what can't end.
///
/// # Errors
/// `Failed`, with how much is missing; `hint` says what helps beside more room.
pub(in crate::engine) fn check(path: &Path, needed: u64, hint: &str) -> Result<()> {
    match free(path) {
        Some(free) if free < needed => Err(Error::Failed(format!(
            "{}: {} to write, {} free: {} are missing; free some space{hint}",
            path.display(),
            ByteSize(needed),
            ByteSize(free),
            ByteSize(needed - free),
        ))),
        _ => Ok(()),
    }
}

/// The message when the disk ran full on the way, with `left` bytes still to write.
pub(in crate::engine) fn ran_out(path: &Path, left: u64) -> Error {
    let free = free(path).unwrap_or(0);
    Error::Failed(format!(
        "{}: the disk is full: {} still to write, {} free; what is written is complete: free \
         some space and run the same command again to go on",
        path.display(),
        ByteSize(left),
        ByteSize(free),
    ))
}
