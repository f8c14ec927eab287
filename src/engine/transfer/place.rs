//! Placing a content that is known: decide for both targets, then do it.

use super::multipart::Bytesource;
use super::source::{SMALLEST_PART, Source};
use super::{Problem, Transfer};
use crate::engine::mirror::{MAX_COPY, Placed};
use crate::engine::versions::Locked;
use crate::model::{Action, Content, Entry, Error, Kind, Side, Stored, killpoint};
use crate::plan::{
    BackupStep, Copyable, Known, Mirror, SyncStep, SyncView, Task, backup_step, sync_step,
};
use crate::store::Condition;
use bytes::Bytes;

/// A file whose content is known.
pub(super) struct Placing<'a> {
    /// The file.
    pub(super) task: &'a Task,
    /// Its content.
    pub(super) content: Content,
    /// The sync target's object of unknown origin has the same content.
    pub(super) equal: bool,
}

/// The bytes, for the targets that need them.
pub(super) enum Payload<'a> {
    /// In one piece.
    Whole(Bytes),
    /// In parts, held in memory or still on disk.
    Parts(Bytesource<'a>),
    /// Not read at all so far: only where a target needs them.
    Unread(&'a Source),
}

/// What became of one target.
pub(super) struct Places {
    /// The version on the backup target.
    pub(super) backup: Option<Locked>,
    /// The object's ETag on the sync target.
    pub(super) sync: Option<Placed>,
}

impl Transfer {
    /// Places the content on both targets; the bytes go to each that needs them, at once.
    pub(super) async fn place(
        &self,
        placing: &Placing<'_>,
        payload: Payload<'_>,
    ) -> Result<(), Problem> {
        let task = placing.task;
        // Held until the content is remembered: whoever waits for it must find it then.
        let _claim = self.memory.claim(&placing.content).await;
        let elsewhere = self
            .memory
            .find(&placing.content, &task.seen.path)
            .await
            .map_err(Problem::state)?;
        let backup = self
            .place_without_bytes(placing, elsewhere.as_ref())
            .await?;
        let sync = self.sync_without_bytes(placing, elsewhere.as_ref()).await?;
        let backup = match (backup, &sync) {
            // The object has the content already, so it may be copied from there.
            (Step::Bytes(()), Step::Done(Some(Placed::Done(etag)))) => {
                let copied = self.copy_version(placing, etag).await;
                match copied.map_err(Problem::on(Side::Backup))? {
                    Some(locked) => Step::Done(Some(locked)),
                    None => Step::Bytes(()),
                }
            }
            (backup, _) => backup,
        };
        let upload = matches!(backup, Step::Bytes(()));
        let condition = match &sync {
            Step::Bytes(condition) => Some(condition.clone()),
            Step::Done(_) => None,
        };
        let sent = self.send_bytes(placing, payload, upload, condition).await?;
        let places = Places {
            backup: match backup {
                Step::Done(done) => done,
                Step::Bytes(()) => sent.backup,
            },
            sync: match sync {
                Step::Done(done) => done,
                Step::Bytes(_) => sent.sync,
            },
        };
        self.conclude(placing, places).await
    }

    async fn send_bytes(
        &self,
        placing: &Placing<'_>,
        payload: Payload<'_>,
        upload: bool,
        condition: Option<Condition>,
    ) -> Result<Places, Problem> {
        if !upload && condition.is_none() {
            return Ok(Places {
                backup: None,
                sync: None,
            });
        }
        match payload {
            Payload::Whole(bytes) => self.send_whole(placing, bytes, upload, condition).await,
            Payload::Parts(parts) => self.send_parts(placing, parts, upload, condition).await,
            Payload::Unread(source) if placing.content.size > SMALLEST_PART => {
                let parts = Bytesource::File(source);
                self.send_parts(placing, parts, upload, condition).await
            }
            Payload::Unread(source) => {
                let bytes = self.read_expected(source, placing).await?;
                self.send_whole(placing, bytes, upload, condition).await
            }
        }
    }

    async fn send_whole(
        &self,
        placing: &Placing<'_>,
        bytes: Bytes,
        upload: bool,
        condition: Option<Condition>,
    ) -> Result<Places, Problem> {
        let condition = match condition {
            Some(condition) if upload && self.copies() => {
                return self.send_whole_once(placing, bytes, condition).await;
            }
            condition => condition,
        };
        let body = bytes.clone();
        let backup = async {
            if upload {
                let put = self.put_version(placing, body).await;
                killpoint::reach("version-put");
                Some(put)
            } else {
                None
            }
        };
        let sync = async {
            match condition {
                Some(condition) => {
                    let put = self.put_object(placing, bytes, condition).await;
                    killpoint::reach("object-put");
                    Some(put)
                }
                None => None,
            }
        };
        let (backup, sync) = tokio::join!(backup, sync);
        self.settle(placing, backup, sync).await
    }

    /// Takes both targets' answers together: what one target has is remembered even where the
    /// other failed, so that it is not sent again.
    pub(super) async fn settle(
        &self,
        placing: &Placing<'_>,
        backup: Option<Result<Locked, Error>>,
        sync: Option<Result<Placed, Error>>,
    ) -> Result<Places, Problem> {
        let backup = backup.transpose().map_err(Problem::on(Side::Backup))?;
        match sync.transpose() {
            Ok(sync) => Ok(Places { backup, sync }),
            Err(error) => {
                if backup.is_some() {
                    let known = self.known(placing, backup, None);
                    self.memory.remember(known).await.map_err(Problem::state)?;
                }
                Err(Problem::Failed {
                    stage: "sync",
                    error,
                })
            }
        }
    }

    /// The backup target's step, as far as it needs no bytes.
    async fn place_without_bytes(
        &self,
        placing: &Placing<'_>,
        elsewhere: Option<&Known>,
    ) -> Result<Step<Option<Locked>, ()>, Problem> {
        let Some(backup) = &self.backup else {
            return Ok(Step::Done(None));
        };
        let (task, content) = (placing.task, placing.content);
        let own = task
            .known
            .as_deref()
            .filter(|known| known.entry.content == Some(content));
        let own = own
            .or(elsewhere.filter(|known| known.entry.path == task.seen.path))
            .filter(|known| known.entry.stored.is_some());
        let stored = |known: Option<&Known>| -> Option<Stored> { known?.entry.stored.clone() };
        let locked = |known: Option<&Known>, stored: Stored| {
            let until = known.and_then(|known| known.locked_until);
            // A lock that nothing is known of counts as run out; the commit looks at it.
            Locked {
                stored,
                until: until.unwrap_or(crate::model::Time::UNIX_EPOCH),
            }
        };
        Ok(Step::Done(Some(
            match backup_step(stored(own).as_ref(), stored(elsewhere).as_ref()) {
                BackupStep::Keep(stored) => {
                    if !self.backup_counted {
                        self.tally.backup_unchanged.one();
                    }
                    locked(own, stored)
                }
                BackupStep::Reference(stored) => {
                    self.tally.backup_referenced.one();
                    self.tell(task, Action::Reference, Side::Backup);
                    locked(elsewhere, stored)
                }
                BackupStep::Upload if self.leftovers => {
                    let found = backup.take_over(&task.seen.path, content).await;
                    match found.map_err(Problem::on(Side::Backup))? {
                        Some(locked) => {
                            self.tally.backup_unchanged.one();
                            locked
                        }
                        None => return Ok(Step::Bytes(())),
                    }
                }
                BackupStep::Upload => return Ok(Step::Bytes(())),
            },
        )))
    }

    /// The sync target's step, as far as it needs no bytes.
    async fn sync_without_bytes(
        &self,
        placing: &Placing<'_>,
        elsewhere: Option<&Known>,
    ) -> Result<Step<Option<Placed>, Condition>, Problem> {
        let Some(sync) = &self.sync else {
            return Ok(Step::Done(None));
        };
        let (task, content) = (placing.task, placing.content);
        let (path, mtime) = (&task.seen.path, task.seen.mtime);
        let step = sync_step(self.sync_view(placing, elsewhere));
        let done = |etag: String| Ok(Step::Done(Some(Placed::Done(etag))));
        let failed = Problem::store(Side::Sync);
        match step {
            SyncStep::Off => Ok(Step::Done(None)),
            SyncStep::Keep => {
                self.tally.sync_unchanged.one();
                done(task.mirror.etag().unwrap_or_default().to_owned())
            }
            SyncStep::Adopt { etag } => {
                self.tally.sync_unchanged.one();
                self.tell(task, Action::Adopt, Side::Sync);
                done(etag)
            }
            SyncStep::Touch { etag } if content.size > MAX_COPY => {
                tracing::warn!(%path, "too large for a copy: the mirror's object keeps its time");
                done(etag)
            }
            SyncStep::Touch { etag } => {
                let placed = sync
                    .touch(path, mtime, content, &etag)
                    .await
                    .map_err(failed)?;
                self.copied(task, &placed);
                Ok(Step::Done(Some(placed)))
            }
            SyncStep::Copy { source, condition } if content.size <= MAX_COPY => {
                let placed = sync.copy(path, mtime, content, &source, &condition).await;
                match placed.map_err(failed)? {
                    // The source may have gone as well as the destination: bytes can't be wrong.
                    Placed::Mismatch => Ok(Step::Bytes(condition)),
                    placed => {
                        self.copied(task, &placed);
                        Ok(Step::Done(Some(placed)))
                    }
                }
            }
            SyncStep::Copy { condition, .. } | SyncStep::Upload { condition } => {
                Ok(Step::Bytes(condition))
            }
            SyncStep::Rescue => Ok(Step::Done(Some(Placed::Mismatch))),
        }
    }

    fn copied(&self, task: &Task, placed: &Placed) {
        if matches!(placed, Placed::Done(_)) {
            self.tally.sync_copied.one();
            self.tell(task, Action::Copy, Side::Sync);
        }
    }

    fn sync_view<'a>(&self, placing: &'a Placing<'_>, elsewhere: Option<&Known>) -> SyncView<'a> {
        let task = placing.task;
        let known = task.known.as_deref();
        let same_content = known.is_some_and(|known| known.entry.content == Some(placing.content));
        let same_time = self.ignore_mtime
            || known.is_some_and(|known| known.entry.mtime == Some(task.seen.mtime));
        SyncView {
            mirror: &task.mirror,
            known,
            same_content,
            same_time,
            equal: placing.equal,
            copyable: elsewhere.and_then(|known| self.copyable(task, known)),
        }
    }

    fn copyable(&self, task: &Task, known: &Known) -> Option<Copyable> {
        let etag = known.entry.sync_etag.clone()?;
        if known.entry.path == task.seen.path {
            return None;
        }
        Some(Copyable {
            key: self.sync.as_ref()?.key(&known.entry.path),
            etag,
        })
    }

    /// Remembers what is where; a mirror that could not be written for its foreign content comes
    /// back as `Rescue`.
    pub(super) async fn conclude(
        &self,
        placing: &Placing<'_>,
        places: Places,
    ) -> Result<(), Problem> {
        let etag = match &places.sync {
            Some(Placed::Done(etag)) => Some(etag.clone()),
            _ => None,
        };
        let mismatch = matches!(places.sync, Some(Placed::Mismatch));
        let known = self.known(placing, places.backup, etag);
        killpoint::reach("placed");
        self.memory.remember(known).await.map_err(Problem::state)?;
        killpoint::reach("remembered");
        if mismatch {
            return self.rescue(placing.task).await;
        }
        Ok(())
    }

    /// Looks at what is on the sync target now: that is what must be rescued.
    async fn rescue(&self, task: &Task) -> Result<(), Problem> {
        let Some(sync) = &self.sync else {
            return Err(Problem::Changed);
        };
        let key = sync.key(&task.seen.path);
        let head = sync.look(&key).await.map_err(Problem::store(Side::Sync))?;
        Err(Problem::Rescue(match head {
            Some(head) => Mirror::Foreign { etag: head.etag },
            None => Mirror::Absent,
        }))
    }

    pub(super) fn known(
        &self,
        placing: &Placing<'_>,
        backup: Option<Locked>,
        sync_etag: Option<String>,
    ) -> Known {
        let Placing { task, content, .. } = placing;
        let seen = &task.seen;
        let before = task
            .known
            .as_deref()
            .filter(|known| known.entry.content == Some(*content));
        let kept_time = before
            .filter(|_| self.ignore_mtime)
            .and_then(|known| known.entry.mtime);
        let mut entry = Entry::new(seen.path.clone(), Kind::File);
        entry.mtime = kept_time.or(Some(seen.mtime));
        entry.mode = Some(seen.mode);
        entry.content = Some(*content);
        entry.hardlink = task.hardlink.clone();
        entry.sync_etag = match self.sync {
            Some(_) => sync_etag,
            // The mirror was not looked at: what it held before, it holds still.
            None => before.and_then(|known| known.entry.sync_etag.clone()),
        };
        let before = before.filter(|_| self.backup.is_none());
        entry.stored = match &backup {
            Some(locked) => Some(locked.stored.clone()),
            None => before.and_then(|known| known.entry.stored.clone()),
        };
        Known {
            entry,
            identity: seen.identity,
            device: seen.device,
            locked_until: backup
                .map(|locked| locked.until)
                .or(before.and_then(|known| known.locked_until)),
            committed: false,
        }
    }
}

/// A step that is done, or that needs the bytes.
enum Step<D, B> {
    Done(D),
    Bytes(B),
}
