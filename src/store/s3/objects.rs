//! Whole objects: put, copy, get, head, delete.

use super::S3Store;
use super::abilities::Way;
use super::body::{self, Patience};
use super::call::SLOW;
use super::convert::{self, Md5Sum};
use super::wire::{Checked, Request, copied, version_of};
use crate::model::{Crc64, StoreErrorKind, StoreResult};
use crate::store::{ByteRange, Condition, Copy, Fetched, Head, Put, Written};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::ChecksumMode;
use aws_sigv4::http_request::SignableBody;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use bytes::Bytes;

/// Header of the checksum that goes with everything.
const CRC64NVME: &str = "x-amz-checksum-crc64nvme";

/// The values of `If-Match` and `If-None-Match`.
pub(super) fn headers_of(condition: &Condition, way: Way) -> (Option<String>, Option<String>) {
    match condition {
        Condition::IfMatch(etag) if way.conditions => (Some(convert::quoted(etag)), None),
        Condition::IfAbsent if way.conditions => (None, Some("*".to_owned())),
        _ => (None, None),
    }
}

impl S3Store {
    pub(super) async fn put_object(&self, put: Put) -> StoreResult<Written> {
        loop {
            let way = self.abilities.way();
            if !way.conditions {
                self.ask_before(&put.key, &put.condition).await?;
            }
            match self.put_once(&put, way).await {
                Err(refusal) if self.learns(way, &put.condition, &refusal) => {}
                // S3 answers so to If-Match on a key without an object.
                Err(mut missing)
                    if missing.kind == StoreErrorKind::NotFound
                        && put.condition != Condition::Always =>
                {
                    missing.kind = StoreErrorKind::PreconditionFailed;
                    return Err(missing);
                }
                result => return result,
            }
        }
    }

    /// As [`Abilities::learn`](super::abilities::Abilities::learn); AWS itself knows everything.
    pub(super) fn learns(
        &self,
        way: Way,
        condition: &Condition,
        refusal: &crate::model::StoreError,
    ) -> bool {
        !self.is_aws && self.abilities.learn(way, condition, refusal)
    }

    async fn put_once(&self, put: &Put, way: Way) -> StoreResult<Written> {
        let (body, patience) = body::body(put.body.clone(), self.signs_payload);
        let payload = if self.signs_payload {
            SignableBody::Bytes(&put.body)
        } else {
            SignableBody::UnsignedPayload
        };
        let (if_match, if_none_match) = headers_of(&put.condition, way);
        let request = Request::new("PUT", &put.key)
            .header("content-length", put.body.len().to_string())
            .maybe("if-match", if_match)
            .maybe("if-none-match", if_none_match)
            .maybe(CRC64NVME, way.crc64.then(|| put.crc64nvme.to_base64()))
            .maybe(
                "content-md5",
                (!way.crc64).then(|| Md5Sum::of(&put.body).to_base64()),
            )
            .attributes(&put.attributes);
        let sent = self.wire.send(request, payload, body.into_inner());
        let answer = self.send("PutObject", &put.key, &patience, sent).await?;
        let written = Written {
            etag: convert::etag(answer.headers().get("etag")),
            version_id: version_of(&answer),
            crc64nvme: convert::crc64(answer.headers().get(CRC64NVME)),
        };
        if way.crc64 {
            let (sent, answered) = (put.crc64nvme, written.crc64nvme);
            self.confirm(
                "PutObject",
                &put.key,
                &put.body,
                sent,
                answered,
                &written.etag,
            )?;
        }
        Ok(written)
    }

    pub(super) async fn copy_object(&self, copy: Copy) -> StoreResult<Written> {
        loop {
            let way = self.abilities.way();
            match self.copy_once(&copy, way).await {
                Err(refusal) if self.learns(way, &Condition::Always, &refusal) => {}
                result => return result,
            }
        }
    }

    async fn copy_once(&self, copy: &Copy, way: Way) -> StoreResult<Written> {
        let source = &copy.source;
        let version = source.version_id.as_deref();
        let request = Request::new("PUT", &copy.key)
            .header(
                "x-amz-copy-source",
                convert::copy_source(&source.bucket, &source.key, version),
            )
            .maybe(
                "x-amz-copy-source-if-match",
                source.if_match.as_deref().map(convert::quoted),
            )
            .header("x-amz-metadata-directive", "REPLACE")
            .maybe("x-amz-checksum-algorithm", way.crc64.then_some("CRC64NVME"))
            .attributes(&copy.attributes);
        let made = async {
            let sent = self
                .wire
                .send(request, SignableBody::empty(), SdkBody::empty());
            copied(sent.await?).await
        };
        self.send("CopyObject", &copy.key, &Patience::of(SLOW), made)
            .await
    }

    pub(super) async fn get_object(
        &self,
        key: &str,
        version_id: Option<&str>,
        range: Option<ByteRange>,
    ) -> StoreResult<Fetched> {
        let request = Request::new("GET", key)
            .version(version_id)
            .maybe(
                "range",
                range.map(|range| format!("bytes={}-{}", range.first, range.last)),
            )
            // The checksum is the whole object's.
            .maybe("x-amz-checksum-mode", range.is_none().then_some("ENABLED"));
        let sent = self
            .wire
            .send(request, SignableBody::empty(), SdkBody::empty());
        let mut answer = self.send("GetObject", key, &Patience::new(), sent).await?;
        let body = self.collect(key, range.is_none(), &mut answer).await?;
        let modified = answer.headers().get("last-modified");
        let modified = modified.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        Ok(Fetched {
            body,
            etag: convert::etag(answer.headers().get("etag")),
            version_id: version_of(&answer),
            last_modified: convert::time(modified.as_ref()),
        })
    }

    /// Reads an answer's body, and holds a whole one against its checksum; a gap of a minute ends
    /// it.
    async fn collect(
        &self,
        key: &str,
        whole: bool,
        answer: &mut HttpResponse,
    ) -> StoreResult<Bytes> {
        let broke = |why: String| self.error("GetObject", key, StoreErrorKind::UnknownOutcome, why);
        let promised = answer.headers().get("content-length");
        let promised: Option<usize> = promised.and_then(|size| size.parse().ok());
        let mut checked = whole.then(|| Checked::of(answer));
        // A promise is no reason to allocate without limit.
        let room = promised.unwrap_or(0).min(64 << 20);
        let mut body = self.bodies.take(room, room);
        body.clear();
        let mut stream = ByteStream::new(answer.take_body());
        loop {
            match Patience::new().hold(stream.next()).await {
                Some(Some(Ok(bytes))) => {
                    if let Some(checked) = &mut checked {
                        checked.update(&bytes);
                    }
                    body.extend_from_slice(&bytes);
                }
                Some(Some(Err(error))) => {
                    return Err(broke(format!("the answer broke off: {error}")));
                }
                Some(None) => break,
                None => return Err(broke("the answer stalled for a minute".to_owned())),
            }
        }
        if let Some(size) = promised.filter(|size| *size != body.len()) {
            let came = body.len();
            return Err(broke(format!(
                "the answer has {came} bytes instead of {size}"
            )));
        }
        if !checked.is_none_or(Checked::holds) {
            return Err(broke(
                "the answer does not have the checksum that it names".to_owned(),
            ));
        }
        Ok(body.freeze())
    }

    /// Asks about an object. The refusal of a HEAD has no body, so that expired credentials look
    /// like a request that is wrong; a GET of one byte is refused for the same reason, and says it.
    pub(super) async fn head_object(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> StoreResult<Head> {
        use StoreErrorKind::{Denied, Invalid};
        let refusal = match self.head_once(key, version_id).await {
            Err(error) if matches!(error.kind, Invalid | Denied) => error,
            answer => return answer,
        };
        let byte = ByteRange { first: 0, last: 0 };
        match self.get_object(key, version_id, Some(byte)).await {
            Ok(_) => self.head_once(key, version_id).await,
            Err(told) if told.kind != Invalid => Err(told),
            Err(_) => Err(refusal),
        }
    }

    async fn head_once(&self, key: &str, version_id: Option<&str>) -> StoreResult<Head> {
        let request = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .set_version_id(version_id.map(str::to_owned))
            .checksum_mode(ChecksumMode::Enabled)
            .send();
        let output = self
            .send("HeadObject", key, &Patience::new(), request)
            .await?;
        Ok(head_of(&output))
    }

    pub(super) async fn delete_current(
        &self,
        key: &str,
        if_match: Option<&str>,
    ) -> StoreResult<()> {
        if let Some(etag) = if_match {
            match self.head_object(key, None).await {
                Ok(head) if head.etag == etag => {}
                Ok(_) => return Err(self.changed(key)),
                Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        // Other stores ignore the header or refuse it; the HEAD above has to do there.
        let header = if_match.filter(|_| self.is_aws && self.abilities.conditional_delete());
        let result = self.delete_once(key, None, header).await;
        match result {
            Err(refusal) if refusal.kind == StoreErrorKind::Unsupported && header.is_some() => {
                self.abilities.forget_conditional_delete();
                self.delete_once(key, None, None).await
            }
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn changed(&self, key: &str) -> crate::model::StoreError {
        let why = "the object has changed";
        self.error("HeadObject", key, StoreErrorKind::PreconditionFailed, why)
    }

    pub(super) async fn delete_one_version(&self, key: &str, version_id: &str) -> StoreResult<()> {
        match self.delete_once(key, Some(version_id), None).await {
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    pub(super) async fn delete_once(
        &self,
        key: &str,
        version_id: Option<&str>,
        if_match: Option<&str>,
    ) -> StoreResult<()> {
        let request = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .set_version_id(version_id.map(str::to_owned))
            .set_if_match(if_match.map(convert::quoted))
            .send();
        self.send("DeleteObject", key, &Patience::new(), request)
            .await?;
        Ok(())
    }
}

pub(super) fn head_of(output: &HeadObjectOutput) -> Head {
    let metadata = output.metadata().into_iter().flatten();
    let mut metadata: Vec<(String, String)> = metadata
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    metadata.sort();
    let mode = output.object_lock_mode().map(|mode| mode.as_str());
    let crc64nvme: Option<Crc64> = convert::crc64(output.checksum_crc64_nvme());
    Head {
        size: size(output.content_length()),
        etag: convert::etag(output.e_tag()),
        version_id: output.version_id().map(str::to_owned),
        crc64nvme,
        last_modified: convert::time(output.last_modified()),
        metadata,
        retention: convert::retention(mode, output.object_lock_retain_until_date()),
        storage_class: output
            .storage_class()
            .map(|class| class.as_str().to_owned()),
        restore: output.restore().map(str::to_owned),
        archive_status: output
            .archive_status()
            .map(|status| status.as_str().to_owned()),
    }
}

/// S3 counts in signed numbers and never means a negative one.
pub(super) fn size(given: Option<i64>) -> u64 {
    given.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}
