//! Full keys below a base, and the long form for paths that S3 can't hold.

use super::escape::{decode, encode};
use crate::model::{Blake3, RelPath};
use data_encoding::BASE64;

/// User metadata of an object with a long key: its path, base64.
pub const PATH_METADATA: &str = "path";

/// The top segment that Tidelock keeps to itself.
const RESERVED: &str = ".tidelock";
const LONG: &str = ".tidelock/long/";

/// S3's limit for a key.
const MAX_KEY: usize = 1024;
/// A segment is a file name on MinIO's disks.
const MAX_SEGMENT: usize = 255;
/// S3 allows 2,048 bytes of user metadata in all; the rest is for `mtime`, `blake3` and the like.
const MAX_PATH_METADATA: usize = 1800;

/// Where the objects of a library lie in a bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyBase {
    base: String,
}

/// The key of a path, and what the object must carry for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectKey {
    /// The full key.
    pub key: String,
    /// Value of [`PATH_METADATA`]: present for long keys alone, absent even there if the path is
    /// so long (over 1,350 bytes) that S3 would refuse it. Manifests know the path in any case.
    pub path_metadata: Option<String>,
}

/// What a key below a base stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyPath {
    /// The object of this path.
    Path(RelPath),
    /// The object of the path with this BLAKE3; see [`path_of_long`].
    Long(Blake3),
    /// Tidelock's own (the lease): no plan or guard sees it.
    Reserved,
    /// No path has this key: something else put it there.
    Foreign,
}

impl KeyBase {
    /// A base as it begins each key: empty, or ending with `/`.
    pub fn new(base: impl Into<String>) -> Self {
        let base = base.into();
        debug_assert!(base.is_empty() || base.ends_with('/'), "{base}");
        Self { base }
    }

    /// The base, which is also the prefix to list.
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// The key of a path: the base and the escaped path.
    ///
    /// It becomes `<base>.tidelock/long/<BLAKE3 of the path, hex>` on every store alike, so that
    /// copies between stores need no renaming, where
    ///
    /// - it would be longer than 1,024 bytes,
    /// - MinIO refuses or mangles a segment: longer than 255 bytes; `.` or `..` once white space
    ///   around it is dropped, with `\` taken as a separator; ending with `__XLDIR__`,
    /// - the path itself lies in `.tidelock`, which no scan lets through.
    pub fn key_of(&self, path: &RelPath) -> ObjectKey {
        let relative = encode(path);
        if self.fits(&relative) {
            return ObjectKey {
                key: format!("{}{relative}", self.base),
                path_metadata: None,
            };
        }
        let hash = Blake3::of(path.as_bytes()).to_hex();
        let metadata = BASE64.encode(path.as_bytes());
        ObjectKey {
            key: format!("{}{LONG}{hash}", self.base),
            path_metadata: (metadata.len() <= MAX_PATH_METADATA).then_some(metadata),
        }
    }

    /// What a key stands for; none if it does not lie below this base.
    ///
    /// `Path(p)` comes back exactly for the key that [`KeyBase::key_of`] gives `p`.
    pub fn path_of(&self, key: &str) -> Option<KeyPath> {
        let relative = key.strip_prefix(&self.base)?;
        if is_reserved(relative) {
            let hash = relative.strip_prefix(LONG).and_then(Blake3::from_hex);
            return Some(hash.map_or(KeyPath::Reserved, KeyPath::Long));
        }
        let path = decode(relative).filter(|_| self.fits(relative));
        Some(path.map_or(KeyPath::Foreign, KeyPath::Path))
    }

    fn fits(&self, relative: &str) -> bool {
        self.base.len() + relative.len() <= MAX_KEY
            && !is_reserved(relative)
            && relative.split('/').all(is_taken_by_stores)
    }
}

/// The path of an object with a long key, from its [`PATH_METADATA`]; none if the value is not
/// the one that belongs to the key.
pub fn path_of_long(hash: Blake3, metadata: &str) -> Option<RelPath> {
    let bytes = BASE64.decode(metadata.as_bytes()).ok()?;
    let path = RelPath::from_untrusted(&bytes).ok()?;
    (Blake3::of(&bytes) == hash).then_some(path)
}

fn is_reserved(relative: &str) -> bool {
    relative.split('/').next() == Some(RESERVED)
}

/// MinIO's `hasBadPathComponent` and directory marker, as its server of February 2026 answers.
fn is_taken_by_stores(segment: &str) -> bool {
    let white = |c: char| matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r');
    segment.len() <= MAX_SEGMENT
        && !segment.ends_with("__XLDIR__")
        && !segment
            .split('\\')
            .any(|piece| matches!(piece.trim_matches(white), "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> KeyBase {
        KeyBase::new("lib/files/")
    }

    fn is_long(path: &RelPath) -> bool {
        base()
            .key_of(path)
            .key
            .starts_with("lib/files/.tidelock/long/")
    }

    #[test]
    fn ordinary_paths_lie_below_their_base() {
        let path = RelPath::from("2024/a b.jpg");
        let key = base().key_of(&path);
        assert_eq!(key.key, "lib/files/2024/a b.jpg");
        assert_eq!(key.path_metadata, None);
        assert_eq!(base().path_of(&key.key), Some(KeyPath::Path(path.clone())));
        assert_eq!(base().path_of("lib/manifests/x"), None);
        assert_eq!(KeyBase::new("").key_of(&path).key, "2024/a b.jpg");
    }

    #[test]
    fn f11_a_key_is_long_from_1025_bytes_on() {
        let path_of_length = |bytes: usize| {
            let last = if bytes % 2 == 1 { "f" } else { "ff" };
            RelPath::from(&*format!("{}{last}", "d/".repeat((bytes - 1) / 2)))
        };
        let room = MAX_KEY - base().as_str().len();
        assert_eq!(base().key_of(&path_of_length(room)).key.len(), 1024);
        assert!(!is_long(&path_of_length(room)));
        assert!(is_long(&path_of_length(room + 1)));
    }

    #[test]
    fn segments_that_stores_refuse_make_a_long_key() {
        for name in [
            &*"n".repeat(256),
            ". ",
            " .",
            ".. ",
            "\t.",
            ".\n",
            "a/ .. /b",
            "a\\..\\b",
            "x__XLDIR__",
            "x__XLDIR__/y",
        ] {
            assert!(is_long(&RelPath::from(name)), "{name:?}");
        }
        // 86 bytes that grow to 5 bytes each.
        assert!(is_long(&RelPath::new([0xff_u8; 86].as_slice())));
        for name in [
            &*"n".repeat(255),
            " . x",
            ".\u{a0}",
            "...",
            "a\\b",
            "\u{1}.",
            "e\\",
        ] {
            assert!(!is_long(&RelPath::from(name)), "{name:?}");
        }
    }

    #[test]
    fn f11_a_long_key_leads_back_to_its_path() {
        let path = RelPath::from(&*format!(
            "{}/.. ",
            "deep/".repeat(260).trim_end_matches('/')
        ));
        let key = base().key_of(&path);
        let Some(KeyPath::Long(hash)) = base().path_of(&key.key) else {
            panic!("{key:?}");
        };
        let metadata = key.path_metadata.expect("a path of 1,303 bytes fits");
        assert_eq!(path_of_long(hash, &metadata), Some(path));
        let other = BASE64.encode(b"other");
        assert_eq!(path_of_long(hash, &other), None, "a forged path");
        let too_long = RelPath::from("deep/".repeat(400).trim_end_matches('/'));
        assert_eq!(base().key_of(&too_long).path_metadata, None);
    }

    #[test]
    fn tidelock_s_own_keys_are_never_a_path_s() {
        assert_eq!(
            base().path_of("lib/files/.tidelock/lease.json"),
            Some(KeyPath::Reserved)
        );
        assert_eq!(
            base().path_of("lib/files/.tidelock"),
            Some(KeyPath::Reserved)
        );
        assert_eq!(
            base().path_of("lib/files/.tidelock/long/xyz"),
            Some(KeyPath::Reserved)
        );
        assert!(is_long(&RelPath::from(".tidelock/lease.json")));
        assert!(!is_long(&RelPath::from("a/.tidelock/lease.json")));
    }

    #[test]
    fn a_key_that_key_of_would_not_give_is_foreign() {
        for key in [
            "lib/files/a//b",
            "lib/files/",
            "lib/files/a/",
            "lib/files/ .",
        ] {
            assert_eq!(base().path_of(key), Some(KeyPath::Foreign), "{key}");
        }
        let raw = format!("lib/files/{}", "n".repeat(256));
        assert_eq!(base().path_of(&raw), Some(KeyPath::Foreign));
    }
}
