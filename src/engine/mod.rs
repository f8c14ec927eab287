//! Runs plans.

pub mod buffers;
pub mod pace;
pub mod retry;
pub mod stop;
