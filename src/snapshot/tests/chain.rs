use crate::model::Blake3;
use crate::snapshot::{Dropped, Finding, Link, SnapshotId, check_chain};

fn id(n: u32) -> SnapshotId {
    SnapshotId::parse(&format!("20260101T0000{n:02}Z-00000000")).expect("id")
}

fn hash(n: u32) -> Blake3 {
    Blake3::of(&n.to_le_bytes())
}

/// Snapshot `n`, made from `parent`.
fn link(n: u32, parent: Option<u32>) -> Link {
    Link {
        id: id(n),
        blake3: hash(n),
        parent: parent.map(id),
        parent_blake3: parent.map(hash),
    }
}

fn dropped(n: u32, parent: Option<u32>) -> Dropped {
    Dropped {
        id: id(n),
        blake3: hash(n),
        parent: parent.map(id),
    }
}

#[test]
fn a_whole_chain_has_no_findings_pruned_or_not() {
    let chain = [
        link(1, None),
        link(2, Some(1)),
        link(3, Some(2)),
        link(4, Some(3)),
    ];
    assert_eq!(check_chain(&chain, &[]), []);
    assert_eq!(check_chain(&[], &[]), []);
    let pruned = [dropped(1, None), dropped(2, Some(1))];
    assert_eq!(check_chain(&chain[2..], &pruned), []);
    // Recorded, but not dropped yet.
    assert_eq!(check_chain(&chain, &pruned), []);
}

#[test]
fn f49_missing_and_forged_snapshots_are_found() {
    let forged = |mut link: Link| {
        link.blake3 = Blake3::of(b"forged");
        link
    };
    let gap = |child, missing| Finding::Gap {
        child: id(child),
        missing: id(missing),
    };
    let wrong = |child, parent| Finding::Forged {
        child: id(child),
        parent: id(parent),
    };
    let root = |n| Finding::SecondRoot { id: id(n) };
    let mut unsaid = link(2, Some(1));
    unsaid.parent_blake3 = None;
    for (name, links, pruned, expected) in [
        (
            "missing",
            vec![link(1, None), link(3, Some(2))],
            vec![],
            vec![gap(3, 2)],
        ),
        (
            "first missing",
            vec![link(2, Some(1))],
            vec![],
            vec![gap(2, 1)],
        ),
        (
            "replaced",
            vec![forged(link(1, None)), link(2, Some(1))],
            vec![],
            vec![wrong(2, 1)],
        ),
        (
            "no hash",
            vec![link(1, None), unsaid.clone()],
            vec![],
            vec![wrong(2, 1)],
        ),
        (
            "made from another than the pruned one",
            vec![unsaid],
            vec![dropped(1, None)],
            vec![wrong(2, 1)],
        ),
        (
            "begun again",
            vec![link(1, None), link(2, None)],
            vec![],
            vec![root(2)],
        ),
        (
            "begun again after a prune",
            vec![link(2, None)],
            vec![dropped(1, None)],
            vec![root(2)],
        ),
        (
            "two children",
            vec![link(1, None), link(2, Some(1)), link(3, Some(1))],
            vec![],
            vec![Finding::Fork {
                parent: id(1),
                children: vec![id(2), id(3)],
            }],
        ),
        (
            "two children, one pruned",
            vec![link(1, None), link(3, Some(1))],
            vec![dropped(2, Some(1))],
            vec![Finding::Fork {
                parent: id(1),
                children: vec![id(2), id(3)],
            }],
        ),
        (
            "earlier than its parent",
            vec![link(1, Some(2)), link(2, None)],
            vec![],
            vec![
                Finding::Backwards {
                    child: id(1),
                    parent: id(2),
                },
                root(2),
            ],
        ),
        (
            "its own parent",
            vec![link(1, Some(1))],
            vec![],
            vec![Finding::Backwards {
                child: id(1),
                parent: id(1),
            }],
        ),
    ] {
        assert_eq!(check_chain(&links, &pruned), expected, "{name}");
    }
}

#[test]
fn forks_and_second_roots_are_warnings() {
    let fork = check_chain(&[link(1, None), link(2, Some(1)), link(3, Some(1))], &[]);
    assert!(fork.iter().all(Finding::is_warning));
    let gap = check_chain(&[link(2, Some(1))], &[]);
    assert!(!gap.iter().any(Finding::is_warning));
}
