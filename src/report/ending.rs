//! How a command ended, as it is shown, measured and told.

use super::json;
use crate::model::{Error, ExitCode, Failure, Summary};
use std::time::Duration;

/// The end of a command, of one library or, where it went through several, of all of them.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// The command's name.
    pub command: &'a str,
    /// The configured library's name, where it has one.
    pub library: Option<&'a str>,
    /// The exit code.
    pub exit: ExitCode,
    /// How long it took.
    pub elapsed: Duration,
    /// What was done.
    pub summary: &'a Summary,
    /// What ended it early.
    pub error: Option<&'a Error>,
    /// Each library and its own code, where this is the end of several.
    pub libraries: &'a [(String, ExitCode)],
}

static NOTHING: Summary = Summary {
    library: None,
    sync: None,
    backup: None,
    restore: None,
    pull: None,
    forecast: None,
    twice: None,
    errors: Vec::new(),
};

impl Default for Ending<'_> {
    fn default() -> Self {
        Self {
            command: "",
            library: None,
            exit: ExitCode::Done,
            elapsed: Duration::ZERO,
            summary: &NOTHING,
            error: None,
            libraries: &[],
        }
    }
}

impl Ending<'_> {
    /// Everything that went wrong, what ended the command included.
    pub fn failures(&self) -> Vec<Failure> {
        let errors = self.summary.errors.iter().cloned();
        errors.chain(self.error.map(failure_of)).collect()
    }

    /// The summary line of `--json`.
    pub fn json(&self) -> String {
        json::summary(self)
    }
}

fn failure_of(error: &Error) -> Failure {
    let (path, stage) = match error {
        Error::Usage(_) => (String::new(), "configuration"),
        Error::Io { path, .. } => (path.to_string_lossy().into_owned(), "disk"),
        Error::Store(error) => (error.place.clone(), error.operation),
        Error::Refused(_) => (String::new(), "guard"),
        Error::Held(_) => (String::new(), "lease"),
        Error::Format(_) => (String::new(), "format"),
        _ => (String::new(), "command"),
    };
    Failure {
        path,
        stage,
        message: error.to_string(),
    }
}
