//! Content that goes up once: to the sync target, and from there by the store to the backup target.

use super::multipart::Bytesource;
use super::place::{Places, Placing};
use super::sessions::Opened;
use super::source::part_len;
use super::{Problem, Transfer, ends_the_run};
use crate::engine::mirror::{MAX_COPY, MirrorWriter, Placed};
use crate::engine::versions::{Copied, Locked, Versions};
use crate::model::{Action, Error, Event, Result, Side, killpoint};
use crate::state::{UploadId, UploadRow};
use crate::store::{Condition, CopySource};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};

/// The way by which versions are copied instead of sent, for as long as the store goes along.
#[derive(Debug)]
pub struct Copies {
    closed: AtomicBool,
    /// Larger objects are copied in parts.
    most: u64,
}

impl Default for Copies {
    fn default() -> Self {
        Self::in_parts_above(MAX_COPY)
    }
}

impl Copies {
    /// For tests: objects of more than `most` bytes are copied in parts.
    pub fn in_parts_above(most: u64) -> Self {
        Self {
            closed: AtomicBool::new(false),
            most,
        }
    }

    /// Whether the store has gone along so far.
    pub fn are_open(&self) -> bool {
        !self.closed.load(Ordering::Relaxed)
    }
}

impl Transfer {
    /// The way, and both of its ends, where new content goes by it.
    fn copying(&self) -> Option<(&Copies, &MirrorWriter, &Versions)> {
        let copies = self.copies.as_deref().filter(|copies| copies.are_open())?;
        Some((copies, self.sync.as_deref()?, self.backup.as_deref()?))
    }

    /// Whether what is sent to the sync target is copied from there.
    pub(super) fn copies(&self) -> bool {
        self.copying().is_some()
    }

    /// A version copied from the path's object, which holds the content as long as it has this
    /// ETag. None where the bytes have to be sent: the store does not copy, or the object is
    /// someone else's by now.
    ///
    /// # Errors
    /// As a version that is sent; above all where nobody knows whether the copy was made.
    pub(super) async fn copy_version(
        &self,
        placing: &Placing<'_>,
        etag: &str,
    ) -> Result<Option<Locked>> {
        let Some((copies, sync, backup)) = self.copying() else {
            return Ok(None);
        };
        let (path, content) = (&placing.task.seen.path, placing.content);
        let source = CopySource {
            bucket: sync.client().target.bucket.clone(),
            key: sync.key(path),
            version_id: None,
            if_match: Some(etag.to_owned()),
        };
        let copied = if content.size <= copies.most {
            backup.copy(path, &source, content).await?
        } else {
            self.copy_large(placing, backup, &source).await?
        };
        killpoint::reach("version-copied");
        match copied {
            Copied::Done(locked) => {
                self.tally.backup_copied.one();
                self.tell(placing.task, Action::Copy, Side::Backup);
                return Ok(Some(locked));
            }
            Copied::Changed(why) => {
                tracing::warn!(%path, why, "not copied: the bytes are sent to the backup target");
            }
            Copied::Refused(why) => self.close(copies, &why),
        }
        Ok(None)
    }

    /// From now on the bytes go up twice.
    fn close(&self, copies: &Copies, why: &str) {
        if copies.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        self.events.send(Event::Warning(format!(
            "the store does not copy from the sync target to the backup target, so from here on \
             new content is sent to both: {why}"
        )));
    }

    /// The upload is noted, so that a run that dies leaves none behind for good. With no part
    /// length it is never taken for one that bytes can be sent to.
    async fn copy_large(
        &self,
        placing: &Placing<'_>,
        backup: &Versions,
        source: &CopySource,
    ) -> Result<Copied> {
        let (seen, content) = (&placing.task.seen, placing.content);
        let part_len = part_len(content.size);
        let mut again = true;
        loop {
            let id = UploadId {
                side: Side::Backup,
                key: backup.key(&seen.path),
                upload_id: backup.begin_copy(&seen.path, content).await?,
            };
            killpoint::reach("copy-begun");
            let created = backup.client().call(|store| store.now()).await?;
            let row = UploadRow {
                id: id.clone(),
                part_size: 0,
                path: seen.path.clone(),
                size: seen.size,
                mtime: seen.mtime,
                identity: seen.identity,
                device: seen.device,
                created,
            };
            self.memory.state().save_upload(row).await?;
            let (upload, jobs) = (&id.upload_id, self.parallel_parts);
            let copied = backup
                .copy_in_parts(&seen.path, upload, source, content, part_len, jobs)
                .await?;
            if !matches!(copied, Copied::Done(_)) {
                backup.client().abandon(&id.key, upload).await;
            }
            self.memory.state().remove_upload(id).await?;
            // Where the store knows no checksums of copied parts, an upload without them will do.
            if !(again && matches!(copied, Copied::Refused(_))) {
                return Ok(copied);
            }
            again = false;
        }
    }

    /// A file of one part: to the sync target, then by the store to the backup target. Where either
    /// fails, the backup gets the bytes all the same.
    pub(super) async fn send_whole_once(
        &self,
        placing: &Placing<'_>,
        bytes: Bytes,
        condition: Condition,
    ) -> Result<Places, Problem> {
        let sync = self.put_object(placing, bytes.clone(), condition).await;
        killpoint::reach("object-put");
        let backup = match self.copied_from(placing, &sync).await {
            Ok(None) => self.put_version(placing, bytes).await,
            Ok(Some(locked)) => Ok(locked),
            Err(error) => Err(error),
        };
        self.settle(placing, Some(backup), Some(sync)).await
    }

    /// The version, if the object is there now and the store copies it.
    pub(super) async fn copied_from(
        &self,
        placing: &Placing<'_>,
        sync: &Result<Placed>,
    ) -> Result<Option<Locked>> {
        match sync {
            Ok(Placed::Done(etag)) => self.copy_version(placing, etag).await,
            _ => Ok(None),
        }
    }

    /// All parts are at the sync target: completes them there, then makes the version.
    pub(super) async fn complete_once(
        &self,
        placing: &Placing<'_>,
        opened: &Opened,
        condition: Condition,
        bytes: Bytesource<'_>,
    ) -> Result<Places, Problem> {
        let Some(session) = opened.sessions.first() else {
            return Err(Problem::Changed);
        };
        let sync = self.complete_object(placing, session, condition).await;
        if super::complete::purged(&sync) {
            return Err(self.start_over(placing, &opened.sessions, None, None).await);
        }
        let backup = match self.copied_from(placing, &sync).await {
            Ok(None) => Ok(self.send_version(placing, bytes).await?),
            Ok(Some(locked)) => Ok(locked),
            Err(error) => Err(error),
        };
        self.settle(placing, Some(backup), Some(sync)).await
    }

    /// Parts whose content is known, otherwise as [`Self::send_whole_once`].
    pub(super) async fn send_parts_once(
        &self,
        placing: &Placing<'_>,
        bytes: Bytesource<'_>,
        condition: Condition,
    ) -> Result<Places, Problem> {
        match self.send_known(placing, bytes, &[Side::Sync]).await {
            Ok(opened) => self.complete_once(placing, &opened, condition, bytes).await,
            Err(problem) => {
                let error = only_sync_failed(problem)?;
                let locked = self.send_version(placing, bytes).await?;
                self.settle(placing, Some(Ok(locked)), Some(Err(error)))
                    .await
            }
        }
    }

    /// Sends parts to the backup target alone.
    pub(super) async fn send_version(
        &self,
        placing: &Placing<'_>,
        bytes: Bytesource<'_>,
    ) -> Result<Locked, Problem> {
        let opened = self.send_known(placing, bytes, &[Side::Backup]).await?;
        let places = self.complete(placing, &opened, None, None).await?;
        places.backup.ok_or(Problem::Changed)
    }
}

/// Why the sync target, which the bytes were sent to first, got them not; none where that ends more
/// than this file's way to it.
pub(super) fn only_sync_failed(problem: Problem) -> Result<Error, Problem> {
    match problem {
        Problem::Failed {
            stage: "sync",
            error,
        } if !ends_the_run(&error) => Ok(error),
        other => Err(other),
    }
}
