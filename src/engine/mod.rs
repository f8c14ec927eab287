//! Runs plans.

pub mod restore;
