//! Completions and manual pages, made from the command line's own definition.

use super::Cli;
use clap::error::ErrorKind;
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

/// The manual page of the whole or of one command.
pub(super) fn man(name: Option<&str>) -> Result<String, clap::Error> {
    let mut whole = command();
    let page = match name {
        None => whole,
        Some(name) => match whole.find_subcommand(name) {
            Some(found) => found.clone().display_name(format!("tidelock-{name}")),
            None => {
                let message = format!("there is no command {name:?}\n");
                return Err(whole.error(ErrorKind::InvalidValue, message));
            }
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
