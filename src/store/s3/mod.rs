//! S3 through the AWS SDK, with one request a call and every checksum explicit. What there is as much of as files
//! goes out by [`wire`], signed by the SDK's signer and over its connections.
//!
//! | file | its idea |
//! |---|---|
//! | `connect` | one target's client, from its own settings alone |
//! | `endpoint` | where requests may go, and how a bucket is addressed |
//! | `credentials` | whose keys sign |
//! | `keyring` | how they are kept, and renewed when they run out |
//! | `transport` | TLS, pool, proxies |
//! | `wire` | puts, gets and copies, without the SDK's machinery |
//! | `call` | one request, sent once, with our own time limits |
//! | `errors`, `answer` | failures and vendors' codes into meanings |
//! | `abilities` | what a store turned out not to know, and the way around it |
//! | `objects`, `copies`, `uploads`, `pages`, `buckets`, `lifecycle`, `archive` | the API itself |
//! | `probes` | requests that find out what a store and its keys really do |

mod abilities;
mod answer;
mod archive;
mod body;
mod buckets;
mod call;
mod clock;
mod connect;
mod convert;
mod copies;
mod credentials;
mod endpoint;
mod errors;
mod keyring;
mod lifecycle;
mod objects;
mod pages;
mod probes;
#[cfg(test)]
mod tests;
mod transport;
mod uploads;
mod wire;

use crate::model::archive::Tier;
use crate::model::{Crc64, Requests, Retention, StoreResult, Time};
use crate::store::{
    Attributes, BucketInfo, ByteRange, Complete, Copy, CopySource, Fetched, Head, Idle,
    ListRequest, Object, Page, Part, PartCopy, Put, Site, Store, Upload, Version, Written,
    lifecycle as rules,
};
use abilities::Abilities;
use async_trait::async_trait;
use bytes::Bytes;
use clock::ServerClock;
use keyring::Keyring;
use std::sync::{Arc, Mutex};
use wire::Wire;

/// What does not belong to a target but to the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectOptions {
    /// Requests in flight: so many idle connections are kept.
    pub transfers: usize,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { transfers: 16 }
    }
}

/// A bucket on a store that speaks S3. Cheap to share behind an `Arc`, not to make: it has its
/// own connection pool.
#[derive(Debug)]
pub struct S3Store {
    client: aws_sdk_s3::Client,
    /// For the requests that there are as many of as files.
    wire: Wire,
    bucket: String,
    region: String,
    site: Site,
    /// AWS itself, where nothing has to be found out.
    is_aws: bool,
    /// Whether payloads are hashed into the signature: needed where nothing else protects them.
    signs_payload: bool,
    clock: Arc<ServerClock>,
    keys: Arc<Keyring>,
    abilities: Abilities,
    /// For the bodies of answers.
    bodies: Idle,
    requests: Mutex<Requests>,
}

#[async_trait]
impl Store for S3Store {
    fn place(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    fn bucket(&self) -> &str {
        &self.bucket
    }

    fn site(&self) -> Site {
        self.site.clone()
    }

    fn conditional_writes(&self) -> bool {
        self.abilities.way().conditions
    }

    async fn now(&self) -> StoreResult<Time> {
        self.server_now().await
    }

    fn requests(&self) -> Requests {
        self.counted()
    }

    async fn put(&self, put: Put) -> StoreResult<Written> {
        self.put_object(put).await
    }

    async fn copy(&self, copy: Copy) -> StoreResult<Written> {
        self.copy_object(copy).await
    }

    async fn head_source(&self, source: &CopySource, region: &str) -> StoreResult<Head> {
        self.head_of_source(source, region).await
    }

    async fn create_copy_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        self.create_upload_of_copies(key, attributes).await
    }

    async fn copy_part(&self, part: &PartCopy) -> StoreResult<Part> {
        self.upload_part_copy(part).await
    }

    async fn create_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        self.create_multipart_upload(key, attributes).await
    }

    async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        body: Bytes,
        crc64nvme: Crc64,
    ) -> StoreResult<Part> {
        self.send_part(key, upload_id, number, body, crc64nvme)
            .await
    }

    async fn complete_upload(&self, complete: Complete) -> StoreResult<Written> {
        self.complete_multipart_upload(complete).await
    }

    async fn abort_upload(&self, key: &str, upload_id: &str) -> StoreResult<()> {
        self.abort_multipart_upload(key, upload_id).await
    }

    async fn list_uploads_of(&self, key: &str) -> StoreResult<Vec<Upload>> {
        let mut uploads = self.list_multipart_uploads(key).await?;
        uploads.retain(|upload| upload.key == key);
        Ok(uploads)
    }

    async fn list_uploads(&self, prefix: &str) -> StoreResult<Vec<Upload>> {
        self.list_multipart_uploads(prefix).await
    }

    async fn list_parts(&self, key: &str, upload_id: &str) -> StoreResult<Vec<Part>> {
        self.list_all_parts(key, upload_id).await
    }

    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        range: Option<ByteRange>,
    ) -> StoreResult<Fetched> {
        self.get_object(key, version_id, range).await
    }

    async fn head(&self, key: &str, version_id: Option<&str>) -> StoreResult<Head> {
        self.head_object(key, version_id).await
    }

    async fn list(&self, request: &ListRequest) -> StoreResult<Page<Object>> {
        self.list_objects(request).await
    }

    async fn list_versions(&self, request: &ListRequest) -> StoreResult<Page<Version>> {
        self.list_object_versions(request).await
    }

    async fn restore_archived(
        &self,
        key: &str,
        version_id: Option<&str>,
        tier: Tier,
        days: Option<i32>,
    ) -> StoreResult<()> {
        self.restore_object(key, version_id, tier, days).await
    }

    async fn delete(&self, key: &str, if_match: Option<&str>) -> StoreResult<()> {
        self.delete_current(key, if_match).await
    }

    async fn delete_version(&self, key: &str, version_id: &str) -> StoreResult<()> {
        self.delete_one_version(key, version_id).await
    }

    async fn retention(&self, key: &str, version_id: &str) -> StoreResult<Option<Retention>> {
        self.get_retention(key, version_id).await
    }

    async fn set_retention(
        &self,
        key: &str,
        version_id: &str,
        retention: Retention,
    ) -> StoreResult<()> {
        self.put_retention(key, version_id, retention, false).await
    }

    async fn bucket_info(&self) -> StoreResult<BucketInfo> {
        self.get_bucket_info().await
    }

    async fn create_bucket(&self, lock: bool) -> StoreResult<()> {
        self.make_bucket(lock).await
    }

    async fn enable_lock(&self) -> StoreResult<()> {
        self.enable_bucket_lock().await
    }

    async fn expire_noncurrent(&self, prefix: &str, days: i32) -> StoreResult<()> {
        self.expire_noncurrent_versions(prefix, days).await
    }

    async fn lifecycle(&self) -> StoreResult<Vec<rules::Rule>> {
        self.read_lifecycle().await
    }
}
