//! Reading a snapshot by the layout: every byte and every lock that it names.

use crate::tree::{Node, Tree};
use futures::StreamExt;
use std::collections::BTreeSet;
use tidelock::model::{Blake3, Entry, Kind, Time};
use tidelock::snapshot::{ChunkRef, Loaded, SnapshotRef, Vault};

/// A snapshot with all that it names.
pub(crate) struct Seen {
    pub(crate) loaded: Loaded,
    /// In the order of paths; files with their bytes.
    pub(crate) entries: Vec<(Entry, Vec<u8>)>,
    /// Paths and contents.
    pub(crate) rescued: Vec<(Vec<u8>, Vec<u8>)>,
    /// By chunk: what it claims, and the earliest lock that it really has.
    locks: Vec<(ChunkRef, Time)>,
}

pub(crate) async fn read_snapshot(vault: &Vault, at: &SnapshotRef) -> Seen {
    let loaded = vault.load(at).await.unwrap();
    let mut seen = Seen {
        entries: Vec::new(),
        rescued: Vec::new(),
        locks: Vec::new(),
        loaded,
    };
    let snapshot = seen.loaded.snapshot.clone();
    seen.entries = seen.read_chunks(vault, snapshot.manifest).await;
    let rescued = seen.read_chunks(vault, snapshot.rescued).await;
    let pair = |(entry, body): (Entry, Vec<u8>)| (entry.path.as_bytes().to_vec(), body);
    seen.rescued = rescued.into_iter().map(pair).collect();
    seen
}

impl Seen {
    async fn read_chunks(&mut self, vault: &Vault, chunks: Vec<ChunkRef>) -> Vec<(Entry, Vec<u8>)> {
        let store = vault.store();
        let mut all = Vec::new();
        let mut stream = std::pin::pin!(vault.entries(chunks, 1));
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.expect("a chunk of a committed snapshot");
            assert!(chunk.refused.is_empty(), "{:?}", chunk.refused);
            assert!(!chunk.healed);
            let lock = |key: String, id: String| async move {
                let lock = store.retention(&key, &id).await.unwrap();
                lock.unwrap_or_else(|| panic!("{key}: no lock")).until
            };
            let at = &chunk.chunk;
            let mut earliest = lock(at.key.clone(), at.version_id.clone()).await;
            for entry in chunk.entries {
                let mut body = Vec::new();
                if entry.kind == Kind::File {
                    let stored = entry.stored.clone().expect("a version");
                    let id = Some(stored.version_id.as_str());
                    let fetched = store.get(&stored.key, id, None).await;
                    body = fetched.expect("a version that is named").body.to_vec();
                    let content = entry.content.expect("a content");
                    assert_eq!(Blake3::of(&body), content.blake3, "{}", entry.path);
                    assert_eq!(body.len() as u64, content.size, "{}", entry.path);
                    earliest = earliest.min(lock(stored.key, stored.version_id).await);
                }
                all.push((entry, body));
            }
            self.locks.push((chunk.chunk, earliest));
        }
        all
    }

    pub(crate) fn paths(&self) -> BTreeSet<Vec<u8>> {
        let path = |(entry, _): &(Entry, Vec<u8>)| entry.path.as_bytes().to_vec();
        self.entries.iter().map(path).collect()
    }

    /// Files and their contents.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = (&[u8], &Vec<u8>)> {
        let files = self
            .entries
            .iter()
            .filter(|(entry, _)| entry.kind == Kind::File);
        files.map(|(entry, body)| (entry.path.as_bytes(), body))
    }

    /// What a snapshot claims of locks is a lower bound.
    pub(crate) fn assert_claims_hold(&self) {
        for (chunk, earliest) in &self.locks {
            assert!(
                chunk.locked_until <= *earliest,
                "{}: the chunk from {} on claims {}, the earliest lock ends {earliest}",
                self.loaded.snapshot.id,
                chunk.first,
                chunk.locked_until,
            );
        }
    }

    /// Promise 2.
    pub(crate) fn assert_locked_until(&self, least: Time) {
        for (chunk, earliest) in &self.locks {
            assert!(
                *earliest >= least && chunk.locked_until >= least,
                "{}: the chunk from {} on is locked until {earliest}, claims {}, should until {least}",
                self.loaded.snapshot.id,
                chunk.first,
                chunk.locked_until,
            );
        }
    }

    /// The snapshot is the library, path by path.
    pub(crate) fn assert_is(&self, library: &Tree) {
        let id = &self.loaded.snapshot.id;
        let paths: BTreeSet<Vec<u8>> = library.keys().cloned().collect();
        assert_eq!(self.paths(), paths, "{id}: the paths");
        for (entry, bytes) in &self.entries {
            let path = entry.path.as_bytes();
            assert!(!entry.carried, "{id}: {path:?} is carried");
            match &library[path] {
                Node::Dir => assert_eq!(entry.kind, Kind::Dir, "{id}: {path:?}"),
                Node::Symlink(to) => {
                    assert_eq!(entry.kind, Kind::Symlink, "{id}: {path:?}");
                    assert_eq!(entry.target.as_ref(), Some(to), "{id}: {path:?}");
                }
                Node::File {
                    body,
                    mtime,
                    mode,
                    first,
                } => {
                    assert_eq!(entry.kind, Kind::File, "{id}: {path:?}");
                    assert_eq!(bytes, body, "{id}: {path:?}");
                    let time = entry.mtime.unwrap();
                    let time = (time.as_second(), i64::from(time.subsec_nanosecond()));
                    assert_eq!(time, *mtime, "{id}: {path:?}");
                    assert_eq!(entry.mode, Some(*mode), "{id}: {path:?}");
                    let named = entry.hardlink.as_ref().map(|path| path.as_bytes().to_vec());
                    assert_eq!(named, *first, "{id}: {path:?}");
                }
            }
        }
    }
}
