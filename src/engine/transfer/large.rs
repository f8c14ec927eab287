//! Files of more than one part.

use super::copying::only_sync_failed;
use super::multipart::{Bytesource, Sending, Session};
use super::place::{Payload, Places, Placing};
use super::sessions::Opened;
use super::source::{Source, part_len};
use super::{Problem, Transfer};
use crate::model::etag::Expected;
use crate::model::{Content, Result, Side, StoreErrorKind};
use crate::plan::{Known, Mirror, Task};
use crate::store::Condition;

impl Transfer {
    /// A file that is new for all that is known is sent while it is read. One whose content may
    /// be stored already (touched, moved, or mirrored by another tool) is hashed first, and sent
    /// from memory, or read again where it does not fit there.
    pub(super) async fn large(&self, task: &Task, source: &Source) -> Result<(), Problem> {
        // Few at a time fill the line; many would all be half done whenever a run is cut short.
        let parts = task.seen.size.div_ceil(part_len(task.seen.size));
        let parallel = u32::try_from(self.parallel_parts).unwrap_or(u32::MAX);
        let width = u32::try_from(parts).unwrap_or(u32::MAX).min(parallel);
        let _turn = self.turns.acquire_many(width.max(1)).await;
        if !self.may_be_stored(task).await.map_err(Problem::state)? {
            return self.stream(task, source).await;
        }
        let expected = self.expected_of_large(task).await?;
        let whole = source.whole(&self.buffers, expected).await?;
        self.tally.hashed.one();
        self.tally.bytes_read.add(whole.content.size);
        let equal = whole.equal || self.equal_by_head(task, &whole.content).await?;
        let bytes = match whole.share {
            Some(_) => Bytesource::Held(&whole.parts),
            None => Bytesource::File(source),
        };
        let placing = Placing {
            task,
            content: whole.content,
            equal,
        };
        self.place(&placing, Payload::Parts(bytes)).await
    }

    async fn may_be_stored(&self, task: &Task) -> Result<bool> {
        let seen = &task.seen;
        let same_size = |known: &Known| known.entry.size() == seen.size;
        let path = task.seen.path.clone();
        let now = self.memory.state().get(path).await?;
        let same_now = now.is_some_and(|found| found.row.entry.size() == seen.size);
        Ok(same_now
            || task.hardlink.is_some()
            || self.may_be_left(task).await?
            || task.known.as_deref().is_some_and(same_size)
            || matches!(&task.mirror, Mirror::Unknown { size, .. } if *size == seen.size)
            || self.memory.is_like(seen.size, seen.mtime).await?)
    }

    /// Whether a run that died may have left a version of this file that nothing names.
    async fn may_be_left(&self, task: &Task) -> Result<bool> {
        let Some(backup) = self.backup.as_ref().filter(|_| self.leftovers) else {
            return Ok(false);
        };
        let key = backup.key(&task.seen.path);
        let versions = backup.client().versions_of(&key).await?;
        let size = task.seen.size;
        Ok(versions
            .iter()
            .any(|version| !version.delete_marker && version.size == size))
    }

    /// What the mirror's object tells of its bytes. Large objects were mostly sent in parts, so
    /// the store is asked: rclone leaves the file's MD5 in the metadata.
    async fn expected_of_large(&self, task: &Task) -> Result<Option<Expected>, Problem> {
        let plain = self.expected(task);
        let (Some(Expected::Parts { .. }) | None, Mirror::Unknown { size, .. }) =
            (&plain, &task.mirror)
        else {
            return Ok(plain);
        };
        let Some(sync) = self.sync.as_ref().filter(|_| *size == task.seen.size) else {
            return Ok(plain);
        };
        let head = sync.look(&sync.key(&task.seen.path)).await;
        let head = head.map_err(Problem::store(Side::Sync))?;
        let md5 = head.and_then(|head| {
            let found = head
                .metadata
                .into_iter()
                .find(|(name, _)| name == "md5chksum");
            Expected::from_md5chksum(&found?.1)
        });
        Ok(md5.or(plain))
    }

    /// Sends a file to both targets while it is read for the first time.
    async fn stream(&self, task: &Task, source: &Source) -> Result<(), Problem> {
        let mut sides = Vec::new();
        let condition = self.mirror_condition(task)?;
        let once = condition.is_some() && self.copies();
        if self.backup.is_some() && !once {
            sides.push(Side::Backup);
        }
        if condition.is_some() {
            sides.push(Side::Sync);
        }
        let mut failed = None;
        let (opened, content) = match self.send_new(task, source, &sides).await {
            Err(problem) if once => {
                // The backup gets the bytes all the same.
                failed = Some(only_sync_failed(problem)?);
                self.send_new(task, source, &[Side::Backup]).await?
            }
            sent => sent?,
        };
        let placing = Placing {
            task,
            content,
            equal: false,
        };
        let _claim = self.memory.claim(&content).await;
        let stored = self
            .memory
            .find(&content, &task.seen.path)
            .await
            .map_err(Problem::state)?;
        let stored = stored.filter(|known| known.entry.stored.is_some());
        let places = match condition.filter(|_| failed.is_none()) {
            Some(condition) if once && stored.is_none() => {
                let bytes = Bytesource::File(source);
                self.complete_once(&placing, &opened, condition, bytes)
                    .await?
            }
            condition => self.complete(&placing, &opened, condition, stored).await?,
        };
        self.conclude(&placing, places).await?;
        match failed {
            Some(error) => Err(Problem::on(Side::Sync)(error)),
            None => Ok(()),
        }
    }

    /// Sends a file that is read for the first time; nothing is completed.
    async fn send_new(
        &self,
        task: &Task,
        source: &Source,
        sides: &[Side],
    ) -> Result<(Opened, Content), Problem> {
        let opened = self
            .open_sessions(task, part_len(task.seen.size), sides)
            .await?;
        let content = self.send_from_disk(task, source, &opened).await?;
        self.tally.hashed.one();
        Ok((opened, content))
    }

    /// On which condition a large file may be sent to the mirror at once. What the plan could not
    /// clear for overwriting is deferred.
    fn mirror_condition(&self, task: &Task) -> Result<Option<Condition>, Problem> {
        match &task.mirror {
            Mirror::Off => Ok(None),
            Mirror::Absent => Ok(Some(Condition::IfAbsent)),
            Mirror::Cleared { etag } => Ok(Some(Condition::IfMatch(etag.clone()))),
            Mirror::Holds { etag }
                if task.known.as_deref().is_some_and(|known| known.committed) =>
            {
                Ok(Some(Condition::IfMatch(etag.clone())))
            }
            Mirror::Holds { etag } | Mirror::Unknown { etag, .. } | Mirror::Foreign { etag } => {
                Err(Problem::Rescue(Mirror::Foreign { etag: etag.clone() }))
            }
        }
    }

    /// Sends parts whose content is known to those targets that need it.
    pub(super) async fn send_parts(
        &self,
        placing: &Placing<'_>,
        bytes: Bytesource<'_>,
        upload: bool,
        condition: Option<Condition>,
    ) -> Result<Places, Problem> {
        if let Some(condition) = condition.clone().filter(|_| upload && self.copies()) {
            return self.send_parts_once(placing, bytes, condition).await;
        }
        let mut sides = Vec::new();
        if upload {
            sides.push(Side::Backup);
        }
        if condition.is_some() {
            sides.push(Side::Sync);
        }
        let opened = self.send_known(placing, bytes, &sides).await?;
        self.complete(placing, &opened, condition, None).await
    }

    /// Sends parts whose content is known; nothing is completed.
    pub(super) async fn send_known(
        &self,
        placing: &Placing<'_>,
        bytes: Bytesource<'_>,
        sides: &[Side],
    ) -> Result<Opened, Problem> {
        let task = placing.task;
        let opened = self
            .open_sessions(task, part_len(task.seen.size), sides)
            .await?;
        let content = match bytes {
            Bytesource::File(source) => self.send_from_disk(task, source, &opened).await?,
            Bytesource::Held(_) => self.send_all(task, bytes, &opened).await?,
        };
        if content != placing.content {
            self.give_up(&opened.sessions)
                .await
                .map_err(Problem::state)?;
            return Err(Problem::Changed);
        }
        Ok(opened)
    }

    /// Sends all parts from disk, and makes sure that they are of one state of the file.
    async fn send_from_disk(
        &self,
        task: &Task,
        source: &Source,
        opened: &Opened,
    ) -> Result<Content, Problem> {
        let sent = self.send_all(task, Bytesource::File(source), opened).await;
        let unchanged = source.check_unchanged().await;
        match (sent, unchanged) {
            (Ok(content), Ok(())) => Ok(content),
            (Err(Problem::Changed), _) | (_, Err(_)) => {
                self.give_up(&opened.sessions)
                    .await
                    .map_err(Problem::state)?;
                Err(Problem::Changed)
            }
            (Err(problem), _) => Err(problem),
        }
    }

    async fn send_all(
        &self,
        task: &Task,
        bytes: Bytesource<'_>,
        opened: &Opened,
    ) -> Result<Content, Problem> {
        let sending = Sending {
            transfer: self,
            bytes,
            size: task.seen.size,
            part_len: part_len(task.seen.size),
            sessions: &opened.sessions,
            known: &opened.known,
        };
        let content = sending.send_all().await;
        self.first_failure(task, &opened.sessions).await?;
        content
    }

    /// A target that dropped its upload makes the file start over; other failures are looked at
    /// when the upload is completed, so that the other target still gets the file.
    async fn first_failure(&self, task: &Task, sessions: &[Session]) -> Result<(), Problem> {
        for session in sessions {
            let Some(error) = session.failure() else {
                continue;
            };
            if error.kind == StoreErrorKind::NoSuchUpload {
                let session = std::slice::from_ref(session);
                self.give_up(session).await.map_err(Problem::state)?;
                return Err(Problem::Restart(task.mirror.clone()));
            }
            if sessions.len() == 1 || super::ends_the_run(&error.clone().into()) {
                let stage = session.client.side.as_str();
                return Err(Problem::Failed {
                    stage,
                    error: error.into(),
                });
            }
        }
        Ok(())
    }
}
