//! The library that the main job is shown with.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::support::{Library, contents};

pub(super) const MIB: usize = 1 << 20;

/// Names that trip something somewhere: NFC and NFD twins, spaces where they hurt, what URLs and shells escape.
pub(super) const AWKWARD: [&str; 18] = [
    "names/with a space.jpg",
    "names/100%.jpg",
    "names/50%20off.jpg",
    "names/a+b.jpg",
    "names/#1.jpg",
    "names/what?.jpg",
    "names/wave \u{1f30a}.jpg",
    "names/caf\u{e9}.jpg",
    "names/cafe\u{301}.jpg",
    "names/-rf",
    "--help",
    "names/ends with a space ",
    " begins with two/ a",
    "names/.hidden",
    "names/quote\"s & 'apostrophes' <tags>;",
    "names/back\\slash",
    "names/line\nbreak",
    "names/...",
];

/// No text at all, and its key as rclone makes it.
pub(super) const NOT_UTF8: &[u8] = b"names/\xff";
pub(super) const NOT_UTF8_KEY: &str = "names/\u{201b}FF";

/// 300 small files, 20 photos, awkward names, an empty file, a video of `video` bytes, and what is no plain file: an
/// empty folder, a symlink, a hard link.
pub(super) fn fill(library: &Library, video: usize) {
    for number in 0..300 {
        let path = format!("documents/{}/note {number:03}.txt", number % 7);
        library.file(&path, 20 + number * 13);
        library.mtime(
            &path,
            1_500_000_000 + number as i64,
            1_000_001 * number as i32,
        );
    }
    for number in 0..20 {
        let path = format!("2024/Summer in Rome/IMG_{number:04}.jpg");
        library.write(&path, &photo(&path));
        library.mtime(&path, 1_720_000_000 + number, 0);
    }
    odd_things(library);
    library.file("2024/Summer in Rome/film.mov", video);
}

/// Awkward names and all kinds of entries, small.
pub(super) fn odd_things(library: &Library) {
    for name in AWKWARD {
        library.file(name, 300 + name.len());
    }
    library.mtime("names/-rf", -1, 999_999_999);
    library.mtime("names/a+b.jpg", 4_000_000_000, 1);
    library.file(OsStr::from_bytes(NOT_UTF8), 10);
    library.write("empty.txt", b"");
    library.dir("an empty folder/in another");
    library.mode("an empty folder/in another", 0o750);
    library.mtime("an empty folder/in another", 1_600_000_000, 5);
    library.symlink("link to a photo", "names/100%.jpg");
    library.symlink("link to nowhere", "/no/such/\u{1f30a}");
    library.hard_link("same as +.jpg", "names/a+b.jpg");
    library.mode("names/#1.jpg", 0o600);
    library.mode("names/.hidden", 0o444);
}

/// A JPEG to all who look at its first bytes, as large as photos of phones are after a messenger had them.
fn photo(path: &str) -> Vec<u8> {
    let mut bytes = contents(path, 180_000);
    bytes[..4].copy_from_slice(&[0xff, 0xd8, 0xff, 0xe0]);
    bytes
}
