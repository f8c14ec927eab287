//! The flags that every command takes.

use clap::{ArgAction, Args};
use std::ffi::OsString;
use std::path::PathBuf;
use tidelock::config::{Flags, Raw};

const TARGETS: &str = "Targets";
const GUARDS: &str = "Guards and consent";
const WORK: &str = "Work";
const OUTPUT: &str = "Settings and output";

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless the environment asks for none.
    #[default]
    Auto,
    /// Whatever the output is.
    Always,
    /// Not at all.
    Never,
}

/// Common flags. Values are kept as typed: the configuration reads them, so that a flag, a
/// variable and a line of the file are checked alike.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Where the mirror is: s3://BUCKET/PREFIX
    #[arg(long, global = true, value_name = "TARGET", help_heading = TARGETS)]
    sync_to: Option<String>,
    /// Where the locked versions are: s3://BUCKET/PREFIX
    #[arg(long, global = true, value_name = "TARGET", help_heading = TARGETS)]
    backup_to: Option<String>,
    /// Address of the S3 service, for both targets
    #[arg(long, global = true, value_name = "URL", help_heading = TARGETS)]
    endpoint: Option<String>,
    /// Address of the S3 service of the sync target
    #[arg(long, global = true, hide_short_help = true, value_name = "URL", help_heading = TARGETS)]
    sync_endpoint: Option<String>,
    /// Address of the S3 service of the backup target
    #[arg(long, global = true, hide_short_help = true, value_name = "URL", help_heading = TARGETS)]
    backup_endpoint: Option<String>,
    /// Region of both targets
    #[arg(long, global = true, value_name = "REGION", help_heading = TARGETS)]
    region: Option<String>,
    /// Region of the sync target
    #[arg(long, global = true, hide_short_help = true, value_name = "REGION", help_heading = TARGETS)]
    sync_region: Option<String>,
    /// Region of the backup target
    #[arg(long, global = true, hide_short_help = true, value_name = "REGION", help_heading = TARGETS)]
    backup_region: Option<String>,
    /// AWS profile for both targets
    #[arg(long, global = true, value_name = "NAME", help_heading = TARGETS)]
    profile: Option<String>,
    /// AWS profile for the sync target
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME", help_heading = TARGETS)]
    sync_profile: Option<String>,
    /// AWS profile for the backup target
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME", help_heading = TARGETS)]
    backup_profile: Option<String>,
    /// https://host/bucket instead of https://bucket.host [default: by the endpoint]
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", help_heading = TARGETS)]
    path_style: Option<String>,
    /// Lock retention of new versions, such as 60d or 1y
    #[arg(long, global = true, value_name = "DURATION", help_heading = TARGETS)]
    retention: Option<String>,
    /// Lock mode of new versions: governance or compliance
    #[arg(long, global = true, value_name = "MODE", help_heading = TARGETS)]
    mode: Option<String>,

    /// Allow so many deletes on the sync target in this run: 10% or a number
    #[arg(long, global = true, value_name = "LIMIT", help_heading = GUARDS)]
    max_delete: Option<String>,
    /// Allow so many changed files in this run: 50% or a number
    #[arg(long, global = true, value_name = "LIMIT", help_heading = GUARDS)]
    max_change: Option<String>,
    /// The library is empty on purpose
    #[arg(long, global = true, help_heading = GUARDS)]
    allow_empty: bool,
    /// Consent to what can't be undone, to replacing tidelock.toml, and to a large restore
    #[arg(long, global = true, help_heading = GUARDS)]
    yes: bool,

    /// Print the plan, touch nothing
    #[arg(short = 'n', long, global = true, help_heading = WORK)]
    dry_run: bool,
    /// Leave these out (gitignore syntax); may be repeated
    #[arg(long, global = true, value_name = "PATTERN", help_heading = WORK)]
    exclude: Vec<String>,
    /// Take these in again (gitignore syntax); may be repeated
    #[arg(long, global = true, value_name = "PATTERN", help_heading = WORK)]
    include: Vec<String>,
    /// Read and compare all files, whatever their times say, and look whether all versions are there
    #[arg(long, global = true, help_heading = WORK)]
    checksum: bool,
    /// Requests in flight over both targets [default: 16]
    #[arg(long, global = true, value_name = "N", help_heading = WORK)]
    transfers: Option<String>,
    /// Memory for file contents [default: 256M]
    #[arg(long, global = true, value_name = "SIZE", help_heading = WORK)]
    memory: Option<String>,
    /// Bytes a second over both targets, such as 25M
    #[arg(long, global = true, value_name = "RATE", help_heading = WORK)]
    bwlimit: Option<String>,
    /// Stop after this time in good order; the next run goes on
    #[arg(long, global = true, value_name = "DURATION", help_heading = WORK)]
    time_budget: Option<String>,

    /// Configuration file [default: ./tidelock.toml, then ~/.config/tidelock/tidelock.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = OUTPUT)]
    config: Option<PathBuf>,
    /// One of several configured libraries, by name or path
    #[arg(long = "library", id = "library-flag", global = true, hide_short_help = true, value_name = "LIBRARY",
          help_heading = OUTPUT)]
    library_flag: Option<OsString>,
    /// Folder of the state, a cache [default: ~/.local/state/tidelock]
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR", help_heading = OUTPUT)]
    state_dir: Option<PathBuf>,
    /// Write metrics for Prometheus' textfile collector
    #[arg(long, global = true, hide_short_help = true, value_name = "FILE", help_heading = OUTPUT)]
    metrics_file: Option<PathBuf>,
    /// JSON Lines on standard output, the summary last
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(super) json: bool,
    /// Colours: auto (on a terminal), always or never
    #[arg(long, global = true, hide_short_help = true, value_name = "WHEN", value_enum,
          default_value_t = Colour::Auto, hide_default_value = true,
          hide_possible_values = true, help_heading = OUTPUT)]
    pub(super) color: Colour,
    /// Print long lists without $PAGER
    #[arg(long, global = true, hide_short_help = true, help_heading = OUTPUT)]
    pub(super) no_pager: bool,
    /// Print errors and warnings alone
    #[arg(short, long, global = true, help_heading = OUTPUT)]
    pub(super) quiet: bool,
    /// Name every file; twice and thrice: log more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = OUTPUT)]
    pub(super) verbose: u8,
}

impl Common {
    /// As settings; `library` is the command's own argument.
    pub(super) fn into_flags(self, library: Option<OsString>) -> Flags {
        let mut flags = Flags::default();
        flags.config = self.config;
        flags.library = library.or(self.library_flag);
        let texts = [
            ("sync.to", "--sync-to", self.sync_to),
            ("backup.to", "--backup-to", self.backup_to),
            ("endpoint", "--endpoint", self.endpoint),
            ("sync.endpoint", "--sync-endpoint", self.sync_endpoint),
            ("backup.endpoint", "--backup-endpoint", self.backup_endpoint),
            ("region", "--region", self.region),
            ("sync.region", "--sync-region", self.sync_region),
            ("backup.region", "--backup-region", self.backup_region),
            ("profile", "--profile", self.profile),
            ("sync.profile", "--sync-profile", self.sync_profile),
            ("backup.profile", "--backup-profile", self.backup_profile),
            ("path_style", "--path-style", self.path_style),
            ("backup.retention", "--retention", self.retention),
            ("backup.mode", "--mode", self.mode),
            ("sync.max_delete", "--max-delete", self.max_delete),
            ("sync.max_change", "--max-change", self.max_change),
            ("transfers", "--transfers", self.transfers),
            ("memory", "--memory", self.memory),
            ("bwlimit", "--bwlimit", self.bwlimit),
            ("time_budget", "--time-budget", self.time_budget),
        ];
        for (id, flag, text) in texts {
            if let Some(text) = text {
                flags.set(id, flag, Raw::Text(text));
            }
        }
        let switches = [
            ("allow_empty", "--allow-empty", self.allow_empty),
            ("yes", "--yes", self.yes),
            ("dry_run", "--dry-run", self.dry_run),
            ("checksum", "--checksum", self.checksum),
            ("json", "--json", self.json),
        ];
        for (id, flag, given) in switches {
            if given {
                flags.set(id, flag, Raw::Boolean(true));
            }
        }
        let paths = [
            ("state_dir", "--state-dir", self.state_dir),
            ("metrics_file", "--metrics-file", self.metrics_file),
        ];
        for (id, flag, path) in paths {
            if let Some(path) = path {
                flags.set(id, flag, Raw::Path(path));
            }
        }
        let patterns = [
            ("library.exclude", "--exclude", self.exclude),
            ("library.include", "--include", self.include),
        ];
        for (id, flag, patterns) in patterns {
            if !patterns.is_empty() {
                flags.set(id, flag, Raw::List(patterns));
            }
        }
        flags
    }
}
