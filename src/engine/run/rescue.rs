//! Keeping what the mirror holds and no snapshot knows, before it is overwritten or deleted.

use super::Run;
use crate::engine::mirror::MirrorWriter;
use crate::engine::transfer::{ends_the_run, part_len};
use crate::engine::versions::{Locked, Versions};
use crate::model::subtree;
use crate::model::{
    Action, Content, Crc64, Entry, Error, Event, Kind, RelPath, Result, Side, Time, killpoint, time,
};
use crate::plan::{Extra, Mirror, Task};
use crate::snapshot::Named;
use crate::store::{ByteRange, Complete, Condition, Head};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::sync::Arc;

/// Objects that may be deleted once the run's snapshot is committed, and what had to be kept of
/// them.
#[derive(Default)]
pub(super) struct Doomed {
    /// Their content is in a snapshot by then.
    pub(super) extras: Vec<Extra>,
    /// To be named by the run's snapshot.
    pub(super) rescued: Vec<Named>,
}

/// Objects rescued at a time; each may need a part in memory.
const AT_A_TIME: usize = 4;

/// An object that changes again whenever it is looked at is left alone in the end.
const ROUNDS: u32 = 5;

impl Run {
    /// Rescues the mirror's objects that these tasks would overwrite, commits a snapshot that
    /// names them, and clears the tasks.
    ///
    /// An object as long as the file may be equal to it; whether it is shows when the file is
    /// read, so it is left for the time being: the task comes back if it is not.
    pub(super) async fn rescue_before(&mut self, tasks: &mut [Task]) -> Result<()> {
        let Some(sync) = self.sync.clone() else {
            return Ok(());
        };
        let Some(backup) = &self.backup else {
            tasks.iter_mut().for_each(clear);
            return Ok(());
        };
        let versions = Arc::clone(&backup.versions);
        let doubtful: Vec<&mut Task> = tasks.iter_mut().filter(|task| must_rescue(task)).collect();
        if doubtful.is_empty() {
            return Ok(());
        }
        self.events.send(Event::Phase("rescue"));
        let this = &*self;
        let rescues = stream::iter(doubtful)
            .map(|task| this.rescue_or_leave(&sync, &versions, task))
            .buffered(AT_A_TIME)
            .try_collect();
        let rescued: Vec<Option<Named>> = this.stop.cuts(rescues).await?;
        let rescued: Vec<Named> = rescued.into_iter().flatten().collect();
        if !rescued.is_empty() {
            self.commit_rescued(rescued, false).await?;
        }
        Ok(())
    }

    /// Rescues what is about to be deleted and no committed snapshot knows. What changed since
    /// the listing is looked at again; what is gone by then needs nothing.
    pub(super) async fn rescue_doomed(&mut self, extras: Vec<Extra>) -> Result<Doomed> {
        let (Some(sync), Some(backup)) = (self.sync.clone(), &self.backup) else {
            return Ok(Doomed {
                extras,
                rescued: Vec::new(),
            });
        };
        let versions = Arc::clone(&backup.versions);
        let (safe, mut unknown): (Vec<_>, Vec<_>) = extras.into_iter().partition(is_committed);
        let mut doomed = Doomed {
            extras: safe,
            rescued: Vec::new(),
        };
        for _ in 0..ROUNDS {
            if unknown.is_empty() {
                return Ok(doomed);
            }
            let changed = self
                .rescue_extras(&sync, &versions, unknown, &mut doomed)
                .await?;
            unknown = self.look_again(&sync, changed).await?;
        }
        self.leave(unknown);
        Ok(doomed)
    }

    /// Returns those that are no longer what was seen.
    async fn rescue_extras(
        &self,
        sync: &MirrorWriter,
        versions: &Versions,
        unknown: Vec<Extra>,
        doomed: &mut Doomed,
    ) -> Result<Vec<Extra>> {
        let mut changed = Vec::new();
        let mut rescues = stream::iter(unknown)
            .map(|extra| async move {
                let object = &extra.object;
                let path = rescue_path(&object.path);
                let named = self
                    .rescue_object(sync, versions, &path, &object.key, &object.etag)
                    .await;
                (extra, named)
            })
            .buffered(AT_A_TIME);
        while let Some((extra, named)) = rescues.next().await {
            match named {
                Ok(Some(named)) => {
                    doomed.rescued.push(named);
                    doomed.extras.push(extra);
                }
                Ok(None) => changed.push(extra),
                Err(error) if ends_the_run(&error) => return Err(error),
                Err(error) => self.not_rescued(&extra.object.path, &error),
            }
        }
        Ok(changed)
    }

    /// A task whose object can't be rescued (archived, or not readable with these credentials)
    /// leaves the mirror alone; its backup goes on.
    async fn rescue_or_leave(
        &self,
        sync: &MirrorWriter,
        versions: &Versions,
        task: &mut Task,
    ) -> Result<Option<Named>> {
        match self.rescue_task(sync, versions, task).await {
            Err(error) if !ends_the_run(&error) => {
                self.not_rescued(&task.seen.path, &error);
                task.mirror = Mirror::Off;
                Ok(None)
            }
            ended => ended,
        }
    }

    fn not_rescued(&self, path: &RelPath, error: &Error) {
        self.tally.sync_failed.one();
        let message = format!(
            "the mirror's object, which no snapshot knows, could not be kept, so it was left as it \
             is: {error}"
        );
        self.fail(path.to_string(), "rescue", message);
    }

    async fn rescue_task(
        &self,
        sync: &MirrorWriter,
        versions: &Versions,
        task: &mut Task,
    ) -> Result<Option<Named>> {
        let Some(etag) = task.mirror.etag().map(str::to_owned) else {
            return Ok(None);
        };
        let path = &task.seen.path;
        let key = sync.key(path);
        match self
            .rescue_object(sync, versions, path, &key, &etag)
            .await?
        {
            Some(named) => {
                task.mirror = Mirror::Cleared { etag };
                Ok(Some(named))
            }
            // It changed again or is gone: the next look decides.
            None => {
                let head = sync.look(&key).await?;
                task.mirror = match head {
                    Some(head) => Mirror::Foreign { etag: head.etag },
                    None => Mirror::Absent,
                };
                Ok(None)
            }
        }
    }

    /// Makes sure that an object's content is a locked version. None if the object is no longer
    /// the one with this ETag.
    async fn rescue_object(
        &self,
        sync: &MirrorWriter,
        versions: &Versions,
        path: &RelPath,
        key: &str,
        etag: &str,
    ) -> Result<Option<Named>> {
        let Some(head) = sync.look(key).await?.filter(|head| head.etag == etag) else {
            return Ok(None);
        };
        let Some((content, locked)) = self.keep(sync, versions, path, key, &head).await? else {
            return Ok(None);
        };
        killpoint::reach("version-rescued");
        let size = content.size;
        let event = Event::File {
            path: path.clone(),
            action: Action::Rescue,
            side: Some(Side::Backup),
            size,
            planned: false,
        };
        self.events.send(event);
        let mut entry = Entry::new(path.clone(), Kind::File);
        entry.mtime = Some(mtime_of(&head));
        entry.content = Some(content);
        entry.stored = Some(locked.stored);
        entry.sync_etag = Some(etag.to_owned());
        Ok(Some(Named {
            entry,
            locked_until: Some(locked.until),
        }))
    }

    async fn keep(
        &self,
        sync: &MirrorWriter,
        versions: &Versions,
        path: &RelPath,
        key: &str,
        head: &Head,
    ) -> Result<Option<(Content, Locked)>> {
        let part_len = part_len(head.size);
        if head.size <= part_len {
            let Some(bytes) = fetch(sync, key, head, 0, part_len).await? else {
                return Ok(None);
            };
            let content = Content::of(&bytes);
            if let Some(locked) = self.stored_already(versions, path, content).await? {
                return Ok(Some((content, locked)));
            }
            let locked = versions.put(path, bytes, content).await?;
            self.count_rescued(content);
            return Ok(Some((content, locked)));
        }
        self.keep_large(sync, versions, path, key, head, part_len)
            .await
    }

    async fn keep_large(
        &self,
        sync: &MirrorWriter,
        versions: &Versions,
        path: &RelPath,
        key: &str,
        head: &Head,
        part_len: u64,
    ) -> Result<Option<(Content, Locked)>> {
        let upload_id = versions.begin(path).await?;
        let backup_key = versions.key(path);
        let client = versions.client();
        let mut parts = Vec::new();
        let mut hashes = Vec::new();
        let mut crc = Crc64::of(&[]);
        let mut offset = 0;
        while offset < head.size {
            let Some(bytes) = fetch(sync, key, head, offset, part_len).await? else {
                client.abandon(&backup_key, &upload_id).await;
                return Ok(None);
            };
            let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
            let (len, part_crc) = (bytes.len() as u64, Crc64::of(&bytes));
            hashes.push(subtree::hash_part(&bytes, offset));
            crc = crc.followed_by(part_crc, len);
            parts.push(
                client
                    .send_part(&backup_key, &upload_id, number, bytes, part_crc)
                    .await?,
            );
            offset += len;
        }
        let blake3 = subtree::merge_parts(&hashes)
            .ok_or_else(|| Error::Failed(format!("{key}: fewer than two parts")))?;
        let content = Content {
            size: head.size,
            blake3,
            crc64nvme: crc,
        };
        if let Some(locked) = self.stored_already(versions, path, content).await? {
            client.abandon(&backup_key, &upload_id).await;
            return Ok(Some((content, locked)));
        }
        let complete = Complete {
            key: backup_key,
            upload_id,
            parts,
            crc64nvme: Some(crc),
            size: head.size,
            condition: Condition::Always,
        };
        let locked = versions.complete(complete, content).await?;
        self.count_rescued(content);
        Ok(Some((content, locked)))
    }

    fn count_rescued(&self, content: Content) {
        self.tally.backup_uploaded.one();
        self.tally.backup_bytes.add(content.size);
    }

    /// A version with this content: one that is remembered, or one of the same path that an
    /// older snapshot or a crashed run has left.
    async fn stored_already(
        &self,
        versions: &Versions,
        path: &RelPath,
        content: Content,
    ) -> Result<Option<Locked>> {
        let known = self.memory.find(&content, path).await?;
        match known.and_then(|known| known.entry.stored) {
            // No later renewal looks at it: what is remembered of its path may be gone by then.
            Some(stored) => versions.ensure_full(stored).await.map(Some),
            None => versions.take_over(path, content).await,
        }
    }
}

/// Without a backup target nothing can be kept: the mirror's deletes and overwrites are final, and
/// the user was told so.
fn clear(task: &mut Task) {
    if must_rescue(task)
        && let Some(etag) = task.mirror.etag()
    {
        task.mirror = Mirror::Cleared {
            etag: etag.to_owned(),
        };
    }
}

/// Whether it is certain that the task would overwrite what no committed snapshot holds.
fn must_rescue(task: &Task) -> bool {
    match &task.mirror {
        Mirror::Foreign { .. } => true,
        Mirror::Unknown { size, .. } => *size != task.seen.size,
        Mirror::Holds { .. } => {
            !task.same && !task.known.as_deref().is_some_and(|known| known.committed)
        }
        Mirror::Off | Mirror::Absent | Mirror::Cleared { .. } => false,
    }
}

fn is_committed(extra: &Extra) -> bool {
    let stored = |known: &crate::plan::Known| known.committed && known.entry.stored.is_some();
    extra.holds.as_ref().is_some_and(stored)
}

/// Reads a range of exactly this object; none if it has changed or gone meanwhile.
async fn fetch(
    sync: &MirrorWriter,
    key: &str,
    head: &Head,
    offset: u64,
    len: u64,
) -> Result<Option<Bytes>> {
    let last = head.size.min(offset + len).saturating_sub(1);
    let range = (head.size > 0).then_some(ByteRange {
        first: offset,
        last,
    });
    let client = sync.client();
    match client
        .call(|store| store.get(key, head.version_id.as_deref(), range))
        .await
    {
        Ok(fetched) if fetched.etag == head.etag => Ok(Some(fetched.body)),
        Ok(_) => Ok(None),
        Err(error) if error.kind == crate::model::StoreErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn mtime_of(head: &Head) -> Time {
    let noted = head.metadata.iter().find(|(name, _)| name == "mtime");
    noted
        .and_then(|(_, text)| time::from_decimal_seconds(text))
        .unwrap_or(head.last_modified)
}

/// The path under which an object is kept that no path of a library can stand for: `a//b` or `a/`.
/// Such segments get an underscore, so that the version has a key that every store takes.
fn rescue_path(path: &RelPath) -> RelPath {
    if RelPath::from_untrusted(path.as_bytes()).is_ok() {
        return path.clone();
    }
    let segments: Vec<Vec<u8>> = path
        .segments()
        .map(|segment| match segment {
            b"" | b"." | b".." => [b"_", segment].concat(),
            _ => segment
                .iter()
                .map(|&byte| if byte == 0 { b'_' } else { byte })
                .collect(),
        })
        .collect();
    RelPath::new(segments.join(&b'/'))
}
