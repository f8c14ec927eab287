//! The mirror's listing, as paths of the folder.

use crate::engine::client::Client;
use crate::engine::download::temp;
use crate::model::key::{KeyBase, KeyPath, PATH_METADATA, path_of_long};
use crate::model::{Blake3, Error, RelPath, Result, StoreError, StoreErrorKind};
use crate::plan::pull::{Remote, TRASH};
use crate::plan::restore::unfit;
use crate::store::{ListRequest, Object, Order};
use std::collections::HashMap;
use std::ffi::OsStr;

/// What lies below the sync target's prefix.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// In the order of paths.
    pub(super) remotes: Vec<Remote>,
    /// Keys that no file may be made of, and why.
    pub(super) refused: Vec<(String, String)>,
    /// Objects below a folder of the trash's name, which are left out.
    pub(super) in_trash: u64,
}

impl Listing {
    /// Lists everything, or fails: a part of a listing looks like deleted objects. `known` gives
    /// the paths of long keys that earlier pulls have met; others cost a HEAD each.
    ///
    /// # Errors
    /// The store's; `Partial` on a listing that breaks its own rules.
    pub(super) async fn read(client: &Client, known: &HashMap<String, RelPath>) -> Result<Self> {
        let base = KeyBase::new(client.target.listing_prefix());
        let mut listing = Self::default();
        let mut order = Order::new(&*client.store, "ListObjectsV2", base.as_str());
        let mut request = ListRequest {
            prefix: base.as_str().to_owned(),
            ..ListRequest::default()
        };
        loop {
            let page = client.call(|store| store.list(&request)).await;
            let page = page.map_err(untrusted)?;
            for object in &page.items {
                order.object(&object.key).map_err(untrusted)?;
            }
            let next = order.next(&page).map_err(untrusted)?;
            for object in page.items {
                listing.take(client, &base, object, known).await?;
            }
            match next {
                Some(cursor) => request.cursor = Some(cursor),
                None => break,
            }
        }
        // Keys are in order; where escapes stand in them, paths may not be.
        listing.remotes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    async fn take(
        &mut self,
        client: &Client,
        base: &KeyBase,
        object: Object,
        known: &HashMap<String, RelPath>,
    ) -> Result<()> {
        let path = match base.path_of(&object.key) {
            Some(KeyPath::Path(path)) => path,
            Some(KeyPath::Reserved) => return Ok(()),
            Some(KeyPath::Long(hash)) => {
                let path = match known.get(&object.key) {
                    Some(path) => Some(path.clone()),
                    None => long_path(client, &object.key, hash).await?,
                };
                match path {
                    Some(path) if base.key_of(&path).key == object.key => path,
                    _ => {
                        let why = "its metadata does not tell the path that belongs to it";
                        self.refuse(object, why);
                        return Ok(());
                    }
                }
            }
            // Consoles make such objects to show empty folders.
            Some(KeyPath::Foreign) | None if object.size == 0 && object.key.ends_with('/') => {
                return Ok(());
            }
            Some(KeyPath::Foreign) | None => {
                self.refuse(object, "no file in a folder can have this name");
                return Ok(());
            }
        };
        if path.is_within(&TRASH.into()) {
            self.in_trash += 1;
        } else if let Some(why) = unfit(&path, cfg!(windows)) {
            self.refuse(object, why);
        } else if path.segments().any(is_temporary) {
            self.refuse(
                object,
                "the name is one that Tidelock gives unfinished files",
            );
        } else {
            self.remotes.push(Remote {
                path,
                key: object.key,
                size: object.size,
                etag: object.etag,
                modified: object.last_modified,
            });
        }
        Ok(())
    }

    fn refuse(&mut self, object: Object, why: &str) {
        self.refused.push((object.key, why.to_owned()));
    }

    /// Whether nothing at all is there.
    pub(super) fn is_empty(&self) -> bool {
        self.remotes.is_empty() && self.refused.is_empty()
    }
}

fn is_temporary(segment: &[u8]) -> bool {
    std::str::from_utf8(segment).is_ok_and(|name| temp::is_temporary(OsStr::new(name)))
}

async fn long_path(client: &Client, key: &str, hash: Blake3) -> Result<Option<RelPath>> {
    let head = match client.call(|store| store.head(key, None)).await {
        Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut metadata = head.metadata.iter();
    let path = metadata.find(|(name, _)| name.eq_ignore_ascii_case(PATH_METADATA));
    Ok(path.and_then(|(_, path)| path_of_long(hash, path)))
}

/// The keys and the bucket were right a moment ago, so what is wrong now is the listing.
fn untrusted(error: StoreError) -> Error {
    if error.kind != StoreErrorKind::Invalid {
        return error.into();
    }
    Error::Partial(format!("{error}: nothing was fetched, nothing moved away"))
}
