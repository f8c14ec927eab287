//! Libraries of files to store: small, reproducible, as awkward as a test wants them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};
use tempfile::TempDir;

/// A library in a temporary folder that goes when this is dropped. Paths are relative to it; folders above a path are
/// made as needed. Names may be any bytes: `OsStr::from_bytes(b"\xff")` is a path too.
pub(crate) struct Library {
    root: TempDir,
}

impl Library {
    pub(crate) fn new() -> Self {
        Self {
            root: tempfile::Builder::new()
                .prefix("tidelock-library-")
                .tempdir()
                .expect("a library folder"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        assert!(
            path.is_relative(),
            "{} is not relative to the library",
            path.display()
        );
        self.root.path().join(path)
    }

    /// A file of `size` bytes that depend on its path alone, so that each path has its own content, and the same in each run.
    pub(crate) fn file(&self, path: impl AsRef<Path>, size: usize) -> PathBuf {
        let path = path.as_ref();
        self.write(path, &contents(path.as_os_str().as_encoded_bytes(), size))
    }

    /// Exactly these bytes. What stood at the path is overwritten in place (same inode), as editors and cameras do.
    pub(crate) fn write(&self, path: impl AsRef<Path>, bytes: &[u8]) -> PathBuf {
        let path = self.with_folder(path);
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// An empty folder.
    pub(crate) fn dir(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.at(path);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    pub(crate) fn symlink(&self, path: impl AsRef<Path>, target: impl AsRef<Path>) -> PathBuf {
        let path = self.with_folder(path);
        symlink(target, &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// A second name for the file at `first`.
    pub(crate) fn hard_link(&self, path: impl AsRef<Path>, first: impl AsRef<Path>) -> PathBuf {
        let path = self.with_folder(path);
        fs::hard_link(self.at(first), &path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    pub(crate) fn mode(&self, path: impl AsRef<Path>, mode: u32) {
        let path = self.at(path);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Seconds since 1970, which may be negative, and nanoseconds forward from there. Of a symlink: its own.
    pub(crate) fn mtime(&self, path: impl AsRef<Path>, seconds: i64, nanoseconds: i32) {
        let path = self.at(path);
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: seconds,
                tv_nsec: nanoseconds.into(),
            },
        };
        utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    pub(crate) fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let to = self.with_folder(to);
        fs::rename(self.at(from), &to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    }

    /// A file, a symlink, or a folder with all that is in it.
    pub(crate) fn remove(&self, path: impl AsRef<Path>) {
        let path = self.at(path);
        let is_folder = path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir());
        let removed = if is_folder {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn with_folder(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("below the root"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }
}

/// `size` bytes that look random, do not compress, and depend on the seed alone.
pub(crate) fn contents(seed: impl AsRef<[u8]>, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new()
        .update(seed.as_ref())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}
