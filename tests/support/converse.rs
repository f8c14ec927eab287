//! The built program on a terminal, by Python's `pty`.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What is waited for, and what is typed then, Enter included.
pub(crate) type Script<'a> = &'a [(&'a str, &'a str)];

/// Runs a command's program on a terminal of `size` (`80x24`), in the command's folder and environment.
/// Standard output has what the terminal showed; the exit code is the program's.
#[track_caller]
pub(crate) fn converse(command: &Command, size: &str, script: Script<'_>) -> Output {
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/converse.py");
    let mut python = Command::new("python3");
    python.arg(driver).arg(size);
    python.arg(command.get_program()).args(command.get_args());
    // Commands of these tests have an environment that names all they need.
    python.env_clear();
    let named = command.get_envs();
    python.envs(named.filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        python.current_dir::<&OsStr>(folder.as_os_str());
    }
    let piped = python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = piped.spawn().expect("python3");
    let script = serde_json::to_vec(script).expect("a script");
    let mut stdin = running.stdin.take().expect("a pipe");
    stdin.write_all(&script).expect("a script");
    drop(stdin);
    running.wait_with_output().expect("an end")
}

/// What a terminal showed, without what moves and colours.
pub(crate) fn shown(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    plain + rest
}
