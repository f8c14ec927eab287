//! Manifests, snapshots, leases: the backup target's layout.

mod chain;
mod claims;
mod commit;
mod id;
pub mod layout;
mod ledger;
mod object;
mod vault;

pub use chain::{Dropped, Finding, Link, check_chain};
pub use claims::Claims;
pub use commit::{CommitRequest, Lock, Named, commit};
pub use id::SnapshotId;
pub use ledger::{LedgerObject, Renewed, read_ledger, write_ledger};
pub use object::{ChunkRef, FORMAT, Snapshot, SnapshotRetention};
pub use vault::{ChunkEntries, Found, Loaded, Select, SnapshotRef, Vault, chunks_within};
