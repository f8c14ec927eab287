//! Opening a state: trusted if it is sound, set aside if not.

use crate::model::{Error, Result, Time};
use crate::state::error::{is_damage, translate, unusable};
use crate::state::lock::Lock;
use crate::state::{row, schema};
use rusqlite::{Connection, OpenFlags, Savepoint};
use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How many damaged files are kept for whoever wants to look into them.
const KEPT_DAMAGED: usize = 2;

/// How a state was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// There was one, and it is sound.
    Existing,
    /// There was none.
    Fresh,
    /// There was one that can't be used; a new one was begun. People are to be told.
    SetAside {
        /// What was wrong with it, as the end of a sentence.
        why: String,
        /// Where it is now.
        to: PathBuf,
    },
}

/// The open state of one library and one pair of targets.
///
/// Each method is one transaction, or part of the batch that [`super::StateHandle`] has open: a
/// crash leaves all of it or nothing. Dropping it releases the lock.
#[derive(Debug)]
pub struct State {
    pub(super) conn: Connection,
    file: PathBuf,
    _lock: Lock,
}

impl State {
    /// Opens the state in `file` (see [`super::state_file`]), making it and its folder if need
    /// be, readable by its owner alone. `holder` is for whoever comes second ("pid 7 on nas since
    /// …"), `now` names a file that is set aside.
    ///
    /// The whole file is checked: SQLite's structure and each entry's own checksum.
    ///
    /// # Errors
    /// [`Error::Held`] if another process has it; [`Error::Format`] if a newer version of this
    /// program wrote it, and nothing is changed then; [`Error::Resumable`] if the disk is full.
    pub fn open(file: &Path, holder: &str, now: Time) -> Result<(Self, Opened)> {
        make_folder(file)?;
        let lock = Lock::take(file, holder)?;
        let (conn, opened) = if file.symlink_metadata().is_ok() {
            match examine(file)? {
                Examined::Sound(conn) => (conn, Opened::Existing),
                Examined::Unfit(why) => {
                    let to = set_aside(file, now)?;
                    (create(file)?, Opened::SetAside { why, to })
                }
            }
        } else {
            (create(file)?, Opened::Fresh)
        };
        let state = Self {
            conn,
            file: file.to_owned(),
            _lock: lock,
        };
        Ok((state, opened))
    }

    /// Where it lies.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Runs something that reads.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        work(&self.conn).map_err(|error| translate(&self.file, &error))
    }

    /// Runs something that writes: all of it happens, or nothing.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Savepoint<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let run = || {
            // A savepoint is a transaction of its own where no batch is open. Dropped, it rolls
            // back.
            let savepoint = self.conn.savepoint()?;
            let result = work(&savepoint)?;
            savepoint.commit()?;
            Ok(result)
        };
        run().map_err(|error| translate(&self.file, &error))
    }
}

/// Makes the folder where the states lie, for its owner alone.
///
/// # Errors
/// That it can't be made, and what to do.
pub(super) fn make_folder(file: &Path) -> Result<()> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unusable(folder, &error))
}

enum Examined {
    Sound(Connection),
    Unfit(String),
}

fn examine(file: &Path) -> Result<Examined> {
    match try_examine(file) {
        Ok(Verdict::Sound(conn)) => Ok(Examined::Sound(conn)),
        Ok(Verdict::Foreign) => Ok(Examined::Unfit("is not a state of Tidelock".to_owned())),
        Ok(Verdict::Newer(version)) => Err(Error::Format(format!(
            "{}: this state has format {version}, which a newer version of Tidelock wrote; \
             this one reads up to {}. Use the newer version, or remove the file: \
             it will be rebuilt from the latest snapshot",
            file.display(),
            schema::VERSION
        ))),
        Err(error) if is_damage(&error) => Ok(Examined::Unfit(format!("is damaged: {error}"))),
        Err(error) => Err(translate(file, &error)),
    }
}

enum Verdict {
    Sound(Connection),
    Foreign,
    Newer(i64),
}

fn try_examine(file: &Path) -> rusqlite::Result<Verdict> {
    let mut conn = connect(file)?;
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = pragma("user_version")?;
    if pragma("application_id")? != schema::APPLICATION_ID || version < 1 {
        return Ok(Verdict::Foreign);
    }
    if version > schema::VERSION {
        return Ok(Verdict::Newer(version));
    }
    // Only now may anything be written to the file.
    schema::configure(&conn)?;
    schema::migrate(&mut conn, version)?;
    conn.execute_batch("DROP TABLE IF EXISTS base_new")?;
    check(&conn)?;
    Ok(Verdict::Sound(conn))
}

/// Structure by SQLite, entries by their own checksums.
fn check(conn: &Connection) -> rusqlite::Result<()> {
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(found),
        ));
    }
    for table in ["base", "pending"] {
        let mut statement = conn.prepare(&format!("SELECT {} FROM {table}", schema::COLUMNS))?;
        let mut rows = statement.query([])?;
        while let Some(columns) = rows.next()? {
            row::from_sql(columns)?;
        }
    }
    Ok(())
}

/// An empty file, readable by its owner alone; nothing is left beside it of one before.
pub(super) fn create_file(file: &Path) -> Result<()> {
    // SQLite gives its WAL the mode of the file itself.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(Error::io(file))?;
    for suffix in ["-wal", "-shm", "-journal"] {
        remove_if_there(&with_suffix(file, suffix))?;
    }
    Ok(())
}

fn create(file: &Path) -> Result<Connection> {
    create_file(file)?;
    let make = || {
        let mut conn = connect(file)?;
        schema::configure(&conn)?;
        schema::migrate(&mut conn, 0)?;
        Ok(conn)
    };
    make().map_err(|error| translate(file, &error))
}

pub(super) fn connect(file: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

/// Renames the file, and its WAL with it, to `….damaged-<time>`.
pub(super) fn set_aside(file: &Path, now: Time) -> Result<PathBuf> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let to = with_suffix(file, &format!(".damaged-{stamp}"));
    std::fs::rename(file, &to).map_err(Error::io(file))?;
    let wal = with_suffix(file, "-wal");
    if wal.exists() {
        std::fs::rename(&wal, with_suffix(&to, "-wal")).map_err(Error::io(&wal))?;
    }
    forget_old_copies(file)?;
    Ok(to)
}

/// Bounds what set-aside files take of the disk.
fn forget_old_copies(file: &Path) -> Result<()> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
        return Ok(());
    };
    let prefix = format!("{}.damaged-", name.to_string_lossy());
    let mut copies = Vec::new();
    for item in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = item.map_err(Error::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&prefix) && !name.ends_with("-wal") {
            copies.push(path);
        }
    }
    copies.sort();
    let old = copies.len().saturating_sub(KEPT_DAMAGED);
    for path in &copies[..old] {
        remove_if_there(path)?;
        remove_if_there(&with_suffix(path, "-wal"))?;
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}
