//! The sync target's listing, as paths.

use crate::engine::client::Client;
use crate::model::key::{KeyBase, KeyPath};
use crate::model::{RelPath, StoreResult};
use crate::plan::MirrorObject;
use crate::store::{ListRequest, Object, Order};
use std::collections::HashMap;

/// What lies below the sync target's prefix.
#[derive(Debug, Default)]
pub struct Listing {
    /// Objects that stand for paths, in the order of paths.
    pub objects: Vec<MirrorObject>,
    /// Objects of long keys, whose path only the library or the snapshot can tell, by key.
    pub long: HashMap<String, Object>,
    /// Objects that no path stands for.
    pub foreign: Vec<Object>,
}

impl Listing {
    /// Lists everything, or fails: a part of a listing looks like deleted objects.
    ///
    /// # Errors
    /// The store's; `Invalid` on a listing that breaks its own rules.
    pub async fn read(client: &Client) -> StoreResult<Self> {
        let base = KeyBase::new(client.target.listing_prefix());
        let mut listing = Self::default();
        let mut order = Order::new(&*client.store, "ListObjectsV2", base.as_str());
        let mut request = ListRequest {
            prefix: base.as_str().to_owned(),
            ..ListRequest::default()
        };
        loop {
            let page = client.call(|store| store.list(&request)).await?;
            for object in &page.items {
                order.object(&object.key)?;
            }
            let next = order.next(&page)?;
            page.items
                .into_iter()
                .for_each(|object| listing.take(&base, object));
            match next {
                Some(cursor) => request.cursor = Some(cursor),
                None => break,
            }
        }
        // Keys are in order; where escapes stand in them, paths may not be.
        listing.objects.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    fn take(&mut self, base: &KeyBase, object: Object) {
        match base.path_of(&object.key) {
            Some(KeyPath::Path(path)) => self.objects.push(mirror_object(path, object)),
            Some(KeyPath::Long(_)) => {
                self.long.insert(object.key.clone(), object);
            }
            Some(KeyPath::Reserved) => {}
            Some(KeyPath::Foreign) | None => self.foreign.push(object),
        }
    }

    /// Number of objects, those of Tidelock's own left out.
    pub fn count(&self) -> u64 {
        (self.objects.len() + self.long.len() + self.foreign.len()) as u64
    }

    /// Finds the paths of long keys among `paths`; what remains stands for no path of ours.
    pub fn resolve_long<'a>(&mut self, base: &KeyBase, paths: impl Iterator<Item = &'a RelPath>) {
        if self.long.is_empty() {
            return;
        }
        let before = self.objects.len();
        for path in paths {
            if let Some(object) = self.long.remove(&base.key_of(path).key) {
                self.objects.push(mirror_object(path.clone(), object));
            }
        }
        if self.objects.len() > before {
            self.objects.sort_by(|a, b| a.path.cmp(&b.path));
        }
    }
}

fn mirror_object(path: RelPath, object: Object) -> MirrorObject {
    MirrorObject {
        path,
        key: object.key,
        size: object.size,
        etag: object.etag,
    }
}
