//! What a run would do to both buckets and to the bill, as far as a dry run can tell.

use crate::model::{Mode, Requests, Time};

/// The whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// The mirror's part, where it takes part.
    pub sync: Option<Expected>,
    /// The vault's part, where it takes part.
    pub backup: Option<Expected>,
    /// What is locked by it.
    pub locks: Option<Locks>,
    /// So long the sending takes at the rate of `--bwlimit`, in seconds; none where no rate is
    /// known.
    pub seconds: Option<u64>,
}

/// What a target would be asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// Objects or versions written for files.
    pub files: u64,
    /// Bytes of them that go up from here.
    pub bytes_sent: u64,
    /// Bytes of them altogether, copied ones included.
    pub bytes_stored: u64,
    /// Requests by API, leases and read-backs included.
    pub requests: Requests,
    /// What they cost, where the prices are known.
    pub cost: Option<Cost>,
}

/// What can't be taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Locks {
    /// Mode of what is written.
    pub mode: Mode,
    /// What is written can't be deleted before.
    pub until: Time,
    /// Locks that all nights of a year together extend, as the vault stands then.
    pub renewals_a_year: u64,
}

/// US dollars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    /// Whose prices, and of when.
    pub prices: String,
    /// The requests, once.
    pub requests: f64,
    /// What is stored in addition, each month.
    pub storage_a_month: f64,
    /// Renewals, each year.
    pub renewals_a_year: f64,
}

impl Forecast {
    /// Bytes that go up, to both targets.
    pub fn bytes_sent(&self) -> u64 {
        let parts = self.sync.iter().chain(&self.backup);
        parts.map(|part| part.bytes_sent).sum()
    }
}
