//! Paths to object keys and back.

use crate::model::RelPath;

/// A key below a base (`<prefix>/` or `<prefix>/files/`), escaped where S3 needs it.
pub fn encode(_path: &RelPath) -> String {
    String::new()
}

/// The path that [`encode`] made this key from.
pub fn decode(_key: &str) -> Option<RelPath> {
    None
}
