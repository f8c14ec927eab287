//! Small objects that never change, so that a night does not fetch each of them again.

use crate::model::{Blake3, Result};
use crate::state::State;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashSet;

/// Fast rather than small: these are written once and read every night.
const LEVEL: i32 = 1;

/// A version as a listing shows it. Whatever differs is another one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ObjectName {
    /// Full key.
    pub key: String,
    /// The version's id.
    pub version_id: String,
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
}

impl State {
    /// The bytes of a version, where they are remembered. What does not hash to what was
    /// remembered is forgotten.
    ///
    /// # Errors
    /// The disk's.
    pub fn object(&self, name: &ObjectName) -> Result<Option<Vec<u8>>> {
        let found = self.read(|conn| read(conn, name))?;
        let Some((blake3, Some(packed))) = found else {
            return Ok(None);
        };
        let body = zstd::bulk::decompress(&packed, name.size as usize).ok();
        Ok(body.filter(|body| body.len() as u64 == name.size && Blake3::of(body) == blake3))
    }

    /// Remembers the bytes of a version. Where nothing has `confirmed` that they came whole, only
    /// their hash is noted, until a second read gives the same.
    ///
    /// # Errors
    /// The disk's.
    pub fn remember_object(
        &mut self,
        name: &ObjectName,
        body: &[u8],
        confirmed: bool,
    ) -> Result<()> {
        let blake3 = Blake3::of(body);
        self.write(|conn| {
            let before = read(conn, name)?.map(|(blake3, _)| blake3);
            let packed = match confirmed || before == Some(blake3) {
                true => zstd::bulk::compress(body, LEVEL).ok(),
                false => None,
            };
            conn.prepare_cached(
                "INSERT OR REPLACE INTO object (key, version_id, etag, size, blake3, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                &name.key,
                &name.version_id,
                &name.etag,
                name.size as i64,
                &blake3.0[..],
                packed,
            ))?;
            Ok(())
        })
    }

    /// Forgets all objects but these.
    ///
    /// # Errors
    /// The disk's.
    pub fn keep_objects(&mut self, names: &HashSet<(String, String)>) -> Result<()> {
        self.write(|conn| {
            let mut all = conn.prepare("SELECT key, version_id FROM object")?;
            let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let rows: Vec<(String, String)> = rows.collect::<rusqlite::Result<_>>()?;
            let mut delete =
                conn.prepare("DELETE FROM object WHERE key = ?1 AND version_id = ?2")?;
            for (key, version_id) in rows.iter().filter(|row| !names.contains(*row)) {
                delete.execute((key, version_id))?;
            }
            Ok(())
        })
    }
}

/// The hash, and the compressed bytes where they are there.
type Noted = (Blake3, Option<Vec<u8>>);

fn read(conn: &Connection, name: &ObjectName) -> rusqlite::Result<Option<Noted>> {
    let mut statement = conn.prepare_cached(
        "SELECT blake3, body FROM object
         WHERE key = ?1 AND version_id = ?2 AND etag = ?3 AND size = ?4",
    )?;
    let place = (&name.key, &name.version_id, &name.etag, name.size as i64);
    statement
        .query_row(place, |row| Ok((Blake3(row.get(0)?), row.get(1)?)))
        .optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::support::{now, state};

    fn name(key: &str) -> ObjectName {
        ObjectName {
            key: key.to_owned(),
            version_id: "v1".to_owned(),
            etag: "e1".to_owned(),
            size: 4,
        }
    }

    #[test]
    fn an_object_is_found_again_under_all_of_its_name_alone() {
        let (mut state, _dir) = state();
        state.remember_object(&name("a"), b"tide", true).unwrap();
        let file = state.file().to_owned();
        drop(state);
        let (state, _) = State::open(&file, "test", now()).unwrap();
        assert_eq!(state.object(&name("a")).unwrap().unwrap(), b"tide");
        let others = [
            name("b"),
            ObjectName {
                version_id: "v2".to_owned(),
                ..name("a")
            },
            ObjectName {
                etag: "e2".to_owned(),
                ..name("a")
            },
            ObjectName {
                size: 5,
                ..name("a")
            },
        ];
        for other in others {
            assert_eq!(state.object(&other).unwrap(), None, "{other:?}");
        }
    }

    #[test]
    fn bytes_that_nothing_confirms_count_once_two_reads_agree() {
        let (mut state, _dir) = state();
        for (body, known) in [(b"tidf", false), (b"tide", false), (b"tide", true)] {
            state.remember_object(&name("a"), body, false).unwrap();
            assert_eq!(state.object(&name("a")).unwrap().is_some(), known);
        }
    }

    #[test]
    fn damaged_bytes_are_not_given() {
        let (mut state, _dir) = state();
        state.remember_object(&name("a"), b"tide", true).unwrap();
        let packed = zstd::bulk::compress(b"tidf", LEVEL).unwrap();
        let sql = "UPDATE object SET body = ?1";
        state.conn.execute(sql, [packed]).unwrap();
        assert_eq!(state.object(&name("a")).unwrap(), None);
    }

    #[test]
    fn what_is_listed_no_more_is_forgotten() {
        let (mut state, _dir) = state();
        for key in ["a", "b"] {
            state.remember_object(&name(key), b"tide", true).unwrap();
        }
        let listed = HashSet::from([("a".to_owned(), "v1".to_owned())]);
        state.keep_objects(&listed).unwrap();
        assert!(state.object(&name("a")).unwrap().is_some());
        assert!(state.object(&name("b")).unwrap().is_none());
    }
}
