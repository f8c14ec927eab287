//! Runs plans.

pub mod buffers;
pub mod pace;
pub mod restore;
pub mod retry;
pub mod stop;
