//! A store that takes a lock and says nothing, as one with object lock half configured does.

use crate::model::{Crc64, Requests, Retention, StoreResult, Time};
use crate::store::model::ModelStore;
use crate::store::*;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;

pub(super) struct DropsLocks(pub(super) Arc<ModelStore>);

#[async_trait]
impl Store for DropsLocks {
    async fn put(&self, mut put: Put) -> StoreResult<Written> {
        put.attributes.retention = None;
        self.0.put(put).await
    }

    fn place(&self) -> String {
        self.0.place()
    }
    fn bucket(&self) -> &str {
        self.0.bucket()
    }
    async fn now(&self) -> StoreResult<Time> {
        self.0.now().await
    }
    fn requests(&self) -> Requests {
        self.0.requests()
    }
    async fn list_versions(&self, request: &ListRequest) -> StoreResult<Page<Version>> {
        self.0.list_versions(request).await
    }
    async fn retention(&self, key: &str, version_id: &str) -> StoreResult<Option<Retention>> {
        self.0.retention(key, version_id).await
    }
    async fn set_retention(&self, key: &str, id: &str, to: Retention) -> StoreResult<()> {
        self.0.set_retention(key, id, to).await
    }
    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        range: Option<ByteRange>,
    ) -> StoreResult<Fetched> {
        self.0.get(key, version_id, range).await
    }

    // A commit needs nothing else.
    async fn copy(&self, _: Copy) -> StoreResult<Written> {
        unreachable!()
    }
    async fn create_upload(&self, _: &str, _: &Attributes) -> StoreResult<String> {
        unreachable!()
    }
    async fn upload_part(&self, _: &str, _: &str, _: i32, _: Bytes, _: Crc64) -> StoreResult<Part> {
        unreachable!()
    }
    async fn complete_upload(&self, _: Complete) -> StoreResult<Written> {
        unreachable!()
    }
    async fn abort_upload(&self, _: &str, _: &str) -> StoreResult<()> {
        unreachable!()
    }
    async fn list_uploads_of(&self, _: &str) -> StoreResult<Vec<Upload>> {
        unreachable!()
    }
    async fn list_uploads(&self, _: &str) -> StoreResult<Vec<Upload>> {
        unreachable!()
    }
    async fn list_parts(&self, _: &str, _: &str) -> StoreResult<Vec<Part>> {
        unreachable!()
    }
    async fn head(&self, _: &str, _: Option<&str>) -> StoreResult<Head> {
        unreachable!()
    }
    async fn list(&self, _: &ListRequest) -> StoreResult<Page<Object>> {
        unreachable!()
    }
    async fn delete(&self, _: &str, _: Option<&str>) -> StoreResult<()> {
        unreachable!()
    }
    async fn delete_version(&self, _: &str, _: &str) -> StoreResult<()> {
        unreachable!()
    }
    async fn bucket_info(&self) -> StoreResult<BucketInfo> {
        unreachable!()
    }
    async fn create_bucket(&self, _: bool) -> StoreResult<()> {
        unreachable!()
    }
    async fn enable_lock(&self) -> StoreResult<()> {
        unreachable!()
    }
    async fn expire_noncurrent(&self, _: &str, _: i32) -> StoreResult<()> {
        unreachable!()
    }
}
