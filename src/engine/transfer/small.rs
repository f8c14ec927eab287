//! Files of up to one part: read into memory, one request to each target.

use super::place::{Payload, Placing};
use super::source::Source;
use super::{Problem, Transfer};
use crate::engine::mirror::Placed;
use crate::engine::versions::Locked;
use crate::model::etag::Expected;
use crate::model::{Content, Error, Side};
use crate::plan::{Mirror, Task};
use crate::store::Condition;
use bytes::Bytes;

impl Transfer {
    pub(super) async fn small(&self, task: &Task, source: &Source) -> Result<(), Problem> {
        let whole = source.whole(&self.buffers, self.expected(task)).await?;
        self.tally.hashed.one();
        self.tally.bytes_read.add(whole.content.size);
        let equal = whole.equal || self.equal_by_head(task, &whole.content).await?;
        let bytes = whole.parts.into_iter().next().unwrap_or_default();
        let placing = Placing {
            task,
            content: whole.content,
            equal,
        };
        self.place(&placing, Payload::Whole(bytes)).await
    }

    /// What a plain ETag of the mirror's object tells about its bytes.
    pub(super) fn expected(&self, task: &Task) -> Option<Expected> {
        match &task.mirror {
            Mirror::Unknown { etag, size } if *size == task.seen.size => {
                Expected::from_etag(etag, *size)
            }
            _ => None,
        }
    }

    /// Asks the store for the checksum of an object that is as long as the file, but whose ETag
    /// did not say whether it is the same.
    pub(super) async fn equal_by_head(
        &self,
        task: &Task,
        content: &Content,
    ) -> Result<bool, Problem> {
        let Mirror::Unknown { size, etag } = &task.mirror else {
            return Ok(false);
        };
        let Some(sync) = &self.sync else {
            return Ok(false);
        };
        if *size != content.size {
            return Ok(false);
        }
        let key = sync.key(&task.seen.path);
        let head = sync.look(&key).await.map_err(Problem::store(Side::Sync))?;
        Ok(
            head.is_some_and(|head| {
                head.etag == *etag && head.crc64nvme == Some(content.crc64nvme)
            }),
        )
    }

    /// One PUT to the backup target.
    pub(super) async fn put_version(
        &self,
        placing: &Placing<'_>,
        bytes: Bytes,
    ) -> Result<Locked, Error> {
        match &self.backup {
            Some(backup) => {
                let path = &placing.task.seen.path;
                let locked = backup.put(path, bytes, placing.content).await?;
                self.version_sent(placing);
                Ok(locked)
            }
            None => Err(Error::Failed("no backup target".to_owned())),
        }
    }

    /// One PUT to the sync target.
    pub(super) async fn put_object(
        &self,
        placing: &Placing<'_>,
        bytes: Bytes,
        condition: Condition,
    ) -> Result<Placed, Error> {
        let seen = &placing.task.seen;
        match &self.sync {
            Some(sync) => {
                let placed = sync
                    .put(&seen.path, seen.mtime, bytes, placing.content, condition)
                    .await?;
                self.object_sent(placing, &placed);
                Ok(placed)
            }
            None => Err(Error::Failed("no sync target".to_owned())),
        }
    }
}
