//! The state is a cache: without it nothing is sent again, and nothing is read.

use super::album::{self, MIB};
use crate::support::{Job, Ran, StoreKind, TestStore, on_both};

/// Requests to both targets that do not grow with the library.
const FEW: u64 = 40;

async fn f16_without_its_state_a_run_sends_and_reads_nothing(store: TestStore) {
    let job = begun(store).await;
    job.lose_state();
    assert_idle_and_cheap(&job.run(0));
}

async fn f16_a_fresh_machine_sends_and_reads_nothing_with_few_requests(store: TestStore) {
    let job = begun(store).await.elsewhere();
    assert_idle_and_cheap(&job.run(0));
    // And once more, now that there is a state.
    assert_idle_and_cheap(&job.run(0));
    // A second fresh machine finds one change as the first would.
    let job = job.elsewhere();
    job.library.file("names/new", 77);
    job.run(0).assert_counts(&[
        ("library.bytes_read", 77),
        ("sync.uploaded", 1),
        ("backup.uploaded", 1),
    ]);
}

/// A library with more files than the bound on requests; where the store is fast, with more than a listing's page.
async fn begun(store: TestStore) -> Job {
    let job = Job::new(store).await;
    album::odd_things(&job.library);
    let many = match job.store.kind {
        StoreKind::Minio => 1_100,
        StoreKind::Localstack => 60,
    };
    for number in 0..many {
        job.library.file(format!("notes/{number}"), 10 + number);
    }
    job.library.file("film", 8 * MIB + 1);
    job.run(0);
    job
}

#[track_caller]
fn assert_idle_and_cheap(ran: &Ran) {
    ran.assert_idle();
    for side in ["sync", "backup"] {
        let requests = ran.summary()[side]["requests"].as_object().unwrap();
        let sum: u64 = requests.values().map(|count| count.as_u64().unwrap()).sum();
        assert!(sum <= FEW, "{side}: {requests:?}");
    }
}

on_both!(
    f16_without_its_state_a_run_sends_and_reads_nothing,
    f16_a_fresh_machine_sends_and_reads_nothing_with_few_requests,
);
