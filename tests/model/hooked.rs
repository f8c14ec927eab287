//! A store that lets itself be watched and troubled: it stands between the product and the model.

use async_trait::async_trait;
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tidelock::engine::stop::{Stop, Why};
use tidelock::model::archive::Tier;
use tidelock::model::{Crc64, Requests, Retention, StoreError, StoreErrorKind, StoreResult, Time};
use tidelock::store::model::ModelStore;
use tidelock::store::{
    Attributes, BucketInfo, ByteRange, Complete, Copy, CopySource, Fetched, Head, ListRequest,
    Object, Page, Part, PartCopy, Put, Site, Store, Upload, Version, Written, lifecycle,
};
use tokio::sync::Notify;

/// What happens to one run. Requests are counted from 1 over both stores.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// The process dies at this request, before it is carried out or after.
    Die { at: u64, done: bool },
    /// Every request from this one on is refused.
    Refuse { from: u64, expired: bool },
    /// This request fails for once: `answered` with a 500 and not carried out, else cut off, and `done` if it is
    /// carried out nevertheless.
    Fail { at: u64, answered: bool, done: bool },
    /// Someone else writes to the mirror just before this request.
    Meddle { at: u64, key: String, body: Vec<u8> },
    /// SIGINT at this request.
    Interrupt { at: u64 },
}

/// An object of the mirror that was overwritten or deleted.
#[derive(Debug)]
pub(crate) struct Victim {
    pub(crate) key: String,
    pub(crate) body: Bytes,
    pub(crate) deleted: bool,
    /// Keys of the snapshots that were committed by then.
    pub(crate) snapshots: Vec<String>,
}

/// A version that was written below `files/`.
#[derive(Debug)]
pub(crate) struct NewVersion {
    pub(crate) key: String,
    pub(crate) body: Bytes,
    /// The latest snapshot by then.
    pub(crate) latest: Option<String>,
    /// Versions of the key with the same content that were there before, with their times.
    pub(crate) twins: Vec<Time>,
}

/// What both stores of a run have in common.
pub(crate) struct Hooks {
    trouble: Trouble,
    stop: Stop,
    /// Told when the process is to die.
    pub(crate) dead: Notify,
    count: Mutex<u64>,
    /// The run has begun to give its leases back.
    pub(crate) closing: AtomicBool,
    pub(crate) victims: Mutex<Vec<Victim>>,
    pub(crate) versions: Mutex<Vec<NewVersion>>,
    mirror: ModelStore,
    vault: ModelStore,
}

impl Hooks {
    pub(crate) fn new(
        trouble: Trouble,
        stop: Stop,
        mirror: &ModelStore,
        vault: &ModelStore,
    ) -> Arc<Self> {
        Arc::new(Self {
            trouble,
            stop,
            dead: Notify::new(),
            count: Mutex::new(0),
            closing: AtomicBool::new(false),
            victims: Mutex::default(),
            versions: Mutex::default(),
            mirror: mirror.again(mirror.bucket()),
            vault: vault.again(vault.bucket()),
        })
    }

    async fn snapshots(&self) -> Vec<String> {
        let request = ListRequest {
            prefix: "lib/snapshots/".to_owned(),
            ..ListRequest::default()
        };
        let page = self.vault.list(&request).await.unwrap();
        page.items.into_iter().map(|object| object.key).collect()
    }
}

/// One side of a run.
pub(crate) struct Hooked {
    pub(crate) inner: ModelStore,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) is_mirror: bool,
}

impl Hooked {
    async fn around<T>(
        &self,
        operation: &'static str,
        key: &str,
        request: impl Future<Output = StoreResult<T>> + Send,
    ) -> StoreResult<T> {
        let at = {
            let mut count = self.hooks.count.lock().unwrap();
            *count += 1;
            *count
        };
        if operation == "DeleteObject" && key.ends_with("/.tidelock/lease.json") {
            self.hooks.closing.store(true, Ordering::Relaxed);
        }
        let error = |kind| StoreError {
            kind,
            operation,
            place: format!("{}/{key}", self.inner.place()),
            message: "made up".to_owned(),
        };
        match &self.hooks.trouble {
            Trouble::Die { at: then, done } if *then == at => {
                if *done {
                    let _ = self.audited(operation, key, request).await;
                }
                self.hooks.dead.notify_one();
                std::future::pending().await
            }
            Trouble::Refuse { from, expired } if *from <= at => Err(error(if *expired {
                StoreErrorKind::ExpiredCredentials
            } else {
                StoreErrorKind::Denied
            })),
            Trouble::Fail {
                at: then,
                answered,
                done,
            } if *then == at => {
                if *answered {
                    return Err(error(StoreErrorKind::Server));
                }
                if *done {
                    let _ = self.audited(operation, key, request).await;
                }
                Err(error(StoreErrorKind::UnknownOutcome))
            }
            // Nothing can be asked of a store whose copies know no condition of their destination, on the mirror.
            Trouble::Meddle {
                at: then,
                key: theirs,
                body,
            } if *then == at && !(self.is_mirror && operation == "CopyObject") => {
                put_plainly(&self.hooks.mirror, theirs, body).await;
                self.audited(operation, key, request).await
            }
            Trouble::Interrupt { at: then } if *then == at => {
                self.hooks.stop.request(Why::Interrupted);
                self.audited(operation, key, request).await
            }
            _ => self.audited(operation, key, request).await,
        }
    }

    /// Notes what the request destroys on the mirror, and what it adds to the vault.
    async fn audited<T>(
        &self,
        operation: &'static str,
        key: &str,
        request: impl Future<Output = StoreResult<T>> + Send,
    ) -> StoreResult<T> {
        let destroys = matches!(
            operation,
            "PutObject" | "CopyObject" | "CompleteMultipartUpload" | "DeleteObject"
        );
        if self.is_mirror && destroys && !key.contains("/.tidelock/lease") {
            return self.audited_on_mirror(operation, key, request).await;
        }
        if !self.is_mirror && destroys && key.starts_with("lib/files/") {
            return self.audited_on_vault(key, request).await;
        }
        request.await
    }

    async fn audited_on_mirror<T>(
        &self,
        operation: &str,
        key: &str,
        request: impl Future<Output = StoreResult<T>> + Send,
    ) -> StoreResult<T> {
        let before = self.hooks.mirror.get(key, None, None).await.ok();
        let answer = request.await;
        let after = self.hooks.mirror.get(key, None, None).await.ok();
        let body = |fetched: &Option<Fetched>| fetched.as_ref().map(|fetched| fetched.body.clone());
        if let Some(lost) = body(&before).filter(|lost| body(&after).as_ref() != Some(lost)) {
            let snapshots = self.hooks.snapshots().await;
            self.hooks.victims.lock().unwrap().push(Victim {
                key: key.to_owned(),
                body: lost,
                deleted: operation == "DeleteObject",
                snapshots,
            });
        }
        answer
    }

    async fn audited_on_vault<T>(
        &self,
        key: &str,
        request: impl Future<Output = StoreResult<T>> + Send,
    ) -> StoreResult<T> {
        let vault = &self.hooks.vault;
        let before = bodies(vault, key).await;
        let latest = self.hooks.snapshots().await.pop();
        let answer = request.await;
        let after = bodies(vault, key).await;
        if after.len() > before.len() {
            let (_, new) = after.first().expect("one more").clone();
            let twins = before.into_iter().filter(|(_, body)| *body == new);
            self.hooks.versions.lock().unwrap().push(NewVersion {
                key: key.to_owned(),
                twins: twins.map(|(at, _)| at).collect(),
                body: new,
                latest,
            });
        }
        answer
    }
}

/// All versions of a key, newest first.
async fn bodies(store: &ModelStore, key: &str) -> Vec<(Time, Bytes)> {
    let request = ListRequest {
        prefix: key.to_owned(),
        ..ListRequest::default()
    };
    let mut all = Vec::new();
    for version in store.list_versions(&request).await.unwrap().items {
        if version.key == key && !version.delete_marker {
            let id = Some(version.version_id.as_str());
            let body = store.get(key, id, None).await.unwrap().body;
            all.push((version.last_modified, body));
        }
    }
    all
}

/// As another tool would: no metadata, no condition.
pub(crate) async fn put_plainly(store: &ModelStore, key: &str, body: &[u8]) {
    let put = Put {
        key: key.to_owned(),
        body: Bytes::copy_from_slice(body),
        crc64nvme: Crc64::of(body),
        attributes: Attributes::default(),
        condition: Default::default(),
    };
    store.put(put).await.unwrap();
}

#[async_trait]
impl Store for Hooked {
    fn place(&self) -> String {
        self.inner.place()
    }
    fn bucket(&self) -> &str {
        self.inner.bucket()
    }
    fn site(&self) -> Site {
        self.inner.site()
    }
    async fn now(&self) -> StoreResult<Time> {
        self.inner.now().await
    }
    fn requests(&self) -> Requests {
        self.inner.requests()
    }
    async fn put(&self, put: Put) -> StoreResult<Written> {
        let key = put.key.clone();
        self.around("PutObject", &key, self.inner.put(put)).await
    }
    async fn copy(&self, copy: Copy) -> StoreResult<Written> {
        let key = copy.key.clone();
        self.around("CopyObject", &key, self.inner.copy(copy)).await
    }
    async fn head_source(&self, source: &CopySource, region: &str) -> StoreResult<Head> {
        let request = self.inner.head_source(source, region);
        self.around("HeadObject", &source.key, request).await
    }
    async fn create_copy_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        let request = self.inner.create_copy_upload(key, attributes);
        self.around("CreateMultipartUpload", key, request).await
    }
    async fn copy_part(&self, part: &PartCopy) -> StoreResult<Part> {
        let request = self.inner.copy_part(part);
        self.around("UploadPartCopy", &part.key, request).await
    }
    async fn create_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        let request = self.inner.create_upload(key, attributes);
        self.around("CreateMultipartUpload", key, request).await
    }
    async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        body: Bytes,
        crc64nvme: Crc64,
    ) -> StoreResult<Part> {
        let request = self
            .inner
            .upload_part(key, upload_id, number, body, crc64nvme);
        self.around("UploadPart", key, request).await
    }
    async fn complete_upload(&self, complete: Complete) -> StoreResult<Written> {
        let key = complete.key.clone();
        let request = self.inner.complete_upload(complete);
        self.around("CompleteMultipartUpload", &key, request).await
    }
    async fn abort_upload(&self, key: &str, upload_id: &str) -> StoreResult<()> {
        let request = self.inner.abort_upload(key, upload_id);
        self.around("AbortMultipartUpload", key, request).await
    }
    async fn list_uploads_of(&self, key: &str) -> StoreResult<Vec<Upload>> {
        let request = self.inner.list_uploads_of(key);
        self.around("ListMultipartUploads", key, request).await
    }
    async fn list_uploads(&self, prefix: &str) -> StoreResult<Vec<Upload>> {
        let request = self.inner.list_uploads(prefix);
        self.around("ListMultipartUploads", prefix, request).await
    }
    async fn list_parts(&self, key: &str, upload_id: &str) -> StoreResult<Vec<Part>> {
        let request = self.inner.list_parts(key, upload_id);
        self.around("ListParts", key, request).await
    }
    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        range: Option<ByteRange>,
    ) -> StoreResult<Fetched> {
        let request = self.inner.get(key, version_id, range);
        self.around("GetObject", key, request).await
    }
    async fn head(&self, key: &str, version_id: Option<&str>) -> StoreResult<Head> {
        let request = self.inner.head(key, version_id);
        self.around("HeadObject", key, request).await
    }
    async fn restore_archived(
        &self,
        key: &str,
        version_id: Option<&str>,
        tier: Tier,
        days: Option<i32>,
    ) -> StoreResult<()> {
        let request = self.inner.restore_archived(key, version_id, tier, days);
        self.around("RestoreObject", key, request).await
    }
    async fn list(&self, list: &ListRequest) -> StoreResult<Page<Object>> {
        let request = self.inner.list(list);
        self.around("ListObjectsV2", &list.prefix, request).await
    }
    async fn list_versions(&self, list: &ListRequest) -> StoreResult<Page<Version>> {
        let request = self.inner.list_versions(list);
        self.around("ListObjectVersions", &list.prefix, request)
            .await
    }
    async fn delete(&self, key: &str, if_match: Option<&str>) -> StoreResult<()> {
        let request = self.inner.delete(key, if_match);
        self.around("DeleteObject", key, request).await
    }
    async fn delete_version(&self, key: &str, version_id: &str) -> StoreResult<()> {
        panic!("a run deleted version {version_id} of {key}")
    }
    async fn retention(&self, key: &str, version_id: &str) -> StoreResult<Option<Retention>> {
        let request = self.inner.retention(key, version_id);
        self.around("GetObjectRetention", key, request).await
    }
    async fn set_retention(
        &self,
        key: &str,
        version_id: &str,
        retention: Retention,
    ) -> StoreResult<()> {
        let request = self.inner.set_retention(key, version_id, retention);
        self.around("PutObjectRetention", key, request).await
    }
    async fn bucket_info(&self) -> StoreResult<BucketInfo> {
        let request = self.inner.bucket_info();
        self.around("GetBucketVersioning", "", request).await
    }
    async fn create_bucket(&self, _: bool) -> StoreResult<()> {
        panic!("a run made a bucket")
    }
    async fn enable_lock(&self) -> StoreResult<()> {
        panic!("a run changed a bucket")
    }
    async fn expire_noncurrent(&self, _: &str, _: i32) -> StoreResult<()> {
        panic!("a run changed a bucket")
    }
    async fn lifecycle(&self) -> StoreResult<Vec<lifecycle::Rule>> {
        let request = self.inner.lifecycle();
        self.around("GetBucketLifecycleConfiguration", "", request)
            .await
    }
}
