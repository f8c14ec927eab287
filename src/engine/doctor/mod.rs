//! `doctor`: finds out what stores and keys really do, by trying it on objects of its own.
//!
//! Probes lie below `<prefix>/.tidelock/doctor-<nonce>/`, where no plan and no guard sees them. On
//! the backup they are locked for a day, so that locks can be tried. Whatever the keys may take away
//! is taken away at the end; after a crash the next doctor does it, once a day has gone by.
//!
//! | file | what it tries |
//! |---|---|
//! | `reach` | endpoint, keys, clock, versioning and lock, lifecycle rules |
//! | `objects` | writing, reading, deleting; checksums, conditions, multipart uploads |
//! | `copies` | copies within the store |
//! | `locks` | whether the vault holds its locks |
//! | `powers` | what a thief could do with these keys |
//! | `sweep` | taking the probes away |

mod check;
mod copies;
mod locks;
mod objects;
mod powers;
mod reach;
mod subject;
mod sweep;

pub use check::{Check, Mark};

use crate::engine::pace::Pace;
use crate::engine::retry::Retrier;
use crate::engine::stop::Stop;
use crate::model::{
    BackupSettings, Error, Mode, Result, Retention, Settings, Side, StoreError, StoreErrorKind,
};
use crate::store::Written;
use check::Findings;
use data_encoding::HEXLOWER;
use std::sync::Arc;
use std::time::Duration;
use subject::Subject;

/// A person waits for the answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Requests in flight.
const AT_ONCE: usize = 2;

/// Who listens to each check as it is made.
type Tell<'a> = &'a (dyn Fn(&Check) + Send + Sync);

/// Examines each configured target. Without `writes`, only what takes no write.
///
/// # Errors
/// `Usage` for settings that can't be used, and the reason of a stop that was wished for. What the
/// stores refuse is a finding, not an error.
pub async fn examine(
    settings: &Settings,
    writes: bool,
    tell: Tell<'_>,
    stop: &Stop,
) -> Result<Vec<Check>> {
    let (mirror, vault) = connect(settings, stop).await?;
    let mut of_mirror = Findings::new(Side::Sync, tell);
    let mut of_vault = Findings::new(Side::Backup, tell);
    let probing = async {
        let written = match &mirror {
            Some(mirror) => Box::pin(probe_mirror(mirror, writes, &mut of_mirror)).await,
            None => None,
        };
        if let (Some(vault), Some(backup)) = (&vault, &settings.backup) {
            let source = mirror.as_ref().zip(written.as_ref());
            Box::pin(probe_vault(vault, backup, writes, source, &mut of_vault)).await;
        }
    };
    let stopped = tokio::select! {
        why = stop.wait() => Some(why),
        () = probing => None,
    };
    for (subject, findings) in [(&mirror, &mut of_mirror), (&vault, &mut of_vault)] {
        if let Some(subject) = subject.as_ref().filter(|subject| subject.wrote()) {
            Box::pin(sweep::sweep(subject, findings)).await;
        }
    }
    if let Some(why) = stopped {
        return Err(why.error());
    }
    let mut checks = of_mirror.into_checks();
    checks.extend(of_vault.into_checks());
    Ok(checks)
}

async fn connect(settings: &Settings, stop: &Stop) -> Result<(Option<Subject>, Option<Subject>)> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce)
        .map_err(|error| Error::Failed(format!("no random numbers for the probes: {error}")))?;
    let nonce = HEXLOWER.encode(&nonce);
    let pace = Arc::new(Pace::new(AT_ONCE, None));
    let retrier = Retrier::new(pace, stop.clone(), PATIENCE);
    let mirror = match &settings.sync {
        Some(sync) => {
            let (target, how, sse) = (&sync.target, &sync.connection, sync.sse.as_ref());
            Some(Subject::connect(Side::Sync, target, how, sse, &nonce, &retrier).await?)
        }
        None => None,
    };
    let vault = match &settings.backup {
        Some(backup) => {
            let (target, how, sse) = (&backup.target, &backup.connection, backup.sse.as_ref());
            Some(Subject::connect(Side::Backup, target, how, sse, &nonce, &retrier).await?)
        }
        None => None,
    };
    Ok((mirror, vault))
}

/// Returns the probe that was written, for copies; it is still there.
async fn probe_mirror(
    subject: &Subject,
    writes: bool,
    findings: &mut Findings<'_>,
) -> Option<Written> {
    if !reach::answers(subject, findings).await {
        return None;
    }
    reach::clock(subject, findings).await;
    reach::lifecycle(subject, findings).await;
    if !writes {
        return None;
    }
    let written = match objects::round_trip(subject, None, findings).await {
        Ok(written) => written,
        Err(error) => return no_write(error, findings),
    };
    objects::checksums(subject, written.crc64nvme.is_some(), findings).await;
    objects::conditions(subject, None, findings).await;
    objects::multipart(subject, None, findings).await;
    copies::within(subject, &written, findings).await;
    objects::deletes(subject, findings).await;
    Some(written)
}

async fn probe_vault(
    subject: &Subject,
    settings: &BackupSettings,
    writes: bool,
    mirror: Option<(&Subject, &Written)>,
    findings: &mut Findings<'_>,
) {
    if !reach::answers(subject, findings).await {
        return;
    }
    reach::clock(subject, findings).await;
    let locks = reach::object_lock(subject, findings).await;
    reach::lifecycle(subject, findings).await;
    if !(locks && writes) {
        return;
    }
    let Some((written, lock)) = locked_write(subject, settings.mode, findings).await else {
        return;
    };
    objects::checksums(subject, written.crc64nvme.is_some(), findings).await;
    objects::conditions(subject, Some(lock), findings).await;
    objects::multipart(subject, Some(lock), findings).await;
    if let Some((mirror, source)) = mirror {
        copies::from_mirror(mirror, source, subject, lock, settings.via, findings).await;
    }
    let key = subject.key(objects::OBJECT);
    let Some(version) = written.version_id else {
        let text = "a write to the vault made no version";
        return findings.unsafe_store("lock_kept", text, "do not use this store for the backup");
    };
    if locks::hold(subject, &key, &version, lock, findings).await {
        powers::of_keys(subject, settings, &key, &version, findings).await;
    }
}

/// The first write of a vault is locked like all of its writes. Keys for compliance mode may set no
/// governance locks; then the probe's day is one that nobody can shorten.
async fn locked_write(
    subject: &Subject,
    mode: Mode,
    findings: &mut Findings<'_>,
) -> Option<(Written, Retention)> {
    let now = match subject::server_now(subject).await {
        Ok(now) => now,
        Err(error) => {
            findings.refused("write", "the server's time is not known", error);
            return None;
        }
    };
    let mut lock = subject::lock(Mode::Governance, now, subject::LOCK);
    let mut written = objects::round_trip(subject, Some(lock), findings).await;
    let refused = matches!(&written, Err(error) if error.kind == StoreErrorKind::Denied);
    if refused && mode == Mode::Compliance {
        lock.mode = Mode::Compliance;
        written = objects::round_trip(subject, Some(lock), findings).await;
    }
    match written {
        Ok(written) => Some((written, lock)),
        Err(error) => no_write(error, findings),
    }
}

fn no_write<T>(error: StoreError, findings: &mut Findings<'_>) -> Option<T> {
    let what = if error.kind == StoreErrorKind::Denied {
        "these keys may not write, as a reader's may not; every night needs `tidelock policy \
         writer`"
    } else {
        "nothing can be written"
    };
    findings.refused("write", what, error);
    None
}
