//! The chain of parents: a missing, forged or rolled-back snapshot is noticed.

use crate::model::Blake3;
use crate::snapshot::{Loaded, SnapshotId};
use std::collections::{BTreeMap, BTreeSet};

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
    /// A warning: a prune record names a snapshot that was not pruned. It is ignored.
    Overruled {
        /// The snapshot.
        id: SnapshotId,
    },
    /// A warning: a snapshot that was written long after the time that it says.
    Backdated {
        /// The snapshot.
        id: SnapshotId,
    },
    /// A warning: a snapshot without a parent although there were earlier ones.
    SecondRoot {
        /// The later beginning.
        id: SnapshotId,
    },
}

impl Finding {
    /// Whether this is a warning only: nothing is lost by it.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::Fork { .. }
                | Self::SecondRoot { .. }
                | Self::Overruled { .. }
                | Self::Backdated { .. }
        )
    }
}

/// Checks all snapshots of a vault against each other and against what was pruned.
///
/// | the parent is | its BLAKE3 is the one named | finding |
/// |---|---|---|
/// | not named, and there is no earlier snapshot | | none |
/// | not named, but there is an earlier one | | `SecondRoot` |
/// | there or pruned, and earlier | yes | none, or a `Fork` of those that share it |
/// | there or pruned, and earlier | no | `Forged` |
/// | there or pruned, not earlier | | `Backwards` |
/// | neither there nor pruned | | `Gap` |
///
/// A rollback of the newest snapshots leaves no trace in a chain: whoever remembers the last id
/// compares it.
pub fn check_chain(links: &[Link], dropped: &[Dropped]) -> Vec<Finding> {
    let pruned = dropped.iter().map(|record| (&record.id, record.blake3));
    let stored = links.iter().map(|link| (&link.id, link.blake3));
    // What is stored says more than what is recorded of it, so it comes second.
    let known: BTreeMap<_, _> = pruned.chain(stored).collect();
    let earliest = known.keys().next().copied();
    let mut findings = Vec::new();
    let mut children: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for link in links {
        let Some(parent) = &link.parent else {
            if earliest != Some(&link.id) {
                findings.push(Finding::SecondRoot {
                    id: link.id.clone(),
                });
            }
            continue;
        };
        children.entry(parent).or_default().insert(&link.id);
        findings.extend(check_parent(link, parent, known.get(parent).copied()));
    }
    for record in dropped {
        if let Some(parent) = &record.parent {
            children.entry(parent).or_default().insert(&record.id);
        }
    }
    let forks = children.into_iter().filter(|(_, ids)| ids.len() > 1);
    findings.extend(forks.map(|(parent, ids)| Finding::Fork {
        parent: parent.clone(),
        children: ids.into_iter().cloned().collect(),
    }));
    findings
}

fn check_parent(link: &Link, parent: &SnapshotId, known: Option<Blake3>) -> Option<Finding> {
    let (child, parent) = (link.id.clone(), parent.clone());
    match known {
        None => Some(Finding::Gap {
            child,
            missing: parent,
        }),
        Some(_) if parent >= child => Some(Finding::Backwards { child, parent }),
        Some(blake3) if link.parent_blake3 != Some(blake3) => {
            Some(Finding::Forged { child, parent })
        }
        Some(_) => None,
    }
}
