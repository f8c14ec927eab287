//! A command on a terminal of its own, and a person who types.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// What a terminal was sent, and how the command ended.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) exit: i64,
    pub(crate) output: String,
}

impl Shown {
    #[track_caller]
    pub(crate) fn ended(self, exit: i64) -> Self {
        assert_eq!(self.exit, exit, "{}", self.output);
        self
    }

    /// The lines without what paints them.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut bare = String::new();
        let mut rest = self.output.as_str();
        while let Some((before, painted)) = rest.split_once("\u{1b}[") {
            bare.push_str(before);
            let end = painted.find(|c: char| c.is_ascii_alphabetic());
            rest = end.map_or("", |end| &painted[end + 1..]);
        }
        bare.push_str(rest);
        let bare = bare.replace('\r', "");
        let lines = bare.lines().map(|line| line.trim_end().to_owned());
        lines.collect()
    }

    /// The same in one piece.
    pub(crate) fn text(&self) -> String {
        self.lines().join("\n")
    }
}

/// Runs a command of the test's on a terminal of so many columns and lines. Each step is a text
/// that is waited for, and what is typed then.
#[track_caller]
pub(crate) fn on_terminal(
    command: &Command,
    (columns, lines): (u16, u16),
    steps: &[(&str, &str)],
) -> Shown {
    let text = |it: &std::ffi::OsStr| it.to_str().expect("UTF-8").to_owned();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let environment = command.get_envs();
    let environment = environment.filter_map(|(name, value)| Some((text(name), text(value?))));
    let mut environment: serde_json::Map<String, Value> = environment
        .map(|(name, value)| (name, value.into()))
        .collect();
    environment.entry("TERM").or_insert_with(|| "xterm".into());
    environment
        .entry("LC_ALL")
        .or_insert_with(|| "C.UTF-8".into());
    let job = json!({
        "command": words.map(text).collect::<Vec<_>>(),
        "env": environment,
        "folder": command.get_current_dir().unwrap_or(Path::new("/")),
        "columns": columns,
        "lines": lines,
        "steps": steps,
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/terminal.py");
    let python = Command::new("python3")
        .arg(script)
        .arg(job.to_string())
        .output();
    let python = python.expect("python3 runs");
    let said: Value = serde_json::from_slice(&python.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&python.stderr)));
    let output = said["output"].as_str().unwrap_or_default().to_owned();
    let missing = &said["missing"];
    assert!(missing.is_null(), "{missing} never came:\n{output}");
    Shown {
        exit: said["exit"].as_i64().expect("a code"),
        output,
    }
}
