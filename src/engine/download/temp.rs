//! A file under a temporary name, until its content is proven.

use super::folder::{Folder, Place};
use crate::model::Time;
use cap_primitives::fs::FollowSymlinks;
use cap_std::fs::{Dir, OpenOptions};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const PREFIX: &str = ".tidelock-restore-";
const SUFFIX: &str = ".tmp";

/// For files that get a mode of their own later: nobody else reads them before.
pub(in crate::engine) const OWNER_ALONE: u32 = 0o600;
/// For files that have none: as any program makes files.
pub(in crate::engine) const AS_USUAL: u32 = 0o666;

/// Whether a name is one that restores use while they write. What is left of a former restore
/// under such a name was never proven, so it may go.
pub(in crate::engine) fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
}

fn temporary_name() -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(format!(
        "{PREFIX}{:016x}{SUFFIX}",
        u64::from_be_bytes(random)
    ))
}

/// Whether the file system takes another case, or another Unicode form, for the same name.
pub(in crate::engine) fn folds_names(dir: &Dir) -> io::Result<bool> {
    let name = temporary_name()?.replace(SUFFIX, "-\u{e9}.tmp");
    create(dir, &name, OWNER_ALONE)?;
    let others = [name.to_uppercase(), name.replace('\u{e9}', "e\u{301}")];
    let folds = others
        .iter()
        .any(|other| dir.symlink_metadata(other).is_ok());
    dir.remove_file(&name)?;
    Ok(folds)
}

fn create(dir: &Dir, name: &str, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    options._cap_fs_ext_follow(FollowSymlinks::No);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        options.mode(mode);
    }
    #[cfg(not(unix))]
    let _ = mode;
    Ok(dir.open_with(name, &options)?.into_std())
}

/// An unfinished file. Dropped without [`Temp::publish`], it is removed.
#[derive(Debug)]
pub(in crate::engine) struct Temp {
    folder: Arc<Folder>,
    name: OsString,
    file: File,
    published: AtomicBool,
}

impl Temp {
    /// Makes an empty one in the folder where its content belongs, with this mode less the umask.
    pub(in crate::engine) fn create(folder: &Arc<Folder>, mode: u32) -> io::Result<Self> {
        let name = temporary_name()?;
        let file = create(folder.dir(), &name, mode)?;
        Ok(Self {
            folder: Arc::clone(folder),
            name: name.into(),
            file,
            published: AtomicBool::new(false),
        })
    }

    /// The open file.
    pub(in crate::engine) fn file(&self) -> &File {
        &self.file
    }

    /// The file once more, from its beginning, to be read.
    pub(in crate::engine) fn open_again(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true)._cap_fs_ext_follow(FollowSymlinks::No);
        let file = self.folder.dir().open_with(&self.name, &options)?;
        Ok(file.into_std())
    }

    /// Where it is, for messages.
    pub(in crate::engine) fn path(&self) -> PathBuf {
        self.folder.path_of(&self.name)
    }

    /// Takes the disk space now, so that a full disk shows before anything is fetched.
    pub(in crate::engine) fn reserve(&self, size: u64) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            use rustix::io::Errno;
            match fallocate(&self.file, FallocateFlags::empty(), 0, size) {
                Ok(()) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.file.set_len(size)
    }

    /// Writes at an offset; several may write at once.
    pub(in crate::engine) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileExt;
            self.file.write_all_at(bytes, offset)
        }
        #[cfg(windows)]
        {
            use std::os::windows::fs::FileExt;
            let mut done = 0;
            while done < bytes.len() {
                done += self.file.seek_write(&bytes[done..], offset + done as u64)?;
            }
            Ok(())
        }
    }

    /// Has the system begin to bring a part to the disk, so that less is left for when it all must
    /// be there. Only a hint.
    pub(in crate::engine) fn start_writeback(&self, offset: u64, len: u64) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use rustix::fs::{Advice, fadvise};
            // Linux begins to write what is dirty there, and waits for nothing (mm/fadvise.c).
            let len = std::num::NonZeroU64::new(len);
            let _ = fadvise(&self.file, offset, len, Advice::DontNeed);
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = (offset, len);
    }

    /// Gives it mode and time.
    pub(in crate::engine) fn dress(
        &self,
        mode: Option<u32>,
        mtime: Option<Time>,
    ) -> io::Result<()> {
        dress(&self.file, mode, mtime)
    }

    /// Gives it its name; the content must be durable by now. Without `replace` it fails with
    /// `AlreadyExists` where the name is taken.
    pub(in crate::engine) fn publish(&self, place: &Place, replace: bool) -> io::Result<()> {
        let dir = self.folder.dir();
        if replace {
            dir.rename(&self.name, dir, &place.name)?;
        } else {
            rename_to_free(dir, &self.name, dir, &place.name)?;
        }
        self.published.store(true, Ordering::Release);
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.published.load(Ordering::Acquire) {
            remove_leftover(self.folder.dir(), &self.name);
        }
    }
}

fn remove_leftover(dir: &Dir, name: &OsStr) {
    match dir.remove_file(name) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(name = %name.display(), %error, "a temporary file stays behind");
        }
        _ => {}
    }
}

/// Sets mode and modification time, the time last.
pub(in crate::engine) fn dress(
    file: &File,
    mode: Option<u32>,
    mtime: Option<Time>,
) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(mode) = mode {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(mode & 0o7777))?;
    }
    #[cfg(not(unix))]
    let _ = mode;
    match mtime.map(std::time::SystemTime::try_from) {
        Some(Ok(time)) => file.set_modified(time),
        // Times that the system can't express are left as they are.
        Some(Err(_)) | None => Ok(()),
    }
}

/// Makes a second name for `from` under a temporary name, then moves it to `to`.
pub(in crate::engine) fn link(from: &Place, to: &Place, replace: bool) -> io::Result<()> {
    let name = OsString::from(temporary_name()?);
    let dir = to.folder.dir();
    from.folder.dir().hard_link(&from.name, dir, &name)?;
    let moved = rename(dir, &name, &to.name, replace);
    // Where both are names of one file already, rename does nothing and the third name stays.
    remove_leftover(dir, &name);
    moved
}

/// Makes a symbolic link with these very bytes, which nothing here ever follows.
pub(in crate::engine) fn symlink(target: &OsStr, to: &Place, replace: bool) -> io::Result<()> {
    let name = OsString::from(temporary_name()?);
    let dir = to.folder.dir();
    #[cfg(unix)]
    dir.symlink_contents(target, &name)?;
    #[cfg(windows)]
    dir.symlink_file(target, &name)?;
    let moved = rename(dir, &name, &to.name, replace);
    if moved.is_err() {
        remove_leftover(dir, &name);
    }
    moved
}

/// Sets a symbolic link's own time, as far as the system can.
pub(in crate::engine) fn set_link_time(place: &Place, mtime: Time) {
    #[cfg(unix)]
    {
        use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT, utimensat};
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: mtime.as_nanosecond().div_euclid(1_000_000_000) as i64,
                tv_nsec: mtime.as_nanosecond().rem_euclid(1_000_000_000) as _,
            },
        };
        let dir = place.folder.dir();
        let set = utimensat(dir, &place.name, &times, AtFlags::SYMLINK_NOFOLLOW);
        if let Err(error) = set {
            tracing::debug!(link = %place.path().display(), %error, "its time stays new");
        }
    }
    #[cfg(not(unix))]
    let _ = (place, mtime);
}

fn rename(dir: &Dir, from: &OsStr, to: &OsStr, replace: bool) -> io::Result<()> {
    if replace {
        dir.rename(from, dir, to)
    } else {
        rename_to_free(dir, from, dir, to)
    }
}

/// Moves what is at `from`, whatever it is by now; `AlreadyExists` where `to` is taken.
pub(in crate::engine) fn move_to_free(from: &Place, to: &Place) -> io::Result<()> {
    let (source, target) = (from.folder.dir(), to.folder.dir());
    rename_to_free(source, &from.name, target, &to.name)
}

fn rename_to_free(source: &Dir, from: &OsStr, target: &Dir, to: &OsStr) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(source, from, target, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            other => return other.map_err(Into::into),
        }
    }
    // Only one restore at a time writes the folder, so a look just before is enough here.
    if target.symlink_metadata(to).is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    source.rename(from, target, to)
}
