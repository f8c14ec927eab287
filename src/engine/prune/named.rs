//! Which versions the kept snapshots name, and which only dropped ones.

use crate::engine::kept::VersionName;
use crate::model::{Error, Result, Stored};
use crate::plan::Naming;
use crate::snapshot::{ChunkRef, Loaded, Vault};
use crate::store::Version;
use futures::stream::StreamExt;
use std::collections::HashMap;
use std::pin::pin;

/// Chunks fetched ahead; each is up to 16,384 entries in memory.
const AHEAD: usize = 3;

/// All that is named, 24 bytes and a little a version.
#[derive(Default)]
pub(super) struct Names {
    versions: HashMap<VersionName, Naming>,
    /// A chunk whose version is gone heals from any other of its key.
    chunks: HashMap<String, (ChunkRef, Naming)>,
}

impl Names {
    /// Adds a snapshot object and its chunks.
    pub(super) fn add(&mut self, loaded: &Loaded, naming: Naming) {
        self.put(&loaded.at.key, &loaded.at.version_id, naming);
        let snapshot = &loaded.snapshot;
        for chunk in snapshot.manifest.iter().chain(&snapshot.rescued) {
            let named = self.chunks.entry(chunk.key.clone());
            let (_, before) = named.or_insert_with(|| (chunk.clone(), naming));
            *before = stronger(*before, naming);
            self.put(&chunk.key, &chunk.version_id, naming);
        }
    }

    /// Adds what the chunks name.
    ///
    /// # Errors
    /// `Damage` for a chunk that can't be read, or a refused entry in it: what it needs is not known.
    pub(super) async fn read_chunks(&mut self, vault: &Vault) -> Result<()> {
        let all: Vec<(ChunkRef, Naming)> = self.chunks.values().cloned().collect();
        let chunks = all.iter().map(|(chunk, _)| chunk.clone()).collect();
        let mut read = pin!(vault.entries(chunks, AHEAD));
        let mut namings = all.iter().map(|(_, naming)| *naming);
        while let Some(chunk) = read.next().await {
            let naming = namings.next().unwrap_or(Naming::Kept);
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(Error::Store(error)) => return Err(error.into()),
                // Nobody will restore it any more.
                Err(error) if naming != Naming::Kept => {
                    tracing::warn!(%error, "a chunk of a dropped snapshot can't be read");
                    continue;
                }
                Err(error) => return Err(unknown(&error.to_string())),
            };
            if let Some(refused) = chunk.refused.first() {
                return Err(unknown(&format!("{}: {}", refused.path, refused.message)));
            }
            for stored in chunk.entries.iter().filter_map(|it| it.stored.as_ref()) {
                self.put(&stored.key, &stored.version_id, naming);
            }
        }
        Ok(())
    }

    /// Who names a version.
    pub(super) fn of(&self, version: &Version) -> Naming {
        let name = name(&version.key, &version.version_id);
        self.versions.get(&name).copied().unwrap_or(Naming::Nobody)
    }

    /// Who names a chunk of its key, whatever the version.
    pub(super) fn of_key(&self, version: &Version) -> Naming {
        let chunk = self.chunks.get(&version.key);
        chunk.map_or(Naming::Nobody, |(_, naming)| *naming)
    }

    fn put(&mut self, key: &str, version_id: &str, naming: Naming) {
        let named = self.versions.entry(name(key, version_id));
        let before = named.or_insert(naming);
        *before = stronger(*before, naming);
    }
}

fn name(key: &str, version_id: &str) -> VersionName {
    VersionName::of(&Stored {
        key: key.to_owned(),
        version_id: version_id.to_owned(),
        etag: String::new(),
    })
}

pub(super) fn stronger(one: Naming, other: Naming) -> Naming {
    match (one, other) {
        (Naming::Kept, _) | (_, Naming::Kept) => Naming::Kept,
        (Naming::Until(a), Naming::Until(b)) => Naming::Until(a.max(b)),
        (Naming::Nobody, naming) | (naming, Naming::Nobody) => naming,
    }
}

fn unknown(why: &str) -> Error {
    Error::Damage(format!(
        "{why}. What else it needs is not known, so nothing was deleted; see `tidelock verify`"
    ))
}
