//! What comes after the files: empty folders, further names of files, symbolic links.

use super::file::refusal;
use crate::engine::download::folder::{Place, os_name};
use crate::engine::download::publish::taken;
use crate::engine::download::temp;
use crate::model::{Entry, Error, Result};
use crate::plan::restore::{Existing, Step, There, link_step};
use std::ffi::OsStr;
use std::io::ErrorKind;

/// Makes an empty folder, or takes the one that is there. Time and mode are set on a folder that
/// was made here, and on any if files may be overwritten. Returns whether it was made.
pub(super) fn folder(entry: &Entry, place: &Place, existing: Existing) -> Result<bool> {
    let at = place.path();
    let dir = place.folder.dir();
    let made = match dir.create_dir(&place.name) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(Error::io(at)(error)),
    };
    let there = place.there().map_err(Error::io(&at))?;
    if there != There::Folder {
        return Err(Error::Refused(format!(
            "{}: something else is where a folder belongs; move it away",
            at.display()
        )));
    }
    if made || existing.overwrite {
        let file = place.open_folder().map_err(Error::io(&at))?;
        temp::dress(&file, entry.mode, entry.mtime).map_err(Error::io(&at))?;
    }
    Ok(made)
}

/// Makes a symbolic link as it was, wherever it points. Returns whether it was made.
pub(super) fn symlink(entry: &Entry, place: &Place, existing: Existing) -> Result<bool> {
    let at = place.path();
    let Some(target) = entry.target.as_deref().and_then(os_name) else {
        return Err(Error::Damage(format!(
            "{}: the snapshot has no target for this link",
            entry.path
        )));
    };
    let there = place.there().map_err(Error::io(&at))?;
    let same = there == There::Other && points_to(place, target);
    let replace = match link_step(there, same, existing) {
        Step::Keep => return Ok(false),
        Step::Create => false,
        Step::Replace => true,
        refused => return Err(refusal(refused, place)),
    };
    temp::symlink(target, place, replace).map_err(|error| taken(error, place))?;
    if let Some(mtime) = entry.mtime {
        temp::set_link_time(place, mtime);
    }
    Ok(true)
}

fn points_to(place: &Place, target: &OsStr) -> bool {
    let found = place.folder.dir().read_link_contents(&place.name);
    found.is_ok_and(|found| found.as_os_str() == target)
}

/// Whether what is at `place` is a file that looks like this entry, so that it can be linked to.
pub(super) fn is_this(entry: &Entry, place: &Place) -> bool {
    match place.there() {
        Ok(There::File { size, mtime, exact }) => {
            exact && size == entry.size() && mtime == entry.mtime
        }
        _ => false,
    }
}
