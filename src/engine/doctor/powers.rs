//! What a thief could do with these keys to the backup.

use super::check::Findings;
use super::locks::SHORTER;
use super::subject::{self, Subject};
use crate::model::{BackupSettings, Mode, Provider, StoreErrorKind};
use crate::plan::{Role, Scope, b2_commands};
use crate::store::Store;

/// No bucket that was made with versioning has a version of this name.
const NO_VERSION: &str = "null";

/// Tries everything that the nightly job's keys should not be able to do, on one locked version.
/// Keys that can do the worst are told so, and nothing less.
pub(super) async fn of_keys(
    subject: &Subject,
    settings: &BackupSettings,
    key: &str,
    version: &str,
    findings: &mut Findings<'_>,
) {
    let advice = narrower_key(settings);
    if bypass(subject, settings.mode, key, version, &advice, findings).await {
        return;
    }
    deletes(subject, key, &advice, findings).await;
    markers(subject, settings, key, &advice, findings).await;
    bucket_settings(subject, &advice, findings).await;
}

async fn deletes(subject: &Subject, key: &str, advice: &str, findings: &mut Findings<'_>) {
    let name = "delete_versions";
    let deleted = subject.call(|store| store.delete_version(key, NO_VERSION));
    match deleted.await {
        Err(error) if error.kind == StoreErrorKind::Denied => {
            findings.ok(name, "these keys may not delete versions, locked or not");
        }
        Ok(()) => {
            let text = "these keys may delete versions whose lock is over, as a pruner's may";
            findings.warn(name, text, advice);
        }
        // A store that looks for the version first says nothing about the keys.
        Err(error) => tracing::info!(%error, "whether versions can be deleted is not known"),
    }
}

/// Whether the keys get past governance locks: then nothing in the vault is safe from them.
async fn bypass(
    subject: &Subject,
    mode: Mode,
    key: &str,
    version: &str,
    advice: &str,
    findings: &mut Findings<'_>,
) -> bool {
    let name = "bypass";
    let shortened = shortens(subject, key, version).await;
    let deleted = subject.call(|store| store.probe_bypass(key, version)).await;
    match deleted {
        Ok(()) => {
            let held = match mode {
                Mode::Governance => {
                    "these keys can destroy the backup: they deleted a version \
                                     past its governance lock"
                }
                Mode::Compliance => {
                    "these keys may delete versions past a governance lock; \
                                     compliance locks hold against them"
                }
            };
            match mode {
                Mode::Governance => findings.risk(name, held, advice),
                Mode::Compliance => findings.warn(name, held, advice),
            }
            return true;
        }
        Err(error) if error.kind != StoreErrorKind::Denied => {
            findings.refused(name, "a delete with bypass was not judged", error);
        }
        Err(_) if shortened => {
            let text = "these keys can shorten governance locks, though not delete what was locked";
            let advice = "`tidelock renew` sets locks right again; mode = \"compliance\" rules \
                          it out";
            findings.warn(name, text, advice);
        }
        Err(_) => findings.ok(name, "these keys can't get past a lock"),
    }
    false
}

async fn shortens(subject: &Subject, key: &str, version: &str) -> bool {
    let lock = subject.call(|store| store.retention(key, version)).await;
    let now = subject::server_now(subject).await;
    let (Ok(Some(lock)), Ok(now)) = (lock, now) else {
        return false;
    };
    let shorter = subject::lock(lock.mode, now, SHORTER);
    let set = subject.call(|store| store.probe_shortening(key, version, shorter));
    set.await.is_ok()
}

async fn markers(
    subject: &Subject,
    settings: &BackupSettings,
    key: &str,
    advice: &str,
    findings: &mut Findings<'_>,
) {
    let name = "delete_marker";
    match subject.call(|store| store.delete(key, None)).await {
        Ok(()) if settings.connection.provider == Provider::B2 => {
            let text = "files can be hidden by name, as any key of B2 that writes can; that harms \
                        no version, and restore goes by version";
            findings.ok(name, text);
        }
        Ok(()) => {
            let text = "these keys can hide objects behind delete markers; that harms no version, \
                        and restore goes by version";
            findings.warn(name, text, advice);
        }
        Err(error) if error.kind == StoreErrorKind::Denied => {
            findings.ok(name, "these keys can't hide objects behind delete markers");
        }
        Err(error) => findings.refused(name, "a plain delete was not judged", error),
    }
}

async fn bucket_settings(subject: &Subject, advice: &str, findings: &mut Findings<'_>) {
    let name = "bucket_settings";
    match subject.call(|store| store.probe_settings()).await {
        Ok(()) => {
            let text = "these keys may change the bucket's settings (seen by setting versioning \
                        to what it is)";
            findings.warn(name, text, advice);
        }
        Err(error) if error.kind == StoreErrorKind::Denied => {
            findings.ok(name, "these keys may not change the bucket's versioning");
        }
        // Not every store has this request for buckets with object lock.
        Err(error) => tracing::info!(%error, "whether settings can be changed is not known"),
    }
}

/// How to get keys that can do less.
fn narrower_key(settings: &BackupSettings) -> String {
    if settings.connection.provider == Provider::B2 {
        let scope = Scope {
            sync: None,
            backup: Some((&settings.target, settings.mode, settings.retention)),
        };
        let commands = b2_commands(Role::Writer, &scope);
        return format!(
            "give the nightly job an application key without deleteFiles and bypassGovernance, \
             never the master key: {}",
            commands.join("; ")
        );
    }
    "give the nightly job keys with no more than `tidelock policy writer` prints".to_owned()
}
