//! The lease against the model store, under its movable clock and tokio's paused one.

use super::object::{key, look};
use super::record::Record;
use super::*;
use crate::engine::host::Process;
use crate::engine::pace::Pace;
use crate::engine::retry::Retrier;
use crate::engine::stop::Stop;
use crate::model::{Crc64, Events, Target};
use crate::store::model::{Fault, ModelStore};
use crate::store::{Attributes, BucketInfo, Put, Store};

const MINUTE: Duration = Duration::from_secs(60);

fn model() -> ModelStore {
    ModelStore::new("vault", BucketInfo::default())
}

fn client_of(store: ModelStore, side: Side) -> Client {
    Client {
        side,
        target: Target::parse("s3://vault/lib").unwrap(),
        store: Arc::new(store),
        retrier: Retrier::new(Arc::new(Pace::new(4, None)), Stop::default(), 3 * MINUTE),
        events: Events::none(),
    }
}

fn client(store: &ModelStore, side: Side) -> Client {
    client_of(store.again("vault"), side)
}

/// A run on a machine of its own.
fn holder(host: &str) -> Holder {
    Holder {
        what: "tidelock run".to_owned(),
        process: Process {
            host: host.to_owned(),
            boot_id: format!("boot of {host}"),
            pid: 4711,
            ..Process::default()
        },
        nonce: format!("nonce of {host}"),
    }
}

async fn take(store: &ModelStore, host: &str) -> Result<Lease> {
    Lease::take(client(store, Side::Backup), &holder(host)).await
}

async fn record(store: &ModelStore) -> Option<Record> {
    let found = look(&client(store, Side::Backup)).await.unwrap();
    found.and_then(|found| found.record)
}

#[track_caller]
fn held<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(Error::Held(message)) => message,
        other => panic!("not held: {other:?}"),
    }
}

async fn overwrite(store: &ModelStore, body: &'static [u8]) {
    let body = bytes::Bytes::from_static(body);
    let put = Put {
        key: key(&client(store, Side::Backup)),
        crc64nvme: Crc64::of(&body),
        body,
        attributes: Attributes::default(),
        condition: Condition::Always,
    };
    store.put(put).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f23_the_second_run_is_told_who_holds_the_target() {
    let store = model();
    let lease = take(&store, "nas").await.unwrap();
    let message = held(take(&store, "laptop").await);
    for word in ["s3://vault/lib", "nas", "4711", "since 2026-01-01T00:00"] {
        assert!(message.contains(word), "{word}: {message}");
    }
    lease.check().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn f23_of_two_takers_at_once_one_wins() {
    for stale_first in [false, true] {
        let store = model();
        if stale_first {
            drop(take(&store, "dead").await.unwrap());
            store.advance(STALE);
        }
        let slow = store.again("vault");
        // Between its look and its write the other takes the lease.
        slow.fail(Fault {
            operation: "PutObject",
            skip: 0,
            kind: StoreErrorKind::Conflict,
            done: false,
        });
        let slow = client_of(slow, Side::Backup);
        let slow_holder = holder("slow");
        let (slow, fast) = tokio::join!(Lease::take(slow, &slow_holder), take(&store, "fast"));
        fast.unwrap().check().await.unwrap();
        assert!(held(slow).contains("fast"));
    }
}

#[tokio::test(start_paused = true)]
async fn f23_a_silent_lease_is_taken_over_after_15_minutes_of_the_servers_clock() {
    let store = model();
    let dead = take(&store, "dead").await.unwrap();
    store.advance(STALE - MINUTE);
    held(take(&store, "laptop").await);
    store.advance(MINUTE);
    let lease = take(&store, "laptop").await.unwrap();
    lease.check().await.unwrap();
    drop(dead);
}

#[tokio::test(start_paused = true)]
async fn f23_a_dead_process_of_the_same_boot_is_taken_over_at_once() {
    let store = model();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let mut dead = Holder::new("tidelock run").unwrap();
    (dead.process.pid, dead.process.started) = (child.id(), None);
    drop(
        Lease::take(client(&store, Side::Backup), &dead)
            .await
            .unwrap(),
    );
    held(take(&store, "other").await);
    let next = Holder::new("tidelock run").unwrap();
    let lease = Lease::take(client(&store, Side::Backup), &next)
        .await
        .unwrap();
    lease.check().await.unwrap();
    // This process lives, so a third run has to wait.
    let third = Holder::new("tidelock sync").unwrap();
    held(Lease::take(client(&store, Side::Backup), &third).await);
}

#[tokio::test(start_paused = true)]
async fn f61_who_lost_its_lease_in_its_sleep_finds_out_at_the_next_check() {
    let store = model();
    let sleeper = take(&store, "sleeper").await.unwrap();
    store.advance(STALE);
    let other = take(&store, "other").await.unwrap();
    for _ in 0..2 {
        let message = held(sleeper.check().await);
        assert!(message.contains("taken over by tidelock run on other"));
    }
    held(sleeper.release(Some("s3://photos/lib"), true).await);
    other.check().await.unwrap();
    assert_eq!(other.settled().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn f61_who_wakes_before_a_takeover_renews_first() {
    let store = model();
    let sleeper = take(&store, "sleeper").await.unwrap();
    store.advance(STALE);
    sleeper.check().await.unwrap();
    held(take(&store, "other").await);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_keeps_the_lease_for_hours() {
    let store = model();
    let lease = take(&store, "nas").await.unwrap();
    for _ in 0..36 {
        // Both clocks: the local one is tokio's, which runs the heartbeat.
        store.advance(5 * MINUTE);
        tokio::time::sleep(5 * MINUTE).await;
        tokio::task::yield_now().await;
        held(take(&store, "other").await);
    }
    drop(lease);
    let before = record(&store).await;
    tokio::time::sleep(60 * MINUTE).await;
    assert_eq!(record(&store).await, before, "nothing beats after a drop");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_taking_or_renewing_is_looked_up() {
    let store = model();
    let faulty = store.again("vault");
    let lost = Fault {
        operation: "PutObject",
        skip: 0,
        kind: StoreErrorKind::UnknownOutcome,
        done: true,
    };
    faulty.fail(lost);
    faulty.fail(Fault { skip: 2, ..lost });
    let faulty = Arc::new(faulty);
    let client = Client {
        store: Arc::clone(&faulty) as Arc<dyn Store>,
        ..client(&store, Side::Backup)
    };
    let lease = Lease::take(client, &holder("nas")).await.unwrap();
    store.advance(HEARTBEAT);
    lease.check().await.unwrap();
    assert_eq!(faulty.unfired(), []);
    assert!(record(&store).await.unwrap().renewed > record(&store).await.unwrap().taken);
}

#[tokio::test(start_paused = true)]
async fn release_on_the_sync_target_leaves_no_object() {
    let store = model();
    let lease = Lease::take(client(&store, Side::Sync), &holder("nas"))
        .await
        .unwrap();
    lease.release(None, true).await.unwrap();
    assert!(look(&client(&store, Side::Sync)).await.unwrap().is_none());
    held(lease.check().await);
    take(&store, "laptop").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn release_after_a_takeover_leaves_the_others_lease() {
    let store = model();
    let lease = Lease::take(client(&store, Side::Sync), &holder("sleeper"))
        .await
        .unwrap();
    store.advance(STALE);
    let other = Lease::take(client(&store, Side::Sync), &holder("other"))
        .await
        .unwrap();
    held(lease.release(None, true).await);
    other.check().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn settled_sync_targets_are_handed_on_from_lease_to_lease() {
    let store = model();
    let backup = client(&store, Side::Backup);
    assert_eq!(read_settled(&backup).await.unwrap(), [""; 0]);
    let first = take(&store, "nas").await.unwrap();
    first.release(Some("s3://photos/b"), true).await.unwrap();
    assert_eq!(read_settled(&backup).await.unwrap(), ["s3://photos/b"]);
    // A crash in between does not lose them.
    drop(take(&store, "crashes").await.unwrap());
    assert_eq!(read_settled(&backup).await.unwrap(), ["s3://photos/b"]);
    store.advance(STALE);
    let third = take(&store, "nas").await.unwrap();
    assert_eq!(third.settled().await, ["s3://photos/b"]);
    third.release(Some("s3://photos/a"), true).await.unwrap();
    let fourth = take(&store, "laptop").await.unwrap();
    fourth.release(None, true).await.unwrap();
    let all = ["s3://photos/a", "s3://photos/b"];
    assert_eq!(read_settled(&backup).await.unwrap(), all);
    assert!(record(&store).await.unwrap().released);
}

#[tokio::test(start_paused = true)]
async fn without_conditional_writes_the_later_writer_wins() {
    let store = model();
    let blind = store.again("vault").without_conditional_writes();
    let blind = client_of(blind, Side::Backup);
    let first = holder("first");
    let other = async {
        // Found the lease free as well, and writes during the first one's pause.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let json = br#"{"holder":"tidelock run","host":"second","boot_id":"b","pid":1,
            "nonce":"n","taken":"2026-01-01T00:00:00Z","renewed":"2026-01-01T00:00:00Z"}"#;
        overwrite(&store, json).await;
    };
    let (taken, ()) = tokio::join!(Lease::take(blind, &first), other);
    assert!(held(taken).contains("second"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_read_holds_until_it_is_stale() {
    let store = model();
    overwrite(&store, b"garbage").await;
    held(take(&store, "nas").await);
    store.advance(STALE);
    take(&store, "nas").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_someone_deleted_is_lost() {
    let store = model();
    let lease = take(&store, "nas").await.unwrap();
    let key = key(&client(&store, Side::Backup));
    store.delete(&key, None).await.unwrap();
    assert!(held(lease.check().await).contains("is gone"));
}
