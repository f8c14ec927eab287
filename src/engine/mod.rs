//! Runs plans.

pub mod buffers;
pub mod client;
pub mod mirror;
pub mod pace;
pub mod restore;
pub mod retry;
pub mod stop;
pub mod versions;
