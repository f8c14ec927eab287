//! A folder for the state of a dry run on a machine that has none: gone with the run.

use crate::model::{Error, Result};
use data_encoding::HEXLOWER;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Removed when it is dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A new one, readable by its owner alone.
    ///
    /// # Errors
    /// The disk's, or that the system has no random numbers.
    pub(super) fn new() -> Result<Self> {
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce)
            .map_err(|error| Error::Failed(format!("no random numbers: {error}")))?;
        let name = format!("tidelock-dry-run-{}", HEXLOWER.encode(&nonce));
        let path = std::env::temp_dir().join(name);
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(Error::io(&path))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "a dry run's folder stays");
        }
    }
}
