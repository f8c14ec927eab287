//! A store whose small objects that never change are fetched once.

use crate::model::archive::Tier;
use crate::model::etag;
use crate::model::{Crc64, Requests, Result, Retention, StoreResult, Target, Time};
use crate::snapshot::layout;
use crate::state::{ObjectName, StateHandle};
use crate::store::lifecycle;
use crate::store::{
    Attributes, BucketInfo, ByteRange, Complete, Copy, CopySource, Fetched, Head, ListRequest,
    Object, Page, Part, PartCopy, Put, Site, Store, Upload, Version, Written,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Folders of objects that are written once and read every night.
const FOLDERS: [&str; 3] = [layout::SNAPSHOTS, layout::LOCKS, layout::PRUNES];
/// Larger objects are fetched each time, so that the state stays small.
const MOST: u64 = 16 << 20;

/// Serves snapshots, ledger objects and prune records from the state where this run's own listing
/// shows the very version that is remembered. Everything else goes to the store, and every write
/// does. `verify` and `renew` read without it, so what was damaged in the store is noticed there.
pub struct Remembered {
    store: Arc<dyn Store>,
    state: StateHandle,
    prefixes: [String; 3],
    /// By key and version id.
    listed: Mutex<HashMap<(String, String), Listed>>,
}

/// What a listing shows of a version.
#[derive(Clone)]
struct Listed {
    etag: String,
    size: u64,
    last_modified: Time,
}

impl Remembered {
    /// What `state` remembers of a backup target.
    pub fn new(store: Arc<dyn Store>, state: StateHandle, target: &Target) -> Self {
        Self {
            store,
            state,
            prefixes: FOLDERS.map(|folder| target.key(folder)),
            listed: Mutex::default(),
        }
    }

    /// Forgets what the listings of this run have not shown. Only after all three folders were
    /// listed to their ends.
    ///
    /// # Errors
    /// The disk's.
    pub async fn tidy(&self) -> Result<()> {
        let names = self.names();
        self.state
            .call(move |state| state.keep_objects(&names))
            .await
    }

    fn names(&self) -> HashSet<(String, String)> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.keys().cloned().collect()
    }

    fn note(&self, page: &Page<Version>) {
        let ours = |version: &&Version| {
            let mut prefixes = self.prefixes.iter();
            !version.delete_marker
                && version.size <= MOST
                && prefixes.any(|prefix| version.key.starts_with(prefix))
        };
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        for version in page.items.iter().filter(ours) {
            let place = (version.key.clone(), version.version_id.clone());
            let shown = Listed {
                etag: version.etag.clone(),
                size: version.size,
                last_modified: version.last_modified,
            };
            listed.insert(place, shown);
        }
    }

    fn name(&self, key: &str, version_id: &str) -> Option<(ObjectName, Time)> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = listed.get(&(key.to_owned(), version_id.to_owned()))?;
        let name = ObjectName {
            key: key.to_owned(),
            version_id: version_id.to_owned(),
            etag: shown.etag.clone(),
            size: shown.size,
        };
        Some((name, shown.last_modified))
    }

    /// A state that can't be read costs a request and nothing else.
    async fn recall(&self, name: &ObjectName) -> Option<Bytes> {
        let asked = name.clone();
        let found = self.state.call(move |state| state.object(&asked)).await;
        found.ok().flatten().map(Bytes::from)
    }

    /// What came damaged is not remembered: a plain ETag is the MD5 of the bytes, and where it is
    /// another one two reads have to agree.
    async fn remember(&self, name: ObjectName, body: &Bytes) {
        if body.len() as u64 != name.size {
            return;
        }
        let (body, confirmed) = (body.clone(), etag::of(body) == name.etag);
        let noted = self
            .state
            .post(move |state| state.remember_object(&name, &body, confirmed))
            .await;
        if let Err(error) = noted {
            tracing::debug!(%error, "an object was not remembered");
        }
    }
}

#[async_trait]
impl Store for Remembered {
    fn place(&self) -> String {
        self.store.place()
    }

    fn bucket(&self) -> &str {
        self.store.bucket()
    }

    fn site(&self) -> Site {
        self.store.site()
    }

    fn conditional_writes(&self) -> bool {
        self.store.conditional_writes()
    }

    async fn now(&self) -> StoreResult<Time> {
        self.store.now().await
    }

    fn requests(&self) -> Requests {
        self.store.requests()
    }

    async fn put(&self, put: Put) -> StoreResult<Written> {
        self.store.put(put).await
    }

    async fn copy(&self, copy: Copy) -> StoreResult<Written> {
        self.store.copy(copy).await
    }

    async fn head_source(&self, source: &CopySource, region: &str) -> StoreResult<Head> {
        self.store.head_source(source, region).await
    }

    async fn create_copy_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        self.store.create_copy_upload(key, attributes).await
    }

    async fn copy_part(&self, part: &PartCopy) -> StoreResult<Part> {
        self.store.copy_part(part).await
    }

    async fn restore_archived(
        &self,
        key: &str,
        version_id: Option<&str>,
        tier: Tier,
        days: Option<i32>,
    ) -> StoreResult<()> {
        self.store
            .restore_archived(key, version_id, tier, days)
            .await
    }

    async fn create_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        self.store.create_upload(key, attributes).await
    }

    async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        body: Bytes,
        crc64nvme: Crc64,
    ) -> StoreResult<Part> {
        self.store
            .upload_part(key, upload_id, number, body, crc64nvme)
            .await
    }

    async fn complete_upload(&self, complete: Complete) -> StoreResult<Written> {
        self.store.complete_upload(complete).await
    }

    async fn abort_upload(&self, key: &str, upload_id: &str) -> StoreResult<()> {
        self.store.abort_upload(key, upload_id).await
    }

    async fn list_uploads_of(&self, key: &str) -> StoreResult<Vec<Upload>> {
        self.store.list_uploads_of(key).await
    }

    async fn list_uploads(&self, prefix: &str) -> StoreResult<Vec<Upload>> {
        self.store.list_uploads(prefix).await
    }

    async fn list_parts(&self, key: &str, upload_id: &str) -> StoreResult<Vec<Part>> {
        self.store.list_parts(key, upload_id).await
    }

    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        range: Option<ByteRange>,
    ) -> StoreResult<Fetched> {
        let whole = version_id.filter(|_| range.is_none());
        let Some((name, last_modified)) = whole.and_then(|id| self.name(key, id)) else {
            return self.store.get(key, version_id, range).await;
        };
        if let Some(body) = self.recall(&name).await {
            return Ok(Fetched {
                body,
                etag: name.etag,
                version_id: Some(name.version_id),
                last_modified,
            });
        }
        let fetched = self.store.get(key, version_id, range).await?;
        self.remember(name, &fetched.body).await;
        Ok(fetched)
    }

    async fn head(&self, key: &str, version_id: Option<&str>) -> StoreResult<Head> {
        self.store.head(key, version_id).await
    }

    async fn list(&self, request: &ListRequest) -> StoreResult<Page<Object>> {
        self.store.list(request).await
    }

    async fn list_versions(&self, request: &ListRequest) -> StoreResult<Page<Version>> {
        let page = self.store.list_versions(request).await?;
        self.note(&page);
        Ok(page)
    }

    async fn delete(&self, key: &str, if_match: Option<&str>) -> StoreResult<()> {
        self.store.delete(key, if_match).await
    }

    async fn delete_version(&self, key: &str, version_id: &str) -> StoreResult<()> {
        self.store.delete_version(key, version_id).await
    }

    async fn retention(&self, key: &str, version_id: &str) -> StoreResult<Option<Retention>> {
        self.store.retention(key, version_id).await
    }

    async fn set_retention(
        &self,
        key: &str,
        version_id: &str,
        retention: Retention,
    ) -> StoreResult<()> {
        self.store.set_retention(key, version_id, retention).await
    }

    async fn bucket_info(&self) -> StoreResult<BucketInfo> {
        self.store.bucket_info().await
    }

    async fn lifecycle(&self) -> StoreResult<Vec<lifecycle::Rule>> {
        self.store.lifecycle().await
    }

    async fn create_bucket(&self, lock: bool) -> StoreResult<()> {
        self.store.create_bucket(lock).await
    }

    async fn enable_lock(&self) -> StoreResult<()> {
        self.store.enable_lock().await
    }

    async fn expire_noncurrent(&self, prefix: &str, days: i32) -> StoreResult<()> {
        self.store.expire_noncurrent(prefix, days).await
    }
}
