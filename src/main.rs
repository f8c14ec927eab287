//! The `tidelock` command.

mod cli;
mod cores;
mod invocation;
mod signals;

use cli::{Colour, Invocation, Parsed};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;
use tidelock::config::{self, Environment, Loaded};
use tidelock::model::{self, Error};
use tidelock::report::{self, Groups, Look, Mode, Pager};

fn main() -> ExitCode {
    let begun = Instant::now();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let colour = Colour::Auto.on(&std::io::stderr());
    let environment = match Environment::of_process() {
        Ok(environment) => environment,
        Err(error) => {
            report::print_error(&error.to_string(), colour);
            return ExitCode::from(error.exit_code().code());
        }
    };
    cores::forbid(&environment);
    let interactive = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    match cli::parse(&arguments, &environment, interactive) {
        Ok(Parsed::Text(text)) => {
            // Nobody reads it: no error.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Parsed::Command(invocation)) => start(*invocation, &environment, interactive, begun),
        Err(error) => usage(&error, &arguments, begun),
    }
}

/// Prints help, the version, or what is wrong with the command line.
fn usage(error: &clap::Error, arguments: &[OsString], begun: Instant) -> ExitCode {
    let _ = error.print();
    if error.exit_code() == 0 {
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--json") {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim();
        let error = Error::Usage(text.to_owned());
        let command = cli::command_name(arguments);
        report::print_failed_start(command, model::ExitCode::Usage, begun.elapsed(), &error);
    }
    ExitCode::from(model::ExitCode::Usage.code())
}

fn start(
    invocation: Invocation,
    environment: &Environment,
    interactive: bool,
    begun: Instant,
) -> ExitCode {
    let colour = invocation.colour.on(&std::io::stderr());
    let filter = environment.get("TIDELOCK_LOG");
    let loaded = report::start_logging(invocation.verbose, filter, colour)
        .map_err(Error::Usage)
        .and_then(|()| load(&invocation, environment));
    let json = invocation.json || asks_for_json(environment);
    let mode = Mode {
        json,
        quiet: invocation.quiet,
        verbose: invocation.verbose,
        terminal: std::io::stderr().is_terminal() && !is_dumb(),
        colour,
        look: Look::of_stdout(invocation.colour.on(&std::io::stdout())),
        interactive: interactive && !is_dumb(),
        groups: Groups::detect(|name| environment.get(name)),
    };
    // Logs would be written across what the pager shows.
    let pages = invocation.pages && invocation.verbose < 2;
    let pager = || Pager::of(variable("PAGER").as_deref(), variable("LESS").as_deref());
    let pager = pages.then(pager).flatten();
    match loaded {
        Ok(loaded) => invocation::run(invocation.command, loaded, mode, pager, begun),
        Err(error) => {
            report::print_error(&error.to_string(), colour);
            let exit = error.exit_before_first_write();
            if json {
                let name = invocation.command.name();
                report::print_failed_start(name, exit, begun.elapsed(), &error);
            }
            ExitCode::from(exit.code())
        }
    }
}

/// The settings for each library that the command is about.
fn load(invocation: &Invocation, environment: &Environment) -> Result<Vec<Loaded>, Error> {
    let needs = invocation.command.needs();
    if invocation.command.takes_all() {
        return config::load_each(&invocation.flags, environment, needs);
    }
    Ok(vec![config::load(&invocation.flags, environment, needs)?])
}

/// A summary is due even where the settings can't be read.
fn asks_for_json(environment: &Environment) -> bool {
    let text = environment.get("TIDELOCK_JSON").unwrap_or_default();
    matches!(
        text.to_ascii_lowercase().as_str(),
        "1" | "true" | "yes" | "on"
    )
}

impl Colour {
    /// Whether a stream may be coloured; <https://no-color.org> says how to refuse, and that a flag
    /// beats it.
    fn on(self, stream: &impl IsTerminal) -> bool {
        let refused = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => !refused() && !is_dumb() && stream.is_terminal(),
        }
    }
}

/// As it is set, empty or not.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// A terminal that can neither colour nor move.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
