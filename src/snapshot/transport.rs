//! Requests of this module, made safe: writes are looked up before they are sent again. To try
//! reads again is for the store that is given.

use crate::model::{Crc64, Error, Mode, Result, Retention, StoreErrorKind, StoreResult, Time};
use crate::snapshot::{chunk, object};
use crate::store::listing::{list_all_versions, versions_of};
use crate::store::{Attributes, Condition, Put, Store, Version};
use bytes::Bytes;
use std::time::Duration;

/// Writes of one object whose outcome was not known, and that turned out not to have happened.
pub(super) const TRIES: u32 = 5;
/// Versions of one key that are looked at in search of a certain content. Only an attacker makes
/// more, and what is not found is stored anew.
const MANY: usize = 64;

/// Which versions of a key can be the one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LookAt {
    /// Readers take the oldest: where it is something else, the key is lost.
    Oldest,
    /// Readers go by version id: where it is something else, a further version is written.
    Any,
}

/// Longer with each try.
pub(super) async fn pause(tried: u32) {
    tokio::time::sleep(Duration::from_millis(100 << tried)).await;
}

/// The oldest version of each key below a prefix, in the order of keys. Delete markers and newer
/// versions change nothing.
pub(super) async fn oldest_versions(store: &dyn Store, prefix: &str) -> StoreResult<Vec<Version>> {
    let mut oldest: Vec<Version> = Vec::new();
    let listed = list_all_versions(store, prefix).await?;
    for version in listed.into_iter().filter(|version| !version.delete_marker) {
        match oldest.last_mut() {
            // Versions of a key come newest first.
            Some(last) if last.key == version.key => *last = version,
            _ => oldest.push(version),
        }
    }
    Ok(oldest)
}

/// The oldest version of a key whose bytes `is_it` accepts. What is too large to be it is not
/// fetched.
pub(super) async fn find_version(
    store: &dyn Store,
    key: &str,
    look_at: LookAt,
    is_it: impl Fn(&[u8]) -> bool,
) -> Result<Option<(Version, Bytes)>> {
    let versions = versions_of(store, key).await?;
    let (count, limit) = match look_at {
        LookAt::Oldest => (1, object::MAX_BYTES),
        LookAt::Any => (MANY, zstd::zstd_safe::compress_bound(chunk::MAX_BYTES)),
    };
    let small = |version: &Version| version.size <= limit as u64;
    let oldest_first = versions.into_iter().rev().filter(|v| !v.delete_marker);
    for version in oldest_first.take(count).filter(small) {
        let id = Some(version.version_id.as_str());
        match store.get(key, id, None).await {
            Ok(fetched) if is_it(&fetched.body) => return Ok(Some((version, fetched.body))),
            Ok(_) => {}
            Err(error) if error.kind == StoreErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// An object whose key names its content, or a key that is used once.
pub(super) struct Once<'a> {
    pub(super) key: &'a str,
    pub(super) body: Bytes,
    pub(super) content_type: &'static str,
    pub(super) lock: Retention,
    pub(super) sse: Option<&'a str>,
    pub(super) look_at: LookAt,
}

/// A version that is stored and whose lock was read back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    pub(super) version_id: String,
    pub(super) locked_until: Time,
}

/// Writes an object under lock unless a version with its content exists already (`is_it` tells),
/// also where an earlier attempt's outcome is unknown; then that version is taken and its lock
/// extended where it is shorter. The lock is read back in any case.
///
/// # Errors
/// `Refused` where the store did not keep the lock; `Failed` for a key taken by other content.
pub(super) async fn write_once(
    store: &dyn Store,
    once: Once<'_>,
    is_it: impl Fn(&[u8]) -> bool,
) -> Result<Kept> {
    let mut condition = Condition::IfAbsent;
    let mut tried = 1;
    loop {
        let error = match store.put(put(&once, condition.clone())).await {
            Ok(written) => return fresh(store, &once, written.version_id).await,
            Err(error) => error,
        };
        let refused = error.kind == StoreErrorKind::PreconditionFailed;
        if (refused || error.kind.may_have_happened())
            && let Some((version, _)) = find_version(store, once.key, once.look_at, &is_it).await?
        {
            return found(store, &once, version.version_id).await;
        }
        if refused && once.look_at == LookAt::Any && condition == Condition::IfAbsent {
            condition = Condition::Always;
        } else if refused {
            return Err(Error::Failed(format!(
                "{}/{}: the key is taken by something else; run again",
                store.place(),
                once.key
            )));
        } else if error.kind.is_transient() && tried < TRIES {
            pause(tried).await;
            tried += 1;
        } else {
            return Err(error.into());
        }
    }
}

fn put(once: &Once<'_>, condition: Condition) -> Put {
    Put {
        key: once.key.to_owned(),
        crc64nvme: Crc64::of(&once.body),
        body: once.body.clone(),
        attributes: Attributes {
            content_type: Some(once.content_type.to_owned()),
            retention: Some(once.lock),
            sse: once.sse.map(str::to_owned),
            ..Attributes::default()
        },
        condition,
    }
}

/// Just written: a lock that is not there now was dropped by the store.
async fn fresh(store: &dyn Store, once: &Once<'_>, version_id: Option<String>) -> Result<Kept> {
    let place = format!("{}/{}", store.place(), once.key);
    let version_id = version_id.ok_or_else(|| {
        Error::Refused(format!(
            "{place}: the store gave no version id: enable versioning on the bucket, or let \
             `tidelock init` make one"
        ))
    })?;
    let lock = store.retention(once.key, &version_id).await?;
    match lock {
        Some(lock) if holds(lock, once.lock) => Ok(Kept {
            version_id,
            locked_until: lock.until,
        }),
        _ => Err(Error::Refused(format!(
            "{place}: the store did not keep the lock that it was given (asked for {} until {}, \
             found {}); nothing was committed. Back up to a bucket with object lock (`tidelock \
             init` makes one), with keys that may set retention",
            once.lock.mode,
            once.lock.until,
            describe(lock),
        ))),
    }
}

/// Written before, by this attempt or long ago: its lock is extended where it is shorter.
async fn found(store: &dyn Store, once: &Once<'_>, version_id: String) -> Result<Kept> {
    let lock = store.retention(once.key, &version_id).await?;
    if !lock.is_some_and(|lock| holds(lock, once.lock)) {
        let wanted = stronger(lock, once.lock);
        store.set_retention(once.key, &version_id, wanted).await?;
    }
    fresh(store, once, Some(version_id)).await
}

/// Whether a lock is what was asked for, or more. Stores may cut dates to the second.
fn holds(lock: Retention, wanted: Retention) -> bool {
    let enough = lock.until.as_second() >= wanted.until.as_second();
    enough && (lock.mode == wanted.mode || lock.mode == Mode::Compliance)
}

/// Both locks' later date and stricter mode: nothing is ever taken back.
fn stronger(lock: Option<Retention>, wanted: Retention) -> Retention {
    let Some(lock) = lock else { return wanted };
    Retention {
        mode: if lock.mode == Mode::Compliance {
            lock.mode
        } else {
            wanted.mode
        },
        until: lock.until.max(wanted.until),
    }
}

fn describe(lock: Option<Retention>) -> String {
    lock.map_or_else(
        || "none".to_owned(),
        |lock| format!("{} until {}", lock.mode, lock.until),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(mode: Mode, second: i64, nanosecond: i32) -> Retention {
        let until = Time::new(second, nanosecond).expect("time");
        Retention { mode, until }
    }

    #[test]
    fn a_lock_holds_if_it_is_as_long_and_as_strict_and_is_never_made_less() {
        use Mode::{Compliance, Governance};
        let wanted = lock(Governance, 100, 500_000_000);
        for (have, enough, made) in [
            (lock(Governance, 100, 0), true, wanted),
            (lock(Governance, 99, 0), false, wanted),
            (lock(Compliance, 200, 0), true, lock(Compliance, 200, 0)),
            (
                lock(Compliance, 50, 0),
                false,
                lock(Compliance, 100, 500_000_000),
            ),
        ] {
            assert_eq!(holds(have, wanted), enough, "{have:?}");
            assert_eq!(stronger(Some(have), wanted), made, "{have:?}");
        }
        let strict = lock(Compliance, 100, 0);
        assert!(!holds(lock(Governance, 200, 0), strict));
        let both = lock(Compliance, 200, 0);
        assert_eq!(stronger(Some(lock(Governance, 200, 0)), strict), both);
        assert_eq!(stronger(None, strict), strict);
    }
}
