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

/// Stub.
pub struct KeyBase {
    base: String,
}
/// Stub.
pub struct ObjectKey {
    /** k */
    pub key: String,
    /** m */
    pub metadata: Vec<(String, String)>,
}
impl KeyBase {
    /// Stub.
    pub fn new(base: String) -> Self {
        Self { base }
    }
    /// Stub.
    pub fn key_of(&self, path: &RelPath) -> ObjectKey {
        ObjectKey {
            key: format!("{}{}", self.base, encode(path)),
            metadata: vec![],
        }
    }
}
