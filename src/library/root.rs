//! The library's root folder.

use crate::library::trouble;
use std::fs;
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A root folder that exists and can be listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Root {
    /// Absolute, without symbolic links. (The root itself may be given by a link.)
    pub path: PathBuf,
    /// Its device: another one means another disk, or none, at the mount point.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// Nothing at all lies in it, as in a mount point without its disk. That no *file* is found
    /// is for [`Scan::files`](crate::library::Scan) to tell.
    pub empty: bool,
}

/// Why there is no library to scan. Nothing may be concluded about its files.
#[derive(Debug, thiserror::Error)]
pub enum RootProblem {
    /// Nothing is there.
    #[error("the library was not found at {}: disk unplugged?", .0.display())]
    Missing(PathBuf),
    /// A file or something else is there.
    #[error("{} is not a folder: name the folder that holds the library", .0.display())]
    NotAFolder(PathBuf),
    /// It may not be listed, or the disk fails.
    #[error("the library's folder {} can't be listed: {}", .path.display(), trouble::explain(.source))]
    Unreadable {
        /// The root.
        path: PathBuf,
        /// The system's reason.
        source: IoError,
    },
    /// It was there when the scan began and is another one now.
    #[error("the library at {} went away while it was scanned: was its disk unplugged?", .0.display())]
    WentAway(PathBuf),
}

/// Looks at the root.
///
/// # Errors
/// What is wrong with it. An empty folder is no error: see [`Root::empty`].
pub fn check_root(path: &Path) -> Result<Root, RootProblem> {
    let problem = |source: IoError| match source.kind() {
        ErrorKind::NotFound => RootProblem::Missing(path.to_owned()),
        ErrorKind::NotADirectory => RootProblem::NotAFolder(path.to_owned()),
        _ => RootProblem::Unreadable {
            path: path.to_owned(),
            source,
        },
    };
    let real = fs::canonicalize(path).map_err(problem)?;
    let metadata = fs::metadata(&real).map_err(problem)?;
    if !metadata.is_dir() {
        return Err(RootProblem::NotAFolder(path.to_owned()));
    }
    let first = fs::read_dir(&real).map_err(problem)?.next();
    Ok(Root {
        path: real,
        device: metadata.dev(),
        inode: metadata.ino(),
        empty: first.transpose().map_err(problem)?.is_none(),
    })
}

impl Root {
    /// Whether the root is still the one that was checked.
    ///
    /// # Errors
    /// `WentAway`, or why it can't be looked at.
    pub(crate) fn check_again(&self, ignore_inode: bool) -> Result<(), RootProblem> {
        let now = match check_root(&self.path) {
            Err(RootProblem::Missing(path) | RootProblem::NotAFolder(path)) => {
                return Err(RootProblem::WentAway(path));
            }
            other => other?,
        };
        if now.device == self.device && (ignore_inode || now.inode == self.inode) {
            Ok(())
        } else {
            Err(RootProblem::WentAway(self.path.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f01_a_missing_root_a_file_and_an_empty_folder_are_told_apart() {
        let dir = tempfile::tempdir().expect("temp dir");
        let missing = check_root(&dir.path().join("gone"));
        assert!(
            matches!(missing, Err(RootProblem::Missing(_))),
            "{missing:?}"
        );

        let file = dir.path().join("file");
        fs::write(&file, "").expect("write");
        for path in [file.clone(), file.join("below")] {
            let found = check_root(&path);
            assert!(
                matches!(found, Err(RootProblem::NotAFolder(_))),
                "{found:?}"
            );
        }

        let folder = dir.path().join("folder");
        fs::create_dir(&folder).expect("mkdir");
        assert!(check_root(&folder).expect("a folder").empty);
        assert!(!check_root(dir.path()).expect("a folder").empty);
    }

    #[test]
    fn the_root_may_be_given_by_a_link() {
        let dir = tempfile::tempdir().expect("temp dir");
        let real = fs::canonicalize(dir.path())
            .expect("canonical")
            .join("real");
        fs::create_dir(&real).expect("mkdir");
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&real, &link).expect("symlink");
        assert_eq!(check_root(&link).expect("followed").path, real);
    }

    #[test]
    fn f01_a_root_that_was_replaced_is_noticed() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("library");
        fs::create_dir(&path).expect("mkdir");
        let root = check_root(&path).expect("root");
        root.check_again(false).expect("the same");

        fs::rename(&path, dir.path().join("elsewhere")).expect("rename");
        assert!(matches!(
            root.check_again(false),
            Err(RootProblem::WentAway(_))
        ));
        fs::create_dir(&path).expect("mkdir");
        assert!(matches!(
            root.check_again(false),
            Err(RootProblem::WentAway(_))
        ));
        root.check_again(true)
            .expect("the same device, inodes mean nothing");
        let unplugged = Root {
            device: root.device + 1,
            ..root
        };
        assert!(matches!(
            unplugged.check_again(true),
            Err(RootProblem::WentAway(_))
        ));
    }
}
