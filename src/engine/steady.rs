//! A store that those can use who know nothing of patience.

use crate::engine::retry::Retrier;
use crate::engine::thaw::Thaw;
use crate::model::archive::Tier;
use crate::model::{Crc64, Requests, Retention, StoreErrorKind, StoreResult, Time};
use crate::store::{
    Attributes, BucketInfo, ByteRange, Complete, Copy, CopySource, Fetched, Head, ListRequest,
    Object, Page, Part, PartCopy, Put, Site, Store, Upload, Version, Written, lifecycle,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

/// Tries again what does no harm when it is done twice, each page of a listing for itself, and a
/// PUT that certainly did nothing. All other requests are sent once: what they did has to be looked
/// up by whoever knows what they were for.
///
/// Requests are not counted among those in flight, so this may be used within such a request;
/// callers bound how many they send at once.
pub struct Steady {
    store: Arc<dyn Store>,
    retrier: Retrier,
    thaw: Option<Arc<Thaw>>,
}

impl Steady {
    /// With the patience of `retrier`.
    pub fn new(store: Arc<dyn Store>, retrier: Retrier) -> Self {
        Self {
            store,
            retrier,
            thaw: None,
        }
    }

    /// Archived versions whose reading is refused are handed to `thaw`.
    #[must_use]
    pub fn with_thaw(self, thaw: Arc<Thaw>) -> Self {
        Self {
            thaw: Some(thaw),
            ..self
        }
    }

    async fn again<T, F, Fut>(&self, request: F) -> StoreResult<T>
    where
        F: Fn() -> Fut + Send,
        Fut: Future<Output = StoreResult<T>> + Send,
        T: Send,
    {
        let mut attempts = self.retrier.attempts();
        loop {
            let answer = request().await;
            self.retrier.pace().learn(&answer);
            match answer {
                Ok(value) => return Ok(value),
                Err(error) => attempts.pause(error).await?,
            }
        }
    }
}

#[async_trait]
impl Store for Steady {
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
        self.again(|| self.store.now()).await
    }

    fn requests(&self) -> Requests {
        self.store.requests()
    }

    async fn put(&self, put: Put) -> StoreResult<Written> {
        let mut attempts = self.retrier.attempts();
        loop {
            let answer = self.store.put(put.clone()).await;
            self.retrier.pace().learn(&answer);
            match answer {
                Err(error) if !error.kind.may_have_happened() => attempts.pause(error).await?,
                answer => return answer,
            }
        }
    }

    async fn copy(&self, copy: Copy) -> StoreResult<Written> {
        self.store.copy(copy).await
    }

    async fn head_source(&self, source: &CopySource, region: &str) -> StoreResult<Head> {
        self.again(|| self.store.head_source(source, region)).await
    }

    async fn create_copy_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        self.store.create_copy_upload(key, attributes).await
    }

    async fn copy_part(&self, part: &PartCopy) -> StoreResult<Part> {
        self.again(|| self.store.copy_part(part)).await
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
        let send = || {
            self.store
                .upload_part(key, upload_id, number, body.clone(), crc64nvme)
        };
        self.again(send).await
    }

    async fn complete_upload(&self, complete: Complete) -> StoreResult<Written> {
        self.store.complete_upload(complete).await
    }

    async fn abort_upload(&self, key: &str, upload_id: &str) -> StoreResult<()> {
        self.again(|| self.store.abort_upload(key, upload_id)).await
    }

    async fn list_uploads_of(&self, key: &str) -> StoreResult<Vec<Upload>> {
        self.again(|| self.store.list_uploads_of(key)).await
    }

    async fn list_uploads(&self, prefix: &str) -> StoreResult<Vec<Upload>> {
        self.again(|| self.store.list_uploads(prefix)).await
    }

    async fn list_parts(&self, key: &str, upload_id: &str) -> StoreResult<Vec<Part>> {
        self.again(|| self.store.list_parts(key, upload_id)).await
    }

    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        range: Option<ByteRange>,
    ) -> StoreResult<Fetched> {
        let answer = self.again(|| self.store.get(key, version_id, range)).await;
        match (answer, &self.thaw) {
            (Err(refusal), Some(thaw)) if refusal.kind == StoreErrorKind::Archived => {
                Err(thaw.meet(self, key, version_id, refusal).await)
            }
            (answer, _) => answer,
        }
    }

    async fn head(&self, key: &str, version_id: Option<&str>) -> StoreResult<Head> {
        self.again(|| self.store.head(key, version_id)).await
    }

    async fn list(&self, request: &ListRequest) -> StoreResult<Page<Object>> {
        self.again(|| self.store.list(request)).await
    }

    async fn list_versions(&self, request: &ListRequest) -> StoreResult<Page<Version>> {
        self.again(|| self.store.list_versions(request)).await
    }

    async fn restore_archived(
        &self,
        key: &str,
        version_id: Option<&str>,
        tier: Tier,
        days: Option<i32>,
    ) -> StoreResult<()> {
        self.again(|| self.store.restore_archived(key, version_id, tier, days))
            .await
    }

    async fn delete(&self, key: &str, if_match: Option<&str>) -> StoreResult<()> {
        self.again(|| self.store.delete(key, if_match)).await
    }

    async fn delete_version(&self, key: &str, version_id: &str) -> StoreResult<()> {
        self.again(|| self.store.delete_version(key, version_id))
            .await
    }

    async fn retention(&self, key: &str, version_id: &str) -> StoreResult<Option<Retention>> {
        self.again(|| self.store.retention(key, version_id)).await
    }

    async fn set_retention(
        &self,
        key: &str,
        version_id: &str,
        retention: Retention,
    ) -> StoreResult<()> {
        self.again(|| self.store.set_retention(key, version_id, retention))
            .await
    }

    async fn bucket_info(&self) -> StoreResult<BucketInfo> {
        self.again(|| self.store.bucket_info()).await
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

    async fn lifecycle(&self) -> StoreResult<Vec<lifecycle::Rule>> {
        self.again(|| self.store.lifecycle()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::pace::Pace;
    use crate::engine::stop::Stop;
    use crate::store::Condition;
    use crate::store::model::{Fault, ModelStore};
    use std::time::Duration;

    fn steady() -> (Arc<ModelStore>, Steady) {
        let model = Arc::new(ModelStore::new("vault", BucketInfo::default()));
        let pace = Arc::new(Pace::new(4, None));
        let retrier = Retrier::new(pace, Stop::default(), Duration::from_secs(60));
        (Arc::clone(&model), Steady::new(model, retrier))
    }

    fn put() -> Put {
        let body = Bytes::from_static(b"tide");
        Put {
            key: "a".to_owned(),
            crc64nvme: Crc64::of(&body),
            body,
            attributes: Attributes::default(),
            condition: Condition::IfAbsent,
        }
    }

    fn fault(operation: &'static str, kind: StoreErrorKind) -> Fault {
        Fault {
            operation,
            skip: 0,
            kind,
            done: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn f29_a_store_that_is_busy_for_a_moment_is_asked_again() {
        let (model, steady) = steady();
        for kind in [StoreErrorKind::Throttled, StoreErrorKind::Unreachable] {
            model.fail(fault("PutObject", kind));
        }
        steady.put(put()).await.expect("put");
        for operation in ["GetObject", "HeadObject", "ListObjectVersions"] {
            model.fail(fault(operation, StoreErrorKind::UnknownOutcome));
        }
        steady.get("a", None, None).await.expect("get");
        steady.head("a", None).await.expect("head");
        let listed = steady.list_versions(&ListRequest::default()).await;
        assert_eq!(listed.expect("list").items.len(), 1);
        assert_eq!(model.unfired(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn f28_a_put_of_unknown_outcome_is_left_to_the_caller() {
        let (model, steady) = steady();
        model.fail(fault("PutObject", StoreErrorKind::UnknownOutcome));
        let error = steady.put(put()).await.expect_err("unknown");
        assert_eq!(error.kind, StoreErrorKind::UnknownOutcome);
        assert_eq!(model.requests().get("PutObject"), Some(&1));
    }
}
