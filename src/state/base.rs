//! Which snapshot the state stands on, and how it moves to the next.

use crate::model::{Blake3, Kind, Result};
use crate::state::error::bad_row;
use crate::state::pending::{CARRY, DROP, FROZEN, LIVE, SPARE, STORE};
use crate::state::schema::COLUMNS;
use crate::state::{State, row};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

/// What the base rows are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Base {
    /// The id of the snapshot that the rows are the entries of; none before the first one, and
    /// where there is no backup target.
    pub snapshot: Option<String>,
    /// BLAKE3 of the snapshot object, so that a forged one of the same id is not taken for it.
    pub snapshot_blake3: Option<Blake3>,
    /// The snapshot is complete, not a checkpoint.
    pub complete: bool,
    /// The sync target (`s3://…`) that the rows' `sync_etag`s count for.
    pub sync_target: Option<String>,
}

/// How the state stands to the latest snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The base is the latest snapshot.
    Current,
    /// It is not, or there is no base: rebuild it.
    Stale,
}

const BASE: &str = "base";
const PREPARED: &str = "prepared";

impl State {
    /// What the base rows are; none before the first rebuild.
    ///
    /// # Errors
    /// The disk's.
    pub fn base(&self) -> Result<Option<Base>> {
        self.read(|conn| read_base(conn, BASE))
    }

    /// Settles what the last run left, given the latest snapshot that the backup target has (none
    /// where it has none or there is no such target). Call it once when a run begins.
    ///
    /// | base is the latest | prepared is the latest | then |
    /// |---|---|---|
    /// | yes | – | current; what was frozen for a snapshot that never came is pending again |
    /// | no | yes | the last run died between its commit and [`fold`](Self::fold): folded, current |
    /// | no | no | stale |
    ///
    /// Carried and dropped paths of a run that ended without a commit are forgotten: they were
    /// that run's view. What it stored stays pending.
    ///
    /// # Errors
    /// The disk's.
    pub fn reconcile(&mut self, latest: Option<(&str, Blake3)>) -> Result<Standing> {
        self.write(|conn| {
            let prepared = read_base(conn, PREPARED)?;
            let mut standing = match read_base(conn, BASE)? {
                Some(base) if is(&base, latest) => Standing::Current,
                _ => Standing::Stale,
            };
            if let (Standing::Stale, Some(prepared)) = (standing, prepared)
                && latest.is_some()
                && is(&prepared, latest)
            {
                fold(conn, &prepared)?;
                standing = Standing::Current;
            }
            thaw(conn)?;
            conn.execute(
                "DELETE FROM pending WHERE change IN (?1, ?2)",
                [CARRY, DROP],
            )?;
            Ok(standing)
        })
    }

    /// Fixes the pending changes that the next snapshot names. What arrives later waits for the
    /// one after. What an earlier attempt had frozen stays frozen, unless it changed since.
    ///
    /// A file that only the mirror has can't be named, so it waits too: until it is stored, the
    /// base's version of its path is the last one.
    ///
    /// # Errors
    /// The disk's.
    pub fn freeze(&mut self) -> Result<()> {
        self.freeze_where(&format!(
            "(change <> {STORE} OR kind <> {} OR key IS NOT NULL)",
            row::kind_code(Kind::File)
        ))
    }

    /// The same where there are no snapshots, and the state alone remembers: all of it.
    ///
    /// # Errors
    /// The disk's.
    pub fn freeze_all(&mut self) -> Result<()> {
        self.freeze_where("1")
    }

    fn freeze_where(&mut self, filter: &str) -> Result<()> {
        self.write(|conn| {
            forget(conn, PREPARED)?;
            conn.execute(
                &format!(
                    "DELETE FROM pending WHERE stage = ?1
                     AND path IN (SELECT path FROM pending WHERE stage = ?2 AND {filter})"
                ),
                [FROZEN, LIVE],
            )?;
            conn.execute(
                &format!("UPDATE pending SET stage = ?1 WHERE stage = ?2 AND {filter}"),
                [FROZEN, LIVE],
            )?;
            Ok(())
        })
    }

    /// Notes the snapshot that is about to be written from [`super::View::Frozen`], so that a
    /// crash behind its commit costs no rebuild.
    ///
    /// # Errors
    /// The disk's.
    pub fn prepare(&mut self, base: &Base) -> Result<()> {
        self.write(|conn| write_base(conn, PREPARED, base))
    }

    /// The snapshot `base` has been committed: applies the frozen changes to the base rows.
    /// Where it is complete, spare contents (see [`super::Found`]) are forgotten.
    ///
    /// # Errors
    /// The disk's.
    pub fn fold(&mut self, base: &Base) -> Result<()> {
        self.write(|conn| fold(conn, base))
    }

    /// The snapshot `base` has been committed with exactly the base's entries (and content rescued
    /// beside them): pending changes stay pending.
    ///
    /// # Errors
    /// The disk's.
    pub fn set_base(&mut self, base: &Base) -> Result<()> {
        self.write(|conn| set_base(conn, base))
    }

    /// A small note, by name.
    ///
    /// # Errors
    /// The disk's.
    pub fn note(&self, name: &str) -> Result<Option<String>> {
        self.read(|conn| read_note(conn, &format!("note:{name}")))
    }

    /// Keeps a small note for later runs.
    ///
    /// # Errors
    /// The disk's.
    pub fn set_note(&mut self, name: &str, value: &str) -> Result<()> {
        self.write(|conn| write_note(conn, &format!("note:{name}"), value))
    }

    /// Whether a run into this sync target has ended with 0 by the state's own memory. The lease
    /// on the backup target remembers it too, for when the state is lost.
    ///
    /// # Errors
    /// The disk's.
    pub fn is_settled(&self, sync_target: &str) -> Result<bool> {
        Ok(self.note(&format!("settled:{sync_target}"))?.is_some())
    }

    /// A run into this sync target has ended with 0.
    ///
    /// # Errors
    /// The disk's.
    pub fn set_settled(&mut self, sync_target: &str) -> Result<()> {
        self.set_note(&format!("settled:{sync_target}"), "yes")
    }
}

fn is(base: &Base, latest: Option<(&str, Blake3)>) -> bool {
    let own = base.snapshot.as_deref().zip(base.snapshot_blake3);
    own == latest && base.snapshot.is_none() == latest.is_none()
}

fn fold(conn: &Connection, base: &Base) -> rusqlite::Result<()> {
    conn.execute(
        "DELETE FROM base WHERE path IN
         (SELECT path FROM pending WHERE stage = ?1 AND change = ?2)",
        [FROZEN, DROP],
    )?;
    conn.execute(
        &format!(
            "INSERT OR REPLACE INTO base ({COLUMNS})
             SELECT {COLUMNS} FROM pending WHERE stage = ?1 AND change <> ?2"
        ),
        [FROZEN, DROP],
    )?;
    conn.execute("DELETE FROM pending WHERE stage = ?1", [FROZEN])?;
    if base.complete {
        conn.execute("DELETE FROM pending WHERE stage = ?1", [SPARE])?;
    }
    forget(conn, PREPARED)?;
    write_base(conn, BASE, base)
}

/// Frozen changes are pending again, except where a later one has taken their place.
fn thaw(conn: &Connection) -> rusqlite::Result<()> {
    forget(conn, PREPARED)?;
    conn.execute(
        "UPDATE OR IGNORE pending SET stage = ?1 WHERE stage = ?2",
        [LIVE, FROZEN],
    )?;
    conn.execute("DELETE FROM pending WHERE stage = ?1", [FROZEN])?;
    Ok(())
}

/// What unfinished runs have stored is no longer a change to a base that it was not made for, but
/// its versions exist: they become spare contents.
pub(super) fn demote(conn: &Connection) -> rusqlite::Result<()> {
    thaw(conn)?;
    conn.execute(
        "UPDATE OR REPLACE pending SET stage = ?1 WHERE stage = ?2 AND change = ?3",
        [SPARE, LIVE, STORE],
    )?;
    conn.execute("DELETE FROM pending WHERE stage = ?1", [LIVE])?;
    Ok(())
}

pub(super) fn set_base(conn: &Connection, base: &Base) -> rusqlite::Result<()> {
    write_base(conn, BASE, base)
}

/// [`Base`] as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    snapshot: Option<String>,
    blake3: Option<String>,
    complete: bool,
    sync_target: Option<String>,
}

fn read_base(conn: &Connection, name: &str) -> rusqlite::Result<Option<Base>> {
    let Some(text) = read_note(conn, name)? else {
        return Ok(None);
    };
    let kept: Kept =
        serde_json::from_str(&text).map_err(|_| bad_row("the base's description can't be read"))?;
    let blake3 = match kept.blake3 {
        Some(hex) => {
            Some(Blake3::from_hex(&hex).ok_or_else(|| bad_row("the base's BLAKE3 is none"))?)
        }
        None => None,
    };
    Ok(Some(Base {
        snapshot: kept.snapshot,
        snapshot_blake3: blake3,
        complete: kept.complete,
        sync_target: kept.sync_target,
    }))
}

fn write_base(conn: &Connection, name: &str, base: &Base) -> rusqlite::Result<()> {
    let kept = Kept {
        snapshot: base.snapshot.clone(),
        blake3: base.snapshot_blake3.map(Blake3::to_hex),
        complete: base.complete,
        sync_target: base.sync_target.clone(),
    };
    let text = serde_json::to_string(&kept)
        .map_err(|_| bad_row("the base's description can't be written"))?;
    write_note(conn, name, &text)
}

fn read_note(conn: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    conn.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
        row.get(0)
    })
    .optional()
}

fn write_note(conn: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)",
        [name, value],
    )?;
    Ok(())
}

fn forget(conn: &Connection, name: &str) -> rusqlite::Result<()> {
    conn.execute("DELETE FROM meta WHERE name = ?1", [name])?;
    Ok(())
}
