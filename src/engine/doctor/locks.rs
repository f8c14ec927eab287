//! Whether the vault holds its locks.

use super::check::Findings;
use super::subject::{self, Subject};
use crate::model::{Retention, StoreError, StoreErrorKind};
use crate::store::Store;
use std::time::Duration;

/// Locks grow to this, the whole day that a probe is locked.
const EXTENDED: Duration = Duration::from_secs(24 * 60 * 60);

/// What a shorter lock would be.
pub(super) const SHORTER: Duration = Duration::from_secs(60 * 60);

const NOT_FIT: &str = "do not use this store for the backup";

/// Tries the lock of one version. False where its store keeps none, so that nothing more can be
/// learnt.
pub(super) async fn hold(
    subject: &Subject,
    key: &str,
    version: &str,
    lock: Retention,
    findings: &mut Findings<'_>,
) -> bool {
    if !kept(subject, key, version, lock, findings).await {
        return false;
    }
    let now = subject::server_now(subject).await;
    let Ok(now) = now else {
        return false;
    };
    let with = |length| subject::lock(lock.mode, now, length);
    extends(subject, key, version, with(EXTENDED), findings).await;
    shortens(subject, key, version, with(SHORTER), findings).await;
    deletes(subject, key, version, findings).await
}

async fn kept(
    subject: &Subject,
    key: &str,
    version: &str,
    lock: Retention,
    findings: &mut Findings<'_>,
) -> bool {
    let name = "lock_kept";
    match subject.call(|store| store.retention(key, version)).await {
        Ok(Some(found)) if found.mode == lock.mode && found.until >= lock.until => {
            findings.ok(name, "a lock that comes with an upload is kept");
            true
        }
        Ok(found) => {
            let found = match found {
                Some(found) => format!("another one ({} until {})", found.mode, found.until),
                None => "none".to_owned(),
            };
            let text = format!("the store took a version with a lock and has {found}");
            findings.unsafe_store(name, text, NOT_FIT);
            false
        }
        Err(error) => {
            findings.refused(name, "the lock of a version can't be read", error);
            true
        }
    }
}

async fn extends(
    subject: &Subject,
    key: &str,
    version: &str,
    longer: Retention,
    findings: &mut Findings<'_>,
) {
    let name = "lock_extended";
    let set = subject
        .call(|store| store.set_retention(key, version, longer))
        .await;
    match set {
        Ok(()) => findings.ok(name, "locks can be extended"),
        Err(error) => {
            let what = "locks can't be extended, so they would run out";
            findings.refused(name, what, error);
        }
    }
}

async fn shortens(
    subject: &Subject,
    key: &str,
    version: &str,
    shorter: Retention,
    findings: &mut Findings<'_>,
) {
    let name = "lock_shortened";
    let set = subject
        .call(|store| store.set_retention(key, version, shorter))
        .await;
    match set {
        Err(error) if is_refusal(&error) => findings.ok(name, "locks can't be shortened"),
        Ok(()) => {
            let text = "the store let a lock be shortened without any bypass";
            findings.unsafe_store(name, text, NOT_FIT);
        }
        Err(error) => findings.refused(name, "shortening a lock was not judged", error),
    }
}

/// Whether the version is still there.
async fn deletes(subject: &Subject, key: &str, version: &str, findings: &mut Findings<'_>) -> bool {
    let name = "locked_delete";
    match subject
        .call(|store| store.delete_version(key, version))
        .await
    {
        Err(error) if is_refusal(&error) => {
            findings.ok(name, "a locked version can't be deleted");
            true
        }
        Ok(()) => {
            let text = "the store deleted a version that was locked";
            findings.unsafe_store(name, text, NOT_FIT);
            false
        }
        Err(error) => {
            findings.refused(name, "deleting a locked version was not judged", error);
            true
        }
    }
}

/// Stores have more than one word for it.
fn is_refusal(error: &StoreError) -> bool {
    matches!(
        error.kind,
        StoreErrorKind::Denied | StoreErrorKind::Invalid | StoreErrorKind::NotFound
    )
}
