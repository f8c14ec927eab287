use super::{chunk_of, time};
use crate::model::{Blake3, Error, Mode, RelPath};
use crate::snapshot::{Snapshot, SnapshotId, SnapshotRetention};
use serde_json::json;

pub(super) fn snapshot() -> Snapshot {
    let mut rescued = chunk_of(b"r\n", "r");
    rescued.rescued_at = Some(time("2026-11-01T00:00:00Z"));
    let mut odd = chunk_of(b"o\n", "b");
    odd.first = RelPath::new(*b"caf\xe9");
    Snapshot {
        id: SnapshotId::parse("20261123T021500Z-1a2b3c4d").expect("id"),
        time: time("2026-11-23T02:15:00Z"),
        host: "nas".to_owned(),
        library: "Pictures".to_owned(),
        tidelock: "0.1.0".to_owned(),
        complete: true,
        suspect: None,
        parent: SnapshotId::parse("20261122T021500Z-00000001"),
        parent_blake3: Some(Blake3::of(b"parent")),
        sync_target: Some("s3://photos/library".to_owned()),
        files: 2,
        bytes: 20,
        manifest: vec![chunk_of(b"a\n", "a"), odd],
        rescued: vec![rescued],
        retention: SnapshotRetention {
            mode: Mode::Governance,
            days: 60,
        },
        protected_until: time("2027-01-01T00:00:00Z"),
        config: json!({"backup": {"retention": "60d"}}),
    }
}

pub(super) fn text() -> String {
    String::from_utf8(snapshot().encode().expect("encode")).expect("UTF-8")
}

#[test]
fn a_snapshot_has_the_fields_of_format_1_in_their_order() {
    let expected = [
        r#"{"format":1,"id":"20261123T021500Z-1a2b3c4d","time":"2026-11-23T02:15:00Z","#,
        r#""host":"nas","library":"Pictures","tidelock":"0.1.0","complete":true,"suspect":null,"#,
        r#""parent":"20261122T021500Z-00000001","#,
        r#""parent_blake3":"ebdea6058df2230dc25b7a7c7b487b470c508c2e0a5119c96893c443de3a9e79","#,
        r#""sync_target":"s3://photos/library","files":2,"bytes":20,"#,
        r#""manifest":[{"key":"library/manifests/"#,
        r#"81c4b7f7e0549f1514e9cae97cf40cf133920418d3dc71bedbf60ec9bd6148cb.jsonl.zst","#,
        r#""version_id":"m1","#,
        r#""blake3":"81c4b7f7e0549f1514e9cae97cf40cf133920418d3dc71bedbf60ec9bd6148cb","#,
        r#""size":2,"entries":1,"first":"a","locked_until":"2027-01-01T00:00:00Z"},"#,
        r#"{"key":"library/manifests/"#,
        r#"77b762cebf0ea28fcd96f06941a36ab245ad80296d9718216050af5b47f784e5.jsonl.zst","#,
        r#""version_id":"m1","#,
        r#""blake3":"77b762cebf0ea28fcd96f06941a36ab245ad80296d9718216050af5b47f784e5","#,
        r#""size":2,"entries":1,"first_base64":"Y2Fm6Q==","#,
        r#""locked_until":"2027-01-01T00:00:00Z"}],"#,
        r#""rescued":[{"key":"library/manifests/"#,
        r#"86e46190be5d40714ddd0d5c26238f16bc0f9459bdecd8fe0a2d1d815138c57e.jsonl.zst","#,
        r#""version_id":"m1","#,
        r#""blake3":"86e46190be5d40714ddd0d5c26238f16bc0f9459bdecd8fe0a2d1d815138c57e","#,
        r#""size":2,"entries":1,"first":"r","locked_until":"2027-01-01T00:00:00Z","#,
        r#""rescued_at":"2026-11-01T00:00:00Z"}],"#,
        r#""retention":{"mode":"GOVERNANCE","days":60},"#,
        r#""protected_until":"2027-01-01T00:00:00Z","config":{"backup":{"retention":"60d"}}}"#,
        "\n",
    ];
    assert_eq!(text(), expected.concat());
}

#[test]
fn a_snapshot_is_read_back_as_it_was() {
    assert_eq!(
        Snapshot::decode(text().as_bytes()).expect("decode"),
        snapshot()
    );
    let mut first = snapshot();
    (first.parent, first.parent_blake3, first.sync_target) = (None, None, None);
    first.suspect = Some("9 of 10 files changed".to_owned());
    first.retention.mode = Mode::Compliance;
    let bytes = first.encode().expect("encode");
    assert_eq!(Snapshot::decode(&bytes).expect("decode"), first);
}

#[test]
fn unknown_fields_are_ignored() {
    let more = text()
        .replace("\"format\":1", "\"later\":{\"a\":[1]},\"format\":1")
        .replace(
            "\"entries\":1",
            "\"entries\":1,\"later\":null,\"encoding\":null",
        );
    assert_eq!(
        Snapshot::decode(more.as_bytes()).expect("decode"),
        snapshot()
    );
}

#[test]
fn a_rescue_of_unknown_age_counts_from_its_snapshot() {
    let text = text().replace(",\"rescued_at\":\"2026-11-01T00:00:00Z\"", "");
    let read = Snapshot::decode(text.as_bytes()).expect("decode");
    assert_eq!(read.rescued[0].rescued_at, Some(read.time));
}

#[test]
fn a_newer_format_is_refused_and_names_who_reads_it() {
    let newer = text()
        .replace("\"format\":1", "\"format\":2")
        .replace("\"tidelock\":\"0.1.0\"", "\"tidelock\":\"3.4.5\"")
        // Nothing else need be as it was.
        .replace("\"manifest\":[", "\"manifest\":[7,");
    let encoded = text().replace("\"size\":2", "\"encoding\":\"age\",\"size\":2");
    for (bytes, says) in [(newer, "format 2"), (encoded, "encoding age")] {
        let error = Snapshot::decode(bytes.as_bytes()).expect_err(says);
        assert!(matches!(error, Error::Format(_)), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains("use Tidelock"), "{error}");
    }
}
