//! `restore`.

use crate::commands::Outcome;
use crate::engine::stop::Stop;
use crate::model::{Error, Events, Settings};
use std::ffi::OsString;
use std::path::PathBuf;

/// What the command line says beside the settings.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Relative to the library's root; everything where there is none.
    pub paths: Vec<OsString>,
    /// The folder to restore into.
    pub to: PathBuf,
    /// A point in time, as it was typed.
    pub at: Option<String>,
    /// A snapshot's id, or `latest`.
    pub snapshot: Option<String>,
    /// Existing files that differ may be replaced.
    pub overwrite: bool,
    /// Only what was deleted within this time, as it was typed.
    pub deleted_since: Option<String>,
    /// One certain version of the one path.
    pub version_id: Option<String>,
    /// Choose from a list.
    pub pick: bool,
    /// Have archived versions retrieved: `standard` or `bulk`.
    pub thaw: Option<String>,
}

/// Restores.
pub async fn restore(_settings: &Settings, _args: Args, _events: Events, _stop: Stop) -> Outcome {
    Outcome::failed(Error::Failed("restore is not built yet".to_owned()))
}
