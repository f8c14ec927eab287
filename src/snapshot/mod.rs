//! Manifests, snapshots, leases: the backup target's layout.

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
mod select;
mod transport;
mod vault;

pub use chain::{Dropped, Finding, Link, check_chain};
pub use claims::Claims;
pub use commit::{CommitRequest, Lock, Named, commit};
pub use entries::ChunkEntries;
pub use id::SnapshotId;
pub use ledger::{LedgerObject, Renewed, read_ledger, write_ledger};
pub use line::as_line;
pub use object::{ChunkRef, FORMAT, Snapshot, SnapshotRetention};
pub use select::{Found, Select};
pub use vault::{Loaded, SnapshotRef, Vault, chunks_within};

#[cfg(test)]
mod tests;
