//! One file a verb: wiring, no logic.

pub mod diff;
pub mod doctor;
pub mod history;
pub mod init;
pub mod ls;
mod noting;
pub mod overview;
pub mod policy;
mod prunable;
pub mod prune;
pub mod pull;
pub mod reading;
pub mod recovery_card;
pub mod renew;
pub mod restore;
pub mod run;
pub mod snapshots;
pub mod status;
pub mod verify;

#[cfg(test)]
mod looks;

use crate::config::Needs;
use crate::engine::stop::Stop;
use crate::model::{Error, Events, ExitCode, Settings, Summary};
use crate::report::{Desk, Occasion, Rows};
use run::Which;

/// What is to be done, with what this command alone takes.
#[derive(Clone)]
pub enum Command {
    /// No command at all.
    Overview(overview::Args),
    /// `run`, `sync`, `backup`.
    Run(Which),
    /// `restore`.
    Restore(restore::Restore),
    /// `pull`.
    Pull(pull::Pull),
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
    RecoveryCard(recovery_card::Args),
}

impl Command {
    /// Its name, as in the summary.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Overview(_) => "overview",
            Self::Run(which) => which.name(),
            Self::Restore(_) => "restore",
            Self::Pull(_) => "pull",
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
            Self::RecoveryCard(_) => "recovery-card",
        }
    }

    /// Whether it goes through all configured libraries where none is named. The others are about
    /// paths within one, or about no library.
    pub fn takes_all(&self) -> bool {
        matches!(
            self,
            Self::Run(_)
                | Self::Snapshots
                | Self::Status
                | Self::Verify(_)
                | Self::Renew
                | Self::Prune
        )
    }

    /// Whether it shows what is stored: a list that may be long, and is read at leisure.
    pub fn is_looking(&self) -> bool {
        matches!(
            self,
            Self::Snapshots | Self::Ls(_) | Self::History(_) | Self::Diff(_) | Self::Status
        )
    }

    /// Whether its numbers belong into the metrics file.
    pub fn is_measured(&self) -> bool {
        self.takes_all() && !matches!(self, Self::Snapshots)
    }

    /// When somebody is to be notified. What is not the nightly job tells of failures alone: its
    /// success must not stand for a night's that is missing.
    pub fn notifies(&self) -> Occasion {
        match self {
            Self::Run(_) => Occasion::Always,
            Self::Verify(_) | Self::Renew | Self::Prune => Occasion::Failure,
            _ => Occasion::Never,
        }
    }

    /// Which settings it can't do without.
    pub fn needs(&self) -> Needs {
        let (library, sync, backup) = match self {
            Self::Run(Which::Run) => (true, true, true),
            Self::Run(Which::Sync) => (true, true, false),
            Self::Run(Which::Backup) => (true, false, true),
            Self::Pull(_) => (false, true, false),
            Self::Restore(_)
            | Self::Snapshots
            | Self::Ls(_)
            | Self::History(_)
            | Self::Diff(_)
            | Self::Status
            | Self::Verify(_)
            | Self::Renew
            | Self::Prune
            | Self::RecoveryCard(_) => (false, false, true),
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

/// Does it; `rows` are printed, at the `desk` a person is asked.
pub async fn dispatch(
    command: Command,
    settings: &Settings,
    (rows, desk): (&Rows, &Desk),
    events: Events,
    stop: Stop,
) -> Outcome {
    let now = jiff::ZonedDateTime::now();
    match command {
        Command::Overview(args) => overview::run(&args, rows),
        Command::Run(which) => run::run(settings, which, events, stop).await,
        Command::Restore(args) => restore::run(settings, &args, &now, desk, &events, &stop).await,
        Command::Snapshots => snapshots::run(settings, &now, rows, &events, &stop).await,
        Command::Ls(args) => ls::run(settings, &args, &now, rows, &events, &stop).await,
        Command::Init(args) => init::init(args, events, stop).await,
        Command::Pull(args) => pull::run(settings, &args, &now, &events, &stop).await,
        Command::History(args) => history::run(settings, &args, &now, rows, &events, &stop).await,
        Command::Diff(args) => diff::run(settings, &args, &now, rows, &events, &stop).await,
        Command::Status => status::run(settings, &now, rows, &events, &stop).await,
        Command::Verify(args) => verify::run(settings, &args, rows, &events, &stop).await,
        Command::Renew => renew::run(settings, &events, &stop).await,
        Command::Prune => prune::run(settings, &now, &events, &stop).await,
        Command::Doctor => doctor::run(settings, rows, &events, &stop).await,
        Command::Policy(args) => policy::run(settings, &args, rows, &events),
        Command::RecoveryCard(args) => recovery_card::run(settings, &args, rows).await,
    }
}
