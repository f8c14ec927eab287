//! Settings from the file, the variables and the flags.
//!
//! Every setting stands in one table ([`schema`]): `[backup] retention` of the file is
//! `TIDELOCK_BACKUP_RETENTION` among the variables. Flag beats variable beats file. What is wrong
//! is found here, before anything is touched, and named with its file, line and key.
//!
//! Beside the table there are `TIDELOCK_CONFIG` (the file), `TIDELOCK_LIBRARY` (a configured
//! library's name, or a path), `TIDELOCK_LOG` (what to log), and for each target keys of its own:
//! `TIDELOCK_SYNC_ACCESS_KEY_ID`, `…_SECRET_ACCESS_KEY` and `…_SESSION_TOKEN`, and the same with
//! `BACKUP`. Lists have one pattern a line. A variable that is set but empty counts as unset.

mod check;
mod connection;
mod endpoint;
mod environment;
mod file;
mod flags;
mod library;
mod missing;
mod rebuild;
mod record;
mod resolve;
mod schema;
mod tell;
mod units;
mod value;
mod values;

pub use environment::Environment;
pub use file::FILE_NAME;
pub use flags::{Flags, Needs, check_setting};
pub use rebuild::{Rebuilt, rebuild};
pub use resolve::{Loaded, load, load_each, load_known};
pub use tell::{Notify, Tell};
pub use units::{parse_duration, parse_limit, parse_rate, parse_size, show_duration};
pub use value::Raw;

/// The nearest of some names, if one is near enough to have been meant.
pub(crate) fn suggest<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names
        .map(|name| (strsim::jaro_winkler(text, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (two, _)| one.total_cmp(two))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
