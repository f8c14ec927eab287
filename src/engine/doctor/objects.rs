//! Writing, reading and deleting, with checksums and conditions.

use super::check::Findings;
use super::subject::Subject;
use crate::model::{Crc64, Retention, StoreErrorKind, StoreResult};
use crate::store::{Complete, Condition, ListRequest, Put, Store, Written};
use bytes::Bytes;

/// The probe that is written first; conditions are tried on it.
pub(super) const OBJECT: &str = "object";

/// An ETag that no object has.
const OTHER: &str = "00000000000000000000000000000000";

const ASKS: &str = "let only one machine write here at a time";

/// Writes an object and gets it back. The first write of all.
///
/// # Errors
/// The store's, where nothing was written.
pub(super) async fn round_trip(
    subject: &Subject,
    lock: Option<Retention>,
    findings: &mut Findings<'_>,
) -> StoreResult<Written> {
    let put = subject.put(OBJECT, lock);
    subject.note_write(true);
    let written = subject.call(|store| store.put(put.clone())).await;
    let written =
        written.inspect_err(|error| subject.note_write(error.kind.may_have_happened()))?;
    let name = "write";
    match read_back(subject, &put).await {
        Ok(None) => findings.ok(name, "objects can be written, listed and read"),
        Ok(Some(what)) => {
            let advice = "this store is not fit for Tidelock";
            findings.broken(name, what, advice);
        }
        Err(error) => findings.refused(name, "what was written can't be read", error),
    }
    Ok(written)
}

/// What is not as it was written, if anything.
async fn read_back(subject: &Subject, put: &Put) -> StoreResult<Option<&'static str>> {
    let head = subject.call(|store| store.head(&put.key, None)).await?;
    let got = subject
        .call(|store| store.get(&put.key, None, None))
        .await?;
    let request = ListRequest {
        prefix: put.key.clone(),
        ..ListRequest::default()
    };
    let listed = subject.call(|store| store.list(&request)).await?;
    Ok(
        if got.body != put.body || head.size != put.body.len() as u64 {
            Some("an object comes back with other bytes than were written")
        } else if head.metadata != put.attributes.metadata {
            Some("an object comes back with other metadata than was written")
        } else if !listed.items.iter().any(|object| object.key == put.key) {
            Some("an object that was written is not in the listing")
        } else {
            None
        },
    )
}

/// Bytes that are not what they are said to be must be refused.
pub(super) async fn checksums(subject: &Subject, confirmed: bool, findings: &mut Findings<'_>) {
    let name = "checksum";
    let wrong = Put {
        crc64nvme: Crc64::of(b"other bytes"),
        ..subject.put("damaged", None)
    };
    let sent = subject.retrier.once(subject.store.put(wrong)).await;
    match sent.map_err(|error| (error.kind, error)) {
        Err((StoreErrorKind::Checksum, _)) if confirmed => {
            findings.ok(name, "CRC64NVME is checked: damaged bytes are refused");
        }
        Err((StoreErrorKind::Checksum, _)) => {
            findings.ok(name, "damaged bytes are refused");
        }
        // The client has learnt that this store does not look, and sent Content-MD5 instead.
        Ok(_) => findings.ok(
            name,
            "no CRC64NVME here: Content-MD5 goes with the bytes instead",
        ),
        Err((StoreErrorKind::UnknownOutcome, _)) => {
            let text = "the store took bytes whose checksum was wrong";
            findings.broken(name, text, "this store is not fit for Tidelock");
        }
        Err((_, error)) => findings.refused(name, "the checksum could not be tried", error),
    }
}

/// Two writers must not be able to overwrite each other unseen.
pub(super) async fn conditions(
    subject: &Subject,
    lock: Option<Retention>,
    findings: &mut Findings<'_>,
) {
    let name = "conditional_write";
    let with = |condition| Put {
        condition,
        ..subject.put(OBJECT, lock)
    };
    for condition in [Condition::IfAbsent, Condition::IfMatch(OTHER.to_owned())] {
        let header = match condition {
            Condition::IfAbsent => "If-None-Match",
            _ => "If-Match",
        };
        match subject
            .call(|store| store.put(with(condition.clone())))
            .await
        {
            Err(error) if error.kind == StoreErrorKind::PreconditionFailed => {}
            Ok(_) => {
                let text = format!("uploads ignore {header}: writers can overwrite each other");
                return findings.warn(name, text, ASKS);
            }
            Err(error) => {
                let what = format!("an upload with {header} was not judged");
                return findings.refused(name, &what, error);
            }
        }
    }
    if subject.store.conditional_writes() {
        findings.ok(name, "uploads honour If-None-Match and If-Match");
    } else {
        let text = "no conditional uploads here: Tidelock looks just before it writes";
        findings.warn(name, text, ASKS);
    }
}

/// Deletes on the mirror, whose condition Tidelock checks by itself where the store does not.
pub(super) async fn deletes(subject: &Subject, findings: &mut Findings<'_>) {
    let put = subject.put("gone", None);
    if subject.call(|store| store.put(put.clone())).await.is_err() {
        return;
    }
    let key = put.key;
    let raw = subject
        .call(|store| store.probe_delete_if_match(&key, OTHER))
        .await;
    let name = "conditional_delete";
    match raw.map_err(|error| error.kind) {
        Err(StoreErrorKind::PreconditionFailed) => findings.ok(name, "deletes honour If-Match"),
        // Told below.
        Err(StoreErrorKind::Denied) => {}
        _ => findings.ok(
            name,
            "deletes do not honour If-Match: Tidelock looks just before it deletes",
        ),
    }
    match subject.call(|store| store.delete(&key, None)).await {
        Ok(()) => findings.ok("delete", "objects can be deleted"),
        Err(error) => findings.refused("delete", "the mirror's objects can't be deleted", error),
    }
}

/// Multipart uploads: large files, and going on with them on another day.
pub(super) async fn multipart(
    subject: &Subject,
    lock: Option<Retention>,
    findings: &mut Findings<'_>,
) {
    let name = "multipart";
    match uploads(subject, lock).await {
        Ok(Ok(honoured)) => {
            let text = "multipart uploads can be begun, listed, completed and dropped";
            findings.ok(name, text);
            let name = "conditional_complete";
            if honoured {
                findings.ok(name, "completing an upload honours If-None-Match");
            } else {
                let text = "completing an upload ignores If-None-Match";
                findings.warn(name, text, ASKS);
            }
        }
        Ok(Err(what)) => findings.warn(name, what, "stopped uploads of large files begin again"),
        Err(error) => findings.refused(name, "multipart uploads do not work", error),
    }
}

/// Whether a complete refuses to overwrite; or what of an unfinished upload is not as it should be.
async fn uploads(
    subject: &Subject,
    lock: Option<Retention>,
) -> StoreResult<Result<bool, &'static str>> {
    let key = subject.key("large");
    let (first, complete) = begin(subject, &key, lock).await?;
    let parts = subject.call(|store| store.list_parts(&key, &first)).await?;
    let open = subject.call(|store| store.list_uploads_of(&key)).await?;
    subject
        .call(|store| store.complete_upload(complete.clone()))
        .await?;
    let (second, complete) = begin(subject, &key, lock).await?;
    let again = subject.store.complete_upload(complete);
    let honoured = match subject.retrier.once(again).await {
        Ok(_) => false,
        Err(error) if error.kind == StoreErrorKind::PreconditionFailed => true,
        Err(error) => return Err(error),
    };
    subject
        .call(|store| store.abort_upload(&key, &second))
        .await?;
    let left = subject.call(|store| store.list_uploads_of(&key)).await?;
    Ok(if parts.len() != 1 {
        Err("the parts of an unfinished upload are not listed")
    } else if !open.iter().any(|upload| upload.upload_id == first) {
        Err("unfinished uploads are not listed")
    } else if left.iter().any(|upload| upload.upload_id == second) {
        Err("an upload that was dropped is still there")
    } else {
        Ok(honoured)
    })
}

/// An upload of one part, ready to be completed where nothing has the key.
async fn begin(
    subject: &Subject,
    key: &str,
    lock: Option<Retention>,
) -> StoreResult<(String, Complete)> {
    let attributes = subject.attributes(lock);
    let upload_id = subject
        .call(|store| store.create_upload(key, &attributes))
        .await?;
    let body: Bytes = subject.body();
    let crc = Crc64::of(&body);
    let part = subject
        .call(|store| store.upload_part(key, &upload_id, 1, body.clone(), crc))
        .await?;
    let complete = Complete {
        key: key.to_owned(),
        upload_id: upload_id.clone(),
        crc64nvme: part.crc64nvme.map(|_| crc),
        size: part.size,
        parts: vec![part],
        condition: Condition::IfAbsent,
    };
    Ok((upload_id, complete))
}
