//! Looking things up.

use crate::model::{Blake3, RelPath, Result, Time};
use crate::state::pending::{DROP, SPARE, STORE};
use crate::state::row::{WIDTH, from_sql, nanoseconds, seconds};
use crate::state::schema::COLUMNS;
use crate::state::{Row, State};
use rusqlite::{OptionalExtension, Params};

/// A row, and how far it can be relied on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The row.
    pub row: Row,
    /// A committed snapshot, the base's, names the row's version for this path. Otherwise it is
    /// stored, but nothing names it yet: a pending change, or a spare content of a run that
    /// another machine's snapshot overtook.
    pub committed: bool,
}

/// A content that is somewhere: as a version, or in the mirror alone.
const PLACED: &str = "(key IS NOT NULL OR sync_etag IS NOT NULL)";

/// `+` keeps SQLite from the index by size and time, which is of no use where a library has many
/// files of one size.
const SAME: &str = "substr(blake3, 1, 8) = ?1 AND blake3 = ?2 AND +size = ?3";
const LIKE: &str = "size = ?1 AND mtime = ?2 AND mtime_ns = ?3 AND blake3 IS NOT NULL";

/// At most so many places of one content are looked at: empty files may be many.
const SAME_CONTENT: usize = 16;

impl State {
    /// What is known of a path: its pending change, else the base's entry. None if it is not
    /// known, or was dropped.
    ///
    /// # Errors
    /// The disk's.
    pub fn get(&self, path: &RelPath) -> Result<Option<Found>> {
        let sql = format!(
            "SELECT {COLUMNS}, change FROM pending WHERE path = ?1 AND stage <> {SPARE}
             ORDER BY stage LIMIT 1"
        );
        let pending = self.read(|conn| {
            conn.prepare_cached(&sql)?
                .query_row([path.as_bytes()], |row| {
                    let change: i64 = row.get(WIDTH)?;
                    Ok((change != DROP).then_some(from_sql(row)?))
                })
                .optional()
        })?;
        match pending {
            Some(change) => Ok(change.map(|row| Found {
                row,
                committed: false,
            })),
            None => self.get_base(path),
        }
    }

    /// The base's entry of a path.
    ///
    /// # Errors
    /// The disk's.
    pub fn get_base(&self, path: &RelPath) -> Result<Option<Found>> {
        let sql = format!("SELECT {COLUMNS}, 1 FROM base WHERE path = ?1");
        Ok(self.select(&sql, [path.as_bytes()])?.pop())
    }

    /// How many entries the base has.
    ///
    /// # Errors
    /// The disk's.
    pub fn base_count(&self) -> Result<u64> {
        self.read(|conn| {
            conn.query_row("SELECT count(*) FROM base", [], |row| row.get::<_, i64>(0))
        })
        .map(|count| count as u64)
    }

    /// Every so manieth path of the base, in the order of their bytes; none where it has not so
    /// many.
    ///
    /// # Errors
    /// The disk's.
    pub fn every(&self, nth: usize) -> Result<Vec<RelPath>> {
        self.read(|conn| {
            let sql = "SELECT path FROM (SELECT path, row_number() OVER (ORDER BY path) AS place
                       FROM base) WHERE place % ?1 = 0";
            let mut statement = conn.prepare_cached(sql)?;
            let paths = statement.query_map([nth.max(1) as i64], |row| {
                row.get::<_, Vec<u8>>(0).map(RelPath::new)
            })?;
            paths.collect()
        })
    }

    /// Where a content is stored, the base's places first, at most a few. Only rows that name a
    /// version of it.
    ///
    /// # Errors
    /// The disk's.
    pub fn find_content(&self, blake3: &Blake3, size: u64) -> Result<Vec<Found>> {
        let parameters = (&blake3.0[..8], &blake3.0[..], size as i64);
        self.find(SAME, parameters)
    }

    /// Files of this size and mtime, whatever their path: candidates for a renamed file, the
    /// base's first, at most a few. Only rows that name a version.
    ///
    /// # Errors
    /// The disk's.
    pub fn find_like(&self, size: u64, mtime: Time) -> Result<Vec<Found>> {
        let parameters = (size as i64, seconds(mtime), nanoseconds(mtime));
        self.find(LIKE, parameters)
    }

    fn find<P: Params + Clone>(&self, filter: &str, parameters: P) -> Result<Vec<Found>> {
        let mut found = self.select(&in_base(filter), parameters.clone())?;
        found.extend(self.select(&in_pending(filter), parameters)?);
        Ok(found)
    }

    /// Runs a query for the columns of a row and whether it is committed.
    pub(super) fn select(&self, sql: &str, parameters: impl Params) -> Result<Vec<Found>> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(sql)?;
            let rows = statement.query_map(parameters, |row| {
                Ok(Found {
                    row: from_sql(row)?,
                    committed: row.get(WIDTH)?,
                })
            })?;
            rows.collect()
        })
    }
}

fn in_base(filter: &str) -> String {
    format!("SELECT {COLUMNS}, 1 FROM base WHERE {filter} AND {PLACED} LIMIT {SAME_CONTENT}")
}

fn in_pending(filter: &str) -> String {
    format!(
        "SELECT {COLUMNS}, 0 FROM pending WHERE {filter} AND {PLACED}
         AND change = {STORE} LIMIT {SAME_CONTENT}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::support::state;

    #[test]
    fn each_search_goes_by_the_index_that_is_meant_for_it() {
        let (state, _dir) = state();
        for (filter, index) in [
            (SAME, "_content (<expr>=?)"),
            (LIKE, "_like (size=? AND mtime=?)"),
        ] {
            for sql in [in_base(filter), in_pending(filter)] {
                let plan = explain(&state, &sql);
                assert!(plan.contains(index), "{sql}: {plan}");
            }
        }
    }

    fn explain(state: &State, sql: &str) -> String {
        let mut statement = state
            .conn
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let lines = statement
            .query_map([rusqlite::types::Null; 3], |row| row.get::<_, String>(3))
            .unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    }
}
