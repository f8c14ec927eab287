//! Archive storage classes: versions that are safe, and that must be retrieved before they can be
//! read.
//!
//! Classes, tiers and waiting times are those of "Archive retrieval options" in Amazon's S3 user
//! guide.

/// How a retrieval is paid for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Tier {
    /// Hours.
    Standard,
    /// Longer, and cheaper or free.
    Bulk,
}

impl Tier {
    /// As it is written on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Bulk => "bulk",
        }
    }

    /// Reads [`Tier::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Standard, Self::Bulk]
            .into_iter()
            .find(|tier| tier.as_str() == text)
    }
}

/// Where a version is that can't be read at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Archive {
    /// Storage class `GLACIER`.
    Glacier,
    /// Storage class `DEEP_ARCHIVE`.
    DeepArchive,
    /// Intelligent-Tiering's archive access tier.
    ArchiveTier,
    /// Intelligent-Tiering's deep archive access tier.
    DeepArchiveTier,
    /// The store refuses to read it as archived, and says of no class that is known here.
    Other,
}

impl Archive {
    /// From what a HEAD says: `x-amz-storage-class` and `x-amz-archive-status`.
    pub fn of(storage_class: Option<&str>, archive_status: Option<&str>) -> Option<Self> {
        match (storage_class, archive_status) {
            (_, Some("ARCHIVE_ACCESS")) => Some(Self::ArchiveTier),
            (_, Some("DEEP_ARCHIVE_ACCESS")) => Some(Self::DeepArchiveTier),
            (Some("GLACIER"), _) => Some(Self::Glacier),
            (Some("DEEP_ARCHIVE"), _) => Some(Self::DeepArchive),
            _ => None,
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
            Self::ArchiveTier => "INTELLIGENT_TIERING, archive access",
            Self::DeepArchiveTier => "INTELLIGENT_TIERING, deep archive access",
            Self::Other => "archived",
        }
    }

    /// Hours within which a retrieval is usually done.
    pub fn hours(self, tier: Tier) -> u32 {
        match (self, tier) {
            (Self::Glacier | Self::ArchiveTier, Tier::Standard) => 5,
            (Self::Glacier | Self::ArchiveTier, Tier::Bulk) => 12,
            (_, Tier::Standard) => 12,
            (_, Tier::Bulk) => 48,
        }
    }

    /// Whether what is retrieved moves back for good instead of being copied for some days.
    pub fn moves_back(self) -> bool {
        matches!(self, Self::ArchiveTier | Self::DeepArchiveTier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_what_must_be_retrieved() {
        let table = [
            (None, None, None),
            (Some("STANDARD"), None, None),
            // Read at once, whatever their names say.
            (Some("GLACIER_IR"), None, None),
            (Some("INTELLIGENT_TIERING"), None, None),
            (Some("GLACIER"), None, Some(Archive::Glacier)),
            (Some("DEEP_ARCHIVE"), None, Some(Archive::DeepArchive)),
            (
                Some("INTELLIGENT_TIERING"),
                Some("ARCHIVE_ACCESS"),
                Some(Archive::ArchiveTier),
            ),
            (
                Some("INTELLIGENT_TIERING"),
                Some("DEEP_ARCHIVE_ACCESS"),
                Some(Archive::DeepArchiveTier),
            ),
        ];
        for (class, status, expected) in table {
            assert_eq!(Archive::of(class, status), expected, "{class:?} {status:?}");
        }
    }
}
