//! Versions that the store copies from the sync target, so that their bytes go up once.

use super::{Locked, Versions, Way, Wrote};
use crate::model::{
    Content, Crc64, Error, RelPath, Result, StoreError, StoreErrorKind, StoreResult, etag,
};
use crate::store::{ByteRange, Complete, Condition, Copy, CopySource, Part, PartCopy, Written};
use futures::stream::{self, StreamExt, TryStreamExt};

/// How a copy ended.
#[derive(Debug)]
pub enum Copied {
    /// The version is there, and holds what it should.
    Done(Locked),
    /// The source is not, or no longer, what it was: the bytes have to be sent.
    Changed(String),
    /// The store does not copy, or does not say what it has copied: the bytes have to be sent, and
    /// another try would end alike.
    Refused(String),
}

impl Copied {
    /// What was certainly not written leaves the bytes to be sent; anything else is a failure.
    fn of(answer: Result<Locked>) -> Result<Self> {
        use StoreErrorKind::*;
        match answer {
            Ok(locked) => Ok(Self::Done(locked)),
            Err(Error::Store(error)) => match error.kind {
                PreconditionFailed | NotFound | NoSuchUpload | Checksum => {
                    Ok(Self::Changed(error.to_string()))
                }
                Denied | Archived | Unsupported | Invalid => Ok(Self::Refused(error.to_string())),
                _ => Err(error.into()),
            },
            Err(error) => Err(error),
        }
    }
}

impl Versions {
    /// Copies an object of up to 5 GiB in one request. Only while the source has its ETag, and held
    /// against the content by checksum.
    ///
    /// # Errors
    /// Those after which it is not known what is there, and those that concern the whole run;
    /// `Refused` where the store does not keep the lock.
    pub async fn copy(
        &self,
        path: &RelPath,
        source: &CopySource,
        content: Content,
    ) -> Result<Copied> {
        Copied::of(self.copy_whole(path, source, content).await)
    }

    async fn copy_whole(
        &self,
        path: &RelPath,
        source: &CopySource,
        content: Content,
    ) -> Result<Locked> {
        let key = self.key(path);
        let attributes = self.attributes(path, Some(content.blake3.to_hex())).await?;
        let retention = attributes.retention;
        let copy = Copy {
            source: source.clone(),
            key: key.clone(),
            attributes,
        };
        let wrote = self
            .write_once(&key, content, || async {
                self.client.store.copy(copy.clone()).await
            })
            .await?;
        if let Wrote::Now(written) = &wrote {
            self.confirm(&key, written, source, content).await?;
        }
        self.finish(key, wrote, retention, Way::Copy).await
    }

    /// Where the answer has no checksum, the ETag of a plain object tells as much, since it is the
    /// same on one store for the same bytes; else the version is asked for.
    async fn confirm(
        &self,
        key: &str,
        written: &Written,
        source: &CopySource,
        content: Content,
    ) -> StoreResult<()> {
        if written.crc64nvme.is_some() || source.if_match.as_ref() == Some(&written.etag) {
            return Ok(());
        }
        let id = written.version_id.as_deref();
        let head = self.client.call(|store| store.head(key, id)).await?;
        match head.crc64nvme {
            Some(crc) if crc == content.crc64nvme => Ok(()),
            Some(_) => Err(self.damaged(key)),
            None => Err(self.unproven(key, StoreErrorKind::Unsupported)),
        }
    }

    /// Begins a copy in parts; the lock is fixed here.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin_copy(&self, path: &RelPath, content: Content) -> Result<String> {
        let key = self.key(path);
        let attributes = self.attributes(path, Some(content.blake3.to_hex())).await?;
        let client = &self.client;
        Ok(client.create_copy_upload(&key, &attributes).await?)
    }

    /// Copies all parts, in the length that the source's have, and makes the version of them.
    /// Nothing is there before its checksum, or where the store has none its ETag, is known to be
    /// right.
    ///
    /// # Errors
    /// As [`copy`](Self::copy). The upload is left as it is.
    pub async fn copy_in_parts(
        &self,
        path: &RelPath,
        upload_id: &str,
        source: &CopySource,
        content: Content,
        part_len: u64,
        at_a_time: usize,
    ) -> Result<Copied> {
        let copy = self.copy_parts(path, upload_id, source, content, part_len, at_a_time);
        Copied::of(copy.await)
    }

    async fn copy_parts(
        &self,
        path: &RelPath,
        upload_id: &str,
        source: &CopySource,
        content: Content,
        part_len: u64,
        at_a_time: usize,
    ) -> Result<Locked> {
        let key = self.key(path);
        let client = &self.client;
        let parts = stream::iter(ranges(content.size, part_len)).map(|(number, range)| {
            let part = PartCopy {
                key: key.clone(),
                upload_id: upload_id.to_owned(),
                number,
                source: source.clone(),
                range,
            };
            async move { client.call(|store| store.copy_part(&part)).await }
        });
        let mut parts: Vec<Part> = parts
            .buffer_unordered(at_a_time.max(1))
            .try_collect()
            .await?;
        parts.sort_by_key(|part| part.number);
        let summed = parts.iter().all(|part| part.crc64nvme.is_some());
        let proven = if summed {
            crc_of(&parts) == content.crc64nvme
        } else {
            let made = etag::of_parts(parts.iter().map(|part| part.etag.as_str()));
            let theirs = source.if_match.as_deref().unwrap_or_default();
            made.is_some_and(|made| etag::is_of_copy(&made, theirs))
        };
        if !proven {
            return Err(self.unproven(&key, StoreErrorKind::Checksum).into());
        }
        let complete = Complete {
            key,
            upload_id: upload_id.to_owned(),
            parts,
            crc64nvme: summed.then_some(content.crc64nvme),
            size: content.size,
            condition: Condition::Always,
        };
        self.complete_as(complete, content, Way::Copy).await
    }

    fn unproven(&self, key: &str, kind: StoreErrorKind) -> StoreError {
        StoreError {
            kind,
            operation: "CopyObject",
            place: format!("s3://{}/{key}", self.client.target.bucket),
            message: "nothing shows that the store copied the right bytes".to_owned(),
        }
    }
}

fn crc_of(parts: &[Part]) -> Crc64 {
    let crc = |part: &Part| part.crc64nvme.unwrap_or(Crc64(0));
    let sums = parts.iter().map(|part| (crc(part), part.size));
    let joined =
        sums.reduce(|(left, len), (right, more)| (left.followed_by(right, more), len + more));
    joined.map_or_else(|| Crc64::of(&[]), |(crc, _)| crc)
}

fn ranges(size: u64, part_len: u64) -> impl Iterator<Item = (i32, ByteRange)> {
    let firsts = (0..size.div_ceil(part_len)).map(move |index| index * part_len);
    (1..).zip(firsts.map(move |first| ByteRange {
        first,
        last: size.min(first + part_len) - 1,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_a_file_to_its_last_byte() {
        let all: Vec<_> = ranges(21, 8).map(|(n, r)| (n, r.first, r.last)).collect();
        assert_eq!(all, [(1, 0, 7), (2, 8, 15), (3, 16, 20)]);
        let all: Vec<_> = ranges(16, 8).map(|(n, r)| (n, r.first, r.last)).collect();
        assert_eq!(all, [(1, 0, 7), (2, 8, 15)]);
    }
}
