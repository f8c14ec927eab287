//! Writing the sync target: every write and delete on the condition of what the plan saw.

use crate::engine::client::Client;
use crate::model::{
    Content, Crc64, RelPath, StoreError, StoreErrorKind, StoreResult, Time,
    key::{KeyBase, PATH_METADATA},
    time,
};
use crate::plan::Copyable;
use crate::store::{Attributes, Complete, Condition, Copy, CopySource, Head, Put, Written};
use bytes::Bytes;

/// S3 copies at most this many bytes in one request.
pub const MAX_COPY: u64 = 5 << 30;

/// How a conditional write ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Placed {
    /// The object holds the content now; its ETag.
    Done(String),
    /// Someone else changed the object (or the copy's source) since the plan was made: nothing
    /// was written.
    Mismatch,
}

/// Writes objects below the sync target's prefix.
pub struct MirrorWriter {
    client: Client,
    keys: KeyBase,
    storage_class: Option<String>,
    sse: Option<String>,
}

impl MirrorWriter {
    /// Writes through `client`.
    pub fn new(client: Client, storage_class: Option<String>, sse: Option<String>) -> Self {
        let keys = KeyBase::new(client.target.listing_prefix());
        Self {
            client,
            keys,
            storage_class,
            sse,
        }
    }

    /// The target.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The full key of a path's object.
    pub fn key(&self, path: &RelPath) -> String {
        self.keys.key_of(path).key
    }

    fn attributes(&self, path: &RelPath, mtime: Time, blake3: Option<String>) -> Attributes {
        let mut metadata: Vec<(String, String)> = Vec::new();
        if let Some(path) = self.keys.key_of(path).path_metadata {
            metadata.push((PATH_METADATA.to_owned(), path));
        }
        metadata.push(mtime_of(mtime));
        metadata.extend(blake3.map(|hex| ("blake3".to_owned(), hex)));
        Attributes {
            content_type: content_type(path),
            metadata,
            retention: None,
            storage_class: self.storage_class.clone(),
            sse: self.sse.clone(),
        }
    }

    /// Writes a content that is held in memory.
    ///
    /// # Errors
    /// The store's.
    pub async fn put(
        &self,
        path: &RelPath,
        mtime: Time,
        body: Bytes,
        content: Content,
        condition: Condition,
    ) -> StoreResult<Placed> {
        let put = Put {
            key: self.key(path),
            body,
            crc64nvme: content.crc64nvme,
            attributes: self.attributes(path, mtime, Some(content.blake3.to_hex())),
            condition,
        };
        let placed = self
            .conditional(&put.key, content.size, content.crc64nvme, || async {
                self.client.retrier.pace().bandwidth(content.size).await;
                self.client.store.put(put.clone()).await
            })
            .await?;
        if matches!(placed, Placed::Done(_)) {
            self.client.sent(content.size);
        }
        Ok(placed)
    }

    /// Begins a multipart upload.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin(&self, path: &RelPath, mtime: Time) -> StoreResult<String> {
        let key = self.key(path);
        let attributes = self.attributes(path, mtime, None);
        self.client.create_upload(&key, &attributes).await
    }

    /// Makes the object from its parts, on the upload's condition.
    ///
    /// # Errors
    /// The store's.
    pub async fn complete(&self, complete: Complete, crc: Crc64) -> StoreResult<Placed> {
        self.conditional(&complete.key, complete.size, crc, || async {
            self.client.store.complete_upload(complete.clone()).await
        })
        .await
    }

    /// Copies from another key of the sync target. Servers ignore conditions on a copy's
    /// destination, so a HEAD goes directly before.
    ///
    /// # Errors
    /// The store's.
    pub async fn copy(
        &self,
        path: &RelPath,
        mtime: Time,
        content: Content,
        source: &Copyable,
        condition: &Condition,
    ) -> StoreResult<Placed> {
        let key = self.key(path);
        if !self.condition_holds(&key, condition).await? {
            return Ok(Placed::Mismatch);
        }
        let copy = Copy {
            source: CopySource {
                bucket: self.client.target.bucket.clone(),
                key: source.key.clone(),
                version_id: None,
                if_match: Some(source.etag.clone()),
            },
            key: key.clone(),
            attributes: self.attributes(path, mtime, Some(content.blake3.to_hex())),
        };
        self.copy_once(&copy, content).await
    }

    /// Copies until the outcome is known: a copy onto itself that happened unseen has changed its
    /// own source.
    async fn copy_once(&self, copy: &Copy, content: Content) -> StoreResult<Placed> {
        let mut attempts = self.client.retrier.attempts();
        let mut uncertain = false;
        loop {
            let answer = self
                .client
                .retrier
                .once(self.client.store.copy(copy.clone()));
            let error = match answer.await {
                Ok(written) => return self.check(&copy.key, written, content.crc64nvme),
                Err(error) => error,
            };
            if uncertain && changed(&error) {
                let head = self.look(&copy.key).await?;
                let done = head.filter(|head| is_copy(head, copy, content));
                return Ok(done.map_or(Placed::Mismatch, |head| Placed::Done(head.etag)));
            }
            if changed(&error) {
                return Ok(Placed::Mismatch);
            }
            uncertain |= error.kind.may_have_happened();
            attempts.pause(error).await?;
        }
    }

    /// Gives an object that holds the right content new times, by copying it onto itself.
    ///
    /// # Errors
    /// The store's.
    pub async fn touch(
        &self,
        path: &RelPath,
        mtime: Time,
        content: Content,
        etag: &str,
    ) -> StoreResult<Placed> {
        let source = Copyable {
            key: self.key(path),
            etag: etag.to_owned(),
        };
        self.copy(path, mtime, content, &source, &Condition::Always)
            .await
    }

    /// Gives an object that holds the right content the file's time, unless it has it.
    ///
    /// # Errors
    /// The store's.
    pub async fn keep_time(
        &self,
        path: &RelPath,
        mtime: Time,
        content: Content,
        etag: &str,
    ) -> StoreResult<Placed> {
        let head = self.look(&self.key(path)).await?;
        let Some(head) = head.filter(|head| head.etag == etag) else {
            return Ok(Placed::Mismatch);
        };
        let has_it = head.metadata.contains(&mtime_of(mtime));
        if has_it || content.size > MAX_COPY {
            if !has_it {
                tracing::warn!(%path, "too large for a copy: the mirror's object keeps its time");
            }
            return Ok(Placed::Done(head.etag));
        }
        self.touch(path, mtime, content, etag).await
    }

    /// Deletes an object that the plan saw with this ETag.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, key: &str, etag: &str) -> StoreResult<Placed> {
        match self
            .client
            .call(|store| store.delete(key, Some(etag)))
            .await
        {
            Ok(()) => Ok(Placed::Done(etag.to_owned())),
            Err(error) if changed(&error) => Ok(Placed::Mismatch),
            Err(error) => Err(error),
        }
    }

    /// What is at the key now; none where nothing is.
    ///
    /// # Errors
    /// The store's.
    pub async fn look(&self, key: &str) -> StoreResult<Option<Head>> {
        match self.client.call(|store| store.head(key, None)).await {
            Ok(head) => Ok(Some(head)),
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn condition_holds(&self, key: &str, condition: &Condition) -> StoreResult<bool> {
        Ok(match condition {
            Condition::Always => true,
            Condition::IfAbsent => self.look(key).await?.is_none(),
            Condition::IfMatch(etag) => {
                self.look(key).await?.is_some_and(|head| head.etag == *etag)
            }
        })
    }

    /// Sends a conditional write until its outcome is known. Repeating it is safe; but when a
    /// first try did happen unseen, the condition refuses the second, so the object is looked at
    /// before that counts as someone else's change.
    async fn conditional<F, Fut>(
        &self,
        key: &str,
        size: u64,
        crc: Crc64,
        write: F,
    ) -> StoreResult<Placed>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = StoreResult<Written>> + Send,
    {
        let mut attempts = self.client.retrier.attempts();
        let mut uncertain = false;
        loop {
            let error = match self.client.retrier.once(write()).await {
                Ok(written) => return self.check(key, written, crc),
                Err(error) => error,
            };
            let refused = error.kind == StoreErrorKind::PreconditionFailed;
            let gone = error.kind == StoreErrorKind::NoSuchUpload;
            if uncertain && (refused || gone) {
                let head = self.look(key).await?;
                if let Some(head) = head
                    && head.size == size
                    && head.crc64nvme == Some(crc)
                {
                    return Ok(Placed::Done(head.etag));
                }
            }
            if refused || changed(&error) {
                return Ok(Placed::Mismatch);
            }
            uncertain |= error.kind.may_have_happened();
            attempts.pause(error).await?;
        }
    }

    fn check(&self, key: &str, written: Written, crc: Crc64) -> StoreResult<Placed> {
        match written.crc64nvme {
            Some(theirs) if theirs != crc => Err(StoreError {
                kind: StoreErrorKind::Checksum,
                operation: "PutObject",
                place: format!("s3://{}/{key}", self.client.target.bucket),
                message: "the store holds other bytes than were sent (checksums differ)".to_owned(),
            }),
            _ => Ok(Placed::Done(written.etag)),
        }
    }
}

/// Whether an object is what a copy would have made of it, its times included.
fn is_copy(head: &Head, copy: &Copy, content: Content) -> bool {
    let mut given = copy.attributes.metadata.iter();
    head.size == content.size
        && head.crc64nvme.is_none_or(|crc| crc == content.crc64nvme)
        && given.all(|pair| head.metadata.contains(pair))
}

/// Whether the error says that the object is not what the plan saw.
fn changed(error: &StoreError) -> bool {
    matches!(
        error.kind,
        StoreErrorKind::PreconditionFailed | StoreErrorKind::NotFound
    )
}

fn mtime_of(mtime: Time) -> (String, String) {
    ("mtime".to_owned(), time::to_decimal_seconds(mtime))
}

/// The MIME type that a name suggests: browsers that look into a bucket go by it.
pub fn content_type(path: &RelPath) -> Option<String> {
    let name = path.segments().last()?;
    let name = String::from_utf8_lossy(name);
    mime_guess::from_path(name.as_ref())
        .first_raw()
        .map(str::to_owned)
}
