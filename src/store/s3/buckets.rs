//! Buckets and locks.

use super::S3Store;
use super::body::Patience;
use super::convert;
use super::credentials::DEFAULT_REGION;
use crate::model::{Retention, StoreErrorKind, StoreResult};
use crate::store::BucketInfo;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetention, ObjectLockRetentionMode,
    VersioningConfiguration,
};

impl S3Store {
    pub(super) async fn get_retention(
        &self,
        key: &str,
        version_id: &str,
    ) -> StoreResult<Option<Retention>> {
        let request = self
            .client
            .get_object_retention()
            .bucket(&self.bucket)
            .key(key)
            .version_id(version_id)
            .send();
        let sent = self
            .send("GetObjectRetention", key, &Patience::new(), request)
            .await;
        let output = match sent {
            Err(error) if error.message.contains("NoSuchObjectLockConfiguration") => {
                return Ok(None);
            }
            sent => sent?,
        };
        let lock = output.retention();
        let mode = lock.and_then(|lock| lock.mode()).map(|mode| mode.as_str());
        let until = lock.and_then(|lock| lock.retain_until_date());
        Ok(convert::retention(mode, until))
    }

    pub(super) async fn put_retention(
        &self,
        key: &str,
        version_id: &str,
        retention: Retention,
        bypass: bool,
    ) -> StoreResult<()> {
        let lock = ObjectLockRetention::builder()
            .mode(ObjectLockRetentionMode::from(retention.mode.as_str()))
            .retain_until_date(convert::until(retention.until))
            .build();
        let request = self
            .client
            .put_object_retention()
            .bucket(&self.bucket)
            .key(key)
            .version_id(version_id)
            .set_bypass_governance_retention(bypass.then_some(true))
            .retention(lock)
            .send();
        self.send("PutObjectRetention", key, &Patience::new(), request)
            .await?;
        Ok(())
    }

    pub(super) async fn get_bucket_info(&self) -> StoreResult<BucketInfo> {
        let (versioned, lock) = tokio::join!(self.versioning(), self.has_lock());
        match versioned? {
            Some(versioned) => Ok(BucketInfo {
                versioned,
                lock: lock?,
            }),
            None => Ok(BucketInfo::default()),
        }
    }

    /// Whether versioning is enabled; none where the store does not know versions.
    pub(super) async fn versioning(&self) -> StoreResult<Option<bool>> {
        // Its refusals say why, which those of a HEAD do not.
        let request = self
            .client
            .get_bucket_versioning()
            .bucket(&self.bucket)
            .send();
        let sent = self
            .send("GetBucketVersioning", "", &Patience::new(), request)
            .await;
        match sent {
            Ok(output) => Ok(Some(
                output.status() == Some(&BucketVersioningStatus::Enabled),
            )),
            Err(error) if error.kind == StoreErrorKind::Unsupported => {
                self.head_bucket().await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn head_bucket(&self) -> StoreResult<()> {
        let request = self.client.head_bucket().bucket(&self.bucket).send();
        self.send("HeadBucket", "", &Patience::new(), request)
            .await?;
        Ok(())
    }

    async fn has_lock(&self) -> StoreResult<bool> {
        use StoreErrorKind::{NoLock, NotFound, Unsupported};
        let request = self
            .client
            .get_object_lock_configuration()
            .bucket(&self.bucket)
            .send();
        let sent = self
            .send("GetObjectLockConfiguration", "", &Patience::new(), request)
            .await;
        match sent {
            Ok(output) => Ok(output
                .object_lock_configuration()
                .and_then(|lock| lock.object_lock_enabled())
                .is_some_and(|enabled| *enabled == ObjectLockEnabled::Enabled)),
            Err(error) if matches!(error.kind, NoLock | NotFound | Unsupported) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn make_bucket(&self, lock: bool) -> StoreResult<()> {
        // The region of last resort is the one that must not be named.
        let place = (self.region != DEFAULT_REGION).then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(self.region.as_str()))
                .build()
        });
        let request = self
            .client
            .create_bucket()
            .bucket(&self.bucket)
            .set_create_bucket_configuration(place)
            .set_object_lock_enabled_for_bucket(lock.then_some(true))
            .send();
        self.send("CreateBucket", "", &Patience::new(), request)
            .await?;
        Ok(())
    }

    pub(super) async fn enable_bucket_lock(&self) -> StoreResult<()> {
        self.enable_versioning().await?;
        let lock = ObjectLockConfiguration::builder()
            .object_lock_enabled(ObjectLockEnabled::Enabled)
            .build();
        let request = self
            .client
            .put_object_lock_configuration()
            .bucket(&self.bucket)
            .object_lock_configuration(lock)
            .send();
        self.send("PutObjectLockConfiguration", "", &Patience::new(), request)
            .await?;
        Ok(())
    }

    pub(super) async fn enable_versioning(&self) -> StoreResult<()> {
        let versioning = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        let request = self
            .client
            .put_bucket_versioning()
            .bucket(&self.bucket)
            .versioning_configuration(versioning)
            .send();
        self.send("PutBucketVersioning", "", &Patience::new(), request)
            .await?;
        Ok(())
    }
}
