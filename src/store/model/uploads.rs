//! Multipart uploads of a bucket.

use super::bucket::{Bucket, Kept, Refusal, md5_hex, refuse};
use crate::model::{Crc64, StoreErrorKind, Time};
use crate::store::{Attributes, Complete, Part, Upload, Written};
use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use std::collections::BTreeMap;

/// An unfinished upload.
#[derive(Debug)]
pub(super) struct Pending {
    key: String,
    begun: Time,
    attributes: Attributes,
    /// Its parts have checksums.
    summed: bool,
    parts: BTreeMap<i32, Bytes>,
}

impl Bucket {
    pub(super) fn create_upload(
        &mut self,
        key: &str,
        upload_id: &str,
        now: Time,
        attributes: &Attributes,
        summed: bool,
    ) -> Result<(), Refusal> {
        self.accepts(attributes, now)?;
        let pending = Pending {
            key: key.to_owned(),
            begun: now,
            attributes: attributes.clone(),
            summed,
            parts: BTreeMap::new(),
        };
        self.uploads.insert(upload_id.to_owned(), pending);
        Ok(())
    }

    fn pending(&self, key: &str, upload_id: &str) -> Result<&Pending, Refusal> {
        let pending = self.uploads.get(upload_id);
        pending
            .filter(|pending| pending.key == key)
            .ok_or(Refusal::of(StoreErrorKind::NoSuchUpload, "no such upload"))
    }

    pub(super) fn upload_part(
        &mut self,
        key: &str,
        upload_id: &str,
        number: i32,
        body: Bytes,
        crc64nvme: Crc64,
    ) -> Result<Part, Refusal> {
        let summed = self.pending(key, upload_id)?.summed;
        if !(1..=10_000).contains(&number) {
            return refuse(StoreErrorKind::Invalid, "parts count from 1 to 10,000");
        }
        if Crc64::of(&body) != crc64nvme {
            return refuse(StoreErrorKind::Checksum, "the checksum does not match");
        }
        let part = part_of(number, &body, summed);
        if let Some(pending) = self.uploads.get_mut(upload_id) {
            pending.parts.insert(number, body);
        }
        Ok(part)
    }

    pub(super) fn complete_upload(
        &mut self,
        complete: &Complete,
        id: String,
        now: Time,
    ) -> Result<Written, Refusal> {
        let pending = self.pending(&complete.key, &complete.upload_id)?;
        let (body, etag) = pending.assemble(&complete.parts)?;
        let attributes = pending.attributes.clone();
        if complete
            .crc64nvme
            .is_some_and(|crc| crc != Crc64::of(&body))
        {
            return refuse(StoreErrorKind::Checksum, "the checksum does not match");
        }
        if complete.size != body.len() as u64 {
            return refuse(StoreErrorKind::Invalid, "the size does not match");
        }
        self.check(&complete.key, &complete.condition)?;
        let mut kept = Kept::new(id, now, body, etag, attributes);
        kept.unsummed = !pending.summed;
        let written = self.write(&complete.key, kept)?;
        self.uploads.remove(&complete.upload_id);
        Ok(written)
    }

    pub(super) fn abort_upload(&mut self, key: &str, upload_id: &str) {
        if self.pending(key, upload_id).is_ok() {
            self.uploads.remove(upload_id);
        }
    }

    pub(super) fn uploads_where(&self, wanted: impl Fn(&str) -> bool) -> Vec<Upload> {
        let uploads = self
            .uploads
            .iter()
            .filter(|(_, pending)| wanted(&pending.key));
        uploads
            .map(|(id, pending)| Upload {
                key: pending.key.clone(),
                upload_id: id.clone(),
                initiated: Some(pending.begun),
            })
            .collect()
    }

    pub(super) fn parts(&self, key: &str, upload_id: &str) -> Result<Vec<Part>, Refusal> {
        let pending = self.pending(key, upload_id)?;
        let parts = pending.parts.iter();
        Ok(parts
            .map(|(&number, body)| part_of(number, body, pending.summed))
            .collect())
    }
}

impl Pending {
    /// The object's bytes and its ETag: the MD5 of the parts' MD5s, and their count.
    fn assemble(&self, parts: &[Part]) -> Result<(Bytes, String), Refusal> {
        if parts.is_empty() || !parts.is_sorted_by(|a, b| a.number < b.number) {
            return refuse(StoreErrorKind::Invalid, "parts must be in order");
        }
        let mut body = BytesMut::new();
        let mut sums = Md5::new();
        for part in parts {
            match self.parts.get(&part.number) {
                Some(kept) if md5_hex(kept) == part.etag => {
                    body.extend_from_slice(kept);
                    sums.update(Md5::digest(kept));
                }
                _ => return refuse(StoreErrorKind::NoSuchUpload, "a part is gone"),
            }
        }
        let sum = data_encoding::HEXLOWER.encode(&sums.finalize());
        Ok((body.freeze(), format!("{sum}-{}", parts.len())))
    }
}

fn part_of(number: i32, body: &Bytes, summed: bool) -> Part {
    Part {
        number,
        etag: md5_hex(body),
        crc64nvme: summed.then(|| Crc64::of(body)),
        size: body.len() as u64,
    }
}
