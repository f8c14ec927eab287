//! What is copied from one bucket to another, part by part.

use super::S3Store;
use super::body::Patience;
use super::call::SLOW;
use super::convert;
use crate::model::{StoreErrorKind, StoreResult};
use crate::store::{CopySource, Head, Part, PartCopy};
use aws_sdk_s3::config::{Builder, Region};
use aws_sdk_s3::types::ChecksumMode;

impl S3Store {
    /// A HEAD of another bucket with this one's credentials.
    pub(super) async fn head_of_source(
        &self,
        source: &CopySource,
        region: &str,
    ) -> StoreResult<Head> {
        let request = self
            .client
            .head_object()
            .bucket(&source.bucket)
            .key(&source.key)
            .set_version_id(source.version_id.clone())
            .set_if_match(source.if_match.as_deref().map(convert::quoted))
            .checksum_mode(ChecksumMode::Enabled)
            .customize();
        let request = if region == self.region {
            request
        } else {
            request.config_override(Builder::new().region(Region::new(region.to_owned())))
        };
        let output = self
            .send("HeadObject", &source.key, &Patience::new(), request.send())
            .await?;
        Ok(super::objects::head_of(&output))
    }

    pub(super) async fn upload_part_copy(&self, part: &PartCopy) -> StoreResult<Part> {
        match self.copy_part_once(part).await {
            Err(mut refusal) if self.abilities.learn_copied(&refusal) => {
                refusal.kind = StoreErrorKind::Unsupported;
                Err(refusal)
            }
            answer => answer,
        }
    }

    async fn copy_part_once(&self, part: &PartCopy) -> StoreResult<Part> {
        let (source, range) = (&part.source, part.range);
        let version = source.version_id.as_deref();
        let request = self
            .client
            .upload_part_copy()
            .bucket(&self.bucket)
            .key(&part.key)
            .upload_id(&part.upload_id)
            .part_number(part.number)
            .copy_source(convert::copy_source(&source.bucket, &source.key, version))
            .set_copy_source_if_match(source.if_match.as_deref().map(convert::quoted))
            .copy_source_range(format!("bytes={}-{}", range.first, range.last))
            .send();
        let patience = Patience::of(SLOW);
        let output = self
            .send("UploadPartCopy", &part.key, &patience, request)
            .await?;
        let result = output.copy_part_result();
        Ok(Part {
            number: part.number,
            etag: convert::etag(result.and_then(|result| result.e_tag())),
            crc64nvme: convert::crc64(result.and_then(|result| result.checksum_crc64_nvme())),
            size: range.last - range.first + 1,
        })
    }
}
