//! One run at a time on one state.

use crate::model::{Error, Result};
use crate::state::error::unusable;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// An operating system's lock on a file beside the state. It ends with the process that holds it,
/// however that ends; the file itself stays, since removing it would race with the next taker.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "holds the lock until it is dropped")] File);

impl Lock {
    /// Takes the lock, leaving `holder` in the file for whoever comes second.
    ///
    /// # Errors
    /// [`Error::Held`] with the other holder's words.
    pub(super) fn take(state: &Path, holder: &str) -> Result<Self> {
        let path = lock_file(state);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| unusable(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(state, &mut file)),
            // Some network file systems have no locks. The leases on the targets still hold.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                tracing::warn!(path = %path.display(), "this file system has no locks");
            }
            Err(TryLockError::Error(error)) => return Err(Error::io(&path)(error)),
        }
        leave_note(&mut file, holder).map_err(|error| unusable(&path, &error))?;
        Ok(Self(file))
    }
}

fn leave_note(file: &mut File, holder: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{holder}")
}

fn held(state: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    // The note may be missing for a moment, or for good: the lock is what counts.
    let _ = file.take(1024).read_to_string(&mut holder);
    let holder = match holder.trim() {
        "" => "another process",
        words => words,
    };
    Error::Held(format!(
        "another run holds this library: {holder} (state {}); wait for it to end",
        state.display()
    ))
}

fn lock_file(state: &Path) -> PathBuf {
    let mut name = OsString::from(state.as_os_str());
    name.push(".lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_told_who_holds_it_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("lib.sqlite");
        let first = Lock::take(&state, "pid 7 on nas since noon").unwrap();
        let Err(Error::Held(message)) = Lock::take(&state, "pid 8") else {
            panic!("taken twice");
        };
        assert!(message.contains("pid 7 on nas since noon"), "{message}");
        drop(first);
        Lock::take(&state, "pid 8").unwrap();
    }
}
