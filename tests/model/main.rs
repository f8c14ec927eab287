//! Model cases: random histories of a library, its runs, crashes and meddlers, against the store in memory, compared
//! with a plain reference after each step.
//!
//! `TIDELOCK_CASES` sets how many, `TIDELOCK_SEED` replays those of a seed; a failure prints both, and the shortest
//! history that still fails. What was found once stays in `regressions`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that can't go on panics and says so"
)]

#[path = "../support/library.rs"]
#[allow(dead_code, reason = "the other suite uses the rest")]
mod library;

mod cases;
mod check;
mod fuzz;
mod history;
mod hooked;
mod promises;
mod regressions;
mod tree;
mod world;
