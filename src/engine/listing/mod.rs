//! The sync target's listing, as paths.

use crate::engine::client::Client;
use crate::model::key::{KeyBase, KeyPath};
use crate::model::{RelPath, Result, StoreResult};
use crate::plan::{MirrorObject, MirrorObjects};
use crate::state::StateHandle;
use crate::store::{ListRequest, Object, Order};
use futures::stream::{self, StreamExt};
use std::collections::HashMap;

/// Ranges of a listing that are read at a time, if the pace allows.
const RANGES_AT_A_TIME: usize = 16;
/// Objects of a range, about: some pages, so that the last one of each, which is not full, weighs
/// little.
const IN_A_RANGE: usize = 8_000;

/// What lies below the sync target's prefix.
#[derive(Debug, Default)]
pub struct Listing {
    /// Objects that stand for paths, in the order of paths.
    pub objects: MirrorObjects,
    /// Objects of long keys, whose path only the library or the snapshot can tell, by key.
    pub long: HashMap<String, Object>,
    /// Objects that no path stands for.
    pub foreign: Vec<Object>,
}

impl Listing {
    /// Lists everything, or fails: a part of a listing looks like deleted objects.
    ///
    /// `splits` are keys, in order, between which ranges of the listing are read at the same time:
    /// any keys will do, since all ranges together are the whole.
    ///
    /// # Errors
    /// The store's; `Invalid` on a listing that breaks its own rules.
    pub async fn read(client: &Client, splits: &[String]) -> StoreResult<Self> {
        let base = KeyBase::new(client.target.listing_prefix());
        let mut listing = Self::default();
        let whole = Range::default();
        if !splits.is_empty() && listing.read_ranges(client, &base, splits).await? {
            return Ok(listing.in_order());
        }
        // The store does not begin where it was asked to: page by page, then.
        let read = read_range(client, &base, whole).await?;
        Ok(read.listing.in_order())
    }

    /// False where the store's ranges are none.
    async fn read_ranges(
        &mut self,
        client: &Client,
        base: &KeyBase,
        splits: &[String],
    ) -> StoreResult<bool> {
        let ranges = Range::between(splits);
        let reads = ranges.map(|range| read_range(client, base, range));
        let mut reads = stream::iter(reads).buffered(RANGES_AT_A_TIME);
        while let Some(read) = reads.next().await {
            let read = read?;
            if read.begins_too_early {
                return Ok(false);
            }
            self.append(read.listing);
        }
        Ok(true)
    }

    /// Keys are in order; where escapes stand in them, paths may not be.
    fn in_order(mut self) -> Self {
        self.objects.sort();
        self
    }

    fn append(&mut self, other: Self) {
        self.objects.append(other.objects);
        self.long.extend(other.long);
        self.foreign.extend(other.foreign);
    }

    fn take(&mut self, base: &KeyBase, object: Object) {
        match base.path_of(&object.key) {
            Some(KeyPath::Path(path)) => self.objects.push(&mirror_object(path, object)),
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
        for path in paths {
            if let Some(object) = self.long.remove(&base.key_of(path).key) {
                self.objects.push(&mirror_object(path.clone(), object));
            }
        }
        self.objects.sort();
    }
}

/// Keys that cut the listing of a mirror into ranges, as far as the state knows what it holds.
///
/// # Errors
/// The state's.
pub async fn splits(client: &Client, state: &StateHandle) -> Result<Vec<String>> {
    let paths = state.call(|state| state.every(IN_A_RANGE)).await?;
    let base = KeyBase::new(client.target.listing_prefix());
    let mut keys: Vec<String> = paths.iter().map(|path| base.key_of(path).key).collect();
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// The keys behind `after` up to and including `until`.
#[derive(Clone, Copy, Default)]
struct Range<'a> {
    after: Option<&'a str>,
    until: Option<&'a str>,
}

impl<'a> Range<'a> {
    /// All ranges that these keys make, from the beginning to the end.
    fn between(splits: &'a [String]) -> impl Iterator<Item = Self> {
        let keys = || splits.iter().map(|key| Some(key.as_str()));
        let afters = std::iter::once(None).chain(keys());
        let untils = keys().chain(std::iter::once(None));
        afters
            .zip(untils)
            .map(|(after, until)| Self { after, until })
    }
}

#[derive(Default)]
struct RangeRead {
    listing: Listing,
    /// The store answered with keys before the range.
    begins_too_early: bool,
}

async fn read_range(client: &Client, base: &KeyBase, range: Range<'_>) -> StoreResult<RangeRead> {
    let prefix = base.as_str();
    let mut order = Order::new(&*client.store, "ListObjectsV2", prefix);
    let mut read = RangeRead::default();
    let mut request = ListRequest {
        prefix: prefix.to_owned(),
        start_after: range.after.map(str::to_owned),
        ..ListRequest::default()
    };
    loop {
        let page = client.call(|store| store.list(&request)).await?;
        for object in &page.items {
            order.object(&object.key)?;
        }
        let next = order.next(&page)?;
        let (before, inside): (Vec<_>, Vec<_>) = page
            .items
            .into_iter()
            .partition(|object| range.after.is_some_and(|after| *object.key <= *after));
        if !before.is_empty() {
            read.begins_too_early = true;
            return Ok(read);
        }
        let is_past = |key: &str| range.until.is_some_and(|until| key > until);
        let ends = inside
            .last()
            .is_some_and(|object| is_past(&object.key) || range.until == Some(object.key.as_str()));
        let inside = inside.into_iter().filter(|object| !is_past(&object.key));
        inside.for_each(|object| read.listing.take(base, object));
        match next {
            Some(cursor) if !ends => request.cursor = Some(cursor),
            _ => return Ok(read),
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

#[cfg(test)]
mod tests;
