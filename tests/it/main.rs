//! The integration tests: one binary, so that the SDK is linked once. Each runs against real servers, see `support`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that can't go on panics and says so"
)]

#[path = "../support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "a helper may come before its first user"
)]
mod support;

mod cli;
mod cloud_drives;
mod contract;
mod disaster;
mod doctor;
mod fault_table;
mod faults;
mod faults_clock;
mod faults_library;
mod faults_mirror;
mod faults_process;
mod faults_prune;
mod faults_restore;
mod faults_shapes;
mod faults_state;
mod faults_vault;
mod first_run;
mod forged;
mod harness;
mod keys;
mod layers;
mod life;
mod locks;
mod looking;
mod main_job;
mod nightly;
mod policies;
mod prune;
mod pull;
mod quiet;
mod ransomware;
mod recipes;
mod remedies;
mod restore;
mod resume;
mod s3;
mod secrets;
mod snapshot;
mod tls;
mod via;
