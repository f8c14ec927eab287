//! Copies that the store makes by itself.

use super::check::Findings;
use super::objects::OBJECT;
use super::subject::Subject;
use crate::model::{Retention, StoreResult, Via};
use crate::store::{Copy, CopySource, Store, Written};

/// A copy of the mirror's probe to a key of the subject's, which may be the mirror itself.
async fn copy(
    from: &Subject,
    to: &Subject,
    source: &Written,
    lock: Option<Retention>,
) -> StoreResult<Written> {
    let copy = Copy {
        source: CopySource {
            bucket: from.target.bucket.clone(),
            key: from.key(OBJECT),
            version_id: None,
            if_match: Some(source.etag.clone()),
        },
        key: to.key("copy"),
        attributes: to.attributes(lock),
    };
    to.call(|store| store.copy(copy.clone())).await
}

/// Moved files are moved on the mirror, not sent again.
pub(super) async fn within(subject: &Subject, source: &Written, findings: &mut Findings<'_>) {
    match copy(subject, subject, source, None).await {
        Ok(_) => findings.ok(
            "copy",
            "objects can be copied: moved files are not sent again",
        ),
        Err(error) => findings.refused("copy", "objects can't be copied", error),
    }
}

/// Whether the backup's keys reach the mirror, on one and the same store.
pub(super) async fn from_mirror(
    mirror: &Subject,
    source: &Written,
    vault: &Subject,
    lock: Retention,
    via: Via,
    findings: &mut Findings<'_>,
) {
    let name = "copy_from_sync";
    if mirror.connection.endpoint != vault.connection.endpoint {
        let text = "the targets are on two stores: bytes are sent to both";
        return findings.ok(name, text);
    }
    match copy(mirror, vault, source, Some(lock)).await {
        Ok(_) => findings.ok(name, "the store can copy from the mirror, with a lock"),
        Err(error) if via == Via::Copy => {
            let text = format!("via = \"copy\" is set, and nothing can be copied: {error}");
            let advice = "let the backup's keys read the sync target, or set via = \"auto\"";
            findings.warn(name, text, advice);
        }
        Err(error) => {
            let text = format!(
                "nothing can be copied from the mirror, so bytes are sent to both ({error})"
            );
            findings.ok(name, text);
        }
    }
}
