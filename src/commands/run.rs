//! `run`, `sync` and `backup`.

use crate::commands::Outcome;
use crate::engine::stop::Stop;
use crate::model::{Error, Events, Settings};

/// Which of the two targets take part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// Both.
    Run,
    /// The mirror alone.
    Sync,
    /// The locked versions alone.
    Backup,
}

impl Which {
    /// The command's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Sync => "sync",
            Self::Backup => "backup",
        }
    }
}

/// Mirrors and backs up.
pub async fn run(_settings: &Settings, which: Which, _events: Events, _stop: Stop) -> Outcome {
    Outcome::failed(Error::Failed(format!("{} is not built yet", which.name())))
}
