//! The lease object: read whole, written under a condition.

use super::record::{Found, Record};
use crate::engine::client::Client;
use crate::model::etag;
use crate::model::{Crc64, Error, Result, StoreError, StoreErrorKind};
use crate::store::{Attributes, ByteRange, Condition, Put};
use bytes::Bytes;

/// A lease has a few hundred bytes; what is larger is none.
const MOST_BYTES: u64 = 256 << 10;

/// Where the lease of a target lies.
pub(super) fn key(client: &Client) -> String {
    client.target.key(".tidelock/lease.json")
}

/// Reads the lease; none where there is no object. One request, where the ETag is an MD5 and proves
/// the bytes; a whole GET, whose checksum the store's client compares, where it is not.
pub(super) async fn look(client: &Client) -> Result<Option<Found>> {
    let key = key(client);
    let some = ByteRange {
        first: 0,
        last: MOST_BYTES,
    };
    let mut range = Some(some);
    loop {
        let fetched = match client.call(|store| store.get(&key, None, range)).await {
            Ok(fetched) => fetched,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            Err(error) if range.is_some() => return empty(client, &key, error).await,
            Err(error) => return Err(error.into()),
        };
        let too_large = fetched.body.len() as u64 > MOST_BYTES;
        let whole = range.is_none() || etag::of(&fetched.body) == fetched.etag;
        if too_large || whole {
            let record = serde_json::from_slice(&fetched.body).ok();
            return Ok(Some(Found {
                etag: fetched.etag,
                last_modified: fetched.last_modified,
                record: record.filter(|_| !too_large),
            }));
        }
        range = None;
    }
}

/// An object without bytes has no range to give: is that the reason of `refusal`?
async fn empty(client: &Client, key: &str, refusal: StoreError) -> Result<Option<Found>> {
    match client.call(|store| store.head(key, None)).await {
        Ok(head) if head.size == 0 => Ok(Some(Found {
            etag: head.etag,
            last_modified: head.last_modified,
            record: None,
        })),
        _ => Err(refusal.into()),
    }
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
