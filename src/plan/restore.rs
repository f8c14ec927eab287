//! What a restore takes out of a snapshot, and what it does where something is there already.

use crate::model::{Blake3, Content, Error, RelPath, Result, Time};
use std::collections::{BTreeSet, HashSet};

/// The paths that a restore was asked for; none means all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selection(HashSet<RelPath>);

impl Selection {
    /// Reads paths as people give them: a leading `./` and trailing slashes are taken off, the
    /// rest counts byte for byte, `*` too.
    ///
    /// # Errors
    /// `Usage` for absolute paths and for `..`, which name nothing in a library.
    pub fn parse<'a>(paths: impl IntoIterator<Item = &'a [u8]>) -> Result<Self> {
        let mut roots = HashSet::new();
        for given in paths {
            let mut path = given;
            while let Some(rest) = path.strip_prefix(b"./") {
                path = rest;
            }
            while let Some(rest) = path.strip_suffix(b"/")
                && !rest.is_empty()
            {
                path = rest;
            }
            if path == b"." {
                return Ok(Self::default());
            }
            let path = RelPath::from_untrusted(path).map_err(|why| {
                Error::Usage(format!(
                    "{:?} {why}: paths are relative to the library's root, as `tidelock ls` \
             prints them",
                    String::from_utf8_lossy(given)
                ))
            })?;
            roots.insert(path);
        }
        Ok(Self(roots))
    }

    /// Whether everything was asked for.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths asked for.
    pub fn roots(&self) -> impl Iterator<Item = &RelPath> {
        self.0.iter()
    }

    /// The paths asked for that are `path` or a folder above it.
    pub fn roots_of(&self, path: &RelPath) -> impl Iterator<Item = &RelPath> {
        let bytes = path.as_bytes();
        let slashes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends = slashes.map(|(end, _)| end).chain([bytes.len()]);
        ends.filter_map(|end| self.0.get(&RelPath::new(&bytes[..end])))
    }

    /// Whether `path` was asked for.
    pub fn covers(&self, path: &RelPath) -> bool {
        self.is_all() || self.roots_of(path).next().is_some()
    }

    /// The paths asked for that are not in `found`, in order.
    pub fn missing(&self, found: &HashSet<RelPath>) -> BTreeSet<RelPath> {
        self.0.difference(found).cloned().collect()
    }
}

/// What is in the folder under a file's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum There {
    /// Nothing.
    Nothing,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Modification time, where the system tells it.
        mtime: Option<Time>,
        /// Whether it is spelled exactly so; false where the file system takes another spelling
        /// (case, Unicode form) for the same name.
        exact: bool,
    },
    /// A folder.
    Folder,
    /// A symbolic link or something special.
    Other,
}

/// How a restore was asked to treat what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Existing {
    /// Files that differ are replaced.
    pub overwrite: bool,
    /// Size and time are not proof enough.
    pub checksum: bool,
}

/// What to do for one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Write it under a free name.
    Create,
    /// Write it in the place of what is there.
    Replace,
    /// It is right already.
    Keep,
    /// Its content is right; set time and mode.
    Touch,
    /// Hash what is there, then ask again.
    Compare,
    /// Something else is there and may not be overwritten.
    Differs,
    /// A folder is there.
    FolderInTheWay,
    /// Another name that this file system can't tell from it is there.
    Twin,
}

/// Decides for one file. `hashed` is the hash of what is there, once it is known.
///
/// | there | size | mtime | hash | overwrite | step |
/// |---|---|---|---|---|---|
/// | nothing | | | | | Create |
/// | folder | | | | | FolderInTheWay |
/// | other | | | | no / yes | Differs / Replace |
/// | file | = | = | unknown, not asked for | | Keep |
/// | file | = | ≠, or `checksum`, or inexact name | unknown | | Compare |
/// | file | = | = | = | | Keep |
/// | file | = | ≠ | = | no / yes | Keep / Touch |
/// | file, exact name | ≠ or | | ≠ | no / yes | Differs / Replace |
/// | file, inexact name | ≠ or | | ≠ | | Twin |
pub fn step(
    content: &Content,
    mtime: Option<Time>,
    there: There,
    hashed: Option<Blake3>,
    existing: Existing,
) -> Step {
    let replace = if existing.overwrite {
        Step::Replace
    } else {
        Step::Differs
    };
    let (size, same_time, exact) = match there {
        There::Nothing => return Step::Create,
        There::Folder => return Step::FolderInTheWay,
        There::Other => return replace,
        There::File {
            size,
            mtime: seen,
            exact,
        } => (size, mtime.is_some() && seen == mtime, exact),
    };
    let differs = if exact { replace } else { Step::Twin };
    if size != content.size {
        return differs;
    }
    match hashed {
        None if same_time && exact && !existing.checksum => Step::Keep,
        None => Step::Compare,
        Some(hash) if hash != content.blake3 => differs,
        Some(_) if exact && existing.overwrite && mtime.is_some() && !same_time => Step::Touch,
        Some(_) => Step::Keep,
    }
}

/// Decides for a symbolic link; `same` tells whether what is there is a link to the same target.
///
/// | there | same | overwrite | step |
/// |---|---|---|---|
/// | nothing | | | Create |
/// | folder | | | FolderInTheWay |
/// | file, inexact name | | | Twin |
/// | other | yes | | Keep |
/// | file or other | no | no / yes | Differs / Replace |
pub fn link_step(there: There, same: bool, existing: Existing) -> Step {
    match there {
        There::Nothing => Step::Create,
        There::Folder => Step::FolderInTheWay,
        There::File { exact: false, .. } => Step::Twin,
        There::Other if same => Step::Keep,
        There::File { .. } | There::Other if existing.overwrite => Step::Replace,
        There::File { .. } | There::Other => Step::Differs,
    }
}

/// Why this system can't hold a path under its own name, if it can't. Elsewhere than on Windows
/// any well-formed path is fine.
///
/// The rules are those of "Naming Files, Paths, and Namespaces" in Microsoft's documentation: no
/// `\`, `:` or wildcards, no device names (with any extension), no dot or space at the end.
pub fn unfit(path: &RelPath, windows: bool) -> Option<&'static str> {
    if !windows {
        return None;
    }
    path.segments().find_map(unfit_for_windows)
}

fn unfit_for_windows(segment: &[u8]) -> Option<&'static str> {
    let Ok(name) = std::str::from_utf8(segment) else {
        return Some("is not UTF-8, which Windows needs");
    };
    if name.chars().any(|c| c < ' ' || r#"\:*?"<>|"#.contains(c)) {
        return Some("has a character that Windows gives another meaning");
    }
    if name.ends_with(['.', ' ']) {
        return Some("ends with a dot or a space, which Windows drops");
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let device = match stem.to_ascii_uppercase().as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        upper => {
            let number = upper.strip_prefix("COM").or(upper.strip_prefix("LPT"));
            let digit = |text: &str| {
                let mut chars = text.chars();
                let first = chars.next();
                chars.next().is_none() && first.is_some_and(|c| "0123456789¹²³".contains(c))
            };
            number.is_some_and(digit)
        }
    };
    device.then_some("is a device on Windows")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(paths: &[&str]) -> Selection {
        Selection::parse(paths.iter().map(|path| path.as_bytes())).unwrap()
    }

    #[test]
    fn a_path_selects_a_file_or_all_below_a_folder() {
        let chosen = selection(&["2024/", "./a.jpg", "b[1]*.jpg"]);
        for yes in ["2024", "2024/x", "2024/x/y", "a.jpg", "b[1]*.jpg"] {
            assert!(chosen.covers(&yes.into()), "{yes}");
        }
        for no in ["2024x", "a.jpgx", "b1.jpg", "x/2024"] {
            assert!(!chosen.covers(&no.into()), "{no}");
        }
        assert!(selection(&[]).covers(&"x".into()));
        assert!(selection(&["."]).covers(&"x".into()));
    }

    #[test]
    fn each_path_asked_for_is_accounted_for() {
        let chosen = selection(&["a", "a/b", "c"]);
        let found: HashSet<_> = chosen.roots_of(&"a/b/x".into()).cloned().collect();
        assert_eq!(found.len(), 2);
        assert_eq!(chosen.missing(&found), BTreeSet::from([RelPath::from("c")]));
    }

    #[test]
    fn paths_that_lead_out_of_a_library_are_wrong_usage() {
        for bad in ["/etc/passwd", "../x", "a/../../x", "", "/", "a//b"] {
            let refused = Selection::parse([bad.as_bytes()]);
            assert!(matches!(refused, Err(Error::Usage(_))), "{bad:?}");
        }
    }

    #[test]
    fn what_is_there_decides_by_the_table() {
        use Step::*;
        let content = Content::of(b"tide");
        let (other, hash) = (Blake3::of(b"ebb!"), content.blake3);
        let (time, later) = (Time::UNIX_EPOCH, Time::MAX);
        let file = |size, mtime, exact| There::File {
            size,
            mtime: Some(mtime),
            exact,
        };
        let same = file(4, time, true);
        let touched = file(4, later, true);
        let twin = file(4, time, false);
        #[rustfmt::skip]
        let table = [
            // there, hash, checksum, step, step with overwrite
            (There::Nothing, None, false, Create, Create),
            (There::Folder, None, false, FolderInTheWay, FolderInTheWay),
            (There::Other, None, false, Differs, Replace),
            (same, None, false, Keep, Keep),
            (same, None, true, Compare, Compare),
            (same, Some(hash), true, Keep, Keep),
            (same, Some(other), true, Differs, Replace),
            (touched, None, false, Compare, Compare),
            (touched, Some(hash), false, Keep, Touch),
            (touched, Some(other), false, Differs, Replace),
            (file(5, time, true), None, false, Differs, Replace),
            (twin, None, false, Compare, Compare),
            (twin, Some(hash), false, Keep, Keep),
            (twin, Some(other), false, Twin, Twin),
            (file(5, time, false), None, false, Twin, Twin),
        ];
        for (there, hashed, checksum, expected, forced) in table {
            for (overwrite, expected) in [(false, expected), (true, forced)] {
                let existing = Existing {
                    overwrite,
                    checksum,
                };
                let step = step(&content, Some(time), there, hashed, existing);
                assert_eq!(step, expected, "{there:?} {hashed:?} {existing:?}");
            }
        }
    }

    #[test]
    fn links_replace_no_folder_and_nothing_unasked() {
        use Step::*;
        let file = There::File {
            size: 1,
            mtime: None,
            exact: true,
        };
        let twin = There::File {
            size: 1,
            mtime: None,
            exact: false,
        };
        for (there, same, expected, forced) in [
            (There::Nothing, false, Create, Create),
            (There::Folder, false, FolderInTheWay, FolderInTheWay),
            (There::Other, true, Keep, Keep),
            (There::Other, false, Differs, Replace),
            (file, false, Differs, Replace),
            (twin, false, Twin, Twin),
        ] {
            for (overwrite, expected) in [(false, expected), (true, forced)] {
                let existing = Existing {
                    overwrite,
                    checksum: false,
                };
                assert_eq!(link_step(there, same, existing), expected, "{there:?}");
            }
        }
    }

    #[test]
    fn f50_windows_is_spared_its_devices_and_backslashes() {
        for bad in [
            "..\\evil", "a\\b", "C:x", "CON", "con.txt", "a/NUL", "COM1.jpg", "lpt9", "x.", "x ",
            "a?b",
        ] {
            assert!(unfit(&bad.into(), true).is_some(), "{bad}");
            assert_eq!(unfit(&bad.into(), false), None, "{bad}");
        }
        for good in ["CONSOLE", "COM", "COM10", "a.b", "é/🙂", "-rf"] {
            assert_eq!(unfit(&good.into(), true), None, "{good}");
        }
    }
}
