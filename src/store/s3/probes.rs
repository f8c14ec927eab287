//! Requests that find out what a store and its keys really do. They are sent as they are, with none
//! of the ways around what a store does not know, and nothing but `doctor` sends them: that is why
//! they are not in the [`Store`](crate::store::Store) trait.

use super::S3Store;
use super::body::Patience;
use crate::model::{Retention, StoreResult};

impl S3Store {
    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Whether the bucket keeps versions; false too on stores that know none.
    ///
    /// # Errors
    /// The store's.
    pub async fn probe_versioning(&self) -> StoreResult<bool> {
        Ok(self.versioning().await?.unwrap_or_default())
    }

    /// Deletes the current object if its ETag is this one, and leaves that to the store alone.
    ///
    /// # Errors
    /// `PreconditionFailed` where the store honours conditions on deletes and this one fails.
    pub async fn probe_delete_if_match(&self, key: &str, etag: &str) -> StoreResult<()> {
        self.delete_once(key, None, Some(etag)).await
    }

    /// Deletes a version although a governance lock holds it.
    ///
    /// # Errors
    /// `Denied` where the keys may not.
    pub async fn probe_bypass(&self, key: &str, version_id: &str) -> StoreResult<()> {
        let request = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .version_id(version_id)
            .bypass_governance_retention(true)
            .send();
        self.send("DeleteObject", key, &Patience::new(), request)
            .await?;
        Ok(())
    }

    /// Sets a lock, a shorter one too, although a governance lock holds the version.
    ///
    /// # Errors
    /// `Denied` where the keys may not.
    pub async fn probe_shortening(
        &self,
        key: &str,
        version_id: &str,
        retention: Retention,
    ) -> StoreResult<()> {
        self.put_retention(key, version_id, retention, true).await
    }

    /// Enables versioning where it is enabled: on a bucket with object lock, which can't be without
    /// versioning, this changes nothing and shows whether the keys may change the bucket's settings.
    ///
    /// # Errors
    /// `Denied` where the keys may not.
    pub async fn probe_settings(&self) -> StoreResult<()> {
        self.enable_versioning().await
    }
}
