//! Makes a bucket, or accepts one that is there.

use super::steps;
use crate::engine::retry::Retrier;
use crate::model::{
    Connection, Error, Event, Events, Result, Settings, Side, StoreError, StoreErrorKind, Target,
};
use crate::store::{BucketInfo, Store};

/// Old versions of the mirror are kept nowhere else but in the backup, so they may go soon.
const NONCURRENT_DAYS: i32 = 1;

/// What a bucket is to become.
pub(super) struct Plan {
    pub(super) side: Side,
    pub(super) target: Target,
    pub(super) connection: Connection,
    /// Versioning and lock, as the backup needs them.
    pub(super) lock: bool,
    pub(super) dry_run: bool,
}

impl Plan {
    pub(super) fn new(
        side: Side,
        target: &Target,
        connection: &Connection,
        settings: &Settings,
    ) -> Self {
        Self {
            side,
            target: target.clone(),
            connection: connection.clone(),
            lock: side == Side::Backup,
            dry_run: settings.run.dry_run,
        }
    }

    fn note(&self, events: &Events, what: &str) {
        events.send(Event::Note(format!(
            "{:<7} s3://{}: {what}",
            self.side.as_str(),
            self.target.bucket
        )));
    }
}

/// Makes the bucket, or brings an existing one to what the target needs. Returns what the keys may
/// not do, as steps for the account's owner.
///
/// # Errors
/// `Refused` for a backup bucket that can't get a lock any more; the store's own.
pub(super) async fn settle(
    store: &dyn Store,
    plan: &Plan,
    retrier: &Retrier,
    events: &Events,
) -> Result<Option<String>> {
    let info = match retrier.run(|| store.bucket_info()).await {
        Ok(info) => info,
        Err(error) if error.kind == StoreErrorKind::NoSuchBucket => {
            if plan.dry_run {
                plan.note(events, "would be made");
                return Ok(None);
            }
            match make(store, plan, retrier, events).await? {
                // It is what it was made to be, and that has been said.
                Ok(info) if info.versioned == plan.lock && info.lock == plan.lock => {
                    return Ok(None);
                }
                Ok(info) => info,
                Err(steps) => return Ok(Some(steps)),
            }
        }
        Err(error) if error.kind == StoreErrorKind::Denied => {
            return Ok(Some(steps::look(plan, &error)));
        }
        Err(error) => return Err(error.into()),
    };
    if plan.lock {
        lock(store, plan, info, retrier, events).await
    } else {
        expire(store, plan, info, retrier, events).await
    }
}

/// Makes the bucket and says what it is, or which steps are left.
async fn make(
    store: &dyn Store,
    plan: &Plan,
    retrier: &Retrier,
    events: &Events,
) -> Result<Result<BucketInfo, String>> {
    // Sent once: a second try after an answer that was lost would find the bucket taken.
    let made = retrier.once(store.create_bucket(plan.lock)).await;
    match made {
        Err(error) if error.kind == StoreErrorKind::Denied => {
            return Ok(Err(steps::make(plan)));
        }
        Err(error) if !error.kind.may_have_happened() => return Err(taken(plan, error)),
        _ => {}
    }
    let info = retrier.run(|| store.bucket_info()).await?;
    plan.note(
        events,
        if plan.lock {
            "made, with versioning and object lock"
        } else {
            "made"
        },
    );
    Ok(Ok(info))
}

fn taken(plan: &Plan, error: StoreError) -> Error {
    if error.kind == StoreErrorKind::PreconditionFailed {
        return Error::Usage(format!(
            "the bucket {} belongs to somebody else; bucket names are shared by all, so choose \
             another with --{}-to",
            plan.target.bucket,
            plan.side.as_str()
        ));
    }
    error.into()
}

async fn lock(
    store: &dyn Store,
    plan: &Plan,
    info: BucketInfo,
    retrier: &Retrier,
    events: &Events,
) -> Result<Option<String>> {
    if info.versioned && info.lock {
        plan.note(events, "has versioning and object lock");
        return Ok(None);
    }
    if plan.dry_run {
        plan.note(events, "would get versioning and object lock");
        return Ok(None);
    }
    match retrier.run(|| store.enable_lock()).await {
        Ok(()) => {}
        Err(error) if error.kind == StoreErrorKind::Denied => {
            return Ok(Some(steps::lock(plan)));
        }
        Err(error) if error.kind.is_transient() && error.kind != StoreErrorKind::Conflict => {
            return Err(error.into());
        }
        Err(error) => return Err(no_lock(plan, &error.message)),
    }
    let info = retrier.run(|| store.bucket_info()).await?;
    if !(info.versioned && info.lock) {
        return Err(no_lock(
            plan,
            "the store took the setting and did not keep it",
        ));
    }
    plan.note(events, "now has versioning and object lock");
    Ok(None)
}

fn no_lock(plan: &Plan, why: &str) -> Error {
    Error::Refused(format!(
        "the backup bucket {} has no object lock and can't get one ({why}); let init make a new \
         one: tidelock init --backup-to s3://{}-locked/{}",
        plan.target.bucket, plan.target.bucket, plan.target.prefix
    ))
}

/// Where a provider keeps every version of every object, the mirror's old ones are to go.
async fn expire(
    store: &dyn Store,
    plan: &Plan,
    info: BucketInfo,
    retrier: &Retrier,
    events: &Events,
) -> Result<Option<String>> {
    if !info.versioned {
        plan.note(events, "is there, unversioned");
        return Ok(None);
    }
    if plan.dry_run {
        plan.note(events, "keeps versions; old ones would go after a day");
        return Ok(None);
    }
    let prefix = plan.target.listing_prefix();
    match retrier
        .run(|| store.expire_noncurrent(&prefix, NONCURRENT_DAYS))
        .await
    {
        Ok(()) => {
            plan.note(
                events,
                "keeps versions; old ones below the prefix go after a day",
            );
            Ok(None)
        }
        Err(error) if error.kind == StoreErrorKind::Denied => Ok(Some(steps::expire(plan))),
        // Versions cost money there, not safety.
        Err(error) => {
            events.send(Event::Warning(format!(
                "{}: old versions stay and cost money, since no rule could be set: {error}",
                plan.target
            )));
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::pace::Pace;
    use crate::engine::stop::Stop;
    use crate::store::model::{Fault, ModelStore};
    use std::sync::Arc;
    use std::time::Duration;

    const PLAIN: BucketInfo = BucketInfo {
        versioned: false,
        lock: false,
    };
    const LOCKED: BucketInfo = BucketInfo {
        versioned: true,
        lock: true,
    };

    fn plan(side: Side, bucket: &str) -> Plan {
        Plan {
            side,
            target: Target::parse(&format!("s3://{bucket}/library")).expect("a target"),
            connection: Connection::default(),
            lock: side == Side::Backup,
            dry_run: false,
        }
    }

    async fn settle_on(store: &ModelStore, plan: &Plan) -> Result<Option<String>> {
        let pace = Arc::new(Pace::new(1, None));
        let retrier = Retrier::new(pace, Stop::default(), Duration::ZERO);
        settle(store, plan, &retrier, &Events::none()).await
    }

    fn fault(operation: &'static str, kind: StoreErrorKind) -> Fault {
        Fault {
            operation,
            skip: 0,
            kind,
            done: false,
        }
    }

    #[tokio::test]
    async fn only_the_backup_is_made_with_a_lock_and_twice_is_once() {
        let store = ModelStore::new("other", PLAIN);
        for (side, bucket, info) in [
            (Side::Backup, "vault", LOCKED),
            (Side::Sync, "mirror", PLAIN),
        ] {
            let store = store.again(bucket);
            for _ in 0..2 {
                let left = settle_on(&store, &plan(side, bucket)).await;
                assert_eq!(left.expect("settled"), None);
                assert_eq!(store.bucket_info().await.expect("there"), info);
            }
            assert_eq!(store.requests()["CreateBucket"], 1);
        }
    }

    #[tokio::test]
    async fn a_backup_bucket_without_lock_gets_one_or_is_refused() {
        let store = ModelStore::new("vault", PLAIN);
        let plan = plan(Side::Backup, "vault");
        store.fail(fault(
            "PutObjectLockConfiguration",
            StoreErrorKind::Unsupported,
        ));
        match settle_on(&store, &plan).await {
            Err(Error::Refused(message)) => {
                assert!(message.contains("s3://vault-locked/library"), "{message}");
            }
            other => panic!("not refused: {other:?}"),
        }
        assert_eq!(settle_on(&store, &plan).await.expect("settled"), None);
        assert_eq!(store.bucket_info().await.expect("there"), LOCKED);
    }

    #[tokio::test]
    async fn what_the_keys_may_not_do_becomes_steps() {
        let store = ModelStore::new("vault", PLAIN);
        for (side, bucket, fault, step) in [
            (
                Side::Backup,
                "vault",
                "GetBucketVersioning",
                "get-bucket-versioning",
            ),
            (
                Side::Backup,
                "vault",
                "PutObjectLockConfiguration",
                "put-object-lock",
            ),
            (
                Side::Backup,
                "new",
                "CreateBucket",
                "--object-lock-enabled-for-bucket",
            ),
        ] {
            let store = store.again(bucket);
            store.fail(self::fault(fault, StoreErrorKind::Denied));
            let left = settle_on(&store, &plan(side, bucket)).await;
            let left = left.expect("no error").expect("steps");
            assert!(left.contains(step), "{fault}: {left}");
        }
    }

    #[tokio::test]
    async fn old_versions_of_a_mirror_that_keeps_them_expire() {
        let store = ModelStore::new("mirror", LOCKED);
        settle_on(&store, &plan(Side::Sync, "mirror"))
            .await
            .expect("settled");
        assert_eq!(store.requests()["PutBucketLifecycleConfiguration"], 1);
    }
}
