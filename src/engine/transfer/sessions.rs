//! Opening multipart uploads: one that was left unfinished goes on, in this process or another.

use super::multipart::{KnownPart, Session};
use super::{Problem, Transfer};
use crate::engine::client::Client;
use crate::model::{Crc64, Error, Result, Seen, Side, StoreErrorKind, killpoint};
use crate::plan::Task;
use crate::state::{UploadId, UploadPart, UploadRow};
use crate::store::Part;
use std::collections::HashMap;

/// The sessions of one file, and the parts that need not be read again because every session has
/// them and the state knows what they hash to.
pub(super) struct Opened {
    pub(super) sessions: Vec<Session>,
    pub(super) known: HashMap<i32, KnownPart>,
}

impl Transfer {
    /// Opens an upload on each target that is to get the file.
    pub(super) async fn open_sessions(
        &self,
        task: &Task,
        part_len: u64,
        sides: &[Side],
    ) -> Result<Opened, Problem> {
        let saved = self
            .saved_uploads(task, part_len)
            .await
            .map_err(Problem::state)?;
        let mut sessions = Vec::new();
        let mut known: Option<HashMap<i32, KnownPart>> = None;
        for &side in sides {
            let saved = saved.iter().find(|row| row.id.side == side);
            let session = self
                .open_session(task, part_len, side, saved)
                .await
                .map_err(Problem::on(side))?;
            let remembered = self
                .remembered_parts(&session)
                .await
                .map_err(Problem::state)?;
            known = Some(match known {
                None => remembered,
                Some(known) => known
                    .into_iter()
                    .filter(|(n, part)| remembered.get(n) == Some(part))
                    .collect(),
            });
            sessions.push(session);
        }
        Ok(Opened {
            sessions,
            known: known.unwrap_or_default(),
        })
    }

    /// Uploads that the state knows of for this very state of the file.
    async fn saved_uploads(&self, task: &Task, part_len: u64) -> Result<Vec<UploadRow>> {
        let path = task.seen.path.clone();
        let rows = self
            .memory
            .state()
            .call(move |state| state.uploads_of(&path))
            .await?;
        let (fits, stale): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .partition(|row| row.part_size == part_len && same(row, &task.seen));
        for row in stale {
            if let Some(client) = self.client_of(row.id.side) {
                client.abandon(&row.id.key, &row.id.upload_id).await;
            }
            self.memory.state().remove_upload(row.id).await?;
        }
        Ok(fits)
    }

    async fn open_session(
        &self,
        task: &Task,
        part_len: u64,
        side: Side,
        saved: Option<&UploadRow>,
    ) -> Result<Session> {
        let (client, key) = self.client_and_key(task, side)?;
        if let Some(row) = saved
            && row.id.key == key
        {
            let upload_id = row.id.upload_id.clone();
            if let Some(parts) = parts_there(&client, &key, &upload_id).await? {
                tracing::info!(key, parts = parts.len(), "an unfinished upload goes on");
                return Ok(Session::new(client, key, upload_id, parts));
            }
            self.memory.state().remove_upload(row.id.clone()).await?;
        }
        let left = if self.leftovers {
            self.left_upload(&client, &key, task.seen.size, part_len)
                .await?
        } else {
            None
        };
        let adopted = left.is_some();
        let (upload_id, parts) = match left {
            Some(left) => left,
            None => (self.begin(task, side).await?, Vec::new()),
        };
        killpoint::reach("upload-begun");
        let row = self
            .upload_row(task, part_len, side, &key, &upload_id, &client)
            .await?;
        self.recall(&row, &parts).await?;
        Ok(Session::new(client, key, upload_id, parts).adopted(adopted))
    }

    /// Notes the upload, and what another machine knew of its parts.
    async fn recall(&self, row: &UploadRow, there: &[Part]) -> Result<()> {
        self.memory.state().save_upload(row.clone()).await?;
        let known = self
            .unfinished
            .iter()
            .flat_map(|left| left.parts_of(row, there));
        for part in known {
            self.memory.state().add_part(row.id.clone(), part).await?;
        }
        Ok(())
    }

    /// An upload of this key that the state does not know, from another machine or before the
    /// state was lost: the one with the most parts of the right lengths goes on (what the parts
    /// hold is compared by checksum when they are read), the others are given up.
    async fn left_upload(
        &self,
        client: &Client,
        key: &str,
        size: u64,
        part_len: u64,
    ) -> Result<Option<(String, Vec<Part>)>> {
        let mut best: Option<(String, Vec<Part>)> = None;
        for upload in client.call(|store| store.list_uploads_of(key)).await? {
            let Some(parts) = parts_there(client, key, &upload.upload_id).await? else {
                continue;
            };
            let fits = parts.iter().all(|part| fits(part, size, part_len));
            let more = best
                .as_ref()
                .is_none_or(|(_, best)| parts.len() > best.len());
            let loser = if fits && more {
                best.replace((upload.upload_id, parts)).map(|(id, _)| id)
            } else {
                Some(upload.upload_id)
            };
            if let Some(loser) = loser {
                client.abandon(key, &loser).await;
            }
        }
        Ok(best)
    }

    async fn begin(&self, task: &Task, side: Side) -> Result<String> {
        let path = &task.seen.path;
        match (side, &self.sync, &self.backup) {
            (Side::Sync, Some(sync), _) => Ok(sync.begin(path, task.seen.mtime).await?),
            (Side::Backup, _, Some(backup)) => backup.begin(path).await,
            _ => Err(Error::Failed(format!("no {} target", side.as_str()))),
        }
    }

    async fn upload_row(
        &self,
        task: &Task,
        part_len: u64,
        side: Side,
        key: &str,
        upload_id: &str,
        client: &Client,
    ) -> Result<UploadRow> {
        let (key, upload_id) = (key.to_owned(), upload_id.to_owned());
        Ok(UploadRow {
            id: UploadId {
                side,
                key,
                upload_id,
            },
            part_size: part_len,
            path: task.seen.path.clone(),
            size: task.seen.size,
            mtime: task.seen.mtime,
            identity: task.seen.identity,
            device: task.seen.device,
            created: client.call(|store| store.now()).await?,
        })
    }

    async fn remembered_parts(&self, session: &Session) -> Result<HashMap<i32, KnownPart>> {
        let id = session.id();
        let parts = self
            .memory
            .state()
            .call(move |state| state.parts_of(&id))
            .await?;
        let known = |part: UploadPart| {
            let UploadPart {
                number,
                subtree: hash,
                crc64nvme: crc,
                ..
            } = part;
            (number, KnownPart { hash, crc })
        };
        Ok(parts.into_iter().map(known).collect())
    }

    /// Notes parts that have arrived, so that another process can go on from here.
    pub(super) async fn note_part(
        &self,
        session: &Session,
        part: &Part,
        known: KnownPart,
    ) -> Result<()> {
        let part = UploadPart {
            number: part.number,
            etag: part.etag.clone(),
            crc64nvme: known.crc,
            subtree: known.hash,
            size: part.size,
        };
        self.memory.state().add_part(session.id(), part).await
    }

    /// Gives up the uploads of a file that has changed, or whose content is stored already.
    pub(super) async fn give_up(&self, sessions: &[Session]) -> Result<()> {
        for session in sessions {
            session.abandon().await;
            self.forget(session).await?;
        }
        Ok(())
    }

    /// Forgets an upload that has ended.
    pub(super) async fn forget(&self, session: &Session) -> Result<()> {
        self.memory.state().remove_upload(session.id()).await
    }

    fn client_of(&self, side: Side) -> Option<Client> {
        match side {
            Side::Sync => self.sync.as_ref().map(|sync| sync.client().clone()),
            Side::Backup => self.backup.as_ref().map(|backup| backup.client().clone()),
        }
    }

    fn client_and_key(&self, task: &Task, side: Side) -> Result<(Client, String)> {
        let path = &task.seen.path;
        match (side, &self.sync, &self.backup) {
            (Side::Sync, Some(sync), _) => Ok((sync.client().clone(), sync.key(path))),
            (Side::Backup, _, Some(backup)) => Ok((backup.client().clone(), backup.key(path))),
            _ => Err(Error::Failed(format!("no {} target", side.as_str()))),
        }
    }
}

impl Session {
    /// As the state names it.
    pub(super) fn id(&self) -> UploadId {
        UploadId {
            side: self.client.side,
            key: self.key.clone(),
            upload_id: self.upload_id.clone(),
        }
    }
}

/// The parts that the store has of an upload; none if it has dropped the upload.
async fn parts_there(client: &Client, key: &str, upload_id: &str) -> Result<Option<Vec<Part>>> {
    match client.call(|store| store.list_parts(key, upload_id)).await {
        Ok(parts) => Ok(Some(parts)),
        Err(error) if is_gone(error.kind) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_gone(kind: StoreErrorKind) -> bool {
    matches!(
        kind,
        StoreErrorKind::NoSuchUpload | StoreErrorKind::NotFound
    )
}

fn fits(part: &Part, size: u64, part_len: u64) -> bool {
    let Ok(before) = u64::try_from(part.number - 1) else {
        return false;
    };
    let offset = before * part_len;
    part.crc64nvme.is_some_and(|crc| crc != Crc64(0))
        && offset < size
        && part.size == part_len.min(size - offset)
}

/// Whether the file is in the state that the upload was begun for.
fn same(row: &UploadRow, seen: &Seen) -> bool {
    row.size == seen.size
        && row.mtime == seen.mtime
        && (row.device != seen.device || row.identity == seen.identity)
}
