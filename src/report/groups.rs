//! Foldable groups in the logs of continuous integration: what a run says on its way is folded, its
//! end is not.

/// Whose logs they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Groups {
    /// Nobody's that is known.
    #[default]
    None,
    /// GitHub Actions: workflow commands.
    GitHub,
    /// GitLab CI: section markers.
    GitLab,
}

impl Groups {
    /// By the variables that both set for every job.
    pub fn detect<'v>(variable: impl Fn(&str) -> Option<&'v str>) -> Self {
        if variable("GITHUB_ACTIONS") == Some("true") {
            Self::GitHub
        } else if variable("GITLAB_CI") == Some("true") {
            Self::GitLab
        } else {
            Self::None
        }
    }

    /// The line that begins a group; `seconds` since 1970.
    pub(super) fn begin(self, title: &str, seconds: i64) -> Option<String> {
        match self {
            Self::None => None,
            Self::GitHub => Some(format!("::group::{title}")),
            Self::GitLab => Some(format!(
                "\u{1b}[0Ksection_start:{seconds}:{}[collapsed=true]\r\u{1b}[0K{title}",
                section(title)
            )),
        }
    }

    /// The line that ends it.
    pub(super) fn end(self, title: &str, seconds: i64) -> Option<String> {
        match self {
            Self::None => None,
            Self::GitHub => Some("::endgroup::".to_owned()),
            Self::GitLab => Some(format!(
                "\u{1b}[0Ksection_end:{seconds}:{}\r\u{1b}[0K",
                section(title)
            )),
        }
    }
}

/// A section's name is made of letters, digits and `_ . -` alone.
fn section(title: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let keep = |c: char| if allowed(c) { c } else { '_' };
    title.chars().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ci_has_its_own_markers() {
        let detect = |name: &'static str| Groups::detect(move |it| (it == name).then_some("true"));
        assert_eq!(detect("CI"), Groups::None);
        assert_eq!(detect("CI").begin("tidelock run", 7), None);
        let github = detect("GITHUB_ACTIONS");
        assert_eq!(
            github.begin("tidelock run", 7).as_deref(),
            Some("::group::tidelock run")
        );
        assert_eq!(
            github.end("tidelock run", 7).as_deref(),
            Some("::endgroup::")
        );
        let gitlab = detect("GITLAB_CI");
        assert_eq!(
            gitlab.begin("tidelock run ä", 7).as_deref(),
            Some(
                "\u{1b}[0Ksection_start:7:tidelock_run__[collapsed=true]\r\u{1b}[0Ktidelock run ä"
            )
        );
        assert_eq!(
            gitlab.end("tidelock run ä", 9).as_deref(),
            Some("\u{1b}[0Ksection_end:9:tidelock_run__\r\u{1b}[0K")
        );
    }
}
