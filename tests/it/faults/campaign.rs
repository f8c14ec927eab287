//! Fail the k-th request, for k = 1, 2, 3, …, until the run no longer reaches it: every k ends in 0 or in a documented
//! code, and the next run puts everything right.
//!
//! A few k by default; all of them, on both stores, with `TIDELOCK_LONG=1`.

use super::Case;
use crate::support::{Fault, Rule, StoreKind, TestStore, block_on, on_store};

/// Each of these once, or from then on.
const FAULTS: [Fault; 9] = [
    Fault::Reset,
    Fault::LoseAnswer,
    Fault::ResetInBody,
    Fault::Refuse(500, "InternalError"),
    Fault::Refuse(503, "SlowDown"),
    Fault::Refuse(400, "ExpiredToken"),
    Fault::FlipUp,
    Fault::CutDown,
    Fault::ErrorIn200Done("InternalError"),
];

/// Both ways of new content to the backup target.
const WAYS: [&str; 2] = ["upload", "auto"];

fn is_long() -> bool {
    std::env::var("TIDELOCK_LONG").is_ok_and(|value| value == "1")
}

/// A first run with this fault at its k-th request that the fault fits; whether it came so far.
async fn first_run(store: &TestStore, fault: Fault, k: u64, for_good: bool) -> bool {
    let case = Case::new(store.fresh_machine(), k).await;
    let rule = if for_good {
        Rule::always(fault)
    } else {
        Rule::once(fault)
    };
    case.proxy.plan(rule.skip(k));
    let ran = case.run(&[]);
    let what = format!("{fault:?} at {k}, for good: {for_good}");
    assert!(
        [0, 2, 3, 7].contains(&ran.code),
        "{what}: {} {}",
        ran.summary,
        ran.stderr
    );
    assert!(
        for_good || fault == FAULTS[5] || ran.code == 0,
        "{what}: {}",
        ran.summary
    );
    let reached = case.proxy.forget().is_empty();
    case.run_clean();
    case.assert_converged().await;
    reached
}

/// A second run with edits, so that overwrites, copies and deletes are struck too.
async fn second_run(store: &TestStore, fault: Fault, k: u64) -> bool {
    let case = Case::new(store.fresh_machine(), k).await;
    case.library.file("old.txt", 99);
    case.run_clean();
    case.library.write("notes.txt", b"rewritten");
    case.library.remove("old.txt");
    case.library.rename("2024/a.jpg", "2025/a.jpg");
    case.library.mtime("video.mp4", 1_600_000_000, 7);
    case.proxy.plan(Rule::once(fault).skip(k));
    let ran = case.run(&[]);
    let what = format!("{fault:?} at {k} of the second run");
    assert!(
        [0, 2, 3, 7].contains(&ran.code),
        "{what}: {} {}",
        ran.summary,
        ran.stderr
    );
    let reached = case.proxy.forget().is_empty();
    case.run_clean();
    case.assert_converged().await;
    reached
}

/// Each fault in a thread of its own: most of their time goes into pauses between two tries.
async fn every_k(store: TestStore) {
    std::thread::scope(|threads| {
        for fault in FAULTS {
            let store = &store;
            threads.spawn(move || block_on(every_k_of(store, fault)));
        }
    });
}

async fn every_k_of(store: &TestStore, fault: Fault) {
    let mut k = 0;
    while first_run(store, fault, k, false).await {
        k += 1;
    }
    let mut k = 0;
    while second_run(store, fault, k).await {
        k += 1;
    }
    let mut k = 0;
    while fault == FAULTS[5] && first_run(store, fault, k, true).await {
        k += 1;
    }
    eprintln!("{fault:?}: done");
}

async fn some_k(store: TestStore) {
    for (place, fault) in FAULTS.into_iter().enumerate() {
        let place = place as u64;
        first_run(&store, fault, place * 3, false).await;
        second_run(&store, fault, place * 4 + 1).await;
    }
}

#[test]
fn f28_f29_f30_the_kth_request_fails_minio() {
    let long = is_long();
    on_store(StoreKind::Minio, async |store| {
        for via in WAYS {
            let store = store.clone().via(via);
            if long {
                every_k(store).await
            } else {
                some_k(store).await
            }
        }
    });
}

#[test]
fn f28_f29_f30_the_kth_request_fails_localstack() {
    if is_long() {
        on_store(StoreKind::Localstack, async |store| {
            for via in WAYS {
                every_k(store.clone().via(via)).await
            }
        });
    }
}
