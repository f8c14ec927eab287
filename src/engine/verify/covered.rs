//! Delete markers and strangers' versions over what snapshots name. They change nothing for
//! readers that go by version id, but they are somebody's work, and tools that do not know versions
//! see the wrong thing.

use crate::engine::kept::VersionName;
use crate::engine::retry::Retrier;
use crate::model::{Error, Result, StoreErrorKind, Stored};
use crate::snapshot::{Vault, layout};
use crate::store::{ListRequest, Order, Version};
use std::collections::HashSet;

/// A key whose newest version is not Tidelock's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Covered {
    /// The full key.
    pub(super) key: String,
    /// Of what covers it.
    pub(super) version_id: String,
    /// A delete marker; otherwise a version that no snapshot names and that Tidelock did not write.
    pub(super) marker: bool,
}

/// Lists all versions once, page by page, and looks at the newest of each key that has a version
/// that `named` knows.
///
/// # Errors
/// The store's.
pub(super) async fn covered(
    vault: &Vault,
    retrier: &Retrier,
    named: &HashSet<VersionName>,
) -> Result<Vec<Covered>> {
    let mut found = Vec::new();
    for folder in [layout::FILES, layout::MANIFESTS, layout::SNAPSHOTS] {
        let prefix = vault.target().key(folder);
        let mut order = Order::new(&**vault.store(), "ListObjectVersions", &prefix);
        let mut request = ListRequest {
            prefix: prefix.clone(),
            ..ListRequest::default()
        };
        let mut key = Key::default();
        loop {
            let page = retrier
                .run(|| vault.store().list_versions(&request))
                .await?;
            for version in &page.items {
                order.version(&version.key, &version.version_id)?;
            }
            let next = order.next(&page)?;
            for version in page.items {
                if key.is(&version.key) {
                    key.take(version, named);
                } else {
                    let done = std::mem::replace(&mut key, Key::begin(version, named));
                    found.extend(done.judge(vault, retrier).await?);
                }
            }
            match next {
                Some(cursor) => request.cursor = Some(cursor),
                None => break,
            }
        }
        found.extend(key.judge(vault, retrier).await?);
    }
    Ok(found)
}

/// One key's versions, as far as they matter.
#[derive(Default)]
struct Key {
    newest: Option<Version>,
    newest_is_named: bool,
    any_named: bool,
}

impl Key {
    fn begin(version: Version, named: &HashSet<VersionName>) -> Self {
        let is_named = is_named(&version, named);
        Self {
            newest: Some(version),
            newest_is_named: is_named,
            any_named: is_named,
        }
    }

    fn is(&self, key: &str) -> bool {
        self.newest.as_ref().is_some_and(|newest| newest.key == key)
    }

    fn take(&mut self, version: Version, named: &HashSet<VersionName>) {
        let is_named = is_named(&version, named);
        self.any_named |= is_named;
        if version.is_latest {
            self.newest = Some(version);
            self.newest_is_named = is_named;
        }
    }

    async fn judge(self, vault: &Vault, retrier: &Retrier) -> Result<Option<Covered>> {
        let Some(newest) = self.newest else {
            return Ok(None);
        };
        if !self.any_named || self.newest_is_named {
            return Ok(None);
        }
        let marker = newest.delete_marker;
        let strange = marker || is_strange(vault, retrier, &newest).await?;
        let (key, version_id) = (newest.key, newest.version_id);
        Ok(strange.then_some(Covered {
            key,
            version_id,
            marker,
        }))
    }
}

fn is_named(version: &Version, named: &HashSet<VersionName>) -> bool {
    !version.delete_marker
        && named.contains(&VersionName::of(&Stored {
            key: version.key.clone(),
            version_id: version.version_id.clone(),
            etag: String::new(),
        }))
}

/// Whether an unnamed version is somebody else's. Tidelock's own may be unnamed too, after a run
/// that was killed or once their snapshots are pruned: those have a lock, and the BLAKE3 in their
/// metadata where they came in one request.
async fn is_strange(vault: &Vault, retrier: &Retrier, version: &Version) -> Result<bool> {
    let Version {
        key, version_id, ..
    } = version;
    let store = vault.store();
    let head = match retrier.run(|| store.head(key, Some(version_id))).await {
        Ok(head) => head,
        Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::Store(error)),
    };
    let lock = match head.retention {
        Some(lock) => Some(lock),
        None => match retrier.run(|| store.retention(key, version_id)).await {
            Ok(lock) => lock,
            // Who may not read locks can't tell.
            Err(_) => return Ok(false),
        },
    };
    let files = vault.target().key(layout::FILES);
    let in_one = !head.etag.contains('-');
    let unhashed = key.starts_with(&files)
        && in_one
        && !head.metadata.iter().any(|(name, _)| name == "blake3");
    Ok(lock.is_none() || unhashed)
}
