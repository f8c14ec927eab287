//! Going through entries in path order.

use crate::model::{RelPath, Result};
use crate::state::pending::{DROP, FROZEN, LIVE};
use crate::state::row::{WIDTH, from_sql};
use crate::state::schema::COLUMNS;
use crate::state::{Found, Row, State};

/// Which entries to go through, in the order of their paths' bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// Those of the base's snapshot.
    Base,
    /// The base with the frozen changes: the entries of the snapshot that is being written.
    Frozen,
    /// The base with all changes: what is known by now.
    Merged,
}

/// Rows that [`State::for_each`] and its like ask for at a time.
pub(super) const PAGE: usize = 1_000;

/// A pending change as a view sees it.
struct Overlay {
    row: Row,
    dropped: bool,
}

impl State {
    /// The next entries of a view behind `after`, or from the beginning: at least one, unless
    /// there are no more, and at most twice `limit`, which is more than 0.
    ///
    /// # Errors
    /// The disk's.
    pub fn page(&self, view: View, after: Option<&RelPath>, limit: usize) -> Result<Vec<Found>> {
        let mut after = after.cloned();
        loop {
            let base = self.base_page(after.as_ref(), limit)?;
            let overlay = self.overlay_page(view, after.as_ref(), limit)?;
            // Behind the last row of a full page the other list has rows that are not known yet.
            let ends = [
                (base.len() == limit).then(|| base.last().map(|found| &found.row)),
                (overlay.len() == limit).then(|| overlay.last().map(|change| &change.row)),
            ];
            let ends = ends.into_iter().flatten().flatten();
            let end = ends.map(|row| &row.entry.path).min().cloned();
            let page = merge(base, overlay, end.as_ref());
            if end.is_none() || !page.is_empty() {
                return Ok(page);
            }
            // All of it had been dropped.
            after = end;
        }
    }

    /// Calls `each` for every entry of a view. Holds one page in memory, whatever the library's
    /// size.
    ///
    /// # Errors
    /// The disk's, and those of `each`, which end it.
    pub fn for_each(&self, view: View, mut each: impl FnMut(Found) -> Result<()>) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.page(view, after.as_ref(), PAGE)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.row.entry.path.clone());
            page.into_iter().try_for_each(&mut each)?;
        }
    }

    fn base_page(&self, after: Option<&RelPath>, limit: usize) -> Result<Vec<Found>> {
        let sql = format!("SELECT {COLUMNS}, 1 FROM base WHERE path > ?1 ORDER BY path LIMIT ?2");
        self.select(&sql, (start(after), limit as i64))
    }

    /// The changes that a view sees; a path may come twice, the change that counts first.
    fn overlay_page(
        &self,
        view: View,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<Overlay>> {
        let stages = match view {
            View::Base => return Ok(Vec::new()),
            View::Frozen => [FROZEN, FROZEN],
            View::Merged => [LIVE, FROZEN],
        };
        let sql = format!(
            "SELECT {COLUMNS}, change FROM pending WHERE path > ?1 AND stage BETWEEN ?2 AND ?3
             ORDER BY path, stage LIMIT ?4"
        );
        self.read(|conn| {
            let mut statement = conn.prepare_cached(&sql)?;
            let parameters = (start(after), stages[0], stages[1], limit as i64);
            let changes = statement.query_map(parameters, |row| {
                Ok(Overlay {
                    row: from_sql(row)?,
                    dropped: row.get::<_, i64>(WIDTH)? == DROP,
                })
            })?;
            changes.collect()
        })
    }
}

/// Lower than any path, or `after`.
fn start(after: Option<&RelPath>) -> &[u8] {
    after.map_or(&b""[..], RelPath::as_bytes)
}

/// Merges both lists up to and including `end`; a change hides the base's entry of its path.
fn merge(base: Vec<Found>, overlay: Vec<Overlay>, end: Option<&RelPath>) -> Vec<Found> {
    let within = |row: &Row| end.is_none_or(|end| row.entry.path <= *end);
    let mut base = base
        .into_iter()
        .filter(|found| within(&found.row))
        .peekable();
    let mut changes: Vec<_> = overlay.into_iter().filter(|c| within(&c.row)).collect();
    changes.dedup_by(|later, first| later.row.entry.path == first.row.entry.path);
    let mut merged = Vec::new();
    for change in changes {
        let path = &change.row.entry.path;
        while let Some(found) = base.next_if(|found| found.row.entry.path < *path) {
            merged.push(found);
        }
        base.next_if(|found| found.row.entry.path == *path);
        if !change.dropped {
            merged.push(Found {
                row: change.row,
                committed: false,
            });
        }
    }
    merged.extend(base);
    merged
}
