use super::time;
use crate::model::Target;
use crate::snapshot::{SnapshotId, layout};

fn id(text: &str) -> SnapshotId {
    SnapshotId::parse(text).expect(text)
}

#[test]
fn an_id_is_the_servers_time_and_a_random_part() {
    let now = time("2026-11-23T02:15:00.9Z");
    let id = SnapshotId::with_random(None, now, 0x1a2b_3c4d).expect("id");
    assert_eq!(id.as_str(), "20261123T021500Z-1a2b3c4d");
    assert_eq!(id.time(), time("2026-11-23T02:15:00Z"));
}

#[test]
fn an_id_is_later_than_its_parent_also_where_the_clock_is_not() {
    let parent = id("20261231T235959Z-ffffffff");
    for (now, expected) in [
        ("2026-12-31T23:59:59.999Z", "20270101T000000Z-00000000"),
        ("2020-01-01T00:00:00Z", "20270101T000000Z-00000000"),
        ("2027-02-01T00:00:00Z", "20270201T000000Z-00000000"),
    ] {
        let next = SnapshotId::with_random(Some(&parent), time(now), 0).expect(now);
        assert_eq!(next.as_str(), expected);
        assert!(next > parent);
    }
    let last = id("99991230T220000Z-00000000");
    assert!(SnapshotId::with_random(Some(&last), time("2026-01-01T00:00:00Z"), 0).is_err());
    assert!(SnapshotId::with_random(None, time("-000001-01-01T00:00:00Z"), 0).is_err());
}

#[test]
fn what_is_no_id_is_refused() {
    for bad in [
        "",
        "latest",
        "20261123T021500Z",
        "20261123T021500Z-1a2b3c4",
        "20261123T021500Z-1A2B3C4D",
        "20261123T021500Z-1a2b3c4d5",
        "20260231T021500Z-1a2b3c4d",
        "20261123T250000Z-1a2b3c4d",
        " 0261123T021500Z-1a2b3c4d",
        "20261123t021500z-1a2b3c4d",
    ] {
        assert_eq!(SnapshotId::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn keys_are_where_the_layout_has_them() {
    let target = Target::parse("s3://vault/library").expect("target");
    let id = id("20261123T021500Z-1a2b3c4d");
    let snapshot = layout::snapshot(&target, &id);
    assert_eq!(snapshot, "library/snapshots/20261123T021500Z-1a2b3c4d.json");
    let of = |key: &str| layout::id_of(&target, layout::SNAPSHOTS, ".json", key);
    assert_eq!(of(&snapshot), Some(id.clone()));
    assert_eq!(
        of("library/snapshots/x/20261123T021500Z-1a2b3c4d.json"),
        None
    );
    assert_eq!(
        of("library/snapshots/20261123T021500Z-1a2b3c4d.json.bak"),
        None
    );
    assert_eq!(
        layout::ledger(&target, &id),
        "library/locks/20261123T021500Z-1a2b3c4d.jsonl.zst"
    );
    assert_eq!(
        layout::prune(&target, &id),
        "library/prunes/20261123T021500Z-1a2b3c4d.json"
    );
    assert_eq!(layout::lease(&target), "library/.tidelock/lease.json");
    let whole = Target::parse("s3://vault").expect("target");
    assert_eq!(layout::lease(&whole), ".tidelock/lease.json");
}
