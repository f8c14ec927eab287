//! The lease object: read whole, written under a condition.

use super::record::{Found, Record};
use crate::engine::client::Client;
use crate::model::{Crc64, Error, Result, StoreErrorKind};
use crate::store::{Attributes, Condition, Put};
use bytes::Bytes;

/// A lease has a few hundred bytes; what is larger is none.
const MOST_BYTES: u64 = 256 << 10;

/// How often an object that changes while it is read is read again.
const LOOKS: u32 = 5;

/// Where the lease of a target lies.
pub(super) fn key(client: &Client) -> String {
    client.target.key(".tidelock/lease.json")
}

/// Reads the lease; none where there is no object.
pub(super) async fn look(client: &Client) -> Result<Option<Found>> {
    let key = key(client);
    for _ in 0..LOOKS {
        let head = match client.call(|store| store.head(&key, None)).await {
            Ok(head) => head,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let found = |record| Found {
            etag: head.etag.clone(),
            last_modified: head.last_modified,
            record,
        };
        if head.size > MOST_BYTES {
            return Ok(Some(found(None)));
        }
        match client.call(|store| store.get(&key, None, None)).await {
            Ok(fetched) if fetched.etag == head.etag => {
                return Ok(Some(found(serde_json::from_slice(&fetched.body).ok())));
            }
            // Renewed, taken over or deleted in between.
            Ok(_) => {}
            Err(error) if error.kind == StoreErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Held(format!(
        "several runs are reaching for {} at once; run again in a minute",
        client.target
    )))
}

/// Writes the lease on a condition; its new ETag, or none where the condition refused it.
///
/// Writing the same record twice does no harm, and a refusal is looked into, since it may come
/// from an earlier try whose answer was lost.
pub(super) async fn write(
    client: &Client,
    record: &Record,
    condition: Condition,
) -> Result<Option<String>> {
    let put = put(client, record, condition)?;
    let mut attempts = client.retrier.attempts();
    loop {
        let error = match client.retrier.once(client.store.put(put.clone())).await {
            Ok(written) => return Ok(Some(written.etag)),
            Err(error) => error,
        };
        match error.kind {
            // AWS answers an If-Match on a key without an object with 404.
            StoreErrorKind::PreconditionFailed | StoreErrorKind::NotFound => {
                let found = look(client).await?;
                let ours = found.filter(|found| found.record.as_ref() == Some(record));
                return Ok(ours.map(|found| found.etag));
            }
            _ => attempts.pause(error).await?,
        }
    }
}

fn put(client: &Client, record: &Record, condition: Condition) -> Result<Put> {
    let json = serde_json::to_vec(record)
        .map_err(|error| Error::Failed(format!("the lease can't be written: {error}")))?;
    let body = Bytes::from(json);
    Ok(Put {
        key: key(client),
        crc64nvme: Crc64::of(&body),
        body,
        attributes: Attributes {
            content_type: Some("application/json".to_owned()),
            ..Attributes::default()
        },
        condition,
    })
}
