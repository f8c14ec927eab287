//! Ids of snapshots: a time by the server's clock and a random part.

use crate::model::{Error, Result, Time};
use std::fmt;

/// `20261123T021500Z-1a2b3c4d`. Ordered by time; the highest id is the latest snapshot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId(String);

impl SnapshotId {
    /// The id of what is written at `now` (the server's time) after `parent`: later than the
    /// parent by at least a second, also where the server's clock is not.
    ///
    /// # Errors
    /// No randomness to be had, or a time beyond the year 9999.
    pub fn after(parent: Option<&SnapshotId>, now: Time) -> Result<Self> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|error| {
            Error::Failed(format!("the system gives no random numbers: {error}"))
        })?;
        Self::with_random(parent, now, u32::from_be_bytes(random))
    }

    /// As [`SnapshotId::after`], with the random part given.
    ///
    /// # Errors
    /// A time that four digits of a year can't hold.
    pub fn with_random(parent: Option<&SnapshotId>, now: Time, random: u32) -> Result<Self> {
        let earliest = parent.map_or(i64::MIN, |id| id.time().as_second() + 1);
        let second = now.as_second().max(earliest);
        Time::from_second(second)
            .ok()
            .and_then(|time| {
                let time = time.strftime("%Y%m%dT%H%M%SZ");
                Self::parse(&format!("{time}-{random:08x}"))
            })
            .ok_or_else(|| {
                Error::Failed(format!(
                    "no snapshot can be named after {now}: is the store's clock right?"
                ))
            })
    }

    /// Reads an id; none unless it is written exactly so.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, random) = text.split_once('-')?;
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if random.len() != 8 || !random.bytes().all(hex) {
            return None;
        }
        // The round trip refuses what a lenient parser would take, a 31 February among it.
        (format_time(parse_time(time)?) == time).then(|| Self(text.to_owned()))
    }

    /// The time in it, to the second.
    pub fn time(&self) -> Time {
        self.0
            .get(..16)
            .and_then(parse_time)
            .unwrap_or(Time::UNIX_EPOCH)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn parse_time(text: &str) -> Option<Time> {
    let digits = |byte: u8| byte.is_ascii_digit() || byte == b'T' || byte == b'Z';
    if text.len() != 16 || !text.bytes().all(digits) {
        return None;
    }
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    jiff::tz::Offset::UTC.to_timestamp(civil).ok()
}

fn format_time(time: Time) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
