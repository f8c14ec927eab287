//! Stores that are busy, broken or gone for a while.

use std::time::{Duration, Instant};

use super::{Case, Ran};
use crate::support::{Fault, Library, Rule, TestStore, on_both};

async fn f29_a_store_that_asks_to_slow_down_for_a_while_is_served(store: TestStore) {
    let case = Case::new(store, 40).await;
    let codes = [
        (503, "SlowDown"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
    ];
    for (status, code) in codes {
        case.proxy
            .plan(Rule::always(Fault::Refuse(status, code)).skip(20).times(4));
    }
    case.run_clean();
    case.proxy.clear();
    case.assert_converged().await;
}

async fn f29_a_file_that_the_store_refuses_again_and_again_is_named(store: TestStore) {
    let case = Case::new(store, 41).await;
    case.run_clean();
    case.library.file("new.jpg", 5_000);
    case.library.remove("notes.txt");
    let refused = Rule::always(Fault::Refuse(403, "AccessDenied")).on("PutObject");
    case.proxy.plan(refused.key("files/new.jpg"));
    let ran = case.run(&[]);
    ran.ends(3);
    assert_eq!(ran.summary["errors"][0]["path"], "new.jpg");
    assert_eq!(ran.count("sync", "deleted"), 0, "no deletes on doubt");
    case.proxy.clear();
    case.run_clean();
    case.assert_converged().await;
}

/// Everyone waits, and it goes on by itself.
async fn f37_a_network_that_is_gone_for_a_while_is_waited_for(store: TestStore) {
    let case = Case::new(store, 42).await;
    let running = case.while_running(&[], |case, _| {
        case.until(|| {
            case.proxy
                .traffic(&case.vault)
                .requests
                .contains_key("UploadPart")
        });
        case.proxy.outage(true);
        let begun = Instant::now();
        case.until(|| begun.elapsed() > Duration::from_secs(8));
        case.proxy.outage(false);
    });
    running.ends(0);
    assert!(
        running.stderr.contains("waiting for the network"),
        "{}",
        running.stderr
    );
    case.assert_converged().await;
}

async fn f28_f29_f30_f32_one_run_through_a_bad_network_still_exits_0(store: TestStore) {
    let library = Library::new();
    for number in 0..150 {
        library.file(format!("{}/{number}.jpg", number % 7), 2_000 + number);
    }
    for name in ["a.mp4", "b.mp4", "c.mp4"] {
        library.file(name, super::VIDEO);
    }
    let case = Case::with(store, 43, library).await;
    case.proxy
        .plan(Rule::chance(Fault::ErrorIn200("InternalError"), 130));
    case.proxy.plan(Rule::chance(Fault::Reset, 30));
    case.proxy.plan(Rule::chance(Fault::LoseAnswer, 30));
    case.proxy
        .plan(Rule::chance(Fault::Refuse(503, "SlowDown"), 40));
    case.proxy.plan(Rule::chance(Fault::FlipUp, 20));
    case.run(&[]).ends(0);
    let fired: u64 = case.proxy.fired().iter().sum();
    assert!(fired > 15, "{:?}", case.proxy.fired());
    case.proxy.forget();
    case.run_clean();
    case.assert_converged().await;
}

async fn f30_a_part_that_stalls_is_given_up_and_sent_again(store: TestStore) {
    let case = Case::new(store, 44).await;
    case.proxy
        .plan(Rule::once(Fault::Stall).on("UploadPart").of(&case.vault));
    let ran: Ran = case.run(&[]);
    ran.ends(0);
    case.proxy.clear();
    assert_eq!(ran.requests("backup", "UploadPart"), 3);
    case.assert_converged().await;
}

on_both!(
    f29_a_store_that_asks_to_slow_down_for_a_while_is_served,
    f29_a_file_that_the_store_refuses_again_and_again_is_named,
    f37_a_network_that_is_gone_for_a_while_is_waited_for,
    f28_f29_f30_f32_one_run_through_a_bad_network_still_exits_0,
    f30_a_part_that_stalls_is_given_up_and_sent_again,
);
