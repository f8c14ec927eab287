//! Exit codes: scripts rely on them for good.

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum ExitCode {
    /// All done, all promises hold.
    #[default]
    Done,
    /// Failed, nothing more can be said.
    Failed,
    /// Wrong usage, configuration or credentials; nothing was touched.
    Usage,
    /// Some files were not stored; each is named.
    Partial,
    /// Refused by a guard; nothing was deleted.
    Refused,
    /// Damage or risk found.
    Damage,
    /// Another run holds this library.
    Held,
    /// Stopped; run again to go on.
    Resumable,
    /// Interrupted; state saved.
    Interrupted,
}

impl ExitCode {
    /// The process's exit status.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Refused => 4,
            Self::Damage => 5,
            Self::Held => 6,
            Self::Resumable => 7,
            Self::Interrupted => 130,
        }
    }

    /// Where several hold, the first of 130, 7, 6, 5, 4, 3, 1 is the code; a usage error stands
    /// before the first write, so nothing can hold beside it but success.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self.rank() >= other.rank() {
            self
        } else {
            other
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Refused => 4,
            Self::Damage => 5,
            Self::Held => 6,
            Self::Resumable => 7,
            Self::Interrupted => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_code_wins() {
        let order = [
            ExitCode::Interrupted,
            ExitCode::Resumable,
            ExitCode::Held,
            ExitCode::Damage,
            ExitCode::Refused,
            ExitCode::Partial,
            ExitCode::Failed,
            ExitCode::Done,
        ];
        for (place, &first) in order.iter().enumerate() {
            for &second in &order[place..] {
                assert_eq!(first.and(second), first);
                assert_eq!(second.and(first), first);
            }
        }
        assert_eq!(order.map(ExitCode::code), [130, 7, 6, 5, 4, 3, 1, 0]);
    }
}
