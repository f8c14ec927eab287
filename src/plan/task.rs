//! What is known of paths, and what is to be done for them.

use super::objects::MirrorObject;
use crate::model::{Entry, Identity, RelPath, Seen, Time};

/// What is remembered of a path: the latest snapshot's entry, overlaid by what an unfinished run
/// has stored since.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// The entry.
    pub entry: Entry,
    /// Inode and ctime when it was stored, where this machine stored it.
    pub identity: Identity,
    /// The device that the inode belongs to.
    pub device: u64,
    /// The lock of its version holds at least until then.
    pub locked_until: Option<Time>,
    /// A committed snapshot names the entry. Only then may the content be overwritten elsewhere.
    pub committed: bool,
}

/// What the sync target has at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mirror {
    /// The sync target takes no part.
    Off,
    /// No object.
    Absent,
    /// The object holds the remembered content: it has the ETag that was noted for it.
    Holds {
        /// Its ETag.
        etag: String,
    },
    /// An object of unknown content.
    Unknown {
        /// Its ETag.
        etag: String,
        /// Its bytes.
        size: u64,
    },
    /// An object that certainly has another content, which no committed snapshot may hold.
    Foreign {
        /// Its ETag.
        etag: String,
    },
    /// An object whose content is in a committed snapshot by now, whatever it is.
    Cleared {
        /// Its ETag.
        etag: String,
    },
}

impl Mirror {
    /// The object's ETag, where there is one.
    pub fn etag(&self) -> Option<&str> {
        match self {
            Self::Off | Self::Absent => None,
            Self::Holds { etag }
            | Self::Unknown { etag, .. }
            | Self::Foreign { etag }
            | Self::Cleared { etag } => Some(etag),
        }
    }
}

/// A file that something is to be done for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Task {
    /// The file, as the scan saw it.
    pub seen: Seen,
    /// What is remembered of its path; boxed, because a first run has a task for each file.
    pub known: Option<Box<Known>>,
    /// By size and times, the file still has the remembered content.
    pub same: bool,
    /// What the sync target has at its path.
    pub mirror: Mirror,
    /// The first path of the same inode; done after that one, whose content it has.
    pub hardlink: Option<RelPath>,
}

/// An object of the sync target that no file of the library stands behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extra {
    /// The object.
    pub object: MirrorObject,
    /// What is remembered of its path, where the object still holds that.
    pub holds: Option<Known>,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// Files to read, place, or both, in path order.
    pub tasks: Vec<Task>,
    /// Entries that change without any bytes being sent: links, folders, permission bits.
    pub entries: Vec<Known>,
    /// Files that are as remembered but have another inode or ctime here.
    pub identities: Vec<(RelPath, Identity, u64)>,
    /// Remembered paths that the scan did not find, with whether an object was there.
    pub gone: Vec<Known>,
    /// Remembered paths whose file is in the cloud alone: taken over, without doubt.
    pub offline: Vec<Known>,
    /// Placeholders of files that nothing is remembered of, in path order.
    pub never_stored: Vec<RelPath>,
    /// Objects that no file stands behind.
    pub extras: Vec<Extra>,
    /// Sockets, FIFOs, devices.
    pub special: Vec<RelPath>,
    /// Files for which nothing has to be done.
    pub unchanged: u64,
    /// All regular files seen.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were remembered.
    pub known_files: u64,
}
