//! Completions, made from the command line's own definition.

use super::Cli;
use clap::{Command, CommandFactory};

/// The whole definition, built.
pub(super) fn command() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// A shell's completions.
pub(super) fn completions(shell: clap_complete::Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tidelock", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
