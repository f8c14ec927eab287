//! An entry: one file of the library, as a snapshot names it.

use crate::model::{Content, RelPath, Time};

/// What a path is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// An empty directory; others follow from their files.
    Dir,
    /// A symbolic link: recorded, never followed.
    Symlink,
    /// A socket, FIFO or device: listed, not stored.
    Special,
}

/// The version of the backup target that holds a content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The full key in the backup bucket.
    pub key: String,
    /// The version's id, as the store gave it.
    pub version_id: String,
    /// The version's own ETag, without quotes.
    pub etag: String,
}

/// One path of a snapshot.
///
/// Invariant: a `File` that a committed snapshot names has `content` and `stored`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Relative to the library's root.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// Modification time.
    pub mtime: Option<Time>,
    /// Permission bits (`mode & 0o7777`).
    pub mode: Option<u32>,
    /// Files: size and checksums.
    pub content: Option<Content>,
    /// Files: where the backup target has the content.
    pub stored: Option<Stored>,
    /// A hint: the ETag that the sync target's listing shows for the object with this content.
    pub sync_etag: Option<String>,
    /// Symlinks: where they point, byte for byte.
    pub target: Option<Vec<u8>>,
    /// The first path (in path order) of the same inode.
    pub hardlink: Option<RelPath>,
    /// Taken over from the parent, because the run could not see the file.
    pub carried: bool,
}

impl Entry {
    /// An entry with nothing but its path and kind.
    pub fn new(path: RelPath, kind: Kind) -> Self {
        Self {
            path,
            kind,
            mtime: None,
            mode: None,
            content: None,
            stored: None,
            sync_etag: None,
            target: None,
            hardlink: None,
            carried: false,
        }
    }

    /// Length of the content, 0 for what is no file.
    pub fn size(&self) -> u64 {
        self.content.map_or(0, |content| content.size)
    }
}

/// What tells that a file is still the one that was read, where the file system keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// Inode number; 0 where it means nothing.
    pub inode: u64,
    /// Status change time in nanoseconds since 1970; 0 where it means nothing.
    pub ctime: i64,
}

/// What a scan saw of one path, by `lstat` alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Relative to the library's root.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// Bytes; 0 for what is no file.
    pub size: u64,
    /// Modification time.
    pub mtime: Time,
    /// Permission bits.
    pub mode: u32,
    /// Inode and ctime.
    pub identity: Identity,
    /// The device that the inode belongs to.
    pub device: u64,
    /// Number of hard links.
    pub links: u64,
    /// Symlinks: where they point.
    pub target: Option<Vec<u8>>,
}
