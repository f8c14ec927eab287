use super::named;
use crate::model::RelPath;
use crate::snapshot::chunk::Chunker;
use crate::snapshot::{Fate, Touched};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Identities of the chunks of these paths, each with a content of its own.
fn chunks(paths: &BTreeMap<String, u8>) -> HashSet<crate::model::Blake3> {
    let mut chunker = Chunker::default();
    let mut all = HashSet::new();
    for (path, content) in paths {
        let mut named = named(path);
        named.entry.mode = Some(u32::from(*content));
        all.extend(
            chunker
                .push(&named)
                .expect("push")
                .map(|built| built.blake3),
        );
    }
    all.extend(chunker.end().map(|built| built.blake3));
    all
}

fn foretold(before: &BTreeMap<String, u8>, after: &BTreeMap<String, u8>) -> u64 {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut touched = Touched::default();
    for path in paths {
        let fate = match (before.get(path), after.get(path)) {
            (Some(old), Some(new)) if old == new => Fate::Stays,
            (Some(_), Some(_)) => Fate::Changes,
            (None, _) => Fate::New,
            (Some(_), None) => Fate::Goes,
        };
        touched.path(&RelPath::from(path.as_str()), fate);
    }
    touched.count()
}

/// Numbers of the paths that a chunk ends after.
const ENDS: [u32; 9] = [1550, 1818, 2184, 2752, 3409, 3869, 3985, 4205, 4293];

/// Boundaries, and paths around them.
fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(ENDS.as_slice()).prop_map(|n| format!("img-{n}")),
        (1500..4400u32).prop_map(|n| format!("img-{n}")),
    ]
}

fn manifest() -> impl Strategy<Value = BTreeMap<String, u8>> {
    prop::collection::btree_map(path(), 0..3u8, 0..60)
}

proptest! {
    #[test]
    fn as_many_chunks_are_foretold_as_a_commit_stores(before in manifest(), after in manifest()) {
        let stored = chunks(&after).difference(&chunks(&before)).count() as u64;
        prop_assert_eq!(foretold(&before, &after), stored);
    }

    #[test]
    fn one_change_is_foretold_as_a_commit_stores_it(before in manifest(), path in path(), content in 0..4u8) {
        let mut after = before.clone();
        if content == 3 {
            after.remove(&path);
        } else {
            after.insert(path, content);
        }
        let stored = chunks(&after).difference(&chunks(&before)).count() as u64;
        prop_assert_eq!(foretold(&before, &after), stored);
    }
}
