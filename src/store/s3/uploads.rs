//! Multipart uploads.

use super::S3Store;
use super::abilities::Way;
use super::body::{self, Patience};
use super::call::SLOW;
use super::convert::{self, Md5Sum};
use super::objects::{headers_of, size};
use crate::model::{Crc64, StoreErrorKind, StoreResult};
use crate::store::{Attributes, Complete, Condition, Part, Upload, Written};
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, EncodingType,
    StorageClass,
};
use bytes::Bytes;

impl S3Store {
    pub(super) async fn create_multipart_upload(
        &self,
        key: &str,
        attributes: &Attributes,
    ) -> StoreResult<String> {
        loop {
            let way = self.abilities.way();
            match self.create_once(key, attributes, way).await {
                Err(refusal) if self.learns(way, &Condition::Always, &refusal) => {}
                result => return result,
            }
        }
    }

    /// As [`Self::create_multipart_upload`], for parts that the store copies.
    pub(super) async fn create_upload_of_copies(
        &self,
        key: &str,
        attributes: &Attributes,
    ) -> StoreResult<String> {
        let crc64 = self.abilities.copied_checksums();
        let way = Way {
            crc64,
            ..self.abilities.way()
        };
        self.create_once(key, attributes, way).await
    }

    async fn create_once(
        &self,
        key: &str,
        attributes: &Attributes,
        way: Way,
    ) -> StoreResult<String> {
        let encryption = attributes.sse.as_deref().map(convert::sse);
        let (sse, kms_key) = encryption.map_or((None, None), |(sse, key)| (Some(sse), key));
        let lock = attributes.retention;
        let request = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .set_checksum_algorithm(way.crc64.then_some(ChecksumAlgorithm::Crc64Nvme))
            .set_checksum_type(way.crc64.then_some(ChecksumType::FullObject))
            .set_content_type(attributes.content_type.clone())
            .set_metadata(Some(attributes.metadata.iter().cloned().collect()))
            .set_storage_class(attributes.storage_class.as_deref().map(StorageClass::from))
            .set_server_side_encryption(sse)
            .set_ssekms_key_id(kms_key)
            .set_object_lock_mode(lock.map(|lock| convert::lock_mode(lock.mode)))
            .set_object_lock_retain_until_date(lock.map(|lock| convert::until(lock.until)));
        let operation = "CreateMultipartUpload";
        let output = self
            .send(operation, key, &Patience::new(), request.send())
            .await?;
        match output.upload_id() {
            Some(id) if !id.is_empty() => Ok(id.to_owned()),
            _ => {
                let why = "the store gave the upload no id";
                Err(self.error(operation, key, StoreErrorKind::UnknownOutcome, why))
            }
        }
    }

    pub(super) async fn send_part(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        body: Bytes,
        crc64nvme: Crc64,
    ) -> StoreResult<Part> {
        loop {
            let way = self.abilities.way();
            let sent = self
                .send_part_once(key, upload_id, number, &body, crc64nvme, way)
                .await;
            match sent {
                Err(refusal) if self.learns(way, &Condition::Always, &refusal) => {}
                result => return result,
            }
        }
    }

    async fn send_part_once(
        &self,
        key: &str,
        upload_id: &str,
        number: i32,
        bytes: &Bytes,
        crc64nvme: Crc64,
        way: Way,
    ) -> StoreResult<Part> {
        let (body, patience) = body::body(bytes.clone(), self.signs_payload);
        let request = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .part_number(number)
            .set_checksum_crc64_nvme(way.crc64.then(|| crc64nvme.to_base64()))
            .set_content_md5((!way.crc64).then(|| Md5Sum::of(bytes).to_base64()))
            .body(body)
            .customize();
        let request = if self.signs_payload {
            request
        } else {
            request.disable_payload_signing()
        };
        let output = self
            .send("UploadPart", key, &patience, request.send())
            .await?;
        let etag = convert::etag(output.e_tag());
        let answered = convert::crc64(output.checksum_crc64_nvme());
        if way.crc64 {
            self.confirm("UploadPart", key, bytes, crc64nvme, answered, &etag)?;
        }
        Ok(Part {
            number,
            etag,
            crc64nvme: answered,
            size: bytes.len() as u64,
        })
    }

    pub(super) async fn complete_multipart_upload(
        &self,
        complete: Complete,
    ) -> StoreResult<Written> {
        loop {
            let way = self.abilities.way();
            if !way.conditions {
                self.ask_before(&complete.key, &complete.condition).await?;
            }
            match self.complete_once(&complete, way).await {
                Err(refusal) if self.learns(way, &complete.condition, &refusal) => {}
                // S3 answers so to If-Match on a key without an object.
                Err(mut missing)
                    if missing.kind == StoreErrorKind::NotFound
                        && complete.condition != Condition::Always =>
                {
                    missing.kind = StoreErrorKind::PreconditionFailed;
                    return Err(missing);
                }
                result => return result,
            }
        }
    }

    async fn complete_once(&self, complete: &Complete, way: Way) -> StoreResult<Written> {
        // All or none: an upload that was begun without checksums refuses any.
        let checked = complete.parts.iter().all(|part| part.crc64nvme.is_some());
        let whole = complete.crc64nvme.filter(|_| checked);
        let (if_match, if_none_match) = headers_of(&complete.condition, way);
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&complete.key)
            .upload_id(&complete.upload_id)
            .multipart_upload(completed(&complete.parts, checked))
            .set_mpu_object_size(i64::try_from(complete.size).ok())
            .set_checksum_crc64_nvme(whole.map(Crc64::to_base64))
            .set_checksum_type(whole.map(|_| ChecksumType::FullObject))
            .set_if_match(if_match)
            .set_if_none_match(if_none_match)
            .send();
        let operation = "CompleteMultipartUpload";
        let output = self
            .send(operation, &complete.key, &Patience::of(SLOW), request)
            .await?;
        let answered = convert::crc64(output.checksum_crc64_nvme());
        if whole.is_some() && answered.is_some() && answered != whole {
            let why = "the store made an object with another checksum";
            let kind = StoreErrorKind::UnknownOutcome;
            return Err(self.error(operation, &complete.key, kind, why));
        }
        Ok(Written {
            etag: convert::etag(output.e_tag()),
            version_id: output.version_id().map(str::to_owned),
            crc64nvme: answered,
        })
    }

    pub(super) async fn abort_multipart_upload(
        &self,
        key: &str,
        upload_id: &str,
    ) -> StoreResult<()> {
        let request = self
            .client
            .abort_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload_id)
            .send();
        let sent = self
            .send("AbortMultipartUpload", key, &Patience::new(), request)
            .await;
        match sent {
            Err(error) if error.kind == StoreErrorKind::NoSuchUpload => Ok(()),
            result => result.map(|_| ()),
        }
    }

    pub(super) async fn list_multipart_uploads(&self, prefix: &str) -> StoreResult<Vec<Upload>> {
        let operation = "ListMultipartUploads";
        let mut uploads = Vec::new();
        let mut marker: Option<(String, Option<String>)> = None;
        loop {
            let (key_marker, id_marker) = marker.clone().unzip();
            let request = self
                .client
                .list_multipart_uploads()
                .bucket(&self.bucket)
                .prefix(prefix)
                .encoding_type(EncodingType::Url)
                .set_key_marker(key_marker)
                .set_upload_id_marker(id_marker.flatten())
                .send();
            let page = self
                .send(operation, prefix, &Patience::new(), request)
                .await?;
            let decode = self.decoder(operation, prefix, page.encoding_type());
            for upload in page.uploads() {
                uploads.push(Upload {
                    key: decode(upload.key().unwrap_or_default())?,
                    upload_id: upload.upload_id().unwrap_or_default().to_owned(),
                    initiated: upload.initiated().map(|time| convert::time(Some(time))),
                });
            }
            if page.is_truncated() != Some(true) {
                return Ok(uploads);
            }
            let next_key = decode(page.next_key_marker().unwrap_or_default())?;
            let next = (next_key, page.next_upload_id_marker().map(str::to_owned));
            if next.0.is_empty() || marker.as_ref() == Some(&next) {
                return Err(self.repeats(operation, prefix));
            }
            marker = Some(next);
        }
    }

    pub(super) async fn list_all_parts(
        &self,
        key: &str,
        upload_id: &str,
    ) -> StoreResult<Vec<Part>> {
        let mut parts = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let request = self
                .client
                .list_parts()
                .bucket(&self.bucket)
                .key(key)
                .upload_id(upload_id)
                .set_part_number_marker(marker.clone())
                .send();
            let page = self
                .send("ListParts", key, &Patience::new(), request)
                .await?;
            parts.extend(page.parts().iter().map(|part| Part {
                number: part.part_number().unwrap_or(0),
                etag: convert::etag(part.e_tag()),
                crc64nvme: convert::crc64(part.checksum_crc64_nvme()),
                size: size(part.size()),
            }));
            if page.is_truncated() != Some(true) {
                return Ok(parts);
            }
            let next = page.next_part_number_marker().map(str::to_owned);
            if next.is_none() || next == marker {
                return Err(self.repeats("ListParts", key));
            }
            marker = next;
        }
    }
}

fn completed(parts: &[Part], checked: bool) -> CompletedMultipartUpload {
    let parts = parts.iter().map(|part| {
        CompletedPart::builder()
            .part_number(part.number)
            .e_tag(convert::quoted(&part.etag))
            .set_checksum_crc64_nvme(part.crc64nvme.filter(|_| checked).map(Crc64::to_base64))
            .build()
    });
    CompletedMultipartUpload::builder()
        .set_parts(Some(parts.collect()))
        .build()
}
