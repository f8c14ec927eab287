//! The fuzz targets' bodies on stable: on the corpus, on what is left of it when it is damaged, and on random bytes.

use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

#[path = "../../fuzz/bodies.rs"]
#[allow(unreachable_pub, reason = "shared with the fuzz targets")]
mod bodies;

type Body = fn(&[u8]);

const TARGETS: [(&str, Body); 5] = [
    ("configuration", bodies::configuration),
    ("key", bodies::key),
    ("listing", bodies::listing),
    ("manifest_line", bodies::manifest_line),
    ("snapshot", bodies::snapshot),
];

/// Each body with the inputs of its corpus.
static CORPUS: LazyLock<Vec<(Body, Vec<Vec<u8>>)>> = LazyLock::new(|| {
    let of = |(name, body)| {
        let folder = fs::read_dir(fuzz().join("corpus").join(name)).unwrap();
        let files = folder.map(|item| fs::read(item.unwrap().path()).unwrap());
        (body, files.collect())
    };
    TARGETS.map(of).into()
});

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

#[test]
fn every_fuzz_target_is_replayed_and_has_a_corpus() {
    let targets = fs::read_dir(fuzz().join("targets")).unwrap();
    let found: BTreeSet<_> = targets
        .map(|item| {
            let name = item.unwrap().file_name().into_string().unwrap();
            name.trim_end_matches(".rs").to_owned()
        })
        .collect();
    assert_eq!(found, TARGETS.map(|(name, _)| name.to_owned()).into());
    assert!(CORPUS.iter().all(|(_, inputs)| !inputs.is_empty()));
}

#[test]
fn the_corpus_breaks_nothing() {
    for (body, inputs) in CORPUS.iter() {
        inputs.iter().for_each(|input| body(input));
    }
}

/// The input with a stretch of it replaced.
fn damaged(input: &[u8], at: usize, len: usize, with: &[u8]) -> Vec<u8> {
    let at = at % (input.len() + 1);
    let end = (at + len).min(input.len());
    [&input[..at], with, &input[end..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_break_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, body) in TARGETS {
            body(&bytes);
        }
    }

    #[test]
    fn a_damaged_corpus_breaks_nothing(
        which in any::<Index>(),
        at in any::<usize>(),
        len in 0_usize..12,
        with in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..6),
            "[-\"\\\\{}:,0-9a-z./]{0,8}".prop_map(String::into_bytes),
        ],
    ) {
        for (body, inputs) in CORPUS.iter() {
            let input = &inputs[which.index(inputs.len())];
            body(&damaged(input, at, len, &with));
        }
    }
}
