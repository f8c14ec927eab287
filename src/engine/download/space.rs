//! Whether the disk has room.

use super::temp;
use crate::model::{Error, Result, words};
use bytesize::ByteSize;
use std::path::Path;

/// What is to be taken of the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::engine) struct Needed {
    pub(in crate::engine) bytes: u64,
    /// New files, each of which takes an inode where a file system counts them.
    pub(in crate::engine) files: u64,
}

/// What is left for this user; none where the system does not tell (some network disks say 0 of 0).
#[derive(Clone, Copy, Debug)]
struct Free {
    bytes: Option<u64>,
    files: Option<u64>,
}

/// Of the file system that `path` is on, or will be once it is made.
fn free(path: &Path) -> Option<Free> {
    let there = path.ancestors().find(|it| it.exists());
    let there = there.filter(|it| !it.as_os_str().is_empty());
    #[cfg(unix)]
    {
        let numbers = rustix::fs::statvfs(there.unwrap_or(Path::new("."))).ok()?;
        let block = numbers.f_frsize;
        Some(Free {
            bytes: (numbers.f_blocks > 0).then(|| numbers.f_bavail.saturating_mul(block)),
            files: (numbers.f_files > 0).then_some(numbers.f_favail),
        })
    }
    #[cfg(not(unix))]
    {
        let _ = there;
        None
    }
}

/// Refuses to begin what can't end, and touches nothing. Returns the bytes that are free, where
/// the system tells.
///
/// # Errors
/// `Usage`, with how much is missing: room has to be made, or `way_out` taken.
pub(in crate::engine) fn check(path: &Path, needed: Needed, way_out: &str) -> Result<Option<u64>> {
    let Some(free) = free(path) else {
        return Ok(None);
    };
    if free.bytes.is_some_and(|free| free < needed.bytes) {
        // What a killed restore left is removed before anything is written.
        let all = free.bytes.unwrap_or(0).saturating_add(leftovers(path));
        if all < needed.bytes {
            return Err(Error::Usage(format!(
                "{}: {} to write, {} free: {} are missing. Nothing was written; free some space, \
                 or {way_out}",
                path.display(),
                ByteSize(needed.bytes),
                ByteSize(all),
                ByteSize(needed.bytes - all),
            )));
        }
    }
    match free.files {
        Some(files) if files < needed.files => Err(Error::Usage(format!(
            "{}: {} to make, but the file system has room for {files} more only (inodes). \
             Nothing was written; {way_out}",
            path.display(),
            words::files(needed.files),
        ))),
        _ => Ok(free.bytes),
    }
}

/// Bytes of unfinished files below a folder; symbolic links are not followed.
fn leftovers(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => leftovers(&entry.path()),
        Ok(kind) if kind.is_file() && temp::is_temporary(&entry.file_name()) => {
            entry.metadata().map_or(0, |metadata| metadata.len())
        }
        _ => 0,
    });
    sizes.sum()
}

/// The message when the disk ran full on the way, with `left` bytes still to write.
pub(in crate::engine) fn ran_out(path: &Path, left: u64) -> Error {
    let free = free(path).and_then(|free| free.bytes).unwrap_or(0);
    Error::Resumable(format!(
        "{}: the disk is full: {} still to write, {} free; what is written is complete: free \
         some space and run the same command again to go on",
        path.display(),
        ByteSize(left),
        ByteSize(free),
    ))
}
