//! Whole listings: all of it, or an error. A listing that ends early looks like deleted objects, so
//! nothing that breaks a listing's own rules is passed on.

use crate::model::{StoreError, StoreErrorKind, StoreResult};
use crate::store::{Cursor, ListRequest, Object, Page, Store, Version};

/// All current objects below a prefix, in the order of their keys' bytes.
///
/// # Errors
/// Whatever the store answers; [`StoreErrorKind::Invalid`] on a listing that repeats itself, leaves
/// the prefix, or is out of order. Never a part of the listing.
pub async fn list_all(store: &dyn Store, prefix: &str) -> StoreResult<Vec<Object>> {
    let mut order = Order::new(store, "ListObjectsV2", prefix);
    let mut all = Vec::new();
    let mut request = whole(prefix);
    loop {
        let page = store.list(&request).await?;
        for object in &page.items {
            order.object(&object.key)?;
        }
        let next = order.next(&page)?;
        all.extend(page.items);
        match next {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(all),
        }
    }
}

/// All versions and delete markers below a prefix, by key, newest first.
///
/// # Errors
/// As [`list_all`].
pub async fn list_all_versions(store: &dyn Store, prefix: &str) -> StoreResult<Vec<Version>> {
    let mut order = Order::new(store, "ListObjectVersions", prefix);
    let mut all = Vec::new();
    let mut request = whole(prefix);
    loop {
        let page = store.list_versions(&request).await?;
        for version in &page.items {
            order.version(&version.key, &version.version_id)?;
        }
        let next = order.next(&page)?;
        all.extend(page.items);
        match next {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(all),
        }
    }
}

/// All versions of exactly one key, newest first.
///
/// # Errors
/// As [`list_all`].
pub async fn versions_of(store: &dyn Store, key: &str) -> StoreResult<Vec<Version>> {
    let mut order = Order::new(store, "ListObjectVersions", key);
    let mut all = Vec::new();
    let mut request = whole(key);
    loop {
        let page = store.list_versions(&request).await?;
        for version in &page.items {
            order.version(&version.key, &version.version_id)?;
        }
        // A key is the first of all that begin with it.
        let past = page.items.last().is_some_and(|version| version.key != key);
        let next = order.next(&page)?;
        all.extend(page.items.into_iter().filter(|version| version.key == key));
        match next {
            Some(cursor) if !past => request.cursor = Some(cursor),
            _ => return Ok(all),
        }
    }
}

fn whole(prefix: &str) -> ListRequest {
    ListRequest {
        prefix: prefix.to_owned(),
        ..ListRequest::default()
    }
}

/// Proves page by page that a listing goes forward.
pub struct Order<'a> {
    store: &'a dyn Store,
    operation: &'static str,
    prefix: &'a str,
    last: Option<String>,
    /// Version ids seen of the last key.
    ids: std::collections::HashSet<String>,
    cursor: Option<Cursor>,
}

impl<'a> Order<'a> {
    /// Nothing seen yet.
    pub fn new(store: &'a dyn Store, operation: &'static str, prefix: &'a str) -> Self {
        Self {
            store,
            operation,
            prefix,
            last: None,
            ids: std::collections::HashSet::new(),
            cursor: None,
        }
    }

    /// The next object's key.
    ///
    /// # Errors
    /// `Invalid` where it is not behind the one before, or outside of the prefix.
    pub fn object(&mut self, key: &str) -> StoreResult<()> {
        self.inside(key)?;
        if self.last.as_deref().is_some_and(|last| last >= key) {
            return Err(self.broken("the listing repeats itself or is out of order"));
        }
        self.last = Some(key.to_owned());
        Ok(())
    }

    /// The next version.
    ///
    /// # Errors
    /// `Invalid` where it was there before, or is outside of the prefix.
    pub fn version(&mut self, key: &str, version_id: &str) -> StoreResult<()> {
        self.inside(key)?;
        if self.last.as_deref() != Some(key) {
            self.ids.clear();
        }
        let backward = self.last.as_deref().is_some_and(|last| last > key);
        if backward || !self.ids.insert(version_id.to_owned()) {
            return Err(self.broken("the listing repeats itself or is out of order"));
        }
        self.last = Some(key.to_owned());
        Ok(())
    }

    fn inside(&self, key: &str) -> StoreResult<()> {
        if key.starts_with(self.prefix) {
            return Ok(());
        }
        Err(self.broken("the listing has a key outside of the prefix"))
    }

    /// Where to go on after a page.
    ///
    /// # Errors
    /// `Invalid` where the page leads back to itself.
    pub fn next<T>(&mut self, page: &Page<T>) -> StoreResult<Option<Cursor>> {
        if page.next.is_some() && page.next == self.cursor {
            return Err(self.broken("the listing repeats itself instead of going on"));
        }
        self.cursor.clone_from(&page.next);
        Ok(page.next.clone())
    }

    fn broken(&self, why: &str) -> StoreError {
        StoreError {
            kind: StoreErrorKind::Invalid,
            operation: self.operation,
            place: format!("{}/{}", self.store.place(), self.prefix),
            message: format!("{why}; it can't be trusted, so nothing is decided on it"),
        }
    }
}
