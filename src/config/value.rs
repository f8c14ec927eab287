//! What a setting can be: kinds, and values read by them.

use super::endpoint::Endpoint;
use super::units;
use crate::model::{Limit, Target};
use std::path::PathBuf;
use std::time::Duration;

/// A setting as it was written, in any of the places that settings come from.
#[derive(Clone, PartialEq, Debug)]
pub enum Raw {
    /// From a string of the file, a variable or a flag.
    Text(String),
    /// From the file.
    Integer(i64),
    /// From the file, or a flag that takes no value.
    Boolean(bool),
    /// From the file, or a flag that may be repeated.
    List(Vec<String>),
    /// From a flag: may be no UTF-8.
    Path(PathBuf),
    /// Anything else that TOML knows; named, for the message.
    Other(&'static str),
}

/// What a setting may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// Any text, never shown or kept: it may hold a secret.
    Hidden,
    /// A path; relative to the file's folder, or to the current one.
    Path,
    /// Yes or no.
    Switch,
    /// A whole number from `.0` to `.1`.
    Number(u64, u64),
    /// Bytes, at least so many.
    Size(u64),
    /// Bytes a second.
    Rate,
    /// A span of time.
    Duration,
    /// restic's form of a span (`1y6m`), where `m` are months.
    Within,
    /// A share or a count.
    Limit,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// gitignore patterns.
    Patterns,
    /// An endpoint.
    Endpoint,
    /// `s3://bucket/prefix`.
    Target,
    /// Server-side encryption.
    Sse,
}

/// A setting, read.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Text(String),
    Path(PathBuf),
    Switch(bool),
    Number(u64),
    Duration(Duration),
    Limit(Limit),
    Patterns(Vec<String>),
    Endpoint(Endpoint),
    Target(Target),
}

impl Kind {
    /// Reads a setting. The error says what is wrong with it and how to write it, without
    /// repeating it.
    pub(super) fn read(self, raw: &Raw) -> Result<Value, String> {
        match (self, raw) {
            (Self::Path, Raw::Path(path)) => Ok(Value::Path(path.clone())),
            (Self::Switch, Raw::Boolean(value)) => Ok(Value::Switch(*value)),
            (Self::Patterns, Raw::List(list)) => Ok(Value::Patterns(list.clone())),
            (Self::Number(..) | Self::Size(_) | Self::Rate | Self::Limit, Raw::Integer(number)) => {
                self.read_text(&number.to_string())
            }
            (Self::Duration, Raw::Integer(_)) => Err(
                "needs quotes and a unit, such as \"60d\", \"1y\", \"5h\" or \"30m\"".to_owned(),
            ),
            (_, Raw::Text(text)) => self.read_text(text),
            (_, raw) => Err(format!(
                "must be {}, not {}",
                self.describe(),
                raw.describe()
            )),
        }
    }

    fn read_text(self, text: &str) -> Result<Value, String> {
        if text.is_empty() && self != Self::Patterns {
            return Err(format!("is empty; it must be {}", self.describe()));
        }
        match self {
            Self::Text | Self::Hidden => Ok(Value::Text(text.to_owned())),
            Self::Path => Ok(Value::Path(PathBuf::from(text))),
            Self::Switch => read_switch(text).map(Value::Switch),
            Self::Number(least, most) => read_number(text, least, most).map(Value::Number),
            Self::Size(least) => read_size(text, least).map(Value::Number),
            Self::Rate => units::parse_rate(text).map(Value::Number),
            Self::Duration => units::parse_duration(text).map(Value::Duration),
            Self::Within => read_within(text).map(Value::Text),
            Self::Limit => units::parse_limit(text).map(Value::Limit),
            Self::Choice(words) => read_choice(text, words).map(Value::Text),
            Self::Patterns => Ok(Value::Patterns(text.lines().map(str::to_owned).collect())),
            Self::Endpoint => Endpoint::parse(text).map(Value::Endpoint),
            Self::Target => read_target(text).map(Value::Target),
            Self::Sse => read_sse(text).map(Value::Text),
        }
    }

    /// Whether messages and records may show what was written.
    pub(super) fn is_shown(self) -> bool {
        // A mistyped endpoint may hold credentials.
        !matches!(self, Self::Hidden | Self::Endpoint)
    }

    fn describe(self) -> String {
        match self {
            Self::Text | Self::Hidden => "text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::Size(_) => "a size such as \"64M\"".to_owned(),
            Self::Rate => "bytes a second such as \"25M\"".to_owned(),
            Self::Duration => "a duration such as \"60d\"".to_owned(),
            Self::Within => "a span such as \"1y\" or \"6m\" (months)".to_owned(),
            Self::Limit => "a share such as \"10%\" or a number of files".to_owned(),
            Self::Choice(words) => one_of(words),
            Self::Patterns => "a list of patterns such as [\"*.tmp\"]".to_owned(),
            Self::Endpoint => "an address such as \"https://s3.example.org\"".to_owned(),
            Self::Target => "a target such as \"s3://bucket/prefix\"".to_owned(),
            Self::Sse => "AES256, aws:kms or aws:kms:KEY-ID".to_owned(),
        }
    }
}

impl Raw {
    fn describe(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Path(_) => "a path",
            Self::Other(name) => name,
        }
    }

    /// As it was written, for messages.
    pub(super) fn show(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(format!("{text:?}")),
            Self::Integer(number) => Some(number.to_string()),
            Self::Boolean(value) => Some(value.to_string()),
            Self::Path(path) => Some(format!("{path:?}")),
            Self::List(_) | Self::Other(_) => None,
        }
    }
}

fn read_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

fn read_number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a number from {least} to {most}")),
    }
}

fn read_size(text: &str, least: u64) -> Result<u64, String> {
    let size = units::parse_size(text)?;
    if size < least {
        return Err(format!("is too small; at least {}M", least >> 20));
    }
    Ok(size)
}

fn read_choice(text: &str, words: &'static [&'static str]) -> Result<String, String> {
    let lower = text.trim().to_ascii_lowercase();
    if words.contains(&lower.as_str()) {
        return Ok(lower);
    }
    Err(match super::suggest(&lower, words.iter().copied()) {
        Some(word) => format!("must be {}; did you mean {word:?}?", one_of(words)),
        None => format!("must be {}", one_of(words)),
    })
}

fn read_within(text: &str) -> Result<String, String> {
    let mut rest = text;
    while let Some(unit) = rest.find(|c: char| !c.is_ascii_digit()) {
        if unit == 0 || !rest[unit..].starts_with(['y', 'm', 'd', 'h']) {
            break;
        }
        rest = &rest[unit + 1..];
    }
    if rest.is_empty() {
        Ok(text.to_owned())
    } else {
        Err(
            "is not a span; write years, months, days or hours, such as 1y, 6m, 30d or 12h"
                .to_owned(),
        )
    }
}

fn read_target(text: &str) -> Result<Target, String> {
    Target::parse(text).map_err(|why| {
        // The text stands before the reason already.
        let why = why.replacen(&format!("{text:?}"), "", 1);
        match why.strip_prefix(": ") {
            Some(why) => format!("is not a target: {why}"),
            None => why.trim_start().to_owned(),
        }
    })
}

fn read_sse(text: &str) -> Result<String, String> {
    let known = matches!(text, "AES256" | "aws:kms")
        || text
            .strip_prefix("aws:kms:")
            .is_some_and(|key| !key.is_empty());
    if known {
        Ok(text.to_owned())
    } else {
        Err("must be AES256, aws:kms or aws:kms:KEY-ID".to_owned())
    }
}

fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn a_wrong_type_says_what_it_must_be() {
        let error = Kind::Target.read(&Raw::Boolean(true)).expect_err("wrong");
        assert_eq!(
            error,
            "must be a target such as \"s3://bucket/prefix\", not true or false"
        );
        let error = Kind::Duration.read(&Raw::Integer(60)).expect_err("no unit");
        assert!(error.contains("\"60d\""), "{error}");
    }

    #[test]
    fn a_mistyped_word_is_answered_with_the_nearest() {
        let kind = Kind::Choice(&["governance", "compliance"]);
        assert_eq!(
            kind.read(&text("Governance")),
            Ok(Value::Text("governance".to_owned()))
        );
        let error = kind.read(&text("govern")).expect_err("no word");
        assert!(error.contains("did you mean \"governance\"?"), "{error}");
    }

    #[test]
    fn spans_of_the_keep_policy_are_those_of_restic() {
        for good in ["1y", "6m", "2y5m7d3h"] {
            assert!(Kind::Within.read(&text(good)).is_ok(), "{good}");
        }
        for bad in ["", "1", "y", "1w", "1y6", "-1y", "1y m"] {
            assert!(Kind::Within.read(&text(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_of_the_file_are_limits_and_sizes_too() {
        assert_eq!(
            Kind::Limit.read(&Raw::Integer(25)),
            Ok(Value::Limit(Limit::Count(25)))
        );
        assert!(Kind::Limit.read(&Raw::Integer(-1)).is_err());
        assert!(Kind::Size(16 << 20).read(&Raw::Integer(64)).is_err());
    }
}
