//! `ls`.

use crate::commands::Outcome;
use crate::engine::stop::Stop;
use crate::model::{Error, Events, Settings};
use crate::report::Rows;
use std::ffi::OsString;

/// What the command line says beside the settings.
#[derive(Clone, Debug, Default)]
pub struct Args {
    /// Relative to the library's root; everything where there is none.
    pub path: Option<OsString>,
    /// A point in time, as it was typed.
    pub at: Option<String>,
    /// A snapshot's id, or `latest`.
    pub snapshot: Option<String>,
}

/// Lists a snapshot's entries.
pub async fn ls(
    _settings: &Settings,
    _args: Args,
    _rows: &Rows,
    _events: Events,
    _stop: Stop,
) -> Outcome {
    Outcome::failed(Error::Failed("ls is not built yet".to_owned()))
}
