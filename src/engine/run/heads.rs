//! The beginnings of changed files: are they still what they were?

use super::Run;
use super::change::Changed;
use crate::library::Library;
use crate::model::RelPath;
use crate::plan::{HEAD, Head, Look, has_known_kind, spread};
use crate::store::ByteRange;
use futures::stream::{self, StreamExt};
use std::sync::Arc;

/// Changed files looked at, at the most.
const LOOKED_AT: usize = 1_000;
/// Doubtful ones among them whose former beginning is fetched: a library of files that never were
/// what their names say must not raise an alarm each night.
const COMPARED: usize = 32;
/// Of them at a time.
const AT_A_TIME: usize = 8;

impl Run {
    /// Looks at up to 4 KiB each of up to 1,000 changed files; and, if most of them are doubtful,
    /// at what some of those were before.
    pub(super) async fn look_at(&self, library: &Arc<Library>, changed: &[Changed]) -> Look {
        let sample = spread(changed.iter().collect(), LOOKED_AT);
        let paths = sample.iter().map(|changed| changed.path.clone()).collect();
        let heads = read_heads(Arc::clone(library), paths).await;
        let mut look = Look::default();
        let mut doubtful = Vec::new();
        for (changed, now) in sample.into_iter().zip(heads) {
            let Some(now) = now else { continue };
            let is_doubtful = now.is_doubtful(&changed.path);
            look.add(has_known_kind(&changed.path), is_doubtful);
            if is_doubtful {
                doubtful.push((changed, now));
            }
        }
        if !look.is_all_over() {
            return look;
        }
        let compared = spread(doubtful, COMPARED);
        let of = compared.len() as u64;
        let lost = stream::iter(compared)
            .map(|(changed, now)| async move {
                match self.head_before(changed).await {
                    Some(before) => Head::lost(&before, &now),
                    // Nobody can say what it was: its name has to do.
                    None => has_known_kind(&changed.path),
                }
            })
            .buffer_unordered(AT_A_TIME);
        let lost = lost.filter(|lost| std::future::ready(*lost)).count().await as u64;
        Look {
            lost: look.lost * lost / of.max(1),
            photos_lost: look.photos_lost * lost / of.max(1),
            ..look
        }
    }

    /// The beginning of what was stored before: the locked version, or the mirror's object.
    async fn head_before(&self, changed: &Changed) -> Option<Head> {
        let range = Some(ByteRange {
            first: 0,
            last: HEAD as u64 - 1,
        });
        let fetched = match (&changed.before, &self.backup, &self.sync) {
            (Some(stored), Some(backup), _) => {
                let version = Some(stored.version_id.as_str());
                let client = backup.versions.client();
                let get = client.call(|store| store.get(&stored.key, version, range));
                get.await
            }
            (_, _, Some(sync)) => {
                let key = sync.key(&changed.path);
                let get = sync.client().call(|store| store.get(&key, None, range));
                get.await
            }
            _ => return None,
        };
        match fetched {
            Ok(fetched) => Some(Head::of(&fetched.body)),
            Err(error) => {
                tracing::debug!(%error, "what the file was before can't be read");
                None
            }
        }
    }
}

async fn read_heads(library: Arc<Library>, paths: Vec<RelPath>) -> Vec<Option<Head>> {
    let reading = tokio::task::spawn_blocking(move || {
        let head = |path: &RelPath| {
            let file = library.open_as_is(path).ok()?;
            let len = file.seen().size.min(HEAD as u64);
            let mut bytes = vec![0; usize::try_from(len).ok()?];
            file.read_part(0, &mut bytes).ok()?;
            Some(Head::of(&bytes))
        };
        paths.iter().map(head).collect()
    });
    reading.await.unwrap_or_default()
}
