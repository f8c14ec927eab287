//! The closing summary: the JSON contract as plain data.

use crate::model::{Failure, Forecast, Requests, Time};

/// What the library gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LibrarySummary {
    /// Files seen.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files whose content was read.
    pub hashed: u64,
    /// Bytes read from disk for it.
    pub bytes_read: u64,
    /// Sockets, FIFOs, devices.
    pub skipped: u64,
    /// Files or folders that could not be read.
    pub failed: u64,
}

/// What was done on the sync target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncSummary {
    /// Objects sent.
    pub uploaded: u64,
    /// Their bytes.
    pub bytes_uploaded: u64,
    /// Objects copied by the store.
    pub copied: u64,
    /// Objects deleted.
    pub deleted: u64,
    /// Objects that held the right content already, adopted ones included.
    pub unchanged: u64,
    /// Files whose object could not be written or deleted.
    pub failed: u64,
    /// Requests by API.
    pub requests: Requests,
}

/// What was done on the backup target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupSummary {
    /// Versions written.
    pub uploaded: u64,
    /// Their bytes.
    pub bytes_uploaded: u64,
    /// Versions copied by the store from the sync target.
    pub copied: u64,
    /// Files whose content another path's version holds.
    pub referenced: u64,
    /// Files whose content was stored already.
    pub unchanged: u64,
    /// Versions whose lock was extended.
    pub renewed: u64,
    /// Files that could not be stored.
    pub failed: u64,
    /// The snapshot that was committed last.
    pub snapshot: Option<String>,
    /// The earliest lock that it names.
    pub protected_until: Option<Time>,
    /// Versions that are named but not protected for long enough.
    pub at_risk: u64,
    /// Snapshots that the keep policy would let go, as far as a run could tell for nothing.
    pub prunable: u64,
    /// Requests by API.
    pub requests: Requests,
}

/// The whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Absent where no library was scanned.
    pub library: Option<LibrarySummary>,
    /// Absent where the sync target took no part.
    pub sync: Option<SyncSummary>,
    /// Absent where the backup target took no part.
    pub backup: Option<BackupSummary>,
    /// Absent where nothing was restored.
    pub restore: Option<RestoreSummary>,
    /// Absent where nothing was pulled.
    pub pull: Option<PullSummary>,
    /// What a run would do; a dry run's alone.
    pub forecast: Option<Forecast>,
    /// Why new content was sent to both targets, where it was.
    pub twice: Option<String>,
    /// Everything that went wrong, by name.
    pub errors: Vec<Failure>,
}

/// What a restore wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreSummary {
    /// The snapshot that it was taken from.
    pub snapshot: Option<String>,
    /// Files written.
    pub files: u64,
    /// Bytes fetched.
    pub bytes_downloaded: u64,
    /// Files that were right already.
    pub unchanged: u64,
    /// Files whose version is archived and has to be retrieved first.
    pub archived: u64,
    /// Files that could not be restored.
    pub failed: u64,
}

/// What a pull did in the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullSummary {
    /// Files fetched and named.
    pub downloaded: u64,
    /// Bytes fetched.
    pub bytes_downloaded: u64,
    /// Files that the mirror has under a new name, made out of what was here under the old one.
    pub copied: u64,
    /// Files that were there before and held what the mirror holds, new times included.
    pub adopted: u64,
    /// Files that were right already.
    pub unchanged: u64,
    /// Files moved to the trash.
    pub trashed: u64,
    /// Files that were edited here and stay, the mirror's being as it was.
    pub edited: u64,
    /// Edited files that were moved beside the mirror's new version.
    pub conflicts: u64,
    /// Files that are not there as the mirror has them.
    pub failed: u64,
    /// Requests by API.
    pub requests: Requests,
}
