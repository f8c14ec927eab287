//! A path relative to the library's root, byte for byte.

use std::borrow::Cow;
use std::fmt;

/// A relative path: raw bytes, segments separated by `/`, no leading or trailing `/`.
///
/// Ordered by its bytes, which is the order of manifests. Paths that come from a scan are always
/// well formed; those that come from a bucket must pass [`RelPath::from_untrusted`] first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Box<[u8]>);

impl RelPath {
    /// Wraps bytes that are known to be well formed.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Accepts bytes from a manifest or a listing if no restore could be led astray by them:
    /// neither empty nor absolute, no NUL, no empty, `.` or `..` segment.
    ///
    /// # Errors
    /// The reason for the refusal, for a message.
    pub fn from_untrusted(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.is_empty() {
            return Err("is empty");
        }
        if bytes.contains(&0) {
            return Err("contains a NUL byte");
        }
        for segment in bytes.split(|&byte| byte == b'/') {
            match segment {
                b"" => return Err("is absolute or has an empty segment"),
                b"." | b".." => return Err("has a `.` or `..` segment"),
                _ => {}
            }
        }
        Ok(Self(bytes.into()))
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as text, with U+FFFD for what is not UTF-8; for people, never for keys.
    pub fn display(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The path as text where it is UTF-8.
    pub fn as_utf8(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The segments from the top down.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/')
    }

    /// Whether this path is `folder` itself or lies below it.
    pub fn is_within(&self, folder: &RelPath) -> bool {
        match self.0.strip_prefix(folder.as_bytes()) {
            Some(rest) => rest.is_empty() || rest[0] == b'/',
            None => false,
        }
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.display())
    }
}

impl From<&str> for RelPath {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_paths_are_refused() {
        for bad in [
            "",
            "/etc/passwd",
            "a//b",
            "a/",
            "../x",
            "a/../b",
            "a/./b",
            "a\0b",
        ] {
            assert!(RelPath::from_untrusted(bad.as_bytes()).is_err(), "{bad:?}");
        }
        for good in ["a", "a/b", "...", "a/..b", " ", "-rf"] {
            assert!(RelPath::from_untrusted(good.as_bytes()).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn within_goes_by_segments() {
        let folder = RelPath::from("a/b");
        assert!(RelPath::from("a/b").is_within(&folder));
        assert!(RelPath::from("a/b/c").is_within(&folder));
        assert!(!RelPath::from("a/bc").is_within(&folder));
    }
}
