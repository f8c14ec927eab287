//! Tidelock mirrors a library of files to one S3 bucket and keeps versioned, object-locked copies
//! in a second, from one read.
//!
//! # The map
//!
//! Imports run downward only; a test holds this line.
//!
//! | layer | what it is |
//! |---|---|
//! | `main`, `cli` | the command line; the library never sees clap |
//! | [`commands`] | one file a verb: wiring, no logic |
//! | [`report`] | events to text, progress bar, JSON Lines |
//! | [`engine`] | runs a plan, bounded: reader, multipart, retry, commit, restore |
//! | [`plan`] | pure decisions: what to upload, delete, keep, refuse |
//! | [`library`] [`snapshot`] [`state`] [`store`] [`config`] | scan; manifests and snapshots; SQLite; S3; the file |
//! | [`model`] | entry, retention, checksum, event, error: plain types |
//!
//! # How one changed file flows
//!
//! [`library`] sees it by `lstat`; [`plan`] compares it with the parent snapshot ([`state`]) and
//! with the sync target's listing ([`store`]); [`engine`] reads it once, part by part, and sends
//! the same bytes to both targets; [`state`] records where it is; [`snapshot`] names it; only
//! then may the sync target's deletes follow.

pub mod commands;
pub mod config;
pub mod engine;
pub mod library;
pub mod model;
pub mod plan;
pub mod report;
pub mod snapshot;
pub mod state;
pub mod store;
