//! What settings may not be together.

use super::connection;
use super::units::show_duration;
use super::values::{Origin, Values};
use crate::model::{BackupSettings, Error, Result, Settings};
use std::time::Duration;

/// S3's own bound on a lock.
const LONGEST_RETENTION: Duration = Duration::from_secs(36_500 * 86_400);

/// Checks what no single value can tell.
pub(super) fn check(settings: &Settings, values: &Values) -> Result<()> {
    if let Some(backup) = &settings.backup {
        check_locks(backup, values)?;
    }
    check_overlap(settings, values)
}

fn check_locks(backup: &BackupSettings, values: &Values) -> Result<()> {
    let place = |id: &str| match values.get(id).map(|given| &given.origin) {
        Some(origin @ Origin::File { .. }) => format!("{origin}: {id}"),
        Some(origin) => origin.to_string(),
        None => id.to_owned(),
    };
    if backup.retention > LONGEST_RETENTION {
        return Err(Error::Usage(format!(
            "{} = {} is longer than the 36500 days that S3 allows: set less",
            place("backup.retention"),
            show_duration(backup.retention)
        )));
    }
    if backup.renew_below > backup.retention {
        return Err(Error::Usage(format!(
            "{} = {} is over the lock retention of {}: no lock could ever last that long; lower \
             renew_below or raise the retention",
            place("backup.renew_below"),
            show_duration(backup.renew_below),
            show_duration(backup.retention)
        )));
    }
    Ok(())
}

fn check_overlap(settings: &Settings, values: &Values) -> Result<()> {
    let (Some(sync), Some(backup)) = (&settings.sync, &settings.backup) else {
        return Ok(());
    };
    if !sync.target.overlaps(&backup.target) {
        return Ok(());
    }
    // Without an endpoint the AWS configuration decides, which may lead to the same place.
    let sync_at = connection::endpoint(values, "sync");
    let backup_at = connection::endpoint(values, "backup");
    if let (Some(sync_at), Some(backup_at)) = (sync_at, backup_at)
        && sync_at.is_other_store(backup_at)
    {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "the targets overlap: {} (sync) and {} (backup) would hold the same keys, so that one \
         would destroy the other; give each a bucket of its own (--sync-to, --backup-to)",
        sync.target, backup.target
    )))
}
