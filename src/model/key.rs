//! Paths to object keys and back.
//!
//! A key is its base (`<prefix>/` on the sync target, `<prefix>/files/` on the backup target)
//! followed by the path, byte for byte but for what [`encode`] must escape. Three exceptions go
//! below `<base>.tidelock/long/`, see [`KeyBase::key_of`].
//!
//! Keys do not sort as paths do: escaping moves a name, and so does a long key. Whoever merges a
//! scan (path order) with a listing (key order) must map first and sort then.

mod base;
mod escape;

pub use base::{KeyBase, KeyPath, ObjectKey, PATH_METADATA, path_of_long};
pub use escape::{decode, encode};
