//! Unfinished multipart uploads, so that they go on part by part after a crash.

use crate::model::{Crc64, Identity, RelPath, Result, Side, Time};
use crate::state::State;
use crate::state::error::bad_row;
use crate::state::row::{nanoseconds, seconds, time};
use rusqlite::{Connection, OptionalExtension, Params};

/// Which upload.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct UploadId {
    /// The target that it was begun on.
    pub side: Side,
    /// Full key.
    pub key: String,
    /// As the store gave it.
    pub upload_id: String,
}

/// An unfinished upload and the state of the file that it was begun for. It may go on only if the
/// file still is in that state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UploadRow {
    /// Which.
    pub id: UploadId,
    /// Bytes of each part but the last.
    pub part_size: u64,
    /// The file.
    pub path: RelPath,
    /// Its bytes.
    pub size: u64,
    /// Its modification time.
    pub mtime: Time,
    /// Its inode and ctime.
    pub identity: Identity,
    /// The device that the inode belongs to.
    pub device: u64,
    /// When the upload was begun, by the server's clock, in whole seconds.
    pub created: Time,
}

/// A part that the store has confirmed, with what its bytes hash to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UploadPart {
    /// From 1.
    pub number: i32,
    /// Without quotes.
    pub etag: String,
    /// Its checksum.
    pub crc64nvme: Crc64,
    /// Its subtree's chaining value in the file's BLAKE3 tree.
    pub subtree: [u8; 32],
    /// Bytes.
    pub size: u64,
}

impl State {
    /// Notes an upload that has been begun.
    ///
    /// # Errors
    /// The disk's.
    pub fn save_upload(&mut self, upload: &UploadRow) -> Result<()> {
        self.write(|conn| insert_upload(conn, upload))
    }

    /// Notes parts that the store has confirmed. Parts of an upload that is not known (any more)
    /// are dropped.
    ///
    /// # Errors
    /// The disk's.
    pub fn add_parts(&mut self, id: &UploadId, parts: &[UploadPart]) -> Result<()> {
        self.write(|conn| {
            let Some(upload) = row_of(conn, id)? else {
                return Ok(());
            };
            let mut statement = conn.prepare_cached(
                "INSERT OR REPLACE INTO part (upload, number, etag, crc64, subtree, size)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for part in parts {
                statement.execute((
                    upload,
                    part.number,
                    &part.etag,
                    part.crc64nvme.0 as i64,
                    &part.subtree[..],
                    part.size as i64,
                ))?;
            }
            Ok(())
        })
    }

    /// The finished parts of an upload, in order.
    ///
    /// # Errors
    /// The disk's.
    pub fn parts_of(&self, id: &UploadId) -> Result<Vec<UploadPart>> {
        self.read(|conn| {
            let Some(upload) = row_of(conn, id)? else {
                return Ok(Vec::new());
            };
            let mut statement = conn.prepare_cached(
                "SELECT number, etag, crc64, subtree, size FROM part WHERE upload = ?1
                 ORDER BY number",
            )?;
            let parts = statement.query_map([upload], read_part)?;
            parts.collect()
        })
    }

    /// The unfinished uploads of a file, oldest first.
    ///
    /// # Errors
    /// The disk's.
    pub fn uploads_of(&self, path: &RelPath) -> Result<Vec<UploadRow>> {
        self.select_uploads("WHERE path = ?1 ORDER BY id", [path.as_bytes()])
    }

    /// All unfinished uploads, oldest first.
    ///
    /// # Errors
    /// The disk's.
    pub fn uploads(&self) -> Result<Vec<UploadRow>> {
        self.select_uploads("ORDER BY id", [])
    }

    /// Forgets an upload, completed or aborted, and its parts. No error if it is not known.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove_upload(&mut self, id: &UploadId) -> Result<()> {
        self.write(|conn| {
            if let Some(upload) = row_of(conn, id)? {
                conn.execute("DELETE FROM part WHERE upload = ?1", [upload])?;
                conn.execute("DELETE FROM upload WHERE id = ?1", [upload])?;
            }
            Ok(())
        })
    }

    fn select_uploads(&self, filter: &str, parameters: impl Params) -> Result<Vec<UploadRow>> {
        let sql = format!(
            "SELECT side, key, upload_id, part_size, path, size, mtime, mtime_ns, inode, ctime,
                    device, created FROM upload {filter}"
        );
        self.read(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            let uploads = statement.query_map(parameters, read_upload)?;
            uploads.collect()
        })
    }
}

fn insert_upload(conn: &Connection, upload: &UploadRow) -> rusqlite::Result<()> {
    conn.prepare_cached(
        "INSERT INTO upload (side, key, upload_id, part_size, path, size, mtime, mtime_ns,
                             inode, ctime, device, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (side, key, upload_id) DO NOTHING",
    )?
    .execute((
        side_code(upload.id.side),
        &upload.id.key,
        &upload.id.upload_id,
        upload.part_size as i64,
        upload.path.as_bytes(),
        upload.size as i64,
        seconds(upload.mtime),
        nanoseconds(upload.mtime),
        upload.identity.inode as i64,
        upload.identity.ctime,
        upload.device as i64,
        seconds(upload.created),
    ))?;
    Ok(())
}

fn row_of(conn: &Connection, id: &UploadId) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT id FROM upload WHERE side = ?1 AND key = ?2 AND upload_id = ?3")?
        .query_row((side_code(id.side), &id.key, &id.upload_id), |row| {
            row.get(0)
        })
        .optional()
}

fn read_upload(row: &rusqlite::Row<'_>) -> rusqlite::Result<UploadRow> {
    let point = |seconds, nanoseconds| {
        time((Some(seconds), Some(nanoseconds)))
            .flatten()
            .ok_or_else(|| bad_row("an upload's time is none"))
    };
    Ok(UploadRow {
        id: UploadId {
            side: side_from(row.get(0)?)?,
            key: row.get(1)?,
            upload_id: row.get(2)?,
        },
        part_size: row.get::<_, i64>(3)? as u64,
        path: RelPath::new(row.get::<_, Vec<u8>>(4)?),
        size: row.get::<_, i64>(5)? as u64,
        mtime: point(row.get(6)?, row.get(7)?)?,
        identity: Identity {
            inode: row.get::<_, i64>(8)? as u64,
            ctime: row.get(9)?,
        },
        device: row.get::<_, i64>(10)? as u64,
        created: point(row.get(11)?, 0)?,
    })
}

fn read_part(row: &rusqlite::Row<'_>) -> rusqlite::Result<UploadPart> {
    let subtree: Vec<u8> = row.get(3)?;
    Ok(UploadPart {
        number: row.get(0)?,
        etag: row.get(1)?,
        crc64nvme: Crc64(row.get::<_, i64>(2)? as u64),
        subtree: subtree
            .try_into()
            .map_err(|_| bad_row("a part's subtree has not 32 bytes"))?,
        size: row.get::<_, i64>(4)? as u64,
    })
}

fn side_code(side: Side) -> i64 {
    match side {
        Side::Sync => 0,
        Side::Backup => 1,
    }
}

fn side_from(code: i64) -> rusqlite::Result<Side> {
    match code {
        0 => Ok(Side::Sync),
        1 => Ok(Side::Backup),
        _ => Err(bad_row("an upload's target is none")),
    }
}
