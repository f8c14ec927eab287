//! Runs plans.

pub mod buffers;
pub mod client;
pub mod look;
pub mod memory;
pub mod mirror;
pub mod pace;
pub mod restore;
pub mod retry;
pub mod stop;
pub mod tally;
pub mod transfer;
pub mod versions;
