//! A new base, filled beside the old one.

use crate::model::Result;
use crate::state::base::{demote, set_base};
use crate::state::pending::marks;
use crate::state::row::{WIDTH, to_values};
use crate::state::schema::{COLUMNS, CREATE_BASE_INDEXES, CREATE_BASE_NEW};
use crate::state::{Base, Row, State};
use rusqlite::params_from_iter;

impl State {
    /// Begins a new base; what an earlier attempt left is dropped. The present base stays as it
    /// is until [`rebuild_finish`](Self::rebuild_finish).
    ///
    /// # Errors
    /// The disk's.
    pub fn rebuild_begin(&mut self) -> Result<()> {
        self.write(|conn| {
            conn.execute_batch("DROP TABLE IF EXISTS base_new;")?;
            conn.execute_batch(CREATE_BASE_NEW)
        })
    }

    /// Adds entries of the snapshot, fastest in path order; the last one of a path counts.
    ///
    /// # Errors
    /// The disk's.
    pub fn rebuild_push(&mut self, rows: &[Row]) -> Result<()> {
        let sql = format!(
            "INSERT OR REPLACE INTO base_new ({COLUMNS}) VALUES ({})",
            marks(WIDTH)
        );
        self.write(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            for row in rows {
                statement.execute(params_from_iter(to_values(row)))?;
            }
            Ok(())
        })
    }

    /// Makes what was pushed the base, in one step.
    ///
    /// Where the old base knew inode and ctime of the same content at the same path and mtime,
    /// they are kept. What unfinished runs have stored becomes spare content (see
    /// [`super::Found`]): it was a change to another base. Uploads and notes stay.
    ///
    /// # Errors
    /// The disk's.
    pub fn rebuild_finish(&mut self, base: &Base) -> Result<()> {
        self.write(|conn| {
            conn.execute(
                "UPDATE base_new AS new
                 SET inode = old.inode, ctime = old.ctime, device = old.device
                 FROM base AS old WHERE old.path = new.path AND old.blake3 = new.blake3
                 AND old.mtime = new.mtime AND old.mtime_ns = new.mtime_ns
                 AND new.inode = 0 AND new.ctime = 0",
                [],
            )?;
            conn.execute_batch("DROP TABLE base; ALTER TABLE base_new RENAME TO base;")?;
            conn.execute_batch(CREATE_BASE_INDEXES)?;
            demote(conn)?;
            set_base(conn, base)
        })
    }
}
