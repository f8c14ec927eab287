//! What makes a nightly job of a command: several libraries, numbers for a monitor, somebody who is told.

mod age;
mod libraries;
mod metrics;
mod notify;
