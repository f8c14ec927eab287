//! `snapshots`.

use crate::commands::Outcome;
use crate::engine::stop::Stop;
use crate::model::{Error, Events, Settings};
use crate::report::Rows;

/// Lists the snapshots.
pub async fn snapshots(
    _settings: &Settings,
    _rows: &Rows,
    _events: Events,
    _stop: Stop,
) -> Outcome {
    Outcome::failed(Error::Failed("snapshots is not built yet".to_owned()))
}
