//! Runs plans: everything that moves bytes or commits snapshots.

pub mod buffers;
pub mod client;
pub mod diff;
mod download;
pub mod history;
pub mod host;
pub mod kept;
pub mod lease;
pub mod libraries;
pub mod listing;
pub mod look;
pub mod memory;
pub mod mirror;
pub mod pace;
pub mod prune;
pub mod removed;
pub mod renewal;
pub mod restore;
pub mod retry;
pub mod run;
pub mod status;
pub mod steady;
pub mod stop;
pub mod tally;
pub mod transfer;
pub mod verify;
pub mod versions;
