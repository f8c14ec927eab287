//! Plain types that every layer shares. No I/O here.

pub mod archive;
mod checksum;
mod entry;
mod error;
pub mod etag;
mod event;
mod exit;
mod forecast;
pub mod key;
pub(crate) mod killpoint;
mod path;
mod preview;
mod retention;
mod settings;
pub mod subtree;
mod summary;
mod target;
pub mod time;
pub mod when;
pub mod words;

pub use checksum::{Blake3, Content, Crc64};
pub use entry::{Entry, Identity, Kind, Seen, Stored};
pub use error::{Error, Result, StoreError, StoreErrorKind, StoreResult};
pub use event::{Action, Event, Events, Failure, Requests, Side};
pub use exit::ExitCode;
pub use forecast::{Cost, Expected, Forecast, Locks};
pub use path::RelPath;
pub use preview::{Archived, InArchive, Preview};
pub use retention::{Mode, Retention};
pub use settings::{
    BackupSettings, CloudFiles, Connection, KeepPolicy, Keys, LibrarySettings, Limit, MtimePolicy,
    Provider, RunSettings, Secret, Settings, SyncSettings, Via,
};
pub use summary::{
    BackupSummary, LibrarySummary, PullSummary, RestoreSummary, Summary, SyncSummary,
};
pub use target::Target;
pub use time::Time;
