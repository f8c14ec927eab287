//! What pulls have brought into one folder: a cache of its own, beside the library's state.
//!
//! It tells what nobody edited since. Lost, each file that is there is compared with the mirror
//! by checksum before anything is fetched, and nothing is moved away until a pull has ended well
//! again.

use super::error::{bad_row, translate};
use super::file::pull_file_name;
use super::lock::Lock;
use super::open::{Opened, connect, create_file, make_folder, set_aside};
use super::schema;
use crate::model::{Blake3, Content, Crc64, Error, Identity, RelPath, Result, Target, Time};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};

/// `TIDP`: tells this file from a library's state.
const APPLICATION_ID: i64 = 0x5449_4450;
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
    CREATE TABLE pulled (
        path BLOB PRIMARY KEY, key TEXT NOT NULL, etag TEXT NOT NULL, modified BLOB NOT NULL,
        size INTEGER NOT NULL, blake3 BLOB NOT NULL, crc64 INTEGER NOT NULL,
        mtime BLOB NOT NULL, inode INTEGER NOT NULL, ctime INTEGER NOT NULL
    ) WITHOUT ROWID, STRICT;";

/// One file as a pull left it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pulled {
    /// Relative to the folder.
    pub path: RelPath,
    /// The object that it came from.
    pub key: String,
    /// That object's ETag in the listing.
    pub etag: String,
    /// That object's time in the listing.
    pub modified: Time,
    /// What was brought.
    pub content: Content,
    /// The file's modification time, as the file system gave it back.
    pub mtime: Time,
    /// Its inode and ctime.
    pub identity: Identity,
}

/// The open file. Each method is one transaction. Dropping it releases the lock.
#[derive(Debug)]
pub struct PullState {
    conn: Connection,
    file: PathBuf,
    _lock: Lock,
}

/// Where the state of one folder and one sync target (with its endpoint) lies in `state_dir`.
pub fn pull_file(
    state_dir: &Path,
    folder: &Path,
    target: &Target,
    endpoint: Option<&str>,
) -> PathBuf {
    state_dir.join(pull_file_name(folder, target, endpoint))
}

impl PullState {
    /// Opens it, making it if need be, readable by its owner alone; what can't be used is set
    /// aside.
    ///
    /// # Errors
    /// [`Error::Held`] if another process has it; [`Error::Format`] if a newer version wrote it.
    pub fn open(file: &Path, holder: &str, now: Time) -> Result<(Self, Opened)> {
        make_folder(file)?;
        let lock = Lock::take(file, holder)?;
        let mut opened = Opened::Existing;
        let mut existing = None;
        if file.symlink_metadata().is_ok() {
            match examine(file)? {
                Ok(conn) => existing = Some(conn),
                Err(why) => {
                    let to = set_aside(file, now)?;
                    opened = Opened::SetAside { why, to };
                }
            }
        } else {
            opened = Opened::Fresh;
        }
        let conn = match existing {
            Some(conn) => conn,
            None => create(file)?,
        };
        let state = Self {
            conn,
            file: file.to_owned(),
            _lock: lock,
        };
        Ok((state, opened))
    }

    /// All files, in the order of paths.
    ///
    /// # Errors
    /// The disk's, and damage.
    pub fn all(&self) -> Result<Vec<Pulled>> {
        let read = || {
            let mut statement = self.conn.prepare(
                "SELECT path, key, etag, modified, size, blake3, crc64, mtime, inode, ctime
                 FROM pulled ORDER BY path",
            )?;
            statement
                .query_map([], from_row)?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|error| translate(&self.file, &error))
    }

    /// Notes files as they are now, and forgets others.
    ///
    /// # Errors
    /// The disk's.
    pub fn note(&mut self, files: &[Pulled], gone: &[RelPath]) -> Result<()> {
        self.write(|conn| {
            let mut put = conn.prepare_cached(
                "INSERT OR REPLACE INTO pulled VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?;
            for file in files {
                put.execute(params![
                    file.path.as_bytes(),
                    file.key,
                    file.etag,
                    nanoseconds(file.modified),
                    file.content.size.cast_signed(),
                    file.content.blake3.0,
                    file.content.crc64nvme.0.cast_signed(),
                    nanoseconds(file.mtime),
                    file.identity.inode.cast_signed(),
                    file.identity.ctime,
                ])?;
            }
            let mut forget = conn.prepare_cached("DELETE FROM pulled WHERE path = ?1")?;
            for path in gone {
                forget.execute([path.as_bytes()])?;
            }
            Ok(())
        })
    }

    /// Whether a pull into the folder has ended with 0 yet.
    ///
    /// # Errors
    /// The disk's.
    pub fn is_settled(&self) -> Result<bool> {
        let found =
            self.conn
                .query_row("SELECT 1 FROM note WHERE name = 'settled'", [], |_| Ok(()));
        found
            .optional()
            .map(|found| found.is_some())
            .map_err(|error| translate(&self.file, &error))
    }

    /// A pull has ended with 0.
    ///
    /// # Errors
    /// The disk's.
    pub fn set_settled(&mut self) -> Result<()> {
        self.write(|conn| {
            conn.execute("INSERT OR REPLACE INTO note VALUES ('settled', 'yes')", [])?;
            Ok(())
        })
    }

    fn write(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<()> {
        let run = || {
            let transaction = self.conn.transaction()?;
            work(&transaction)?;
            transaction.commit()
        };
        run().map_err(|error| translate(&self.file, &error))
    }
}

/// The sound file, or why it can't be used.
fn examine(file: &Path) -> Result<Result<Connection, String>> {
    let look = || {
        let conn = connect(file)?;
        let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (id, version) = (pragma("application_id")?, pragma("user_version")?);
        if id == APPLICATION_ID && version == VERSION {
            schema::configure(&conn)?;
            let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(bad_row("its structure is damaged"));
            }
        }
        Ok((conn, id, version))
    };
    match look() {
        Ok((_, APPLICATION_ID, version)) if version > VERSION => Err(Error::Format(format!(
            "{}: a newer version of Tidelock wrote what it knows of this folder here; use that \
             version, or remove the file: everything is compared by checksum then",
            file.display()
        ))),
        Ok((conn, APPLICATION_ID, VERSION)) => Ok(Ok(conn)),
        Ok(_) => Ok(Err("is not a state of Tidelock's pull".to_owned())),
        Err(error) if super::error::is_damage(&error) => Ok(Err(format!("is damaged: {error}"))),
        Err(error) => Err(translate(file, &error)),
    }
}

fn create(file: &Path) -> Result<Connection> {
    create_file(file)?;
    let make = || {
        let mut conn = connect(file)?;
        schema::configure(&conn)?;
        let transaction = conn.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        Ok(conn)
    };
    make().map_err(|error| translate(file, &error))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Pulled> {
    let path: Vec<u8> = row.get(0)?;
    let path = RelPath::from_untrusted(&path).map_err(bad_row)?;
    Ok(Pulled {
        path,
        key: row.get(1)?,
        etag: row.get(2)?,
        modified: time(row.get(3)?)?,
        content: Content {
            size: row.get::<_, i64>(4)?.cast_unsigned(),
            blake3: Blake3(row.get(5)?),
            crc64nvme: Crc64(row.get::<_, i64>(6)?.cast_unsigned()),
        },
        mtime: time(row.get(7)?)?,
        identity: Identity {
            inode: row.get::<_, i64>(8)?.cast_unsigned(),
            ctime: row.get(9)?,
        },
    })
}

/// SQLite's integers end in the year 2262 of nanoseconds; file systems do not.
fn nanoseconds(time: Time) -> [u8; 16] {
    time.as_nanosecond().to_be_bytes()
}

fn time(bytes: [u8; 16]) -> rusqlite::Result<Time> {
    Time::from_nanosecond(i128::from_be_bytes(bytes)).map_err(|_| bad_row("a time is none"))
}
