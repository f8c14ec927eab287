//! What a run would ask of both targets, counted without asking.
//!
//! Writes are counted as the transfer makes them. Of what is read, the part that a dry run reads
//! itself is known, and the rest is what every run reads: leases, and locks read back by sample.

mod prices;

pub use prices::{Prices, prices};

use crate::model::{Requests, Side};
use std::time::Duration;

/// Of the versions written in one way, the lock of the first is read back, then of every so many.
pub const SAMPLE: u64 = 32;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Counts requests by what they are for.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    sync: Requests,
    backup: Requests,
    /// Versions written by one request of their own, by way: sent, copied.
    whole: [u64; 2],
}

impl Counter {
    /// A file's bytes go to a target, in so many parts; one part is one request.
    pub fn send(&mut self, side: Side, parts: u64) {
        if parts <= 1 {
            self.note(side, "PutObject", 1);
            self.whole[0] += u64::from(side == Side::Backup);
        } else {
            self.in_parts(side, "UploadPart", parts);
        }
    }

    /// The store copies a file's content to a target, in so many parts.
    pub fn copy(&mut self, side: Side, parts: u64) {
        if parts <= 1 {
            self.note(side, "CopyObject", 1);
            self.whole[1] += u64::from(side == Side::Backup);
        } else {
            self.in_parts(side, "UploadPartCopy", parts);
        }
    }

    fn in_parts(&mut self, side: Side, name: &'static str, parts: u64) {
        self.note(side, "CreateMultipartUpload", 1);
        self.note(side, name, parts);
        self.note(side, "CompleteMultipartUpload", 1);
        // The lock may be as old as the upload's beginning, so each is read.
        if side == Side::Backup {
            self.note(side, "GetObjectRetention", 1);
        }
    }

    /// An object of the mirror is deleted; `asks` where the store does not honour conditions on
    /// deletes, so that it is looked at just before.
    pub fn delete(&mut self, asks: bool) {
        self.note(Side::Sync, "DeleteObject", 1);
        self.note(Side::Sync, "HeadObject", u64::from(asks));
    }

    /// An object of unknown content is kept as a version: read, looked for, sent.
    pub fn rescue(&mut self, parts: u64) {
        self.note(Side::Sync, "HeadObject", 1);
        self.note(Side::Sync, "GetObject", 1);
        self.note(Side::Backup, "ListObjectVersions", 1);
        self.send(Side::Backup, parts);
    }

    /// So many locks are extended, which makes a line in the ledger each, in one object.
    pub fn renew(&mut self, locks: u64) {
        if locks > 0 {
            self.note(Side::Backup, "PutObjectRetention", locks);
            self.note(Side::Backup, "GetObjectRetention", locks.div_ceil(SAMPLE));
            self.record(1);
        }
    }

    /// A snapshot is committed with so many new chunks; each object's lock is read back. Its pin has
    /// none.
    pub fn commit(&mut self, chunks: u64) {
        self.record(chunks + 1);
        self.note(Side::Backup, "PutObject", 1);
    }

    fn record(&mut self, objects: u64) {
        self.note(Side::Backup, "PutObject", objects);
        self.note(Side::Backup, "GetObjectRetention", objects);
    }

    /// A lease is taken, looked at before the commit (and before `deletes`), and given back.
    pub fn lease(&mut self, side: Side, deletes: bool) {
        let looks = u64::from(deletes);
        match side {
            Side::Sync => {
                self.note(side, "GetObject", 3 + looks);
                self.note(side, "PutObject", 1);
                self.delete(true);
            }
            // The dry run itself has read this one, for what the last run into the mirror came to.
            Side::Backup => {
                self.note(side, "GetObject", 2 + looks);
                self.note(side, "PutObject", 2);
            }
        }
    }

    /// What was asked already, and will be once more.
    pub fn again(&mut self, side: Side, asked: &Requests) {
        for (name, count) in asked {
            self.note(side, name, *count);
        }
    }

    /// All requests of a target.
    pub fn of(&self, side: Side) -> Requests {
        match side {
            Side::Sync => self.sync.clone(),
            Side::Backup => {
                let read_back: u64 = self.whole.iter().map(|count| count.div_ceil(SAMPLE)).sum();
                let mut all = self.backup.clone();
                if read_back > 0 {
                    *all.entry("GetObjectRetention").or_default() += read_back;
                }
                all
            }
        }
    }

    fn note(&mut self, side: Side, name: &'static str, count: u64) {
        let requests = match side {
            Side::Sync => &mut self.sync,
            Side::Backup => &mut self.backup,
        };
        if count > 0 {
            *requests.entry(name).or_default() += count;
        }
    }
}

/// Locks that a year of nights extends, of so many versions.
///
/// A version is renewed when `renew_below` and a share of half of the rest is left. Spread over the
/// nights as [`crate::plan::due_now`] does it, that share comes to one in e.
pub fn renewals_a_year(versions: u64, retention: Duration, renew_below: Duration) -> u64 {
    let rest = retention.saturating_sub(renew_below).as_secs_f64();
    let every = rest * (1.0 - 0.5 / std::f64::consts::E);
    // Nothing is renewed more than once a night.
    let every = every.max(86_400.0);
    (versions as f64 * YEAR.as_secs_f64() / every).round() as u64
}

/// So long it takes to send `bytes` at `rate` a second, in seconds.
pub fn seconds(bytes: u64, rate: u64) -> u64 {
    bytes.div_ceil(rate.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RelPath, Time};
    use crate::plan::{Renewable, due_now};

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn each_way_of_writing_has_its_requests() {
        let mut counter = Counter::default();
        for _ in 0..33 {
            counter.send(Side::Sync, 1);
            counter.copy(Side::Backup, 1);
        }
        counter.send(Side::Backup, 4);
        counter.commit(2);
        assert_eq!(counter.of(Side::Sync), Requests::from([("PutObject", 33)]));
        assert_eq!(
            counter.of(Side::Backup),
            Requests::from([
                ("CompleteMultipartUpload", 1),
                ("CopyObject", 33),
                ("CreateMultipartUpload", 1),
                // Two of the copies, the one in parts, two chunks and the snapshot.
                ("GetObjectRetention", 6),
                // The last three, and the snapshot's pin.
                ("PutObject", 4),
                ("UploadPart", 4),
            ])
        );
    }

    /// What `due_now` renews of a steady vault in a year of nights, against the formula.
    #[test]
    fn a_year_of_nights_renews_as_often_as_is_foretold() {
        for (retention, below) in [(60, 30), (90, 30), (365, 180)] {
            let (retention, below) = (retention * DAY, below * DAY);
            let names: Vec<String> = (0..300).map(|n| n.to_string()).collect();
            let names: Vec<RelPath> = names.iter().map(|name| name.as_str().into()).collect();
            let mut until = vec![Time::UNIX_EPOCH + retention; names.len()];
            let mut renewed: u64 = 0;
            let (warm_up, years) = (3 * 365, 3);
            for night in 0..warm_up + years * 365 {
                let now = Time::UNIX_EPOCH + night * DAY;
                let all = until.iter().zip(&names).map(|(&until, first)| Renewable {
                    until,
                    first,
                    requests: 100,
                });
                let all: Vec<_> = all.collect();
                for index in due_now(&all, now, retention, below, DAY) {
                    until[index] = now + retention;
                    renewed += u64::from(night >= warm_up) * 100;
                }
            }
            let a_year = renewed / years as u64;
            let foretold = renewals_a_year(300 * 100, retention, below);
            let ratio = a_year as f64 / foretold as f64;
            assert!((0.9..1.1).contains(&ratio), "{a_year}, foretold {foretold}");
        }
    }

    #[test]
    fn nothing_is_renewed_more_than_once_a_night() {
        assert_eq!(renewals_a_year(10, 30 * DAY, 30 * DAY), 3_650);
        assert_eq!(renewals_a_year(0, 60 * DAY, 30 * DAY), 0);
    }
}
