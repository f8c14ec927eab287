//! Listings of a bucket, page by page.

use super::bucket::{Bucket, Kept};
use crate::store::{Cursor, ListRequest, Object, Page, Version};
use std::ops::Bound;

pub(super) fn objects(bucket: &Bucket, request: &ListRequest, page: usize) -> Page<Object> {
    let after = after(request);
    let mut filling = Filling::new(request, page);
    for (key, versions) in from(bucket, request, after.as_deref()) {
        let Some(kept) = versions.last().filter(|kept| !kept.marker) else {
            continue;
        };
        if after.as_deref() == Some(key) {
            continue;
        }
        let object = || Object {
            key: key.to_owned(),
            size: kept.body.len() as u64,
            etag: kept.etag.clone(),
            last_modified: kept.at,
        };
        let here = Cursor {
            token: key.to_owned(),
            second: None,
        };
        if !filling.add(key, here, object) {
            break;
        }
    }
    filling.page
}

pub(super) fn versions(bucket: &Bucket, request: &ListRequest, page: usize) -> Page<Version> {
    let after = after(request);
    let second = request.cursor.as_ref().and_then(|c| c.second.as_deref());
    let mut filling = Filling::new(request, page);
    for (key, kept) in from(bucket, request, after.as_deref()) {
        // Behind a version of this key, or behind the whole key where no version is named.
        let mut skipping = after.as_deref() == Some(key);
        for (age, kept) in kept.iter().rev().enumerate() {
            if skipping {
                skipping = second != Some(kept.id.as_str());
                continue;
            }
            let here = Cursor {
                token: key.to_owned(),
                second: Some(kept.id.clone()),
            };
            if !filling.add(key, here, || version(key, kept, age == 0)) {
                return filling.page;
            }
        }
    }
    filling.page
}

fn version(key: &str, kept: &Kept, is_latest: bool) -> Version {
    Version {
        key: key.to_owned(),
        version_id: kept.id.clone(),
        is_latest,
        delete_marker: kept.marker,
        size: kept.body.len() as u64,
        etag: kept.etag.clone(),
        last_modified: kept.at,
        storage_class: (!kept.marker).then(|| {
            let class = kept.attributes.storage_class.as_deref();
            class.unwrap_or("STANDARD").to_owned()
        }),
    }
}

/// The key that the listing goes on behind, or at, where versions of it are left.
fn after(request: &ListRequest) -> Option<String> {
    let cursor = request.cursor.as_ref().map(|cursor| cursor.token.clone());
    cursor.or_else(|| request.start_after.clone())
}

fn from<'a>(
    bucket: &'a Bucket,
    request: &'a ListRequest,
    after: Option<&str>,
) -> impl Iterator<Item = (&'a str, &'a Vec<Kept>)> {
    let start = after.map_or(request.prefix.as_str(), |key| key.max(&request.prefix));
    bucket
        .keys
        .range::<str, _>((Bound::Included(start), Bound::Unbounded))
        .map(|(key, versions)| (key.as_str(), versions))
        .take_while(|(key, _)| key.starts_with(&request.prefix))
}

/// A page that is being filled.
struct Filling<'a, T> {
    request: &'a ListRequest,
    room: usize,
    last: Option<Cursor>,
    page: Page<T>,
}

impl<'a, T> Filling<'a, T> {
    fn new(request: &'a ListRequest, page: usize) -> Self {
        let wanted = request.max_keys.and_then(|max| usize::try_from(max).ok());
        Self {
            request,
            room: wanted.unwrap_or(page).clamp(1, page),
            last: request.cursor.clone(),
            page: Page {
                items: Vec::new(),
                prefixes: Vec::new(),
                next: None,
            },
        }
    }

    /// Adds an item or the prefix that it folds into; false when the page is full.
    fn add(&mut self, key: &str, here: Cursor, item: impl FnOnce() -> T) -> bool {
        let folded = self.folded(key);
        if let Some(prefix) = &folded {
            let known = self.page.prefixes.last() == Some(prefix);
            let told = self.last.as_ref().map(|last| last.token.as_str());
            if known || told.is_some_and(|last| last.starts_with(prefix.as_str())) {
                self.last = Some(here);
                return true;
            }
        }
        if self.page.items.len() + self.page.prefixes.len() == self.room {
            self.page.next = self.last.clone();
            return false;
        }
        self.last = Some(here);
        match folded {
            Some(prefix) => self.page.prefixes.push(prefix),
            None => self.page.items.push(item()),
        }
        true
    }

    fn folded(&self, key: &str) -> Option<String> {
        let base = self.request.prefix.len();
        let rest = key.get(base..).filter(|_| self.request.delimiter)?;
        let end = rest.find('/')?;
        key.get(..=base + end).map(str::to_owned)
    }
}
