//! One trait for every place that objects are stored in, and what it guarantees.
//!
//! [`s3`] speaks to real stores; [`listing`] reads whole listings and refuses broken ones; [`Idle`] keeps the buffers of
//! bodies; the
//! hidden `model` is a store in memory for property tests, held to the same contract.

mod idle;
pub mod lifecycle;
pub mod listing;
#[doc(hidden)]
pub mod model;
pub mod s3;

pub use idle::{Idle, KEPT_FROM, Kept};
pub use listing::Order;
pub use s3::{ConnectOptions, S3Store};

use crate::model::archive::Tier;
use crate::model::{Crc64, Requests, Retention, StoreResult, Time};
use async_trait::async_trait;
use bytes::Bytes;

/// When a write may happen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// Only if no object has the key.
    IfAbsent,
    /// Only if the key's current object has this ETag.
    IfMatch(String),
}

/// What an object is given beside its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// MIME type.
    pub content_type: Option<String>,
    /// User metadata (`x-amz-meta-…`), names without the prefix.
    pub metadata: Vec<(String, String)>,
    /// The lock, set by the same request.
    pub retention: Option<Retention>,
    /// Storage class.
    pub storage_class: Option<String>,
    /// Server-side encryption: `AES256`, `aws:kms` or `aws:kms:KEY-ID`.
    pub sse: Option<String>,
}

/// A whole object in one request.
#[derive(Clone, Debug)]
pub struct Put {
    /// Full key.
    pub key: String,
    /// The bytes.
    pub body: Bytes,
    /// Their checksum, which the store must confirm.
    pub crc64nvme: Crc64,
    /// The rest.
    pub attributes: Attributes,
    /// When.
    pub condition: Condition,
}

/// Where a server-side copy comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopySource {
    /// Its bucket, on the same store.
    pub bucket: String,
    /// Its full key.
    pub key: String,
    /// A certain version; the current one where absent.
    pub version_id: Option<String>,
    /// Only if it still has this ETag.
    pub if_match: Option<String>,
}

/// A server-side copy; attributes are replaced, not taken over.
#[derive(Clone, Debug)]
pub struct Copy {
    /// From where.
    pub source: CopySource,
    /// Full key of the new object.
    pub key: String,
    /// The rest.
    pub attributes: Attributes,
}

/// A range of an object that the store copies as a part of an upload.
#[derive(Clone, Debug)]
pub struct PartCopy {
    /// Full key of the upload.
    pub key: String,
    /// The upload's id.
    pub upload_id: String,
    /// From 1.
    pub number: i32,
    /// From where.
    pub source: CopySource,
    /// Which bytes of it.
    pub range: ByteRange,
}

/// Where a store is: what two buckets must have in common for one to be copied to the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// The endpoint with its region, or AWS's partition. Between two that differ nothing can be
    /// copied.
    pub place: String,
    /// Within AWS's partition copies go from region to region, but the transfer is billed.
    pub region: String,
}

/// What the store says that it holds after a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// Without quotes.
    pub etag: String,
    /// Absent on unversioned buckets.
    pub version_id: Option<String>,
    /// The checksum that the store computed, where it says so.
    pub crc64nvme: Option<Crc64>,
}

/// A part that the store has confirmed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// From 1.
    pub number: i32,
    /// Without quotes.
    pub etag: String,
    /// Its checksum; absent where the upload was created without one.
    pub crc64nvme: Option<Crc64>,
    /// Bytes.
    pub size: u64,
}

/// An unfinished multipart upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// Full key.
    pub key: String,
    /// The upload's id.
    pub upload_id: String,
    /// When it was begun.
    pub initiated: Option<Time>,
}

/// The end of a multipart upload.
#[derive(Clone, Debug)]
pub struct Complete {
    /// Full key.
    pub key: String,
    /// The upload's id.
    pub upload_id: String,
    /// All parts in order.
    pub parts: Vec<Part>,
    /// Checksum of the whole object; absent for uploads that name no checksum.
    pub crc64nvme: Option<Crc64>,
    /// Bytes of the whole object.
    pub size: u64,
    /// When.
    pub condition: Condition,
}

/// An object in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// Full key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// By the server's clock.
    pub last_modified: Time,
}

/// A version in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// Full key.
    pub key: String,
    /// The version's id (`null` on objects older than versioning).
    pub version_id: String,
    /// Whether a plain GET would find this one.
    pub is_latest: bool,
    /// A delete marker has neither bytes nor ETag.
    pub delete_marker: bool,
    /// Bytes.
    pub size: u64,
    /// Without quotes; empty for delete markers.
    pub etag: String,
    /// By the server's clock.
    pub last_modified: Time,
    /// As the store names it, where it does.
    pub storage_class: Option<String>,
}

/// One page of a listing. `next` is opaque; absent at the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// In the order of the keys' bytes; versions of a key newest first. S3's listings name markers
    /// apart from versions and times in whole seconds, so a marker that is not the latest may
    /// stand before or behind a version of the same second.
    pub items: Vec<T>,
    /// Common prefixes, where a delimiter was asked for.
    pub prefixes: Vec<String>,
    /// Pass it to get the next page.
    pub next: Option<Cursor>,
}

/// Where a listing goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    /// Continuation token, or the key marker of a version or upload listing.
    pub token: String,
    /// Version-id or upload-id marker.
    pub second: Option<String>,
}

/// What to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListRequest {
    /// Full key prefix.
    pub prefix: String,
    /// Begin behind this key.
    pub start_after: Option<String>,
    /// Fold keys with a further `/` into [`Page::prefixes`].
    pub delimiter: bool,
    /// From the previous page.
    pub cursor: Option<Cursor>,
    /// At most so many items; the store's maximum (1,000) where absent.
    pub max_keys: Option<i32>,
}

/// What a HEAD says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Absent on unversioned buckets.
    pub version_id: Option<String>,
    /// Whole-object CRC64NVME, where the store keeps one.
    pub crc64nvme: Option<Crc64>,
    /// By the server's clock.
    pub last_modified: Time,
    /// User metadata.
    pub metadata: Vec<(String, String)>,
    /// The version's lock, where it has one and the caller may see it.
    pub retention: Option<Retention>,
    /// As the store names it, where it does.
    pub storage_class: Option<String>,
    /// The `x-amz-restore` header of archived versions.
    pub restore: Option<String>,
    /// The `x-amz-archive-status` header: Intelligent-Tiering's archive tier.
    pub archive_status: Option<String>,
}

/// Bytes of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// The bytes asked for.
    pub body: Bytes,
    /// Without quotes.
    pub etag: String,
    /// Which version they are of.
    pub version_id: Option<String>,
    /// By the server's clock.
    pub last_modified: Time,
}

/// A range of bytes, both ends included, as in HTTP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteRange {
    /// First byte.
    pub first: u64,
    /// Last byte.
    pub last: u64,
}

/// What a bucket is set to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BucketInfo {
    /// Versioning is enabled (not merely suspended).
    pub versioned: bool,
    /// Object lock is enabled.
    pub lock: bool,
}

/// A bucket on one store, seen with one set of credentials.
///
/// # Guarantees that every implementation gives
///
/// - A returned [`Written`] means that the object is durable and that the store confirmed the
///   CRC64NVME that was given. Its `version_id` names exactly the bytes that were sent, for ever;
///   a later write of the same key makes another version and changes nothing about this one.
/// - A request is sent **once**. Nothing is retried inside, so that the caller can look up what
///   an unknown outcome did before it sends anything again.
/// - An error of a kind for which [`may_have_happened`](crate::model::StoreErrorKind::may_have_happened)
///   is true says nothing about the outcome of a write; any other error means that nothing was
///   written.
/// - A write with a [`Condition`] happens only if the condition holds: where the store can't
///   check it in the same request, a HEAD goes directly before.
/// - A lock given with a write is set by that same request. Whether the store really kept it is
///   for the caller to read back.
/// - Futures may be dropped at any time; what was sent by then has an unknown outcome.
///
/// Keys are full keys, prefix included. ETags are compared only with ETags of the same store.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// `s3://bucket`, for messages.
    fn place(&self) -> String;

    /// The bucket's name.
    fn bucket(&self) -> &str;

    /// Where the bucket is.
    fn site(&self) -> Site;

    /// Whether conditions are checked by the store itself, in the same request. Where they are
    /// not, two writers can both find theirs fulfilled; a store that was never asked says true.
    fn conditional_writes(&self) -> bool {
        true
    }

    /// The time by the server's clock, from the newest answer's `Date`. Asks where there was none;
    /// an answer that there is no such bucket, or that it is elsewhere, is an error then.
    async fn now(&self) -> StoreResult<Time>;

    /// Requests sent so far, by API name.
    fn requests(&self) -> Requests;

    /// Writes a whole object.
    async fn put(&self, put: Put) -> StoreResult<Written>;

    /// Copies an object within the store. Fails with `PreconditionFailed` if the source changed.
    async fn copy(&self, copy: Copy) -> StoreResult<Written>;

    /// Asks about the source of a copy with this store's credentials; its bucket may lie in another
    /// `region` of the same site. Shows whether it may be read, and that both mean the same bucket.
    async fn head_source(&self, source: &CopySource, region: &str) -> StoreResult<Head>;

    /// Begins a multipart upload whose parts are copied; they carry CRC64NVME unless the store was
    /// found not to compute it for copied parts. The lock is fixed here.
    async fn create_copy_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String>;

    /// Copies a part within the store. The same number may be copied again; the last one counts.
    /// Fails with `PreconditionFailed` if the source changed, and with `Unsupported` where the
    /// upload must be begun anew, for parts without a checksum.
    async fn copy_part(&self, part: &PartCopy) -> StoreResult<Part>;

    /// Begins a multipart upload whose parts carry CRC64NVME. The lock is fixed here.
    async fn create_upload(&self, key: &str, attributes: &Attributes) -> StoreResult<String>;

    /// Sends a part. The same number may be sent again; the last one counts.
    async fn upload_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        body: Bytes,
        crc64nvme: Crc64,
    ) -> StoreResult<Part>;

    /// Makes the object from its parts.
    async fn complete_upload(&self, complete: Complete) -> StoreResult<Written>;

    /// Drops an unfinished upload and its parts. No error if it is gone.
    async fn abort_upload(&self, key: &str, upload_id: &str) -> StoreResult<()>;

    /// Unfinished uploads of exactly this key.
    async fn list_uploads_of(&self, key: &str) -> StoreResult<Vec<Upload>>;

    /// Unfinished uploads below a prefix: a hint, since some stores list nothing here.
    async fn list_uploads(&self, prefix: &str) -> StoreResult<Vec<Upload>>;

    /// All parts of an unfinished upload, in order.
    async fn list_parts(&self, key: &str, upload_id: &str) -> StoreResult<Vec<Part>>;

    /// Reads an object, or a range of it, whole into memory: callers ask for bounded ranges.
    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        range: Option<ByteRange>,
    ) -> StoreResult<Fetched>;

    /// Asks about an object or version. `NotFound` for delete markers too.
    async fn head(&self, key: &str, version_id: Option<&str>) -> StoreResult<Head>;

    /// One page of current objects.
    async fn list(&self, request: &ListRequest) -> StoreResult<Page<Object>>;

    /// One page of versions and delete markers.
    async fn list_versions(&self, request: &ListRequest) -> StoreResult<Page<Version>>;

    /// Asks for the retrieval of an archived version, to be readable for `days` days (none where
    /// it moves back for good). No error if that is under way. The version itself stays as it is.
    async fn restore_archived(
        &self,
        key: &str,
        version_id: Option<&str>,
        tier: Tier,
        days: Option<i32>,
    ) -> StoreResult<()>;

    /// Deletes the current object (on a versioned bucket: adds a delete marker) if it still has
    /// this ETag. No error if it is gone.
    async fn delete(&self, key: &str, if_match: Option<&str>) -> StoreResult<()>;

    /// Deletes one version for good. `Denied` while a lock holds it.
    async fn delete_version(&self, key: &str, version_id: &str) -> StoreResult<()>;

    /// The lock of one version; none where it has none.
    async fn retention(&self, key: &str, version_id: &str) -> StoreResult<Option<Retention>>;

    /// Sets the lock of one version; extending is always allowed to who may set it.
    async fn set_retention(
        &self,
        key: &str,
        version_id: &str,
        retention: Retention,
    ) -> StoreResult<()>;

    /// What the bucket is set to; `NoSuchBucket` if there is none.
    async fn bucket_info(&self) -> StoreResult<BucketInfo>;

    /// Makes the bucket, with versioning and lock or plain.
    async fn create_bucket(&self, lock: bool) -> StoreResult<()>;

    /// Enables versioning and lock on an existing bucket; `Conflict` or `Unsupported` where the
    /// store allows that at creation only.
    async fn enable_lock(&self) -> StoreResult<()>;

    /// Lets noncurrent versions below the prefix expire after so many days (for a sync bucket of
    /// a provider that always versions).
    async fn expire_noncurrent(&self, prefix: &str, days: i32) -> StoreResult<()>;

    /// The bucket's lifecycle rules that are in force; none on a store that has no such thing.
    async fn lifecycle(&self) -> StoreResult<Vec<lifecycle::Rule>>;
}
