//! What a command is to do, resolved from flags, variables and the file: plain data.

use crate::model::{Mode, Target};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A value that no output may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Keys given for one target alone (`TIDELOCK_SYNC_…`, `TIDELOCK_BACKUP_…`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// `…_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `…_SECRET_ACCESS_KEY`.
    pub secret_access_key: Secret,
    /// `…_SESSION_TOKEN`.
    pub session_token: Option<Secret>,
}

/// Whose S3 it is, where that changes what can be asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Provider {
    /// Amazon.
    #[default]
    Aws,
    /// Backblaze B2.
    B2,
    /// MinIO.
    Minio,
    /// Any other S3: nothing is taken for granted.
    Other,
}

/// How to reach one target's store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Connection {
    /// `https://…`; AWS's own where absent.
    pub endpoint: Option<String>,
    /// Region; from the AWS chain, else `us-east-1`, where absent.
    pub region: Option<String>,
    /// A profile of the AWS configuration.
    pub profile: Option<String>,
    /// A role to assume with the credentials found.
    pub role_arn: Option<String>,
    /// The target's own keys, which beat everything else.
    pub keys: Option<Keys>,
    /// `https://host/bucket/key` instead of `https://bucket.host/key`.
    pub path_style: bool,
    /// Whose S3 it is.
    pub provider: Provider,
    /// A file of PEM certificates to trust beside the system's.
    pub ca_cert: Option<PathBuf>,
    /// Plain HTTP to hosts other than loopback.
    pub allow_http: bool,
}

/// A limit on deletions or changes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Limit {
    /// So many files.
    Count(u64),
    /// Such a share of the library, in percent (0 to 100).
    Percent(f64),
}

/// The sync target.
#[derive(Clone, PartialEq, Debug)]
pub struct SyncSettings {
    /// Where.
    pub target: Target,
    /// How it is reached.
    pub connection: Connection,
    /// More deletes than this are refused.
    pub max_delete: Limit,
    /// More overwrites than this look like ransomware.
    pub max_change: Limit,
    /// Whether `max_delete` was given for this one run, which lifts the first run's limit of 0.
    pub max_delete_override: bool,
    /// Whether `max_change` was given for this one run, which also lifts the look at file types.
    pub max_change_override: bool,
    /// S3 storage class for new objects.
    pub storage_class: Option<String>,
    /// Server-side encryption: `AES256`, `aws:kms` or `aws:kms:KEY-ID`.
    pub sse: Option<String>,
}

/// How bytes reach the backup target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Via {
    /// Copy where it is possible, else upload.
    #[default]
    Auto,
    /// From the library.
    Upload,
    /// Server-side from the sync target.
    Copy,
}

/// The backup target.
#[derive(Clone, PartialEq, Debug)]
pub struct BackupSettings {
    /// Where.
    pub target: Target,
    /// How it is reached.
    pub connection: Connection,
    /// Mode of new locks.
    pub mode: Mode,
    /// Length of a full lock.
    pub retention: Duration,
    /// Locks with less than this left are extended.
    pub renew_below: Duration,
    /// Consent to what can't be undone.
    pub accept_irrevocable: bool,
    /// How bytes get there.
    pub via: Via,
    /// S3 storage class of `files/`.
    pub storage_class: Option<String>,
    /// Server-side encryption, as for sync.
    pub sse: Option<String>,
    /// Which snapshots stay when pruning.
    pub keep: KeepPolicy,
}

/// Which snapshots stay when pruning; restic's words and meanings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeepPolicy {
    /// The newest so many.
    pub last: u32,
    /// The newest of each of so many hours.
    pub hourly: u32,
    /// The newest of each of so many days.
    pub daily: u32,
    /// The newest of each of so many weeks.
    pub weekly: u32,
    /// The newest of each of so many months.
    pub monthly: u32,
    /// The newest of each of so many years.
    pub yearly: u32,
    /// All within this span before the newest, as written (`1y`).
    pub within: Option<String>,
}

/// Whether a file's times tell anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MtimePolicy {
    /// They do.
    #[default]
    Keep,
    /// A fresh checkout's times mean nothing.
    Ignore,
}

/// What to do with files that a cloud drive keeps a placeholder of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CloudFiles {
    /// Leave them where they are: what is stored of them stays stored.
    #[default]
    Skip,
    /// Read them, which makes the system fetch them.
    Download,
}

/// The library.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LibrarySettings {
    /// The root folder.
    pub path: PathBuf,
    /// A label for several libraries in one file.
    pub name: Option<String>,
    /// Patterns that leave files out, gitignore syntax.
    pub exclude: Vec<String>,
    /// Patterns that take files in again.
    pub include: Vec<String>,
    /// Leave out the built-in list of system folders.
    pub default_excludes: bool,
    /// Whether times mean anything.
    pub mtime: MtimePolicy,
    /// Inode numbers mean nothing (SMB, exFAT).
    pub ignore_inode: bool,
    /// ctimes mean nothing.
    pub ignore_ctime: bool,
    /// What to do with a cloud drive's placeholders.
    pub cloud_files: CloudFiles,
}

/// What holds for every command.
#[derive(Clone, PartialEq, Debug)]
pub struct RunSettings {
    /// Folder of the state file.
    pub state_dir: PathBuf,
    /// Print the plan, touch nothing.
    pub dry_run: bool,
    /// Requests in flight over both targets, at most.
    pub transfers: usize,
    /// Nobody has said how many: as many as serve best, up to `transfers`.
    pub adapt_transfers: bool,
    /// Bytes for part buffers.
    pub memory: u64,
    /// Bytes a second over both targets.
    pub bwlimit: Option<u64>,
    /// An empty library is meant.
    pub allow_empty: bool,
    /// Hash every file, whatever its times say.
    pub checksum: bool,
    /// Stop resumable after this.
    pub time_budget: Option<Duration>,
    /// `sync` without looking at the backup.
    pub without_backup: bool,
    /// A newest snapshot that is older than this is a risk, says `status`.
    pub max_age: Duration,
    /// Consent given on the command line.
    pub yes: bool,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::new(),
            dry_run: false,
            transfers: 16,
            adapt_transfers: false,
            memory: 256 << 20,
            bwlimit: None,
            allow_empty: false,
            checksum: false,
            time_budget: None,
            without_backup: false,
            max_age: Duration::from_secs(3 * 24 * 60 * 60),
            yes: false,
        }
    }
}

/// All of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// Where a command works on a library.
    pub library: Option<LibrarySettings>,
    /// Where there is a sync target.
    pub sync: Option<SyncSettings>,
    /// Where there is a backup target.
    pub backup: Option<BackupSettings>,
    /// The rest.
    pub run: RunSettings,
    /// The configuration as the snapshot keeps it: a JSON object without secrets.
    pub record: serde_json::Value,
}
