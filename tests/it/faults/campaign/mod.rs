//! Fail the k-th request, for k = 1, 2, 3, …, until the run no longer reaches it: every k ends in 0 or in a documented
//! code, and the next run puts everything right.
//!
//! A few k by default; all of them, on both stores, by `scripts/campaign`.

mod series;

use std::time::Instant;

use super::{Case, Ran};
use crate::support::{Bucket, Fault, Lock, Rule, StoreKind, TestStore, on_store};
use series::{Chosen, Series, run_all};

/// Each of these once, or from then on; with the name that a series has of it.
const FAULTS: [(&str, Fault); 9] = [
    ("Reset", Fault::Reset),
    ("LoseAnswer", Fault::LoseAnswer),
    ("ResetInBody", Fault::ResetInBody),
    ("Status500", Fault::Refuse(500, "InternalError")),
    ("Status503", Fault::Refuse(503, "SlowDown")),
    ("ExpiredToken", EXPIRED),
    ("FlipUp", Fault::FlipUp),
    ("CutDown", Fault::CutDown),
    ("ErrorIn200Done", Fault::ErrorIn200Done("InternalError")),
];

const EXPIRED: Fault = Fault::Refuse(400, "ExpiredToken");

/// Both ways of new content to the backup target.
const WAYS: [&str; 2] = ["upload", "auto"];

/// Which run is struck, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Struck {
    /// A first run, once.
    First,
    /// A second run with edits, so that overwrites, copies and deletes are struck too; once.
    Second,
    /// A first run, from this request on.
    ForGood,
}

impl Struck {
    async fn case(self, store: &TestStore, seed: u64) -> Case {
        let case = Case::new(store.fresh_machine(), seed).await;
        if self == Self::Second {
            case.library.file("old.txt", 99);
            case.run_clean();
            case.library.write("notes.txt", b"rewritten");
            case.library.remove("old.txt");
            case.library.rename("2024/a.jpg", "2025/a.jpg");
            case.library.mtime("video.mp4", 1_600_000_000, 7);
        }
        case
    }

    fn rule(self, fault: Fault) -> Rule {
        match self {
            Self::First | Self::Second => Rule::once(fault),
            Self::ForGood => Rule::always(fault),
        }
    }

    /// Codes that a run may end with. What fails once is made good; what has expired is not.
    fn allows(self, fault: Fault, code: i32) -> bool {
        match code {
            0 => true,
            2 | 3 | 7 => self != Self::First || fault == EXPIRED,
            _ => false,
        }
    }
}

/// The fault strikes behind `skipped` requests that it fits; whether the run came so far.
async fn strike(store: &TestStore, struck: Struck, fault: Fault, skipped: u64) -> bool {
    let case = struck.case(store, skipped).await;
    case.proxy.plan(struck.rule(fault).skip(skipped));
    let Ran {
        code,
        summary,
        stderr,
    } = case.run(&[]);
    assert!(
        struck.allows(fault, code),
        "{struck:?}, {fault:?} behind {skipped}: {summary} {stderr}"
    );
    let reached = case.proxy.forget().is_empty();
    case.run_clean();
    case.assert_converged().await;
    // Thousands of cases would fill the disk.
    for (bucket, lock) in [(&case.sync, Lock::Off), (&case.vault, Lock::On)] {
        Bucket::new(&case.direct, bucket).destroy(lock).await;
    }
    reached
}

/// The series of one store, in the order in which they run.
fn all_series(store: &TestStore) -> Vec<Series> {
    let mut all = Vec::new();
    for way in WAYS {
        for (name, fault) in FAULTS {
            let mut add = |struck| {
                all.push(Series {
                    name: format!("{}/{way}/{name}/{struck:?}", store.kind.name()),
                    store: store.clone().via(way),
                    fault,
                    struck,
                });
            };
            add(Struck::First);
            add(Struck::Second);
            if fault == EXPIRED {
                add(Struck::ForGood);
            }
        }
    }
    all
}

async fn some_k(store: &TestStore) {
    for way in WAYS {
        let store = store.clone().via(way);
        for (place, (_, fault)) in (0..).zip(FAULTS) {
            strike(&store, Struck::First, fault, place * 3).await;
            strike(&store, Struck::Second, fault, place * 4 + 1).await;
        }
    }
}

fn every_k(store: &TestStore) {
    let begun = Instant::now();
    let (cases, failed) = run_all(all_series(store), &Chosen::from_environment());
    let store = store.kind.name();
    eprintln!("{store}: {cases} cases in {:.0?}", begun.elapsed());
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

fn is_long() -> bool {
    std::env::var("TIDELOCK_LONG").is_ok_and(|value| value == "1")
}

#[test]
fn f28_f29_f30_the_kth_request_fails_minio() {
    on_store(StoreKind::Minio, async |store| {
        if is_long() {
            tokio::task::block_in_place(|| every_k(&store));
        } else {
            some_k(&store).await;
        }
    });
}

#[test]
fn f28_f29_f30_the_kth_request_fails_localstack() {
    if is_long() {
        on_store(StoreKind::Localstack, async |store| {
            tokio::task::block_in_place(|| every_k(&store));
        });
    }
}
