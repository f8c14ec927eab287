//! What a restore would come to, before its first byte.

use crate::model::archive::Archive;
use std::path::PathBuf;

/// More files to download than this make a restore a large one.
const MANY_FILES: u64 = 1_000;
/// So do more bytes than this: 10 GiB.
const MANY_BYTES: u64 = 10 << 30;

/// What a restore would write, and where.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Preview {
    /// The folder.
    pub to: PathBuf,
    /// The snapshot, where it is one.
    pub snapshot: Option<String>,
    /// Regular files selected.
    pub files: u64,
    /// Links and empty folders selected.
    pub others: u64,
    /// Files to download, as far as sizes and times tell.
    pub fetch_files: u64,
    /// Their bytes.
    pub fetch_bytes: u64,
    /// Of the files to download, those that take the place of one that is there.
    pub replaced: u64,
    /// Files that are right already.
    pub right: u64,
    /// Files that are there, and have to be read to know whether they are right.
    pub compared: u64,
    /// Files that are there and differ, and stay as they are.
    pub refused: u64,
    /// Bytes that are free there, where the system tells.
    pub free_bytes: Option<u64>,
    /// What has to be retrieved first.
    pub archive: InArchive,
}

/// What is known of versions in archive storage classes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum InArchive {
    /// Nobody looked.
    #[default]
    NotAsked,
    /// The store did not tell, and why.
    Unknown(String),
    /// These, and no others.
    Known(Vec<Archived>),
}

/// Versions of one class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Archived {
    /// Where they are.
    pub archive: Archive,
    /// Their retrieval has been asked for, and is not done.
    pub coming: bool,
    /// How many.
    pub versions: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Preview {
    /// Whether a person wants to know before it begins: more than 1,000 files, more than 10 GiB, or
    /// something that is there would be replaced.
    pub fn is_large(&self) -> bool {
        self.fetch_files > MANY_FILES || self.fetch_bytes > MANY_BYTES || self.replaced > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_files_many_bytes_or_a_file_that_is_replaced_make_a_restore_large() {
        let preview = |fetch_files, fetch_bytes, replaced| Preview {
            fetch_files,
            fetch_bytes,
            replaced,
            ..Preview::default()
        };
        assert!(!preview(1_000, 10 << 30, 0).is_large());
        assert!(preview(1_001, 0, 0).is_large());
        assert!(preview(1, (10 << 30) + 1, 0).is_large());
        assert!(preview(1, 1, 1).is_large());
    }
}
