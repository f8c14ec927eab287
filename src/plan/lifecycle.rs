//! What a bucket's lifecycle rules would do to a target.
//!
//! | rule, on keys of the target | on the vault | on the mirror |
//! |---|---|---|
//! | expires noncurrent versions | a version goes as soon as its lock is over | wanted, where versions are kept |
//! | expires current versions | hides them, and makes them noncurrent | deletes files |
//! | moves to a class that must be retrieved from | restoring takes hours and costs | reading takes hours |
//! | moves to any other class, drops old uploads or lone markers | harmless | harmless |

use crate::model::Target;
use crate::store::lifecycle::Rule;

/// Classes whose objects must be retrieved before they can be read.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// What a rule would do, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Harm {
    /// What it would do.
    pub text: String,
    /// What to do.
    pub advice: &'static str,
}

/// What rules would do to what snapshots need.
pub fn harm_to_backup(rules: &[Rule], target: &Target) -> Vec<Harm> {
    let mut harm = Vec::new();
    let mut add = |text: String, advice| harm.push(Harm { text, advice });
    for rule in rules.iter().filter(|rule| touches(rule, target)) {
        let name = name(rule);
        if rule.expires_noncurrent {
            let text = format!(
                "{name} deletes noncurrent versions as soon as no lock holds them, even those that \
                 a snapshot needs"
            );
            add(text, "remove it; `tidelock prune` drops what nobody needs");
        }
        if rule.expires_current {
            let text = format!(
                "{name} expires objects, which hides what snapshots need and makes it noncurrent"
            );
            add(text, "remove it; `tidelock prune` drops what nobody needs");
        }
        if let Some(class) = archive(rule) {
            let text = format!(
                "{name} moves objects to {class}, from where a restore must have them retrieved \
                 first, for hours and at a price"
            );
            let advice = "remove it, or choose a class that can be read at once (GLACIER_IR, \
                          STANDARD_IA)";
            add(text, advice);
        }
    }
    harm
}

/// The same for the mirror, where nothing that the backup holds is at risk.
pub fn harm_to_mirror(rules: &[Rule], target: &Target) -> Vec<Harm> {
    let mut harm = Vec::new();
    let mut add = |text: String, advice| harm.push(Harm { text, advice });
    for rule in rules.iter().filter(|rule| touches(rule, target)) {
        let name = name(rule);
        if rule.expires_current {
            let text =
                format!("{name} deletes files of the mirror, which the next run sends again");
            add(text, "remove it");
        }
        if let Some(class) = archive(rule) {
            let text = format!("{name} moves files to {class}, where they can't be read at once");
            let advice = "remove it, or choose a class that can be read at once (GLACIER_IR, \
                          STANDARD_IA)";
            add(text, advice);
        }
    }
    harm
}

/// Whether old versions of every object of a mirror go by themselves.
pub fn drops_old_versions(rules: &[Rule], target: &Target) -> bool {
    let all = |rule: &Rule| target.listing_prefix().starts_with(&rule.prefix);
    rules
        .iter()
        .any(|rule| rule.expires_noncurrent && all(rule))
}

/// Whether any key that counts can begin with the rule's prefix.
fn touches(rule: &Rule, target: &Target) -> bool {
    let ours = target.listing_prefix();
    let reserved = target.key(".tidelock/");
    let below = rule.prefix.starts_with(&ours) && !rule.prefix.starts_with(&reserved);
    below || ours.starts_with(&rule.prefix)
}

fn archive(rule: &Rule) -> Option<&str> {
    let classes = rule.moves_to.iter().map(String::as_str);
    classes.into_iter().find(|class| ARCHIVES.contains(class))
}

fn name(rule: &Rule) -> String {
    let place = match rule.prefix.as_str() {
        "" => "the whole bucket".to_owned(),
        prefix => format!("{prefix:?}"),
    };
    match rule.id.as_str() {
        "" => format!("a lifecycle rule for {place}"),
        id => format!("the lifecycle rule {id:?} for {place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::parse("s3://vault/library").expect("a target")
    }

    fn rule(prefix: &str) -> Rule {
        Rule {
            prefix: prefix.to_owned(),
            ..Rule::default()
        }
    }

    #[test]
    fn f67_only_rules_that_meet_the_target_count() {
        for (prefix, meets) in [
            ("", true),
            ("lib", true),
            ("library/", true),
            ("library/files/2024", true),
            ("library/.tidelock/", false),
            ("library2/", false),
            ("other", false),
        ] {
            let rule = Rule {
                expires_noncurrent: true,
                ..rule(prefix)
            };
            let harm = harm_to_backup(&[rule], &target());
            assert_eq!(!harm.is_empty(), meets, "{prefix:?}");
        }
    }

    #[test]
    fn f67_expiry_and_archives_harm_and_other_classes_do_not() {
        let moving = |class: &str| Rule {
            moves_to: vec![class.to_owned()],
            ..rule("")
        };
        for (rule, word) in [
            (moving("GLACIER"), Some("GLACIER")),
            (moving("DEEP_ARCHIVE"), Some("DEEP_ARCHIVE")),
            (moving("GLACIER_IR"), None),
            (moving("STANDARD_IA"), None),
            (rule(""), None),
            (
                Rule {
                    expires_current: true,
                    ..rule("")
                },
                Some("expires objects"),
            ),
        ] {
            let harm = harm_to_backup(std::slice::from_ref(&rule), &target());
            match word {
                Some(word) => assert!(harm[0].text.contains(word), "{rule:?}: {harm:?}"),
                None => assert!(harm.is_empty(), "{rule:?}: {harm:?}"),
            }
        }
    }

    #[test]
    fn a_mirror_s_old_versions_go_where_a_rule_covers_all_of_it() {
        for (prefix, all) in [("", true), ("library/", true), ("library/2024/", false)] {
            let rule = Rule {
                expires_noncurrent: true,
                ..rule(prefix)
            };
            assert_eq!(
                drops_old_versions(std::slice::from_ref(&rule), &target()),
                all
            );
            assert!(harm_to_mirror(&[rule], &target()).is_empty());
        }
    }
}
