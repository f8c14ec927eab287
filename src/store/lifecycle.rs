//! What a bucket's lifecycle rules do by themselves, as plain data.

/// One rule that is in force.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rule {
    /// Its name; may be empty.
    pub id: String,
    /// It is about keys that begin so; empty for all. Rules may be narrower still (by tag or
    /// size); that is not told, so a rule may do less than it says here.
    pub prefix: String,
    /// Current versions are deleted; where versioning is on, delete markers take their place.
    pub expires_current: bool,
    /// Noncurrent versions are deleted for good, once no lock holds them.
    pub expires_noncurrent: bool,
    /// Storage classes that versions are moved to.
    pub moves_to: Vec<String>,
}
