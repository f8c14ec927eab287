//! The S3 lock of one object version.

use crate::model::Time;
use std::fmt;

/// Who may take a lock back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Mode {
    /// A principal with the bypass permission may.
    Governance,
    /// Nobody may, the account's owner included.
    Compliance,
}

impl Mode {
    /// As S3 and snapshots spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }

    /// Reads either spelling, S3's or the configuration's.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "governance" => Some(Self::Governance),
            "compliance" => Some(Self::Compliance),
            _ => None,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A lock: mode and date travel together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// Who may take it back.
    pub mode: Mode,
    /// The version can't be deleted before this time, by the store's clock.
    pub until: Time,
}
