//! The fuzz targets' bodies on stable: on what seeds and random bytes give, and on the corpus.

use proptest::prelude::*;
use std::fs;
use std::path::Path;

#[path = "../../fuzz/bodies.rs"]
#[allow(unreachable_pub, reason = "shared with the fuzz targets")]
mod bodies;

const LINE: &str = r#"{"path":"2024/a.jpg","type":"file","size":3,"mtime":"2026-01-02T03:04:05.678901234Z","mode":"0644","blake3":"6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85","crc64nvme":"AAAAAAAAAAA=","key":"library/files/2024/a.jpg","version_id":"v1","etag":"e","carried":true}"#;

const SNAPSHOT: &str = r#"{"format":1,"id":"20261123T021500Z-1a2b3c4d","time":"2026-11-23T02:15:00Z","host":"nas","library":"p","tidelock":"0.1.0","complete":true,"suspect":null,"parent":null,"parent_blake3":null,"sync_target":"s3://a/b","files":0,"bytes":0,"manifest":[],"rescued":[],"retention":{"mode":"GOVERNANCE","days":60},"protected_until":"2027-01-22T02:15:00Z","config":{}}"#;

const CONFIG: &str = "[library]\npath = \"p\"\nexclude = [\"*.tmp\"]\n[sync]\nto = \"s3://my-photos/library\"\nmax_delete = \"10%\"\n[backup]\nto = \"s3://my-vault/library\"\nretention = \"60d\"\nkeep = { last = 7 }\n";

const LISTING: &str = "lib/a\nlib/b\n\nnext\nlib/c\n\nnext\nlib/c\n";

type Body = fn(&[u8]);

const TARGETS: &[(&str, Body, &str)] = &[
    ("manifest_line", bodies::manifest_line, LINE),
    ("snapshot", bodies::snapshot, SNAPSHOT),
    ("key", bodies::key, "2024/‛／ a\u{1}%2F.jpg"),
    ("configuration", bodies::configuration, CONFIG),
    ("listing", bodies::listing, LISTING),
];

#[test]
fn the_corpus_breaks_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, body, seed) in TARGETS {
        body(seed.as_bytes());
        for item in fs::read_dir(corpus.join(name)).into_iter().flatten() {
            body(&fs::read(item.unwrap().path()).unwrap());
        }
    }
}

/// The seed with a stretch of it replaced.
fn mutated(seed: &str, at: usize, len: usize, with: &[u8]) -> Vec<u8> {
    let seed = seed.as_bytes();
    let at = at % (seed.len() + 1);
    let end = (at + len).min(seed.len());
    [&seed[..at], with, &seed[end..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_break_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, body, _) in TARGETS {
            body(&bytes);
        }
    }

    #[test]
    fn damaged_seeds_break_nothing(
        at in any::<usize>(),
        len in 0_usize..12,
        with in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6),
            "[-\"\\\\{}:,0-9a-z./]{0,8}".prop_map(String::into_bytes),
        ],
    ) {
        for (_, body, seed) in TARGETS {
            body(&mutated(seed, at, len, &with));
        }
    }
}
