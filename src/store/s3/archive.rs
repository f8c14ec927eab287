//! Retrieval of archived versions.

use super::S3Store;
use super::body::Patience;
use crate::model::archive::Tier;
use crate::model::{StoreErrorKind, StoreResult};
use aws_sdk_s3::types::{GlacierJobParameters, RestoreRequest, Tier as S3Tier};

impl S3Store {
    pub(super) async fn restore_object(
        &self,
        key: &str,
        version_id: Option<&str>,
        tier: Tier,
        days: Option<i32>,
    ) -> StoreResult<()> {
        let tier = match tier {
            Tier::Standard => S3Tier::Standard,
            Tier::Bulk => S3Tier::Bulk,
        };
        let parameters = GlacierJobParameters::builder().tier(tier).build();
        let wrong = |error: aws_sdk_s3::error::BuildError| {
            let why = error.to_string();
            self.error("RestoreObject", key, StoreErrorKind::Invalid, why)
        };
        let request = RestoreRequest::builder()
            .set_days(days)
            .glacier_job_parameters(parameters.map_err(wrong)?)
            .build();
        let request = self
            .client
            .restore_object()
            .bucket(&self.bucket)
            .key(key)
            .set_version_id(version_id.map(str::to_owned))
            .restore_request(request)
            .send();
        match self
            .send("RestoreObject", key, &Patience::new(), request)
            .await
        {
            Ok(_) => Ok(()),
            // It is on its way, or there already: what was wished for.
            Err(error) if error.kind == StoreErrorKind::PreconditionFailed => Ok(()),
            Err(error) => Err(error),
        }
    }
}
