//! Taking the probes away again, and those that earlier probes had to leave.

use super::check::Findings;
use super::subject::{Subject, server_now};
use crate::model::{Side, StoreErrorKind, StoreResult, Time};
use crate::store::{ListRequest, Store, Version};
use std::time::Duration;

/// What is younger may be another doctor's, at work right now.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Takes away what may be taken away. What can't stays, and is told.
pub(super) async fn sweep(subject: &Subject, findings: &mut Findings<'_>) {
    drop_uploads(subject).await;
    match subject.side {
        Side::Sync => {
            if let Err(error) = clear_mirror(subject).await {
                findings.refused("cleanup", "the probes could not be taken away", error);
            }
        }
        Side::Backup => clear_vault(subject, findings).await,
    }
}

async fn drop_uploads(subject: &Subject) {
    let key = subject.key("large");
    let open = subject.call(|store| store.list_uploads_of(&key)).await;
    for upload in open.unwrap_or_default() {
        let id = upload.upload_id;
        // A store that drops none drops it after days by itself, or by a rule.
        let _ = subject.call(|store| store.abort_upload(&key, &id)).await;
    }
}

async fn clear_mirror(subject: &Subject) -> StoreResult<()> {
    let now = server_now(subject).await?;
    let request = ListRequest {
        prefix: subject.all_probes(),
        ..ListRequest::default()
    };
    let page = subject.call(|store| store.list(&request)).await?;
    for object in page.items {
        if is_ours(subject, &object.key, object.last_modified, now) {
            subject
                .call(|store| store.delete(&object.key, None))
                .await?;
        }
    }
    // A mirror that keeps versions keeps these too, unless the keys may delete them.
    if subject
        .call(|store| store.probe_versioning())
        .await
        .unwrap_or(false)
    {
        let versions = subject.call(|store| store.list_versions(&request)).await;
        for version in versions.map(|page| page.items).unwrap_or_default() {
            let ours = is_ours(subject, &version.key, version.last_modified, now);
            if ours && remove(subject, &version).await.is_err() {
                break;
            }
        }
    }
    Ok(())
}

async fn clear_vault(subject: &Subject, findings: &mut Findings<'_>) {
    let name = "cleanup";
    let left = match remains(subject).await {
        Ok(left) => left,
        Err(error) => {
            let what = "the probes could not be taken away";
            return findings.refused(name, what, error);
        }
    };
    if left.is_empty() {
        return findings.ok(name, "all probes are taken away again");
    }
    let text = format!(
        "{} small probes below s3://{}/{} stay: they are locked until tomorrow, and `tidelock \
         doctor` takes them away later if its keys may (a pruner's may)",
        left.len(),
        subject.target.bucket,
        subject.all_probes()
    );
    findings.ok(name, text);
}

/// The probes' versions that can't be deleted.
async fn remains(subject: &Subject) -> StoreResult<Vec<Version>> {
    let now = server_now(subject).await?;
    let request = ListRequest {
        prefix: subject.all_probes(),
        ..ListRequest::default()
    };
    let page = subject.call(|store| store.list_versions(&request)).await?;
    let mut versions = page.items;
    versions.retain(|it| is_ours(subject, &it.key, it.last_modified, now));
    // The oldest first: whoever may not delete those may not delete any.
    versions.sort_by_key(|version| version.last_modified);
    let own = subject.key("");
    let mut left = Vec::new();
    let mut refused = false;
    for version in versions {
        let is_own = version.key.starts_with(&own);
        if refused && !is_own {
            left.push(version);
            continue;
        }
        match remove(subject, &version).await {
            Ok(()) => {}
            // What fails for long fails for all.
            Err(error) if error.kind.is_transient() => return Err(error),
            Err(_) => {
                refused = true;
                left.push(version);
            }
        }
    }
    Ok(left)
}

fn is_ours(subject: &Subject, key: &str, modified: Time, now: Time) -> bool {
    let abandoned = now.duration_since(modified).unsigned_abs() > ABANDONED;
    key.starts_with(&subject.key("")) || abandoned
}

/// Past its lock too, where the keys can do that.
async fn remove(subject: &Subject, version: &Version) -> StoreResult<()> {
    let (key, id) = (&version.key, &version.version_id);
    match subject.call(|store| store.delete_version(key, id)).await {
        Err(error) if error.kind == StoreErrorKind::Denied => {
            subject.call(|store| store.probe_bypass(key, id)).await
        }
        answer => answer,
    }
}
