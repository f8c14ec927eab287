//! Who names a version that something is wrong with, and who else has its content.

use super::{Damage, Problem};
use crate::engine::kept::{Kept, VersionName};
use crate::model::{Blake3, Entry, Error, Result, Stored};
use crate::snapshot::Vault;
use futures::stream::{self, StreamExt};
use std::collections::{HashMap, HashSet};
use std::pin::pin;

/// Chunks fetched ahead.
const AHEAD: usize = 3;

/// A version with a problem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bad {
    /// What is wrong.
    pub problem: Problem,
    /// What it should hold.
    pub blake3: Option<Blake3>,
}

/// A path that names a version with a problem.
#[derive(Clone, PartialEq, Debug)]
pub struct Mention {
    /// As the manifest has it.
    pub entry: Entry,
    /// Index into [`Kept::chunks`].
    pub chunk: usize,
    /// What is wrong with the version.
    pub lost: Problem,
    /// Another named version with the same content that nothing is wrong with.
    pub healed_by: Option<Stored>,
}

impl Mention {
    /// In verify's words.
    pub(super) fn damage(self, kept: &Kept) -> Damage {
        Damage {
            path: self.entry.path.display().into_owned(),
            problem: self.lost.word(),
            message: self.lost.to_string(),
            snapshots: kept.ids(&kept.chunks[self.chunk]),
            entry: Some(Box::new(self.entry)),
            healed_by: self.healed_by,
        }
    }
}

/// Goes through all manifests once more, if anything is bad at all.
///
/// # Errors
/// The store's. Chunks that can't be read were told of before.
pub async fn mentions(
    vault: &Vault,
    kept: &Kept,
    bad: &HashMap<VersionName, Bad>,
) -> Result<Vec<Mention>> {
    let mut found: Vec<Mention> = Vec::new();
    if bad.is_empty() {
        return Ok(found);
    }
    let lost = bad.values().filter(|bad| bad.problem.is_content());
    let wanted: HashSet<Blake3> = lost.filter_map(|bad| bad.blake3).collect();
    let mut good: HashMap<Blake3, Stored> = HashMap::new();
    let chunks = vault.entries(kept.chunk_refs(), AHEAD);
    let mut chunks = pin!(chunks.zip(stream::iter(0..)));
    while let Some((read, chunk)) = chunks.next().await {
        let entries = match read {
            Ok(read) => read.entries,
            Err(Error::Store(error)) => return Err(Error::Store(error)),
            Err(_) => continue,
        };
        for entry in entries {
            let Some(stored) = &entry.stored else {
                continue;
            };
            match (bad.get(&VersionName::of(stored)), &entry.content) {
                (Some(bad), _) => found.push(Mention {
                    lost: bad.problem.clone(),
                    entry,
                    chunk,
                    healed_by: None,
                }),
                (None, Some(content)) if wanted.contains(&content.blake3) => {
                    good.entry(content.blake3).or_insert_with(|| stored.clone());
                }
                (None, _) => {}
            }
        }
    }
    for mention in &mut found {
        let blake3 = mention.entry.content.map(|content| content.blake3);
        if mention.lost.is_content() {
            mention.healed_by = blake3.and_then(|blake3| good.get(&blake3).cloned());
        }
    }
    found.sort_by(|a, b| (&a.entry.path, a.chunk).cmp(&(&b.entry.path, b.chunk)));
    Ok(found)
}
