//! One file a verb: wiring, no logic.

pub mod diff;
pub mod doctor;
pub mod history;
pub mod init;
pub mod ls;
mod noting;
pub mod policy;
pub mod prune;
pub mod reading;
pub mod renew;
pub mod restore;
pub mod run;
pub mod snapshots;
pub mod status;
pub mod verify;

use crate::config::{FILE_NAME, Needs};
use crate::engine::stop::Stop;
use crate::model::{Error, Events, ExitCode, Settings, Summary};
use crate::report::Rows;
use run::Which;

/// What is to be done, with what this command alone takes.
pub enum Command {
    /// `run`, `sync`, `backup`.
    Run(Which),
    /// `restore`.
    Restore(restore::Restore),
    /// `pull`.
    Pull,
    /// `snapshots`.
    Snapshots,
    /// `ls`.
    Ls(ls::Ls),
    /// `history`.
    History(history::HistoryOf),
    /// `diff`.
    Diff(diff::Diff),
    /// `status`.
    Status,
    /// `verify`.
    Verify(verify::Verify),
    /// `renew`.
    Renew,
    /// `prune`.
    Prune,
    /// `init`.
    Init(init::Args),
    /// `doctor`.
    Doctor,
    /// `policy`.
    Policy(policy::Args),
    /// `recovery-card`.
    RecoveryCard,
}

impl Command {
    /// Its name, as in the summary.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Run(which) => which.name(),
            Self::Restore(_) => "restore",
            Self::Pull => "pull",
            Self::Snapshots => "snapshots",
            Self::Ls(_) => "ls",
            Self::History(_) => "history",
            Self::Diff(_) => "diff",
            Self::Status => "status",
            Self::Verify(_) => "verify",
            Self::Renew => "renew",
            Self::Prune => "prune",
            Self::Init(_) => "init",
            Self::Doctor => "doctor",
            Self::Policy(_) => "policy",
            Self::RecoveryCard => "recovery-card",
        }
    }

    /// Which settings it can't do without.
    pub fn needs(&self) -> Needs {
        let (library, sync, backup) = match self {
            Self::Run(Which::Run) => (true, true, true),
            Self::Run(Which::Sync) => (true, true, false),
            Self::Run(Which::Backup) => (true, false, true),
            Self::Restore(_)
            | Self::Snapshots
            | Self::Ls(_)
            | Self::History(_)
            | Self::Diff(_)
            | Self::Status
            | Self::Verify(_)
            | Self::Renew => (false, false, true),
            _ => (false, false, false),
        };
        Needs {
            command: self.name(),
            library,
            sync,
            backup,
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub exit: ExitCode,
    /// What was done, whether or not it ended well.
    pub summary: Summary,
    /// Why it did not do all; printed once, at the end.
    pub error: Option<Error>,
}

impl Outcome {
    /// All done.
    pub fn done(summary: Summary) -> Self {
        Self {
            exit: ExitCode::Done,
            summary,
            error: None,
        }
    }

    /// Ended by an error, after something may have been written.
    pub fn failed(error: Error) -> Self {
        Self {
            exit: error.exit_code(),
            summary: Summary::default(),
            error: Some(error),
        }
    }

    /// Ended by an error before the first write: a wrong bucket or key is a matter of
    /// configuration then.
    pub fn not_begun(error: Error) -> Self {
        Self {
            exit: error.exit_before_first_write(),
            ..Self::failed(error)
        }
    }
}

/// Does it.
pub async fn dispatch(
    command: Command,
    settings: &Settings,
    rows: &Rows,
    events: Events,
    stop: Stop,
) -> Outcome {
    let now = jiff::ZonedDateTime::now();
    match command {
        Command::Run(which) => run::run(settings, which, events, stop).await,
        Command::Restore(args) => restore::run(settings, &args, &now, &events, &stop).await,
        Command::Snapshots => snapshots::run(settings, &now, rows, &events, &stop).await,
        Command::Ls(args) => ls::run(settings, &args, &now, rows, &events, &stop).await,
        Command::Init(args) => init::init(args, events, stop).await,
        Command::Pull => not_available("pull"),
        Command::History(args) => history::run(settings, &args, &now, rows, &events, &stop).await,
        Command::Diff(args) => diff::run(settings, &args, &now, rows, &events, &stop).await,
        Command::Status => status::run(settings, &now, rows, &events, &stop).await,
        Command::Verify(args) => verify::run(settings, &args, rows, &events, &stop).await,
        Command::Renew => renew::run(settings, &events, &stop).await,
        Command::Prune => prune::run(settings, &now, &events, &stop).await,
        Command::Doctor => doctor::run(settings, rows, &events, &stop).await,
        Command::Policy(args) => policy::run(settings, &args, rows, &events),
        Command::RecoveryCard => not_available("recovery-card"),
    }
}

fn not_available(name: &str) -> Outcome {
    Outcome::failed(Error::Usage(format!(
        "`tidelock {name}` is not available in this version; the settings that it will read from \
         {FILE_NAME} are accepted already"
    )))
}
