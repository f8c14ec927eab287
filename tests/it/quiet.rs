//! What a night costs in which nothing has changed, whatever was kept before it.

use crate::support::{Job, Ran, TestStore, on_minio};

/// Requests of both targets.
fn requests(ran: &Ran) -> u64 {
    let of = |side: &str| {
        let by_name = ran.summary()[side]["requests"].as_object();
        let counts = by_name.expect("requests").values();
        counts.map(|count| count.as_u64().unwrap()).sum::<u64>()
    };
    of("sync") + of("backup")
}

/// An idle night takes so many whatever the library: leases, the bucket's settings, one listing of each kind, the
/// latest snapshot, the next one with its pin.
const MOST: u64 = 22;

async fn an_idle_night_costs_the_same_with_thirty_snapshots_as_with_two(store: TestStore) {
    let job = Job::new(store).await;
    for number in 0..8 {
        job.library.file(format!("{number}"), 100);
    }
    job.run(0);
    job.run(0);
    let two = requests(&job.run(0));
    for number in 0..28 {
        job.library.file("0", 200 + number);
        job.run(0);
    }
    job.run(0);
    let ran = job.run(0);
    ran.assert_idle();
    assert!(requests(&ran) <= two, "{two}, then {}", ran.summary());
    assert!(requests(&ran) <= MOST, "{}", ran.summary());

    // What is remembered is nothing but a cache.
    job.lose_state();
    job.run(0).assert_idle();
    let again = requests(&job.run(0));
    assert!(again <= two, "{two}, then {again}");
}
on_minio!(an_idle_night_costs_the_same_with_thirty_snapshots_as_with_two);
