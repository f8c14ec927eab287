//! Manifests, snapshots, the ledger of locks: the backup target's layout, written and read.
//!
//! | file | idea |
//! |---|---|
//! | [`layout`] | the names of everything |
//! | `id`, `object`, `line`, `chunk` | ids, the snapshot object, an entry's line, chunks and their boundaries |
//! | `vault`, `select`, `entries` | finding, choosing and reading what is stored |
//! | `commit`, `transport` | chunks first, the snapshot last, each looked up before it is sent again |
//! | `touched` | how many chunks a commit would store |
//! | `claims`, `ledger` | what is known of locks without asking for each |
//! | `chain`, `prunes`, `pins` | missing and forged snapshots, gaps that a record explains, and what proves a record |
//!
#![doc = include_str!("../../docs/format.md")]

mod chain;
mod chunk;
mod claims;
mod commit;
mod entries;
mod id;
pub mod layout;
mod ledger;
mod line;
mod object;
mod pins;
mod prunes;
mod select;
mod touched;
mod transport;
mod vault;

pub use chain::{Dropped, Finding, Link, check_chain};
pub use claims::Claims;
pub use commit::{CommitRequest, Lock, Named, commit};
pub use entries::ChunkEntries;
pub use id::SnapshotId;
pub use ledger::{LedgerObject, Renewed, read_ledger, write_ledger};
pub use line::{as_line, from_line};
pub use object::{ChunkRef, FORMAT, Snapshot, SnapshotRetention};
pub use pins::Pins;
pub use prunes::{PruneRecord, read_prune_records, write_prune};
pub use select::{Found, Select};
pub use touched::{Fate, Touched};
pub use vault::{Loaded, SnapshotRef, Vault, chunks_within};

#[cfg(test)]
mod tests;
