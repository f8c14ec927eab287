//! An entry as a row, and back.

use crate::model::{Blake3, Content, Crc64, Entry, Identity, Kind, RelPath, Stored, Time};
use crate::state::error::bad_row;
use rusqlite::types::Value;

/// An entry with what the state alone knows of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// As the snapshot names it, or will.
    pub entry: Entry,
    /// Inode and ctime when its content was read; zeros where this machine never read it.
    pub identity: Identity,
    /// The device that the inode belongs to.
    pub device: u64,
    /// A lower bound of its version's lock, in whole seconds (rounded down).
    pub locked_until: Option<Time>,
}

/// Number of columns in [`super::schema::COLUMNS`].
pub(super) const WIDTH: usize = 20;
/// Where the checksum over the columns before it is.
const SUM: usize = 16;

/// The columns of a row, in order.
///
/// A row that is damaged on disk would end up in the next manifest, so each has a checksum of
/// everything that a manifest is made from. SQLite's own page checks see structure only. Inode,
/// ctime and device are outside of it: damage there makes a file read again, no more.
pub(super) fn to_values(row: &Row) -> [Value; WIDTH] {
    let entry = &row.entry;
    let stored = entry.stored.as_ref();
    let mut values = [
        Value::Blob(entry.path.as_bytes().to_vec()),
        Value::Integer(kind_code(entry.kind)),
        integer(entry.mtime.map(seconds)),
        integer(entry.mtime.map(nanoseconds)),
        integer(entry.mode.map(i64::from)),
        integer(entry.content.map(|content| content.size as i64)),
        blob(entry.content.map(|content| content.blake3.0.to_vec())),
        integer(entry.content.map(|content| content.crc64nvme.0 as i64)),
        text(stored.map(|stored| &stored.key)),
        text(stored.map(|stored| &stored.version_id)),
        text(stored.map(|stored| &stored.etag)),
        text(entry.sync_etag.as_ref()),
        blob(entry.target.clone()),
        blob(entry.hardlink.as_ref().map(|path| path.as_bytes().to_vec())),
        Value::Integer(entry.carried.into()),
        integer(row.locked_until.map(seconds)),
        Value::Null,
        Value::Integer(row.identity.inode as i64),
        Value::Integer(row.identity.ctime),
        Value::Integer(row.device as i64),
    ];
    values[SUM] = Value::Integer(checksum(&values[..SUM]));
    values
}

/// Reads the columns that [`to_values`] made, beginning at the statement's first.
pub(super) fn from_sql(columns: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let mut values: [Value; WIDTH] = std::array::from_fn(|_| Value::Null);
    for (index, value) in values.iter_mut().enumerate() {
        *value = columns.get(index)?;
    }
    if values[SUM] != Value::Integer(checksum(&values[..SUM])) {
        return Err(bad_row("a row's checksum does not match"));
    }
    from_values(values).ok_or_else(|| bad_row("a row breaks its own rules"))
}

fn from_values(values: [Value; WIDTH]) -> Option<Row> {
    let mut values = values.into_iter();
    let mut next = || values.next().unwrap_or(Value::Null);
    let path = RelPath::new(as_blob(next())??);
    let kind = kind_from(as_integer(next())??)?;
    let mtime = (as_integer(next())?, as_integer(next())?);
    let mode = as_integer(next())?;
    let content = (as_integer(next())?, as_blob(next())?, as_integer(next())?);
    let stored = (as_text(next())?, as_text(next())?, as_text(next())?);
    Some(Row {
        entry: Entry {
            path,
            kind,
            mtime: time(mtime)?,
            mode: mode.map(u32::try_from).transpose().ok()?,
            content: to_content(content)?,
            stored: to_stored(stored)?,
            sync_etag: as_text(next())?,
            target: as_blob(next())?,
            hardlink: as_blob(next())?.map(RelPath::new),
            carried: as_integer(next())?? != 0,
        },
        locked_until: time((as_integer(next())?, Some(0)))?,
        identity: {
            let _sum = next();
            Identity {
                inode: as_integer(next())?? as u64,
                ctime: as_integer(next())??,
            }
        },
        device: as_integer(next())?? as u64,
    })
}

fn to_content(
    (size, blake3, crc64): (Option<i64>, Option<Vec<u8>>, Option<i64>),
) -> Option<Option<Content>> {
    let Some(size) = size else { return Some(None) };
    Some(Some(Content {
        size: size as u64,
        blake3: Blake3(blake3?.try_into().ok()?),
        crc64nvme: Crc64(crc64? as u64),
    }))
}

fn to_stored(
    (key, version_id, etag): (Option<String>, Option<String>, Option<String>),
) -> Option<Option<Stored>> {
    let Some(key) = key else { return Some(None) };
    Some(Some(Stored {
        key,
        version_id: version_id?,
        etag: etag?,
    }))
}

/// CRC64 over the values, each with its type and length.
fn checksum(values: &[Value]) -> i64 {
    let mut bytes = Vec::with_capacity(512);
    for value in values {
        match value {
            Value::Null => bytes.push(0),
            Value::Integer(number) => {
                bytes.push(1);
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            Value::Real(number) => {
                bytes.push(2);
                bytes.extend_from_slice(&number.to_le_bytes());
            }
            Value::Text(text) => {
                bytes.push(3);
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
            Value::Blob(blob) => {
                bytes.push(4);
                bytes.extend_from_slice(&(blob.len() as u64).to_le_bytes());
                bytes.extend_from_slice(blob);
            }
        }
    }
    Crc64::of(&bytes).0 as i64
}

/// Seconds since 1970, rounded down, so that nanoseconds are never negative.
pub(super) fn seconds(time: Time) -> i64 {
    time.as_nanosecond().div_euclid(1_000_000_000) as i64
}

/// Nanoseconds behind [`seconds`].
pub(super) fn nanoseconds(time: Time) -> i64 {
    time.as_nanosecond().rem_euclid(1_000_000_000) as i64
}

/// The time that [`seconds`] and [`nanoseconds`] came from; absent where there were none.
pub(super) fn time((seconds, nanoseconds): (Option<i64>, Option<i64>)) -> Option<Option<Time>> {
    let Some(seconds) = seconds else {
        return Some(None);
    };
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds?);
    Some(Some(Time::from_nanosecond(total).ok()?))
}

pub(super) fn kind_code(kind: Kind) -> i64 {
    match kind {
        Kind::File => 0,
        Kind::Dir => 1,
        Kind::Symlink => 2,
        Kind::Special => 3,
    }
}

fn kind_from(code: i64) -> Option<Kind> {
    Some(match code {
        0 => Kind::File,
        1 => Kind::Dir,
        2 => Kind::Symlink,
        3 => Kind::Special,
        _ => return None,
    })
}

fn integer(number: Option<i64>) -> Value {
    number.map_or(Value::Null, Value::Integer)
}

fn text(text: Option<&String>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.clone()))
}

fn blob(bytes: Option<Vec<u8>>) -> Value {
    bytes.map_or(Value::Null, Value::Blob)
}

/// Outer `None`: the column has another type than it should.
fn as_integer(value: Value) -> Option<Option<i64>> {
    match value {
        Value::Null => Some(None),
        Value::Integer(number) => Some(Some(number)),
        _ => None,
    }
}

fn as_text(value: Value) -> Option<Option<String>> {
    match value {
        Value::Null => Some(None),
        Value::Text(text) => Some(Some(text)),
        _ => None,
    }
}

fn as_blob(value: Value) -> Option<Option<Vec<u8>>> {
    match value {
        Value::Null => Some(None),
        Value::Blob(bytes) => Some(Some(bytes)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::support::{file_row, state};

    #[test]
    fn every_field_survives_the_way_to_disk_and_back() {
        let mut full = file_row("a/b.jpg", b"content");
        full.entry.mtime = Some("-000001-05-06T07:08:09.000000001Z".parse().unwrap());
        full.entry.mode = Some(0o7777);
        full.entry.sync_etag = Some("sync-etag-3".to_owned());
        full.entry.hardlink = Some(RelPath::new(&b"a/\xff"[..]));
        full.entry.carried = true;
        full.identity = Identity {
            inode: u64::MAX,
            ctime: i64::MIN,
        };
        full.device = u64::MAX - 1;
        full.locked_until = Some("2027-01-02T03:04:05Z".parse().unwrap());
        let mut link = file_row("a/link", b"");
        link.entry = Entry {
            target: Some(b"../\xfe".to_vec()),
            ..Entry::new(RelPath::from("a/link"), Kind::Symlink)
        };
        let (mut state, _dir) = state();
        for row in [full, link] {
            state.put_base_for_test(std::slice::from_ref(&row));
            assert_eq!(state.get(&row.entry.path).unwrap().unwrap().row, row);
        }
    }

    #[test]
    fn any_changed_byte_of_a_row_is_noticed() {
        let values = to_values(&file_row("a", b"content"));
        for index in 0..SUM {
            let mut changed = values.clone();
            changed[index] = match &changed[index] {
                Value::Null => Value::Integer(0),
                Value::Integer(number) => Value::Integer(number ^ 1),
                Value::Text(text) => Value::Text(format!("{text}x")),
                Value::Blob(bytes) => Value::Blob([bytes, &b"x"[..]].concat()),
                Value::Real(_) => unreachable!(),
            };
            assert_ne!(checksum(&changed[..SUM]), checksum(&values[..SUM]));
        }
    }
}
