//! `init`.

use crate::commands::Outcome;
use crate::config::{Environment, Flags};
use crate::engine::stop::Stop;
use crate::model::{Error, Events};

/// What the command line says.
pub struct Args {
    /// The settings so far.
    pub flags: Flags,
    /// What surrounds the process.
    pub environment: Environment,
    /// Questions may be asked.
    pub interactive: bool,
}

/// Sets up.
pub async fn init(_args: Args, _events: Events, _stop: Stop) -> Outcome {
    Outcome::failed(Error::Failed("init is not built yet".to_owned()))
}
