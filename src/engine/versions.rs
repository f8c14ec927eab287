//! Writing locked versions to the backup target, each content once.

mod copies;

pub use copies::Copied;

use crate::engine::client::Client;
use crate::engine::mirror::content_type;
use crate::model::{
    Content, Error, Mode, RelPath, Result, Retention, StoreError, StoreErrorKind, StoreResult,
    Stored, Time,
    key::{KeyBase, PATH_METADATA},
};
use crate::plan::forecast::SAMPLE;
use crate::store::{Attributes, Complete, Condition, Put, Written};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A version and how long its lock holds at least.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Locked {
    /// The version.
    pub stored: Stored,
    /// Its lock.
    pub until: Time,
}

/// What became of a lock that was to be extended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extended {
    /// It was extended just now.
    Now,
    /// It was as long already.
    Before,
    /// The version is gone.
    Gone,
}

/// How the version came into being: each way has to prove once a run that its locks are kept.
#[derive(Clone, Copy)]
enum Way {
    Put,
    Multipart,
    Copy,
}

/// What is known of a write that succeeded.
enum Wrote {
    /// The store has answered with the new version.
    Now(Written),
    /// A version with this content was found, of this write or of any before.
    Found(Written),
}

/// Writes versions of `<prefix>/files/…`.
///
/// A write whose outcome is unknown is looked up before it is sent again, because a second locked
/// copy could not be deleted by anyone.
pub struct Versions {
    client: Client,
    keys: KeyBase,
    mode: Mode,
    period: Duration,
    storage_class: Option<String>,
    sse: Option<String>,
    written: [AtomicU64; 3],
    /// Locks that the store has said it extended, those read back among them.
    extended: AtomicU64,
    /// The last extension that was read back was really made.
    extends: AtomicBool,
    /// A write failed without anyone knowing whether it happened.
    unresolved: AtomicBool,
}

impl Versions {
    /// `period` is the full length of a lock.
    pub fn new(
        client: Client,
        mode: Mode,
        period: Duration,
        storage_class: Option<String>,
        sse: Option<String>,
    ) -> Self {
        let keys = KeyBase::new(client.target.key("files/"));
        Self {
            client,
            keys,
            mode,
            period,
            storage_class,
            sse,
            written: Default::default(),
            extended: AtomicU64::new(0),
            extends: AtomicBool::new(false),
            unresolved: AtomicBool::new(false),
        }
    }

    /// The target.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The full key of a path's versions.
    pub fn key(&self, path: &RelPath) -> String {
        self.keys.key_of(path).key
    }

    /// A full lock from now on, by the server's clock, to the second.
    ///
    /// # Errors
    /// The store's, where its clock has to be asked for.
    pub async fn full_lock(&self) -> StoreResult<Retention> {
        let now = self.client.call(|store| store.now()).await?;
        let until = now.checked_add(self.period).unwrap_or(Time::MAX);
        let until = Time::from_second(until.as_second()).unwrap_or(until);
        Ok(Retention {
            mode: self.mode,
            until,
        })
    }

    async fn attributes(&self, path: &RelPath, blake3: Option<String>) -> StoreResult<Attributes> {
        let mut metadata: Vec<(String, String)> = Vec::new();
        if let Some(path) = self.keys.key_of(path).path_metadata {
            metadata.push((PATH_METADATA.to_owned(), path));
        }
        metadata.extend(blake3.map(|hex| ("blake3".to_owned(), hex)));
        Ok(Attributes {
            content_type: content_type(path),
            metadata,
            retention: Some(self.full_lock().await?),
            storage_class: self.storage_class.clone(),
            sse: self.sse.clone(),
        })
    }

    /// Writes a content that is held in memory.
    ///
    /// # Errors
    /// The store's; `Refused` where it does not keep the lock.
    pub async fn put(&self, path: &RelPath, body: Bytes, content: Content) -> Result<Locked> {
        let key = self.key(path);
        let attributes = self.attributes(path, Some(content.blake3.to_hex())).await?;
        let retention = attributes.retention;
        let size = content.size;
        let put = Put {
            key: key.clone(),
            body,
            crc64nvme: content.crc64nvme,
            attributes,
            condition: Condition::Always,
        };
        let written = self
            .write_once(&key, content, || async {
                self.client.retrier.pace().bandwidth(size).await;
                self.client.store.put(put.clone()).await
            })
            .await?;
        self.client.sent(size);
        self.finish(key, written, retention, Way::Put).await
    }

    /// Begins a multipart upload; the lock is fixed here.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin(&self, path: &RelPath) -> Result<String> {
        let key = self.key(path);
        let attributes = self.attributes(path, None).await?;
        Ok(self.client.create_upload(&key, &attributes).await?)
    }

    /// Makes the version from its parts. The lock that the upload was begun with may be days old
    /// by now, so it is read and extended where it is not a full one.
    ///
    /// # Errors
    /// The store's; `Refused` where it does not keep the lock.
    pub async fn complete(&self, complete: Complete, content: Content) -> Result<Locked> {
        self.complete_as(complete, content, Way::Multipart).await
    }

    async fn complete_as(&self, complete: Complete, content: Content, way: Way) -> Result<Locked> {
        let key = complete.key.clone();
        let written = self
            .write_once(&key, content, || async {
                self.client.store.complete_upload(complete.clone()).await
            })
            .await?;
        self.finish(key, written, None, way).await
    }

    /// Whether a version may be there that nobody knows of: the next run has to look for it.
    pub fn left_unresolved(&self) -> bool {
        self.unresolved.load(Ordering::Relaxed)
    }

    /// Sends a write until its outcome is known. Where it can't be told, that is noted.
    async fn write_once<F, Fut>(&self, key: &str, content: Content, write: F) -> StoreResult<Wrote>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = StoreResult<Written>> + Send,
    {
        let mut uncertain = false;
        let written = self
            .write_until_known(key, content, write, &mut uncertain)
            .await;
        if uncertain && written.is_err() {
            self.unresolved.store(true, Ordering::Relaxed);
        }
        written
    }

    async fn write_until_known<F, Fut>(
        &self,
        key: &str,
        content: Content,
        write: F,
        uncertain: &mut bool,
    ) -> StoreResult<Wrote>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = StoreResult<Written>> + Send,
    {
        let mut attempts = self.client.retrier.attempts();
        loop {
            let error = match self.client.retrier.once(write()).await {
                Ok(written) => match written.crc64nvme {
                    Some(theirs) if theirs != content.crc64nvme => return Err(self.damaged(key)),
                    _ => return Ok(Wrote::Now(written)),
                },
                Err(error) => error,
            };
            // A Complete that did happen answers NoSuchUpload when it is sent again.
            let gone = error.kind == StoreErrorKind::NoSuchUpload;
            *uncertain |= error.kind.may_have_happened() || gone;
            let kind = error.kind;
            let pause = attempts.pause(error).await;
            if *uncertain
                && (pause.is_ok() || gone)
                && let Some(written) = self.look_up(key, content).await?
            {
                tracing::info!(key, ?kind, "a write with unknown outcome had succeeded");
                return Ok(Wrote::Found(written));
            }
            pause?;
        }
    }

    fn damaged(&self, key: &str) -> StoreError {
        StoreError {
            kind: StoreErrorKind::Checksum,
            operation: "PutObject",
            place: format!("s3://{}/{key}", self.client.target.bucket),
            message: "the store holds other bytes than were sent (checksums differ)".to_owned(),
        }
    }

    /// A version of exactly this key with this content, whoever wrote it. Where the store has no
    /// checksum of it, the BLAKE3 counts that it was given: whoever gives one has had the store's
    /// word for the bytes before.
    ///
    /// # Errors
    /// The store's.
    pub async fn look_up(&self, key: &str, content: Content) -> StoreResult<Option<Written>> {
        let blake3 = content.blake3.to_hex();
        for version in self.client.versions_of(key).await? {
            if version.delete_marker || version.size != content.size {
                continue;
            }
            let id = version.version_id;
            let head = self.client.call(|store| store.head(key, Some(&id))).await?;
            let mut metadata = head.metadata.iter();
            let is_it = match head.crc64nvme {
                Some(theirs) => theirs == content.crc64nvme,
                None => metadata.any(|(name, value)| name == "blake3" && *value == blake3),
            };
            if is_it {
                return Ok(Some(Written {
                    etag: head.etag,
                    version_id: Some(id),
                    crc64nvme: head.crc64nvme,
                }));
            }
        }
        Ok(None)
    }

    /// Takes a version that a crashed run (or another machine) has left, with a full lock.
    ///
    /// # Errors
    /// The store's.
    pub async fn take_over(&self, path: &RelPath, content: Content) -> Result<Option<Locked>> {
        let key = self.key(path);
        let Some(written) = self.look_up(&key, content).await? else {
            return Ok(None);
        };
        self.finish(key, Wrote::Found(written), None, Way::Multipart)
            .await
            .map(Some)
    }

    /// Reads the lock back where that is due. `claimed` is the lock that the write was given, none
    /// where the version may have an older one, as any that was found may.
    async fn finish(
        &self,
        key: String,
        wrote: Wrote,
        claimed: Option<Retention>,
        way: Way,
    ) -> Result<Locked> {
        let (written, claimed) = match wrote {
            Wrote::Now(written) => (written, claimed),
            Wrote::Found(written) => (written, None),
        };
        let Some(version_id) = written.version_id else {
            let bucket = &self.client.target.bucket;
            return Err(Error::Refused(format!(
                "s3://{bucket} gave no version id for {key}: its versioning is off or suspended; \
                 enable versioning on the bucket, which `tidelock init` does too"
            )));
        };
        let stored = Stored {
            key,
            version_id,
            etag: written.etag,
        };
        let count = self.written[way as usize].fetch_add(1, Ordering::Relaxed);
        match claimed {
            Some(retention) if !count.is_multiple_of(SAMPLE) => Ok(Locked {
                stored,
                until: retention.until,
            }),
            Some(retention) => self.read_back(stored, retention).await,
            None => self.ensure_full(stored).await,
        }
    }

    async fn read_back(&self, stored: Stored, claimed: Retention) -> Result<Locked> {
        let found = self.lock_of(&stored).await?;
        match found {
            Some(found) if found.until >= claimed.until => Ok(Locked {
                stored,
                until: claimed.until,
            }),
            _ => Err(self.not_kept(&stored)),
        }
    }

    /// The version with a full lock, which is set where it has none.
    ///
    /// # Errors
    /// The store's, `NotFound` where the version is gone; `Refused` where it does not keep the
    /// lock.
    pub async fn ensure_full(&self, stored: Stored) -> Result<Locked> {
        let full = self.full_lock().await?;
        let found = self.lock_of(&stored).await?;
        // A minute less is no reason for a request: uploads take that long.
        let nearly = full
            .until
            .checked_sub(Duration::from_secs(60))
            .unwrap_or(full.until);
        if let Some(found) = found
            && found.until >= nearly
        {
            return Ok(Locked {
                stored,
                until: found.until.min(full.until),
            });
        }
        self.extend(&stored, full).await?;
        match self.lock_of(&stored).await? {
            Some(found) if found.until >= full.until => Ok(Locked {
                stored,
                until: full.until,
            }),
            _ => Err(self.not_kept(&stored)),
        }
    }

    /// The version's lock as the store has it.
    ///
    /// # Errors
    /// The store's.
    pub async fn lock_of(&self, stored: &Stored) -> StoreResult<Option<Retention>> {
        self.client
            .call(|store| store.retention(&stored.key, &stored.version_id))
            .await
    }

    /// Makes sure that the version is locked for at least as long as `full`, sending one request
    /// where the store does as it is asked: until one was read back, and for every 32nd from then
    /// on, a second one shows whether it does. A stricter lock keeps its mode.
    ///
    /// # Errors
    /// The store's refusal, where the version's lock is shorter.
    pub async fn ensure(&self, stored: &Stored, full: Retention) -> StoreResult<Extended> {
        let error = match self.extend(stored, full).await {
            Ok(()) => return self.prove_extended(stored, full).await,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(Extended::Gone),
            Err(error) => error,
        };
        match self.lock_of(stored).await {
            Ok(Some(held)) if held.until.as_second() >= full.until.as_second() => {
                Ok(Extended::Before)
            }
            Ok(Some(held)) if held.mode == Mode::Compliance && full.mode == Mode::Governance => {
                let until = full.until;
                let mode = held.mode;
                self.extend(stored, Retention { mode, until }).await?;
                Ok(Extended::Now)
            }
            Err(gone) if gone.kind == StoreErrorKind::NotFound => Ok(Extended::Gone),
            _ => Err(error),
        }
    }

    /// Reads an extension back where that is due.
    async fn prove_extended(&self, stored: &Stored, full: Retention) -> StoreResult<Extended> {
        let count = self.extended.fetch_add(1, Ordering::Relaxed);
        if self.extends.load(Ordering::Relaxed) && !count.is_multiple_of(SAMPLE) {
            return Ok(Extended::Now);
        }
        let until = self.lock_of(stored).await?.map(|held| held.until);
        let kept = until.is_some_and(|until| until.as_second() >= full.until.as_second());
        self.extends.store(kept, Ordering::Relaxed);
        if kept {
            return Ok(Extended::Now);
        }
        let ends = until.map_or_else(|| "it has none".to_owned(), |it| format!("it ends {it:.0}"));
        Err(StoreError {
            kind: StoreErrorKind::Unsupported,
            operation: "PutObjectRetention",
            place: format!("s3://{}/{}", self.client.target.bucket, stored.key),
            message: format!(
                "the store said that it extended the lock to {:.0}, and did not: {ends}",
                full.until
            ),
        })
    }

    /// Extends the version's lock.
    ///
    /// # Errors
    /// The store's.
    pub async fn extend(&self, stored: &Stored, retention: Retention) -> StoreResult<()> {
        self.client
            .call(|store| store.set_retention(&stored.key, &stored.version_id, retention))
            .await
    }

    fn not_kept(&self, stored: &Stored) -> Error {
        Error::Refused(format!(
            "s3://{} did not keep the lock of {} (version {}): no snapshot is committed; check \
             that object lock is enabled on the bucket and that the credentials may set retention, as `tidelock doctor` does",
            self.client.target.bucket, stored.key, stored.version_id
        ))
    }
}
