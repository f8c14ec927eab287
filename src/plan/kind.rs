//! What a file is by its first bytes: its magic number, or the entropy of what has none.
//!
//! Magic numbers after Gary Kessler's list of file signatures and the formats' own documents.

use crate::model::RelPath;

/// More than this is never looked at.
pub const HEAD: usize = 4096;

/// Shorter beginnings say nothing about entropy.
const ENOUGH: usize = 256;
/// Bits a byte: text and most formats without compression lie below, base64 at it.
const LOW: f64 = 6.2;
/// Bits a byte: what is compressed or encrypted lies above, already in its first 256 bytes.
const HIGH: f64 = 7.0;

/// A file's beginning.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Head {
    /// The bytes begin like some format that is known.
    magic: bool,
    /// Bits a byte; none for beginnings too short to tell.
    entropy: Option<f64>,
}

impl Head {
    /// Of a file's first bytes, [`HEAD`] of them at most.
    pub fn of(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(HEAD)];
        Self {
            magic: has_magic(bytes),
            entropy: (bytes.len() >= ENOUGH).then(|| entropy(bytes)),
        }
    }

    /// Whether the file looks, by itself, like one that was encrypted: worth a look at what it
    /// was before.
    pub fn is_doubtful(&self, path: &RelPath) -> bool {
        !self.magic && (has_known_kind(path) || self.is_noise())
    }

    /// Whether the file was of a kind before, and now is of none.
    ///
    /// | before | now | lost |
    /// |---|---|---|
    /// | magic number | some magic number | no |
    /// | magic number | none | yes |
    /// | none, low entropy | none, high entropy | yes |
    /// | otherwise | | no |
    pub fn lost(before: &Self, now: &Self) -> bool {
        let is_calm = before.entropy.is_some_and(|bits| bits <= LOW);
        !now.magic && (before.magic || (is_calm && now.is_noise()))
    }

    fn is_noise(&self) -> bool {
        self.entropy.is_some_and(|bits| bits >= HIGH)
    }
}

/// Whether files of this name begin with a magic number.
pub fn has_known_kind(path: &RelPath) -> bool {
    let name = path.as_bytes();
    let Some(dot) = name.iter().rposition(|&byte| byte == b'.') else {
        return false;
    };
    let extension = name[dot + 1..].to_ascii_lowercase();
    KNOWN.contains(&extension.as_slice())
}

const KNOWN: &[&[u8]] = &[
    b"jpg", b"jpeg", b"png", b"gif", b"webp", b"tif", b"tiff", b"heic", b"heif", b"avif", b"dng",
    b"cr2", b"cr3", b"nef", b"arw", b"orf", b"raf", b"rw2", b"psd", b"bmp", b"mp4", b"mov", b"m4v",
    b"m4a", b"3gp", b"avi", b"mkv", b"webm", b"wav", b"flac", b"ogg", b"mp3", b"pdf", b"zip",
    b"docx", b"xlsx", b"pptx", b"odt", b"ods", b"epub", b"gz", b"7z", b"doc", b"xls", b"ppt",
];

/// At which byte, and which bytes.
const MAGIC: &[(usize, &[u8])] = &[
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF8"),
    (0, b"RIFF"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"IIRO"),
    (0, b"IIRS"),
    (0, b"IIU\0"),
    (0, b"FUJIFILMCCD-RAW"),
    (0, b"8BPS"),
    (0, b"BM"),
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (4, b"free"),
    (4, b"skip"),
    (0, b"\x1a\x45\xdf\xa3"),
    (0, b"fLaC"),
    (0, b"OggS"),
    (0, b"ID3"),
    (0, b"\xff\xfb"),
    (0, b"\xff\xf3"),
    (0, b"\xff\xf2"),
    (0, b"%PDF"),
    (0, b"PK\x03\x04"),
    (0, b"PK\x05\x06"),
    (0, b"\x1f\x8b"),
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    (0, b"Rar!"),
    (0, b"BZh"),
    (0, b"\xfd7zXZ\0"),
    (0, b"\x28\xb5\x2f\xfd"),
    (0, b"SQLite format 3\0"),
    (0, b"\x7fELF"),
    (0, b"MZ"),
];

fn has_magic(bytes: &[u8]) -> bool {
    let begins = |&(at, magic): &(usize, &[u8])| {
        bytes
            .get(at..)
            .is_some_and(|bytes| bytes.starts_with(magic))
    };
    MAGIC.iter().any(begins)
}

/// Shannon's, in bits a byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    let total = bytes.len() as f64;
    let bits = counts.iter().filter(|count| **count > 0).map(|&count| {
        let share = f64::from(count) / total;
        -share * share.log2()
    });
    bits.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without any pattern.
    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let mut xof = blake3::Hasher::new();
        xof.update(b"x").finalize_xof().fill(&mut bytes);
        bytes
    }

    fn photo() -> Vec<u8> {
        [&b"\xff\xd8\xff\xe0"[..], &noise(2000)].concat()
    }

    #[test]
    fn f55_a_photo_or_text_that_turned_into_noise_is_lost_and_nothing_else() {
        let text = "It was a bright cold day in April.\n".repeat(40);
        let (photo, noise) = (Head::of(&photo()), Head::of(&noise(2000)));
        let (text, tiny) = (Head::of(text.as_bytes()), Head::of(b"x"));
        for (row, (before, now, lost)) in [
            (photo, noise, true),
            (text, noise, true),
            (photo, text, true),
            (noise, noise, false),
            (text, photo, false),
            (text, text, false),
            (photo, photo, false),
            (tiny, noise, false),
            (text, tiny, false),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(Head::lost(&before, &now), lost, "row {row}");
        }
    }

    #[test]
    fn only_what_may_be_encrypted_is_looked_at_twice() {
        let (jpg, txt) = (RelPath::from("a/b.JPG"), RelPath::from("a.d/notes"));
        assert!(has_known_kind(&jpg) && !has_known_kind(&txt));
        assert!(!Head::of(&photo()).is_doubtful(&jpg));
        assert!(Head::of(b"x").is_doubtful(&jpg));
        assert!(!Head::of(b"x").is_doubtful(&txt));
        assert!(Head::of(&noise(300)).is_doubtful(&txt));
    }

    #[test]
    fn noise_is_told_from_text_by_few_bytes() {
        assert!(entropy(&noise(ENOUGH)) >= HIGH);
        assert!(entropy(&noise(HEAD)) > 7.9);
        let base64 = data_encoding::BASE64.encode(&noise(3000));
        assert!(entropy(base64.as_bytes()) <= LOW);
        assert_eq!(entropy(&[7; 300]), 0.0);
    }
}
