//! A commented `tidelock.toml`.

use serde_json::Value as Json;

/// A key of the template: its name, an example for where it is not set, and a comment.
type Line = (&'static str, &'static str, &'static str);

const LIBRARY: &[Line] = &[
    (
        "path",
        "\"~/Pictures\"",
        "The folder to mirror and back up.",
    ),
    (
        "exclude",
        "[\".DS_Store\", \"*.tmp\"]",
        "Left out, in gitignore syntax; .tidelockignore files in the folder work too.",
    ),
    (
        "mtime",
        "\"keep\"",
        "\"ignore\" where times mean nothing, as on a fresh checkout.",
    ),
];

const SYNC: &[Line] = &[
    (
        "to",
        "\"s3://my-photos/library\"",
        "The mirror: plain objects, the same as the folder.",
    ),
    (
        "endpoint",
        "\"https://s3.example.org\"",
        "Where it is not Amazon's.",
    ),
    ("region", "\"eu-central-1\"", ""),
    ("profile", "\"photos\"", "AWS profile with the keys."),
    (
        "max_delete",
        "\"10%\"",
        "More deletes than this in one run are refused.",
    ),
    (
        "max_change",
        "\"50%\"",
        "More changed files than this look like ransomware; the mirror is left alone then.",
    ),
];

const BACKUP: &[Line] = &[
    (
        "to",
        "\"s3://my-photos-vault/library\"",
        "The locked versions, in a bucket with versioning and object lock.",
    ),
    (
        "endpoint",
        "\"https://s3.example.org\"",
        "Where it is not Amazon's.",
    ),
    ("region", "\"eu-central-1\"", ""),
    ("profile", "\"vault\"", "AWS profile with the keys."),
    (
        "mode",
        "\"governance\"",
        "Lock mode. \"compliance\" can be undone by nobody, not by the account's owner either.",
    ),
    (
        "retention",
        "\"60d\"",
        "Lock retention: no version can be deleted before it is over. Renewed by every run.",
    ),
    (
        "keep",
        "{ last = 7, daily = 14, weekly = 8, monthly = 24, yearly = 10 }",
        "Keep policy: which snapshots stay when pruning.",
    ),
];

const HEAD: &str = "\
# Tidelock's settings. Flags and TIDELOCK_* variables beat what stands here. Keys do not belong
# here: they come from the AWS chain, a profile, or TIDELOCK_SYNC_ACCESS_KEY_ID and its like.
";

/// The file for a record of settings.
pub(super) fn render(record: &Json) -> String {
    render_marked(record, &[])
}

/// As [`render`], with a mark on the settings (by id) that somebody has to look at.
pub(super) fn render_marked(record: &Json, check: &[&str]) -> String {
    let mut text = HEAD.to_owned();
    if let Some(object) = record.as_object() {
        let above = object.iter().filter(|(_, value)| !value.is_object());
        for (place, (name, value)) in above.enumerate() {
            if place == 0 {
                text.push('\n');
            }
            mark(name, check, &mut text);
            text.push_str(&format!("{name} = {}\n", toml_of(value)));
        }
    }
    for (section, lines) in [("library", LIBRARY), ("sync", SYNC), ("backup", BACKUP)] {
        text.push_str(&format!("\n[{section}]\n"));
        render_section(section, &record[section], (lines, check), &mut text);
    }
    text
}

/// What stands above a setting that is to be looked at.
pub(super) const MARK: &str = "# CHECK: was so on the machine that made the snapshot.\n";

fn mark(id: &str, check: &[&str], text: &mut String) {
    if check.contains(&id) {
        text.push_str(MARK);
    }
}

fn render_section(
    name_of_section: &str,
    section: &Json,
    (lines, check): (&[Line], &[&str]),
    text: &mut String,
) {
    let id = |name: &str| format!("{name_of_section}.{name}");
    for (name, example, comment) in lines {
        if !comment.is_empty() {
            text.push_str(&format!("# {comment}\n"));
        }
        match section.get(name) {
            Some(value) => {
                mark(&id(name), check, text);
                text.push_str(&format!("{name} = {}\n", toml_of(value)));
            }
            None => text.push_str(&format!("# {name} = {example}\n")),
        }
    }
    for (name, value) in section.as_object().into_iter().flatten() {
        if !lines.iter().any(|(known, ..)| known == name) {
            mark(&id(name), check, text);
            text.push_str(&format!("{name} = {}\n", toml_of(value)));
        }
    }
}

/// A value on one line.
pub(super) fn toml_of(value: &Json) -> String {
    match value {
        Json::Null => "\"\"".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => toml::Value::String(text.clone()).to_string(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_of).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(object) => {
            let pairs: Vec<String> = object
                .iter()
                .map(|(name, value)| format!("{name} = {}", toml_of(value)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment, Flags, Needs};

    #[test]
    fn the_file_says_what_was_recorded() {
        let record = serde_json::json!({
            "transfers": 8,
            "endpoint": "https://s3.example.org",
            "library": {
                "path": "/home/ada/My \"Pictures\"",
                "exclude": ["*.tmp", "a\\b"],
                "ignore_inode": true,
            },
            "sync": {"to": "s3://my-photos/library", "max_delete": 25},
            "backup": {
                "to": "s3://my-photos-vault/library",
                "retention": "90d",
                "keep": {"last": 3, "within": "1y"},
            },
        });
        let folder = tempfile::tempdir().expect("a folder");
        let text = render(&record);
        std::fs::write(folder.path().join(config::FILE_NAME), &text).expect("written");
        let environment = Environment {
            variables: [("HOME".to_owned(), "/home/ada".to_owned())].into(),
            folder: folder.path().to_owned(),
        };
        let loaded = config::load(&Flags::default(), &environment, Needs::nothing("init"));
        assert_eq!(loaded.expect(&text).settings.record, record);
        insta::assert_snapshot!(text);
    }
}
