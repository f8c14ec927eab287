//! A store in memory that keeps S3's promises, for property tests only: versions, delete markers,
//! locks under a movable clock, multipart uploads, conditions, checksums, paging, and faults.
//!
//! The idea is that of kopia's object-locking test map and of its fault sets: the model passes the
//! same contract suite as the real stores, and a planned fault that never fired is an error.

mod bucket;
mod faults;
mod pages;
mod uploads;

use crate::model::archive::Tier;
use crate::model::{Crc64, Requests, Retention, StoreError, StoreErrorKind, StoreResult, Time};
use crate::store::{
    Attributes, BucketInfo, ByteRange, Complete, Condition, Copy, CopySource, Fetched, Head,
    ListRequest, Object, Page, Part, PartCopy, Put, Site, Store, Upload, Version, Written,
    lifecycle,
};
use async_trait::async_trait;
use bucket::{Bucket, Kept, Refusal, refuse};
use bytes::Bytes;
pub use faults::Fault;
use faults::Faults;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// All buckets of one store, and its clock.
#[derive(Debug)]
struct World {
    now: Time,
    /// Items on a page at most.
    page: usize,
    next_id: u64,
    buckets: BTreeMap<String, Bucket>,
}

impl World {
    /// Version ids and upload ids: the same sequence in every run.
    fn id(&mut self, what: &str) -> String {
        self.next_id += 1;
        format!("{what}-{:08}", self.next_id)
    }

    /// A write takes a millisecond, so that no two have the same time.
    fn tick(&mut self) -> Time {
        self.now += Duration::from_millis(1);
        self.now
    }
}

/// One bucket of the model, seen by one client: requests and faults are its own, bytes and clock
/// are shared with its siblings.
#[derive(Debug)]
pub struct ModelStore {
    world: Arc<Mutex<World>>,
    bucket: String,
    faults: Faults,
    requests: Mutex<Requests>,
    /// As this client says of itself; the model's own conditions always hold.
    conditional_writes: bool,
    /// Listings begin where they are asked to.
    start_after: bool,
}

impl ModelStore {
    /// A store with one bucket, on 2026-01-01.
    pub fn new(bucket: &str, info: BucketInfo) -> Self {
        let world = World {
            now: Time::from_second(1_767_225_600).unwrap_or(Time::UNIX_EPOCH),
            page: 1000,
            next_id: 0,
            buckets: BTreeMap::from([(bucket.to_owned(), Bucket::new(info))]),
        };
        Self::of(Arc::new(Mutex::new(world)), bucket)
    }

    /// A further bucket on the same store.
    #[must_use]
    pub fn sibling(&self, bucket: &str, info: BucketInfo) -> Self {
        let new = Bucket::new(info);
        self.world().buckets.insert(bucket.to_owned(), new);
        self.again(bucket)
    }

    /// Another client on the same store, of a bucket that need not exist.
    #[must_use]
    pub fn again(&self, bucket: &str) -> Self {
        Self::of(Arc::clone(&self.world), bucket)
    }

    fn of(world: Arc<Mutex<World>>, bucket: &str) -> Self {
        Self {
            world,
            bucket: bucket.to_owned(),
            faults: Faults::default(),
            requests: Mutex::new(Requests::new()),
            conditional_writes: true,
            start_after: true,
        }
    }

    /// A client that says of the store that it checks no conditions by itself.
    #[must_use]
    pub fn without_conditional_writes(self) -> Self {
        Self {
            conditional_writes: false,
            ..self
        }
    }

    /// A client of a store that begins each listing at the prefix, as some do.
    #[must_use]
    pub fn without_start_after(self) -> Self {
        Self {
            start_after: false,
            ..self
        }
    }

    /// Moves the store's clock.
    pub fn advance(&self, by: Duration) {
        self.world().now += by;
    }

    /// Moves the store's clock back, as where it was found to be wrong.
    pub fn turn_back(&self, by: Duration) {
        self.world().now -= by;
    }

    /// Puts so many items on a page at most.
    pub fn page_size(&self, items: usize) {
        self.world().page = items.max(1);
    }

    /// From now on the bucket takes locks and keeps none of them, as a store does that has object
    /// lock half configured.
    pub fn drop_locks(&self) {
        if let Some(bucket) = self.world().buckets.get_mut(&self.bucket) {
            bucket.drops_locks = true;
        }
    }

    /// Plans a fault for this client.
    pub fn fail(&self, fault: Fault) {
        self.faults.plan(fault);
    }

    /// Planned faults that have not fired yet: a test with any proves nothing.
    pub fn unfired(&self) -> Vec<Fault> {
        self.faults.left()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request: counted, perhaps struck by a fault, else answered by `work`.
    fn answer<T>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl FnOnce(&mut World) -> Result<T, Refusal>,
    ) -> StoreResult<T> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(operation).or_default() += 1;
        drop(requests);
        let error = |kind, message: &str| StoreError {
            kind,
            operation,
            place: format!("s3://{}/{key}", self.bucket),
            message: message.to_owned(),
        };
        let struck = self.faults.strike(operation);
        if let Some(fault) = struck.filter(|fault| !fault.done) {
            return Err(error(fault.kind, "planned fault"));
        }
        let result = work(&mut self.world());
        match struck {
            Some(fault) => Err(error(fault.kind, "planned fault, after the deed")),
            None => result.map_err(|refusal| error(refusal.kind, refusal.why)),
        }
    }

    /// As [`Self::answer`], where it is about this client's bucket alone.
    fn within<T>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl FnOnce(&mut Bucket, Time) -> Result<T, Refusal>,
    ) -> StoreResult<T> {
        self.answer(operation, key, |world| {
            let now = world.now;
            work(bucket_of(world, &self.bucket)?, now)
        })
    }
}

fn bucket_of<'a>(world: &'a mut World, name: &str) -> Result<&'a mut Bucket, Refusal> {
    let bucket = world.buckets.get_mut(name);
    bucket.ok_or(Refusal::of(StoreErrorKind::NoSuchBucket, "no such bucket"))
}

#[async_trait]
impl Store for ModelStore {
    fn place(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    fn bucket(&self) -> &str {
        &self.bucket
    }

    fn site(&self) -> Site {
        Site {
            place: format!("model {:p}", Arc::as_ptr(&self.world)),
            region: String::new(),
        }
    }

    fn conditional_writes(&self) -> bool {
        self.conditional_writes
    }

    async fn now(&self) -> StoreResult<Time> {
        Ok(self.world().now)
    }

    fn requests(&self) -> Requests {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.clone()
    }

    async fn put(&self, put: Put) -> StoreResult<Written> {
        self.answer("PutObject", &put.key, |world| {
            if Crc64::of(&put.body) != put.crc64nvme {
                return refuse(StoreErrorKind::Checksum, "the checksum does not match");
            }
            let (now, id) = (world.tick(), world.id("v"));
            let bucket = bucket_of(world, &self.bucket)?;
            bucket.check(&put.key, &put.condition)?;
            let etag = bucket::md5_hex(&put.body);
            bucket.write(
                &put.key,
                Kept::new(id, now, put.body.clone(), etag, put.attributes.clone()),
            )
        })
    }

    async fn copy(&self, copy: Copy) -> StoreResult<Written> {
        self.answer("CopyObject", &copy.key, |world| {
            let (now, id) = (world.tick(), world.id("v"));
            let source = &copy.source;
            let kept = bucket_of(world, &source.bucket)?.find_source(source)?;
            let body = kept.body.clone();
            let etag = bucket::md5_hex(&body);
            let new = Kept::new(id, now, body, etag, copy.attributes.clone());
            bucket_of(world, &self.bucket)?.write(&copy.key, new)
        })
    }

    async fn create_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        self.answer("CreateMultipartUpload", key, |world| {
            let (now, id) = (world.tick(), world.id("u"));
            let bucket = bucket_of(world, &self.bucket)?;
            bucket.create_upload(key, &id, now, attributes, true)?;
            Ok(id)
        })
    }

    async fn head_source(&self, source: &CopySource, _: &str) -> StoreResult<Head> {
        self.answer("HeadObject", &source.key, |world| {
            let now = world.now;
            let bucket = bucket_of(world, &source.bucket)?;
            bucket.head(&source.key, source.version_id.as_deref(), now)
        })
    }

    /// As MinIO: there are no checksums of copied parts, nor of what is made of them.
    async fn create_copy_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String> {
        self.answer("CreateMultipartUpload", key, |world| {
            let (now, id) = (world.tick(), world.id("u"));
            let bucket = bucket_of(world, &self.bucket)?;
            bucket.create_upload(key, &id, now, attributes, false)?;
            Ok(id)
        })
    }

    async fn copy_part(&self, part: &PartCopy) -> StoreResult<Part> {
        self.answer("UploadPartCopy", &part.key, |world| {
            let (source, range) = (&part.source, part.range);
            let kept = bucket_of(world, &source.bucket)?.find_source(source)?;
            let body = kept.body.clone();
            if range.last >= body.len() as u64 || range.last < range.first {
                return refuse(StoreErrorKind::Invalid, "the range lies outside");
            }
            let body = body.slice(range.first as usize..=range.last as usize);
            let crc = Crc64::of(&body);
            bucket_of(world, &self.bucket)?.upload_part(
                &part.key,
                &part.upload_id,
                part.number,
                body,
                crc,
            )
        })
    }

    async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        body: Bytes,
        crc64nvme: Crc64,
    ) -> StoreResult<Part> {
        self.within("UploadPart", key, |bucket, _| {
            bucket.upload_part(key, upload_id, number, body, crc64nvme)
        })
    }

    async fn complete_upload(&self, complete: Complete) -> StoreResult<Written> {
        self.answer("CompleteMultipartUpload", &complete.key, |world| {
            let (now, id) = (world.tick(), world.id("v"));
            bucket_of(world, &self.bucket)?.complete_upload(&complete, id, now)
        })
    }

    async fn abort_upload(&self, key: &str, upload_id: &str) -> StoreResult<()> {
        self.within("AbortMultipartUpload", key, |bucket, _| {
            bucket.abort_upload(key, upload_id);
            Ok(())
        })
    }

    async fn list_uploads_of(&self, key: &str) -> StoreResult<Vec<Upload>> {
        self.within("ListMultipartUploads", key, |bucket, _| {
            Ok(bucket.uploads_where(|other| other == key))
        })
    }

    async fn list_uploads(&self, prefix: &str) -> StoreResult<Vec<Upload>> {
        self.within("ListMultipartUploads", prefix, |bucket, _| {
            Ok(bucket.uploads_where(|key| key.starts_with(prefix)))
        })
    }

    async fn list_parts(&self, key: &str, upload_id: &str) -> StoreResult<Vec<Part>> {
        self.within("ListParts", key, |bucket, _| bucket.parts(key, upload_id))
    }

    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        range: Option<ByteRange>,
    ) -> StoreResult<Fetched> {
        self.within("GetObject", key, |bucket, now| {
            bucket.get(key, version_id, range, now)
        })
    }

    async fn head(&self, key: &str, version_id: Option<&str>) -> StoreResult<Head> {
        self.within("HeadObject", key, |bucket, now| {
            bucket.head(key, version_id, now)
        })
    }

    async fn restore_archived(
        &self,
        key: &str,
        version_id: Option<&str>,
        tier: Tier,
        days: Option<i32>,
    ) -> StoreResult<()> {
        self.within("RestoreObject", key, |bucket, now| {
            bucket.thaw(key, version_id, (tier, days), now)
        })
    }

    async fn list(&self, request: &ListRequest) -> StoreResult<Page<Object>> {
        let mut request = request.clone();
        request.start_after = request.start_after.filter(|_| self.start_after);
        self.answer("ListObjectsV2", &request.prefix, |world| {
            let page = world.page;
            Ok(pages::objects(
                bucket_of(world, &self.bucket)?,
                &request,
                page,
            ))
        })
    }

    async fn list_versions(&self, request: &ListRequest) -> StoreResult<Page<Version>> {
        self.answer("ListObjectVersions", &request.prefix, |world| {
            let page = world.page;
            Ok(pages::versions(
                bucket_of(world, &self.bucket)?,
                request,
                page,
            ))
        })
    }

    async fn delete(&self, key: &str, if_match: Option<&str>) -> StoreResult<()> {
        self.answer("DeleteObject", key, |world| {
            let (now, id) = (world.tick(), world.id("v"));
            let bucket = bucket_of(world, &self.bucket)?;
            if let (Some(etag), Ok(_)) = (if_match, bucket.find(key, None)) {
                bucket.check(key, &Condition::IfMatch(etag.to_owned()))?;
            }
            bucket.delete(key, id, now);
            Ok(())
        })
    }

    async fn delete_version(&self, key: &str, version_id: &str) -> StoreResult<()> {
        self.within("DeleteObject", key, |bucket, now| {
            bucket.delete_version(key, version_id, now)
        })
    }

    async fn retention(&self, key: &str, version_id: &str) -> StoreResult<Option<Retention>> {
        self.within("GetObjectRetention", key, |bucket, _| {
            bucket.needs_lock()?;
            Ok(bucket.find(key, Some(version_id))?.attributes.retention)
        })
    }

    async fn set_retention(
        &self,
        key: &str,
        version_id: &str,
        retention: Retention,
    ) -> StoreResult<()> {
        self.within("PutObjectRetention", key, |bucket, now| {
            bucket.set_retention(key, version_id, retention, now)
        })
    }

    async fn bucket_info(&self) -> StoreResult<BucketInfo> {
        self.within("GetBucketVersioning", "", |bucket, _| Ok(bucket.info))
    }

    async fn create_bucket(&self, lock: bool) -> StoreResult<()> {
        self.answer("CreateBucket", "", |world| {
            if world.buckets.contains_key(&self.bucket) {
                return refuse(StoreErrorKind::PreconditionFailed, "the bucket exists");
            }
            let info = BucketInfo {
                versioned: lock,
                lock,
            };
            let name = self.bucket.clone();
            world.buckets.insert(name, Bucket::new(info));
            Ok(())
        })
    }

    async fn enable_lock(&self) -> StoreResult<()> {
        self.within("PutObjectLockConfiguration", "", |bucket, _| {
            bucket.info = BucketInfo {
                versioned: true,
                lock: true,
            };
            Ok(())
        })
    }

    async fn expire_noncurrent(&self, prefix: &str, _: i32) -> StoreResult<()> {
        self.within("PutBucketLifecycleConfiguration", prefix, |_, _| Ok(()))
    }

    async fn lifecycle(&self) -> StoreResult<Vec<lifecycle::Rule>> {
        let operation = "GetBucketLifecycleConfiguration";
        self.within(operation, "", |_, _| Ok(Vec::new()))
    }
}
