//! `run`, `sync` and `backup`.

pub use crate::engine::run::Which;

use crate::commands::Outcome;
use crate::engine::run::{Ended, run as run_all};
use crate::engine::stop::Stop;
use crate::model::{Events, Settings};

/// Mirrors, backs up, or both.
pub async fn run(settings: &Settings, which: Which, events: Events, stop: Stop) -> Outcome {
    let Ended {
        exit,
        summary,
        error,
    } = run_all(settings, which, events, stop).await;
    Outcome {
        exit,
        summary,
        error,
    }
}
