use super::objects::snapshot;
use super::{chunk_of, time};
use crate::model::{Blake3, Time};
use crate::snapshot::{ChunkRef, Claims, LedgerObject, Loaded, Renewed, SnapshotId, SnapshotRef};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

fn loaded(last_modified: &str, chunks: Vec<ChunkRef>) -> Loaded {
    let mut snapshot = snapshot();
    snapshot.manifest = chunks;
    Loaded {
        at: SnapshotRef {
            id: snapshot.id.clone(),
            key: "k".to_owned(),
            version_id: "v".to_owned(),
            last_modified: time(last_modified),
            size: 0,
        },
        snapshot,
        blake3: Blake3::of(b""),
    }
}

fn ledger(last_modified: &str, chunk: &ChunkRef, until: &str) -> LedgerObject {
    LedgerObject {
        id: SnapshotId::parse("20261123T021500Z-1a2b3c4d").expect("id"),
        last_modified: time(last_modified),
        lines: vec![Renewed {
            chunk: chunk.blake3,
            version_id: chunk.version_id.clone(),
            first: chunk.first.clone(),
            locked_until: time(until),
        }],
    }
}

fn chunk(until: &str) -> ChunkRef {
    let mut chunk = chunk_of(b"x\n", "x");
    chunk.locked_until = time(until);
    chunk
}

#[test]
fn the_latest_claim_counts_but_none_beyond_what_its_claimant_could_set() {
    // (the snapshot's LastModified and claim, the ledger's, the date), retention 60 days.
    for (snapshot, renewal, date) in [
        (("2026-01-01", "2026-02-01"), None, "2026-02-01"),
        (
            ("2026-01-01", "2026-02-01"),
            Some(("2026-01-20", "2026-03-10")),
            "2026-03-10",
        ),
        (
            ("2026-01-01", "2026-02-01"),
            Some(("2026-01-20", "2026-01-30")),
            "2026-02-01",
        ),
        // A claim of a century, by whoever can write.
        (("2026-01-01", "2126-01-01"), None, "2026-03-02"),
        (
            ("2026-01-01", "2026-02-01"),
            Some(("2026-01-20", "2126-03-10")),
            "2026-03-21",
        ),
    ] {
        let midnight = |day: &str| format!("{day}T00:00:00Z");
        let chunk = chunk(&midnight(snapshot.1));
        let loaded = loaded(&midnight(snapshot.0), vec![chunk.clone()]);
        let ledger = renewal.map(|(at, until)| ledger(&midnight(at), &chunk, &midnight(until)));
        let claims = Claims::of(60 * DAY, Some(&loaded), ledger.as_slice());
        assert_eq!(claims.locked_until(&chunk), time(&midnight(date)), "{date}");
        let known = claims.chunk(&chunk.blake3).expect("known");
        assert_eq!(known.locked_until, time(&midnight(date)));
        assert_eq!(known.version_id, chunk.version_id);
    }
}

#[test]
fn a_claim_is_about_one_version_of_the_chunk() {
    let first = chunk("2026-02-01T00:00:00Z");
    let mut second = chunk("2026-02-20T00:00:00Z");
    second.version_id = "m2".to_owned();
    let snapshot = loaded("2026-01-01T00:00:00Z", vec![second.clone(), first.clone()]);
    let claims = Claims::of(60 * DAY, Some(&snapshot), &[]);
    assert_eq!(claims.locked_until(&first), first.locked_until);
    assert_eq!(claims.locked_until(&second), second.locked_until);
    // The one that is locked for longer is the one to reference.
    assert_eq!(claims.chunk(&first.blake3), Some(second));
}

#[test]
fn what_nobody_claims_is_due() {
    let claims = Claims::new(60 * DAY);
    let chunk = chunk("2126-01-01T00:00:00Z");
    assert_eq!(claims.locked_until(&chunk), Time::UNIX_EPOCH);
    assert_eq!(claims.chunk(&chunk.blake3), None);
}

#[test]
fn a_renewal_of_this_run_counts_at_once_and_a_lost_chunk_is_forgotten() {
    let chunk = chunk("2026-02-01T00:00:00Z");
    let mut claims = Claims::of(
        60 * DAY,
        Some(&loaded("2026-01-01T00:00:00Z", vec![chunk.clone()])),
        &[],
    );
    claims.renewed(&chunk, time("2026-03-15T00:00:00Z"));
    assert_eq!(claims.locked_until(&chunk), time("2026-03-15T00:00:00Z"));
    claims.renewed(&chunk, time("2026-01-15T00:00:00Z"));
    assert_eq!(claims.locked_until(&chunk), time("2026-03-15T00:00:00Z"));
    claims.forget(&chunk);
    assert_eq!(claims.chunk(&chunk.blake3), None);
}
