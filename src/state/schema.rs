//! The tables, and how older ones become the present ones.

use rusqlite::Connection;

/// `TIDE`: tells a state of this program from other SQLite files.
pub(super) const APPLICATION_ID: i64 = 0x5449_4445;

/// One step a version: step N brings a file from version N to N + 1. Steps are never edited once
/// they have been released.
pub(super) const MIGRATIONS: &[&str] = &[V1, V2];

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The columns of one row, alike in every table that holds entries. `path` comes first and `sum`
/// last; [`super::row`] relies on the order.
pub(super) const COLUMNS: &str = "path, kind, mtime, mtime_ns, mode, size, blake3, crc64, key, \
     version_id, etag, sync_etag, target, hardlink, carried, locked_until, sum, \
     inode, ctime, device";

/// Tables are clustered by path, so that a scan in path order reads the file once. Blobs compare
/// by their bytes, which is the order of manifests.
macro_rules! entry_columns {
    () => {
        "path BLOB NOT NULL, kind INTEGER NOT NULL, mtime INTEGER, mtime_ns INTEGER,
         mode INTEGER, size INTEGER, blake3 BLOB, crc64 INTEGER, key TEXT, version_id TEXT,
         etag TEXT, sync_etag TEXT, target BLOB, hardlink BLOB, carried INTEGER NOT NULL,
         locked_until INTEGER, sum INTEGER NOT NULL, inode INTEGER NOT NULL,
         ctime INTEGER NOT NULL, device INTEGER NOT NULL"
    };
}

/// A new, empty table that a rebuild fills.
pub(super) const CREATE_BASE_NEW: &str = concat!(
    "CREATE TABLE base_new (",
    entry_columns!(),
    ", PRIMARY KEY (path)) WITHOUT ROWID, STRICT;"
);

/// Made after a rebuild has filled the table: sorting once beats inserting in random order.
pub(super) const CREATE_BASE_INDEXES: &str = "
    CREATE INDEX base_content ON base (substr(blake3, 1, 8)) WHERE blake3 IS NOT NULL;
    CREATE INDEX base_like ON base (size, mtime) WHERE blake3 IS NOT NULL;";

const V1: &str = concat!(
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
     CREATE TABLE base (",
    entry_columns!(),
    ", PRIMARY KEY (path)) WITHOUT ROWID, STRICT;
     CREATE INDEX base_content ON base (substr(blake3, 1, 8)) WHERE blake3 IS NOT NULL;
     CREATE INDEX base_like ON base (size, mtime) WHERE blake3 IS NOT NULL;
     CREATE TABLE pending (",
    entry_columns!(),
    ", stage INTEGER NOT NULL, change INTEGER NOT NULL, PRIMARY KEY (path, stage))
       WITHOUT ROWID, STRICT;
     CREATE INDEX pending_content ON pending (substr(blake3, 1, 8)) WHERE blake3 IS NOT NULL;
     CREATE INDEX pending_like ON pending (size, mtime) WHERE blake3 IS NOT NULL;
     CREATE TABLE upload (
         id INTEGER PRIMARY KEY, side INTEGER NOT NULL, key TEXT NOT NULL,
         upload_id TEXT NOT NULL, part_size INTEGER NOT NULL, path BLOB NOT NULL,
         size INTEGER NOT NULL, mtime INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
         inode INTEGER NOT NULL, ctime INTEGER NOT NULL, device INTEGER NOT NULL,
         created INTEGER NOT NULL, UNIQUE (side, key, upload_id)) STRICT;
     CREATE INDEX upload_path ON upload (path);
     CREATE TABLE part (
         upload INTEGER NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL,
         crc64 INTEGER NOT NULL, subtree BLOB NOT NULL, size INTEGER NOT NULL,
         PRIMARY KEY (upload, number)) WITHOUT ROWID, STRICT;"
);

/// What small objects hold that never change. `body` is compressed; without it, only the hash is
/// known so far, of one read that nothing has confirmed.
const V2: &str = "
     CREATE TABLE object (
         key TEXT NOT NULL, version_id TEXT NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
         blake3 BLOB NOT NULL, body BLOB, PRIMARY KEY (key, version_id)) STRICT;";

/// Brings a file of an older version, or an empty one, to the present one. A crash leaves it at
/// the version that the last whole step led to.
pub(super) fn migrate(conn: &mut Connection, from: i64) -> rusqlite::Result<()> {
    for (step, sql) in (1..).zip(MIGRATIONS).skip(from.max(0) as usize) {
        let transaction = conn.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", step)?;
        transaction.commit()?;
    }
    Ok(())
}

/// How SQLite works on the file.
pub(super) fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(std::time::Duration::from_secs(2))?;
    // One process, one connection: then the WAL needs no shared-memory file, which network file
    // systems can't give.
    conn.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    // Some file systems can't do WAL; SQLite then keeps its rollback journal, which is as safe.
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    // NORMAL: with WAL, a power cut may lose the last transactions but never harms the file.
    // What is lost so is looked up on the stores again; FULL would pay an fsync a batch for it.
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    // Bounded memory (KiB), and a WAL that shrinks again after a large fold.
    conn.pragma_update(None, "cache_size", -32 * 1024)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}
