//! Forgetting versions that turned out to be lost.

use crate::model::{Result, Stored};
use crate::state::State;
use crate::state::row::{from_sql, to_values};
use crate::state::schema::COLUMNS;
use rusqlite::Connection;
use std::collections::HashSet;

/// Where a row's checksum is among its values.
const SUM: usize = 16;

impl State {
    /// Makes the state forget versions: what names one of them, in the base or in what is pending,
    /// counts as not stored from now on, so that the next run stores its content again. Returns
    /// how many of the base's entries that hit. One look through the whole state.
    ///
    /// # Errors
    /// The disk's.
    pub fn forget_versions(&mut self, lost: &[Stored]) -> Result<u64> {
        let lost: HashSet<(&str, &str)> = lost
            .iter()
            .map(|it| (it.key.as_str(), it.version_id.as_str()))
            .collect();
        if lost.is_empty() {
            return Ok(0);
        }
        self.write(|conn| {
            let count = forget_in(conn, "base", &lost)?;
            forget_in(conn, "pending", &lost)?;
            Ok(count)
        })
    }
}

fn forget_in(
    conn: &Connection,
    table: &str,
    lost: &HashSet<(&str, &str)>,
) -> rusqlite::Result<u64> {
    let mut hit = Vec::new();
    let mut all = conn.prepare(&format!(
        "SELECT {COLUMNS} FROM {table} WHERE key IS NOT NULL"
    ))?;
    let mut rows = all.query([])?;
    while let Some(columns) = rows.next()? {
        let row = from_sql(columns)?;
        let stored = row.entry.stored.as_ref();
        if stored.is_some_and(|it| lost.contains(&(it.key.as_str(), it.version_id.as_str()))) {
            hit.push(row);
        }
    }
    let mut update = conn.prepare(&format!(
        "UPDATE {table} SET key = NULL, version_id = NULL, etag = NULL, locked_until = NULL, sum = ?1
         WHERE path = ?2 AND sum = ?3"
    ))?;
    let count = hit.len() as u64;
    for mut row in hit {
        let before = to_values(&row)[SUM].clone();
        row.entry.stored = None;
        row.locked_until = None;
        let after = to_values(&row)[SUM].clone();
        update.execute((after, row.entry.path.as_bytes(), before))?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use crate::model::RelPath;
    use crate::state::tests::support::{file_row, state};
    use crate::state::{Change, View};

    #[test]
    fn what_names_a_lost_version_counts_as_not_stored_and_nothing_else_does() {
        let (mut state, _dir) = state();
        let rows = [
            file_row("a", b"1"),
            file_row("b", b"2"),
            file_row("c", b"3"),
        ];
        state.put_base_for_test(&rows);
        let pending = file_row("d", b"4");
        state
            .put_pending(&[Change::Store(pending.clone())])
            .unwrap();
        let lost: Vec<_> = [&rows[1], &pending]
            .iter()
            .filter_map(|row| row.entry.stored.clone())
            .collect();
        assert_eq!(state.forget_versions(&lost).unwrap(), 1);
        let stored = |path: &str| {
            let found = state.get(&RelPath::from(path)).unwrap().unwrap();
            (
                found.row.entry.stored.is_some(),
                found.row.entry.content.is_some(),
            )
        };
        assert_eq!(stored("a"), (true, true));
        assert_eq!(stored("b"), (false, true));
        assert_eq!(stored("d"), (false, true));
        assert_eq!(state.page(View::Merged, None, 10).unwrap().len(), 4);
        let content = rows[1].entry.content.unwrap();
        assert!(
            state
                .find_content(&content.blake3, content.size)
                .unwrap()
                .is_empty()
        );
    }
}
