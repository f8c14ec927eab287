//! Placeholders of cloud drives: names of files whose bytes are elsewhere.
//!
//! They are told by `lstat` and by name alone, since opening one may fetch it. Never by a file's
//! blocks: a sparse file has none either, and is real.

use crate::model::{RelPath, Seen};
use std::fs::Metadata;

/// iCloud's stubs are property lists of some 200 bytes, under 1 KiB with the longest name; what is
/// larger is a file that happens to be called so.
const STUB_BYTES: u64 = 4096;

/// Whether the system would fetch the file (or list the folder) over the network when it is
/// opened.
#[cfg(target_os = "macos")]
pub(crate) fn is_dataless(metadata: &Metadata) -> bool {
    use std::os::macos::fs::MetadataExt;
    mac_flags_say_dataless(metadata.st_flags())
}

/// Whether the system would fetch the file (or list the folder) over the network when it is
/// opened.
#[cfg(windows)]
pub(crate) fn is_dataless(metadata: &Metadata) -> bool {
    use std::os::windows::fs::MetadataExt;
    windows_attributes_say_online_only(metadata.file_attributes())
}

/// Linux has no mark for it: a mounted cloud drive looks like any network disk.
#[cfg(not(any(target_os = "macos", windows)))]
pub(crate) fn is_dataless(_: &Metadata) -> bool {
    false
}

/// `SF_DATALESS` of macOS' `sys/stat.h`, set by every file provider (iCloud Drive, OneDrive,
/// Dropbox, Google Drive).
#[cfg(any(target_os = "macos", test))]
fn mac_flags_say_dataless(flags: u32) -> bool {
    const SF_DATALESS: u32 = 0x4000_0000;
    flags & SF_DATALESS != 0
}

/// The attributes that `FILE_ATTRIBUTE_…` in Windows' `winnt.h` calls `RECALL_ON_DATA_ACCESS`,
/// `RECALL_ON_OPEN` and `OFFLINE`.
#[cfg(any(windows, test))]
fn windows_attributes_say_online_only(attributes: u32) -> bool {
    const ONLINE_ONLY: u32 = 0x0040_0000 | 0x0004_0000 | 0x0000_1000;
    attributes & ONLINE_ONLY != 0
}

/// The path that a stub of iCloud (`.NAME.icloud`, before macOS 14) stands for; none where it is
/// no stub.
pub(crate) fn stub_of(path: &RelPath, metadata: &Metadata) -> Option<RelPath> {
    let could_be = metadata.is_file() && metadata.len() <= STUB_BYTES;
    if could_be { named_by(path) } else { None }
}

fn named_by(path: &RelPath) -> Option<RelPath> {
    let bytes = path.as_bytes();
    let at = bytes.iter().rposition(|&byte| byte == b'/');
    let (folder, name) = bytes.split_at(at.map_or(0, |at| at + 1));
    let name = name.strip_prefix(b".")?.strip_suffix(b".icloud")?;
    let is_name = !matches!(name, b"" | b"." | b"..");
    is_name.then(|| RelPath::new([folder, name].concat()))
}

/// Of stubs, each with the path that it stands for: those that are files like any other, since
/// what they stand for is there too, and the paths that are not. Both lists sorted by path.
pub(crate) fn settle_stubs(
    stubs: Vec<(RelPath, Seen)>,
    entries: &[Seen],
    dirs: &[Seen],
) -> (Vec<Seen>, Vec<RelPath>) {
    let is_in = |list: &[Seen], path: &RelPath| {
        let found = list.binary_search_by(|seen| seen.path.cmp(path));
        found.is_ok()
    };
    let (mut files, mut away) = (Vec::new(), Vec::new());
    for (path, stub) in stubs {
        if is_in(entries, &path) || is_in(dirs, &path) {
            files.push(stub);
        } else {
            away.push(path);
        }
    }
    (files, away)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f69_a_stub_s_name_tells_what_it_stands_for() {
        for (path, stands_for) in [
            (".a.jpg.icloud", Some("a.jpg")),
            ("2024/x y/.a.jpg.icloud", Some("2024/x y/a.jpg")),
            ("2024/..hidden.icloud", Some("2024/.hidden")),
            (".Album.photoslibrary.icloud", Some("Album.photoslibrary")),
            (".a.icloud.icloud", Some("a.icloud")),
            (".ü.icloud", Some("ü")),
            ("a.jpg.icloud", None),
            (".a.jpg", None),
            (".icloud", None),
            ("..icloud", None),
            ("...icloud", None),
            ("....icloud", None),
            (".a.icloud/b", None),
            (".a.ICLOUD", None),
        ] {
            let found = named_by(&path.into());
            assert_eq!(found, stands_for.map(RelPath::from), "{path}");
        }
        let raw = RelPath::new(*b"d/.\xff.icloud");
        assert_eq!(named_by(&raw), Some(RelPath::new(*b"d/\xff")));
    }

    #[test]
    fn f69_what_is_too_large_for_a_stub_and_what_is_no_file_is_none() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join(".a.icloud");
        for (bytes, is_stub) in [(200, true), (4096, true), (4097, false)] {
            std::fs::write(&path, vec![0; bytes]).expect("write");
            let metadata = std::fs::symlink_metadata(&path).expect("stat");
            let stub = stub_of(&".a.icloud".into(), &metadata);
            assert_eq!(stub.is_some(), is_stub, "{bytes}");
        }
        let folder = std::fs::symlink_metadata(dir.path()).expect("stat");
        assert_eq!(stub_of(&".a.icloud".into(), &folder), None);
    }

    #[test]
    fn f69_flags_and_attributes_tell_what_is_online_only() {
        assert!(mac_flags_say_dataless(0x4000_0000 | 0x20));
        assert!(!mac_flags_say_dataless(0x20), "compressed is real");
        for (attributes, expected) in [
            (0x0040_0020, true),
            (0x0004_0000, true),
            (0x1020, true),
            (0x0020, false),
            (0x0200, false),
            (0x0008_0000, false),
        ] {
            let found = windows_attributes_say_online_only(attributes);
            assert_eq!(
                found, expected,
                "{attributes:#x}: sparse and pinned are real"
            );
        }
    }

    #[test]
    fn f69_a_sparse_file_is_no_placeholder() {
        let file = tempfile::NamedTempFile::new().expect("temp file");
        file.as_file().set_len(1 << 20).expect("a hole");
        assert!(!is_dataless(&file.as_file().metadata().expect("stat")));
    }
}
