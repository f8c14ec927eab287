//! What `ls`, `history`, `diff`, `snapshots`, `status` and `verify` look like to people.
//!
//! Times are those of the zone that is passed in, the reader's; programs get UTC, from the rows'
//! own types.

mod changes;
mod entries;
mod snapshots;
mod spans;
mod standing;
mod verdicts;

pub use changes::Changes;
pub use entries::Entries;
pub use snapshots::Snapshots;
pub use spans::Spans;
pub use standing::{BackupRow, Freed, PathHistory, PruneRow, SyncRow};
pub use verdicts::Verdicts;

use super::table::Cell;
use super::text::{show_bytes, show_minute};
use crate::model::{Entry, Kind, Time};
use jiff::tz::TimeZone;

/// `1.2 GiB`, or what it is where it is no file.
fn size(entry: &Entry) -> Cell {
    match entry.kind {
        Kind::File => Cell::new(show_bytes(entry.size())),
        Kind::Dir => Cell::new("folder"),
        Kind::Symlink => Cell::new("link"),
        Kind::Special => Cell::new("special"),
    }
}

fn minute(time: Option<Time>, zone: &TimeZone) -> Cell {
    Cell::new(time.map_or_else(String::new, |time| show_minute(time, zone)))
}
