//! What runs have done since the base's snapshot.

use crate::model::{Entry, Identity, Kind, RelPath, Result};
use crate::state::row::{WIDTH, to_values};
use crate::state::schema::COLUMNS;
use crate::state::{Row, State};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// How the next snapshot differs from the base at one path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The path was seen, and its content is stored: outlives a crash of the run.
    Store(Row),
    /// The base's entry is taken over, because this run could not see the file. One run's view.
    Carry(Row),
    /// The path was seen to be gone. One run's view; checkpoints come before any of these.
    Drop(RelPath),
}

pub(super) const STORE: i64 = 0;
pub(super) const CARRY: i64 = 1;
pub(super) const DROP: i64 = 2;

/// Waits for the next snapshot.
pub(super) const LIVE: i64 = 0;
/// Is named by the snapshot that is being written.
pub(super) const FROZEN: i64 = 1;
/// Was stored by a run that another machine's snapshot overtook: found by content alone.
pub(super) const SPARE: i64 = 2;

impl State {
    /// Notes changes; a later one to the same path takes the place of an earlier one.
    ///
    /// # Errors
    /// The disk's.
    pub fn put_pending(&mut self, changes: &[Change]) -> Result<()> {
        self.write(|conn| changes.iter().try_for_each(|change| put(conn, change)))
    }

    /// How many paths differ from the base.
    ///
    /// # Errors
    /// The disk's.
    pub fn pending_count(&self) -> Result<u64> {
        self.read(|conn| {
            conn.query_row(
                "SELECT count(DISTINCT path) FROM pending WHERE stage <> ?1",
                [SPARE],
                |row| row.get::<_, i64>(0),
            )
        })
        .map(|count| count as u64)
    }

    /// Unchanged files have another inode, ctime or device here than when they were stored.
    ///
    /// # Errors
    /// The disk's.
    pub fn set_identities(&mut self, files: &[(RelPath, Identity, u64)]) -> Result<()> {
        self.write(|conn| {
            for table in ["base", "pending"] {
                let mut statement = conn.prepare_cached(&format!(
                    "UPDATE {table} SET inode = ?2, ctime = ?3, device = ?4 WHERE path = ?1"
                ))?;
                for (path, identity, device) in files {
                    statement.execute((
                        path.as_bytes(),
                        identity.inode as i64,
                        identity.ctime,
                        *device as i64,
                    ))?;
                }
            }
            Ok(())
        })
    }
}

fn put(conn: &Connection, change: &Change) -> rusqlite::Result<()> {
    let (code, values) = match change {
        Change::Store(row) => (STORE, to_values(row)),
        Change::Carry(row) => (CARRY, to_values(row)),
        Change::Drop(path) => (DROP, to_values(&gone(path))),
    };
    let sql = format!(
        "INSERT OR REPLACE INTO pending ({COLUMNS}, stage, change) VALUES ({})",
        marks(WIDTH + 2)
    );
    let stage_and_change = [Value::Integer(LIVE), Value::Integer(code)];
    conn.prepare_cached(&sql)?
        .execute(params_from_iter(values.iter().chain(&stage_and_change)))?;
    Ok(())
}

/// A row that has nothing but its path.
fn gone(path: &RelPath) -> Row {
    Row {
        entry: Entry::new(path.clone(), Kind::Special),
        identity: Identity::default(),
        device: 0,
        locked_until: None,
    }
}

/// `?, ?, …`
pub(super) fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}
