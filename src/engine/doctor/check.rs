//! What a probe has shown: one line of the report.

use crate::model::{Error, ExitCode, Side, StoreError};

/// How good it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// As it should be.
    Ok,
    /// Works, and something should be known or changed.
    Warn,
    /// What Tidelock needs does not hold.
    Fail,
}

impl Mark {
    /// As it is spelled in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was tested.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// On which target.
    pub side: Side,
    /// Its name for programs.
    pub name: &'static str,
    /// How good it is.
    pub mark: Mark,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// The exit code that this alone means.
    pub exit: ExitCode,
}

/// Collects what one target's probes have shown, and tells it at once.
pub(super) struct Findings<'a> {
    side: Side,
    tell: &'a (dyn Fn(&Check) + Send + Sync),
    all: Vec<Check>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(side: Side, tell: &'a (dyn Fn(&Check) + Send + Sync)) -> Self {
        let all = Vec::new();
        Self { side, tell, all }
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.all
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn ok(&mut self, name: &'static str, text: impl Into<String>) {
        self.add(name, Mark::Ok, text.into(), None, ExitCode::Done);
    }

    /// Works all the same.
    pub(super) fn warn(&mut self, name: &'static str, text: impl Into<String>, advice: &str) {
        self.add(name, Mark::Warn, text.into(), Some(advice), ExitCode::Done);
    }

    /// Works, and the backup can be lost by it.
    pub(super) fn risk(&mut self, name: &'static str, text: impl Into<String>, advice: &str) {
        let exit = ExitCode::Damage;
        self.add(name, Mark::Warn, text.into(), Some(advice), exit);
    }

    /// The store does not keep what the backup rests on.
    pub(super) fn unsafe_store(
        &mut self,
        name: &'static str,
        text: impl Into<String>,
        advice: &str,
    ) {
        let exit = ExitCode::Refused;
        self.add(name, Mark::Fail, text.into(), Some(advice), exit);
    }

    /// What is stored there is not what was sent.
    pub(super) fn broken(&mut self, name: &'static str, text: impl Into<String>, advice: &str) {
        let exit = ExitCode::Failed;
        self.add(name, Mark::Fail, text.into(), Some(advice), exit);
    }

    /// A request that has to work did not; the store's words say why.
    pub(super) fn refused(&mut self, name: &'static str, what: &str, error: StoreError) {
        let text = format!("{what}: {error}");
        let exit = Error::from(error).exit_before_first_write();
        self.add(name, Mark::Fail, text, None, exit);
    }

    fn add(
        &mut self,
        name: &'static str,
        mark: Mark,
        text: String,
        advice: Option<&str>,
        exit: ExitCode,
    ) {
        let check = Check {
            side: self.side,
            name,
            mark,
            text,
            advice: advice.map(str::to_owned),
            exit,
        };
        (self.tell)(&check);
        self.all.push(check);
    }
}
