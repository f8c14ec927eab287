//! The command line. clap stays in this folder: what leaves it is plain data.

mod common;
mod help;
mod man;
mod print;
#[cfg(test)]
mod tests;

use clap::{Args, Parser, Subcommand};
pub(crate) use common::Colour;
use common::Common;
use std::ffi::OsString;
use std::path::PathBuf;
use tidelock::commands::{
    self, diff, history, init, ls, overview, policy, pull, reading, recovery_card, restore,
    run::Which, verify,
};
use tidelock::config::{Environment, Flags, Raw};
use tidelock::model::archive::Tier;

/// Mirror a library to one S3 bucket, and keep versioned, object-locked copies in a second.
#[derive(Parser, Debug)]
#[command(name = "tidelock", version, about, max_term_width = 100, after_help = help::TIDELOCK)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Backup, then sync, from one scan and one read: the nightly job
    #[command(after_help = help::RUN)]
    Run(Library),
    /// The mirror alone
    #[command(after_help = help::SYNC)]
    Sync {
        #[command(flatten)]
        library: Library,
        /// Do not look at the backup: what is overwritten or deleted may be in no snapshot
        #[arg(long)]
        without_backup: bool,
    },
    /// The locked versions alone
    #[command(after_help = help::BACKUP)]
    Backup(Library),
    /// Bring files back from the backup target
    #[command(after_help = help::RESTORE)]
    Restore(Restore),
    /// Bring the mirror to a folder, on a second machine
    #[command(after_help = help::PULL)]
    Pull {
        /// The name of a configured library, where there are several
        library: Option<OsString>,
        /// The folder, which becomes a copy of the mirror
        #[arg(long, value_name = "DIR", visible_alias = "target")]
        to: PathBuf,
    },
    /// List the snapshots
    #[command(after_help = help::SNAPSHOTS)]
    Snapshots(Library),
    /// List the files of a snapshot
    #[command(after_help = help::LS)]
    Ls {
        /// A folder or file, relative to the library
        path: Option<OsString>,
        #[command(flatten)]
        snapshot: Snapshot,
    },
    /// All versions of one file
    #[command(after_help = help::HISTORY)]
    History {
        /// A file, or a folder with all below it, relative to the library
        path: OsString,
    },
    /// What changed between two snapshots
    #[command(after_help = help::DIFF)]
    Diff {
        /// A snapshot's id, latest, or a time
        a: String,
        /// Another's
        b: String,
    },
    /// What is in sync, what is protected until when, what is at risk
    #[command(after_help = help::STATUS)]
    Status(Library),
    /// Prove that every snapshot can be restored
    #[command(visible_alias = "check", after_help = help::VERIFY)]
    Verify {
        #[command(flatten)]
        library: Library,
        /// Read the bytes too, of all or so many percent of the versions
        #[arg(long, value_name = "PCT", num_args = 0..=1, require_equals = true,
              default_missing_value = "100")]
        read_data: Option<String>,
    },
    /// Extend the lock retention of what is still referenced
    #[command(after_help = help::RENEW)]
    Renew(Library),
    /// Drop snapshots by the keep policy, and what nobody needs and no lock retention holds
    #[command(visible_alias = "forget", after_help = help::PRUNE)]
    Prune(Library),
    /// Make the buckets and tidelock.toml
    #[command(after_help = help::INIT)]
    Init {
        /// Rebuild tidelock.toml from the newest snapshot of this backup, and make nothing else
        #[arg(long, value_name = "TARGET", conflicts_with_all = ["backup_to", "sync_to", "provider"])]
        from: Option<String>,
        #[command(flatten)]
        library: Library,
        /// Whose S3 it is: aws, b2, minio or other
        #[arg(long, value_name = "NAME")]
        provider: Option<String>,
    },
    /// Find out what the stores and the keys at hand really do
    #[command(after_help = help::DOCTOR)]
    Doctor,
    /// Print a least-privilege policy
    #[command(after_help = help::POLICY)]
    Policy {
        /// Whose: writer, reader, pruner or auditor
        role: String,
        /// In the form of this provider
        #[arg(long, value_name = "NAME")]
        provider: Option<String>,
    },
    /// Print what is needed to restore from nothing
    #[command(after_help = help::RECOVERY_CARD)]
    RecoveryCard {
        /// Name under which the reader's key is kept [default: tidelock-reader]
        #[arg(long, value_name = "NAME")]
        reader: Option<String>,
    },
    /// Print completions for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = help::MAN)]
    Man {
        /// Of one command; or a folder that gets the pages of all
        #[arg(value_name = "COMMAND|DIR")]
        what: Option<OsString>,
    },
}

#[derive(Args, Debug)]
struct Library {
    /// The folder, or the name of a configured library
    library: Option<OsString>,
}

#[derive(Args, Debug)]
struct Snapshot {
    /// As it was then: 2026-11-01, an RFC 3339 time, or "3 days ago"
    #[arg(long, value_name = "TIME", conflicts_with = "snapshot")]
    at: Option<String>,
    /// A snapshot's id, or latest
    #[arg(long, value_name = "ID")]
    snapshot: Option<String>,
}

#[derive(Args, Debug)]
struct Restore {
    /// Folders or files, relative to the library; everything without any
    paths: Vec<OsString>,
    /// The folder to restore into
    #[arg(long, value_name = "DIR", visible_alias = "target")]
    to: PathBuf,
    #[command(flatten)]
    snapshot: Snapshot,
    /// Replace files that are there and differ
    #[arg(long)]
    overwrite: bool,
    /// What was removed from the library within this time, such as 7d, as it last was
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["at", "snapshot"])]
    deleted_since: Option<String>,
    /// One certain version of the path, as `history` names it
    #[arg(long, value_name = "ID", requires = "paths",
          conflicts_with_all = ["at", "snapshot", "deleted_since"])]
    version_id: Option<String>,
    /// Choose files and folders from a list, on a terminal
    #[arg(long, conflicts_with = "version_id")]
    pick: bool,
    /// Ask for the retrieval of archived versions: standard (hours) or bulk (longer, cheaper)
    #[arg(long, value_name = "TIER", value_parser = ["standard", "bulk"])]
    thaw: Option<String>,
}

/// What was asked for.
pub(crate) enum Parsed {
    /// A text to print.
    Text(String),
    /// A command to run.
    Command(Box<Invocation>),
}

/// A command to run.
pub(crate) struct Invocation {
    pub(crate) command: commands::Command,
    pub(crate) flags: Flags,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: u8,
    pub(crate) colour: Colour,
    /// Long lists may go through a pager.
    pub(crate) pages: bool,
}

/// Reads the command line.
pub(crate) fn parse(
    arguments: &[OsString],
    environment: &Environment,
    interactive: bool,
) -> Result<Parsed, clap::Error> {
    let Cli { verb, common } = Cli::try_parse_from(arguments)?;
    let (json, quiet, verbose) = (common.json, common.quiet, common.verbose);
    let (colour, pages) = (common.color, !common.no_pager);
    let (library, extra) = verb.as_ref().map(Verb::settings).unwrap_or_default();
    let mut flags = common.into_flags(library);
    for (id, flag, raw) in extra {
        flags.set(id, flag, raw);
    }
    let Some(verb) = verb else {
        let args = overview::Args {
            flags: flags.clone(),
            environment: environment.clone(),
        };
        return Ok(Parsed::Command(Box::new(Invocation {
            command: commands::Command::Overview(args),
            flags,
            json,
            quiet,
            verbose,
            colour,
            pages,
        })));
    };
    let command = match verb {
        Verb::Run(_) => commands::Command::Run(Which::Run),
        Verb::Sync { .. } => commands::Command::Run(Which::Sync),
        Verb::Backup(_) => commands::Command::Run(Which::Backup),
        Verb::Restore(args) => commands::Command::Restore(args.into_args()),
        Verb::Pull { to, .. } => commands::Command::Pull(pull::Pull { to }),
        Verb::Snapshots(_) => commands::Command::Snapshots,
        Verb::Ls { path, snapshot } => commands::Command::Ls(ls::Ls {
            paths: path.into_iter().collect(),
            which: snapshot.into_which(),
        }),
        Verb::History { path } => commands::Command::History(history::HistoryOf { path }),
        Verb::Diff { a, b } => commands::Command::Diff(diff::Diff { a, b }),
        Verb::Status(_) => commands::Command::Status,
        Verb::Verify { read_data, .. } => commands::Command::Verify(verify::Verify { read_data }),
        Verb::Renew(_) => commands::Command::Renew,
        Verb::Prune(_) => commands::Command::Prune,
        Verb::Init { from, .. } => commands::Command::Init(init::Args {
            from: from.is_some(),
            flags: flags.clone(),
            environment: environment.clone(),
            interactive,
        }),
        Verb::Doctor => commands::Command::Doctor,
        Verb::Policy { role, provider } => {
            commands::Command::Policy(policy::Args { role, provider })
        }
        Verb::RecoveryCard { reader } => {
            commands::Command::RecoveryCard(recovery_card::Args { reader })
        }
        Verb::Completions { shell } => return Ok(Parsed::Text(print::completions(shell))),
        Verb::Man { what } => return man::man(what.as_deref()).map(Parsed::Text),
    };
    Ok(Parsed::Command(Box::new(Invocation {
        command,
        flags,
        json,
        quiet,
        verbose,
        colour,
        pages,
    })))
}

/// The command's name among arguments that could not be read, for the summary.
pub(crate) fn command_name(arguments: &[OsString]) -> &str {
    let names: Vec<String> = print::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    arguments
        .iter()
        .skip(1)
        .filter_map(|argument| argument.to_str())
        .find(|argument| names.iter().any(|name| name == argument))
        .unwrap_or("")
}

impl Verb {
    /// The library and the settings that only this command takes as flags.
    fn settings(&self) -> (Option<OsString>, Vec<(&'static str, &'static str, Raw)>) {
        match self {
            Self::Run(library)
            | Self::Backup(library)
            | Self::Snapshots(library)
            | Self::Status(library)
            | Self::Verify { library, .. }
            | Self::Renew(library)
            | Self::Prune(library) => (library.library.clone(), Vec::new()),
            Self::Sync {
                library,
                without_backup,
            } => {
                let flag = ("without_backup", "--without-backup", Raw::Boolean(true));
                let given = without_backup.then_some(flag);
                (library.library.clone(), given.into_iter().collect())
            }
            Self::Pull { library, .. } => (library.clone(), Vec::new()),
            Self::Init {
                library,
                provider,
                from,
            } => {
                let provider = provider
                    .clone()
                    .map(|name| ("provider", "--provider", Raw::Text(name)));
                let from = from
                    .clone()
                    .map(|target| ("backup.to", "--from", Raw::Text(target)));
                let given = provider.into_iter().chain(from);
                (library.library.clone(), given.collect())
            }
            _ => (None, Vec::new()),
        }
    }
}

impl Snapshot {
    fn into_which(self) -> reading::Which {
        reading::Which {
            at: self.at,
            snapshot: self.snapshot,
        }
    }
}

impl Restore {
    fn into_args(self) -> restore::Restore {
        restore::Restore {
            paths: self.paths,
            to: self.to,
            which: self.snapshot.into_which(),
            overwrite: self.overwrite,
            deleted_since: self.deleted_since,
            version_id: self.version_id,
            thaw: self.thaw.as_deref().and_then(Tier::parse),
            pick: self.pick,
        }
    }
}
