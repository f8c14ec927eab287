//! One version, compared with what was recorded of it.

use crate::engine::retry::Retrier;
use crate::model::{Content, Entry, Error, Result, Retention, StoreErrorKind, Stored, Time};
use crate::snapshot::Vault;
use std::fmt;

/// What a version should be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The version.
    pub stored: &'a Stored,
    /// What it should hold, where that is known beforehand.
    pub content: Option<&'a Content>,
    /// A lower bound of its lock.
    pub claimed: Time,
}

impl<'a> Expected<'a> {
    /// A file's; none for entries that name no version.
    pub fn of_entry(entry: &'a Entry) -> Option<Self> {
        Some(Self {
            stored: entry.stored.as_ref()?,
            content: entry.content.as_ref(),
            claimed: Time::UNIX_EPOCH,
        })
    }

    /// An object's whose content is checked otherwise.
    pub fn of_object(stored: &'a Stored, claimed: Time) -> Self {
        Self {
            stored,
            content: None,
            claimed,
        }
    }
}

/// What is wrong with a version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    /// It does not exist.
    Gone,
    /// It has so many bytes instead of so many.
    Size(u64, u64),
    /// Its ETag or its CRC64NVME is not the one that was stored.
    Checksum(&'static str),
    /// Its bytes, read twice, are not the ones that were stored.
    Bytes,
    /// It has no lock, or one that is over.
    Unlocked(Option<Time>),
    /// Its lock ends at the first time, although the second was recorded.
    Lowered(Time, Time),
}

impl Problem {
    /// In one word, for rows.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Size(..) => "size",
            Self::Checksum(_) => "checksum",
            Self::Bytes => "bytes",
            Self::Unlocked(_) | Self::Lowered(..) => "lock",
        }
    }

    /// Whether the content is lost, not merely its protection.
    pub fn is_content(&self) -> bool {
        !matches!(self, Self::Unlocked(_) | Self::Lowered(..))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("its version is gone"),
            Self::Size(is, was) => write!(f, "its version has {is} bytes instead of {was}"),
            Self::Checksum(which) => write!(f, "its version has another {which} than was stored"),
            Self::Bytes => f.write_str("its version has other bytes than were stored"),
            Self::Unlocked(None) => f.write_str("its version has no lock: it can be deleted"),
            Self::Unlocked(Some(until)) => {
                write!(f, "its lock ran out on {until}: it can be deleted")
            }
            Self::Lowered(is, was) => {
                write!(f, "its lock ends on {is}, though {was} was recorded")
            }
        }
    }
}

/// What the store says of a version.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// What is wrong with its content.
    pub problem: Option<Problem>,
    /// Its lock; none where it has none.
    pub lock: Option<Retention>,
    /// The lock could be read.
    pub lock_known: bool,
    /// It is in an archive class, so its bytes were not read.
    pub archived: bool,
    /// So many bytes were read and are right.
    pub read: Option<u64>,
}

impl Seen {
    /// The end of its lock.
    pub fn until(&self) -> Option<Time> {
        self.lock.map(|lock| lock.until)
    }

    /// What is wrong with its lock. Stores keep whole seconds.
    pub fn lock_problem(&self, claimed: Time, now: Time) -> Option<Problem> {
        if !self.lock_known {
            return None;
        }
        match self.until() {
            Some(until) if until <= now => Some(Problem::Unlocked(Some(until))),
            None => Some(Problem::Unlocked(None)),
            Some(until) if until.as_second() < claimed.as_second() => {
                Some(Problem::Lowered(until, claimed))
            }
            Some(_) => None,
        }
    }
}

/// Asks the store about a version.
///
/// # Errors
/// The store's, apart from the version not being there.
pub async fn look_at(vault: &Vault, retrier: &Retrier, expected: &Expected<'_>) -> Result<Seen> {
    let store = vault.store();
    let Stored {
        key, version_id, ..
    } = expected.stored;
    let head = match retrier.run(|| store.head(key, Some(version_id))).await {
        Ok(head) => head,
        Err(error) if error.kind == StoreErrorKind::NotFound => {
            return Ok(Seen {
                problem: Some(Problem::Gone),
                ..Seen::default()
            });
        }
        Err(error) => return Err(Error::Store(error)),
    };
    let mut seen = Seen {
        lock: head.retention,
        lock_known: true,
        ..Seen::default()
    };
    if seen.lock.is_none() {
        // A HEAD hides the lock from whoever may not read locks: only a lock's own request tells.
        match retrier.run(|| store.retention(key, version_id)).await {
            Ok(lock) => seen.lock = lock,
            Err(error) if error.kind == StoreErrorKind::Denied => seen.lock_known = false,
            Err(error) => return Err(Error::Store(error)),
        }
    }
    if let Some(content) = expected.content {
        let etag = &expected.stored.etag;
        seen.problem = if head.size != content.size {
            Some(Problem::Size(head.size, content.size))
        } else if head.crc64nvme.is_some_and(|crc| crc != content.crc64nvme) {
            Some(Problem::Checksum("CRC64NVME"))
        } else if !etag.is_empty() && head.etag != *etag {
            Some(Problem::Checksum("ETag"))
        } else {
            None
        };
    }
    Ok(seen)
}
