//! Other versions of contents whose own version is gone or damaged.

use super::content::Lost;
use super::file::{Files, LostFile, Ready};
use crate::engine::download::folder::Place;
use crate::model::{Blake3, Entry, Error, Event, Stored};
use crate::snapshot::{ChunkRef, Vault};
use futures::stream::StreamExt;
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use tokio::sync::mpsc;

/// So many other versions of one content are tried.
const TRIES: usize = 4;

/// What the vault's snapshots name for contents that are wanted.
#[derive(Debug, Default)]
pub(super) struct Elsewhere(HashMap<Blake3, Vec<Stored>>);

impl Elsewhere {
    /// Versions that may have the content of `entry`, other than its own.
    pub(super) fn of(&self, entry: &Entry) -> Vec<Stored> {
        let known = entry
            .content
            .and_then(|content| self.0.get(&content.blake3));
        let mut others = known.cloned().unwrap_or_default();
        others.retain(|stored| Some(stored) != entry.stored.as_ref());
        others
    }

    fn take_in(&mut self, entry: Entry) {
        if let (Some(content), Some(stored)) = (entry.content, entry.stored)
            && let Some(known) = self.0.get_mut(&content.blake3)
            && known.len() <= TRIES
            && !known.contains(&stored)
        {
            known.push(stored);
        }
    }
}

/// Reads every chunk of every snapshot once, the newest snapshots first. What can't be read is
/// passed over: it is a search for a way out.
pub(super) async fn search(vault: &Vault, lost: &[LostFile]) -> Elsewhere {
    let wanted = lost.iter().filter_map(|lost| lost.entry.content);
    let mut elsewhere = Elsewhere(wanted.map(|it| (it.blake3, Vec::new())).collect());
    let mut seen = HashSet::new();
    for at in vault.list().await.unwrap_or_default().iter().rev() {
        let Ok(loaded) = vault.load(at).await else {
            continue;
        };
        let chunks = loaded.snapshot.manifest.into_iter();
        let chunks = chunks.chain(loaded.snapshot.rescued);
        let new: Vec<ChunkRef> = chunks.filter(|chunk| seen.insert(chunk.blake3)).collect();
        let mut chunks = pin!(vault.entries(new, 2));
        while let Some(chunk) = chunks.next().await {
            for entry in chunk.into_iter().flat_map(|chunk| chunk.entries) {
                elsewhere.take_in(entry);
            }
        }
    }
    elsewhere
}

/// Restores a file from the first of `others` that has its content.
pub(super) async fn restore(
    files: &Files,
    lost: LostFile,
    others: Vec<Stored>,
    place: Place,
    publisher: &mpsc::Sender<Ready>,
) {
    let LostFile { mut entry, why } = lost;
    for stored in others {
        let version = stored.version_id.clone();
        entry.stored = Some(stored);
        match files.attempt(&entry, place.clone(), publisher).await {
            Ok(()) => {
                files.tally.events().send(Event::Note(format!(
                    "{}: its own version is lost ({why}); version {version}, which another \
                     snapshot names, has the same content",
                    entry.path
                )));
                return;
            }
            Err(Lost::Content(_)) => {}
            Err(Lost::Error(error)) => return files.gave_up(&entry, error),
        }
    }
    let error = Error::Damage(format!("{}: {why}; no other snapshot has it", entry.path));
    files.tally.failed(&entry.path, error);
}
