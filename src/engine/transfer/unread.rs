//! Files whose content is known without reading them: unchanged by all that `lstat` tells, or
//! another path of an inode that was read already. They are read only where a target lacks their
//! bytes.

use super::place::Placing;
use super::source::Source;
use super::{Problem, Transfer};
use crate::model::{Content, Side};
use crate::plan::{Mirror, Task};
use bytes::Bytes;

impl Transfer {
    /// The file with the content that it is believed to have; none where only reading can tell
    /// what is to be done.
    pub(super) async fn unread<'a>(&self, task: &'a Task) -> Result<Option<Placing<'a>>, Problem> {
        let known = task.known.as_deref().filter(|_| task.same);
        let content = match known.and_then(|known| known.entry.content) {
            Some(content) => content,
            None => match self.content_of_first_link(task).await? {
                Some(content) => content,
                None => return Ok(None),
            },
        };
        let equal = match self.is_mirrored(task, content).await? {
            Some(equal) => equal,
            None => return Ok(None),
        };
        Ok(Some(Placing {
            task,
            content,
            equal,
        }))
    }

    /// What the first path of the same inode was found to hold in this run or before.
    async fn content_of_first_link(&self, task: &Task) -> Result<Option<Content>, Problem> {
        let Some(first) = task.hardlink.clone() else {
            return Ok(None);
        };
        let found = self
            .memory
            .state()
            .get(first)
            .await
            .map_err(Problem::state)?;
        let seen = &task.seen;
        Ok(found.map(|found| found.row).and_then(|row| {
            let same = row.identity == seen.identity
                && row.device == seen.device
                && row.entry.mtime == Some(seen.mtime)
                && row.entry.size() == seen.size;
            row.entry.content.filter(|_| same)
        }))
    }

    /// Whether an object of unknown content that is as long as the file is equal to it; none where
    /// the store knows no checksum of it, so that the file has to be read.
    async fn is_mirrored(&self, task: &Task, content: Content) -> Result<Option<bool>, Problem> {
        let (Mirror::Unknown { etag, size }, Some(sync)) = (&task.mirror, &self.sync) else {
            return Ok(Some(false));
        };
        if *size != content.size {
            return Ok(Some(false));
        }
        let head = sync.look(&sync.key(&task.seen.path)).await;
        let head = head.map_err(Problem::store(Side::Sync))?;
        Ok(head
            .filter(|head| head.etag == *etag)
            .and_then(|head| head.crc64nvme.map(|theirs| theirs == content.crc64nvme)))
    }

    /// Reads a small file after all; `Changed` if it is not what it was believed to be.
    pub(super) async fn read_expected(
        &self,
        source: &Source,
        placing: &Placing<'_>,
    ) -> Result<Bytes, Problem> {
        let whole = source.whole(&self.buffers, None).await?;
        self.tally.hashed.one();
        self.tally.bytes_read.add(whole.content.size);
        if whole.content != placing.content {
            return Err(Problem::Changed);
        }
        Ok(whole.parts.into_iter().next().unwrap_or_default())
    }
}
