//! Signals and the time budget: seconds, a summary, and the next run goes on.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Case;
use crate::support::{Fault, Library, Rule, TestStore, on_both};

/// A file of three parts, of which the third hangs on the way to the vault.
async fn hanging(store: TestStore, seed: u64) -> Case {
    let library = Library::new();
    library.file("a.jpg", 1_000);
    library.file("video.mp4", (16 << 20) + 5_000);
    let case = Case::with(store, seed, library).await;
    let hang = Rule::always(Fault::Stall).on("UploadPart").of(&case.vault);
    case.proxy.plan(hang.skip(2));
    case
}

impl Case {
    fn hangs(&self) -> bool {
        let done = |bucket: &str| {
            let traffic = self.proxy.traffic(bucket);
            traffic.answered.get("UploadPart").copied().unwrap_or(0)
        };
        self.proxy.fired()[0] > 0 && done(&self.sync) == 3 && done(&self.vault) == 2
    }

    /// Each snapshot but the first has the one before as its parent.
    fn assert_one_chain(&self) {
        let output = self.process("snapshots", &[]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let rows: Vec<Value> = lines
            .filter(|line: &Value| line["event"].is_null())
            .collect();
        assert!(rows.len() > 1, "{text}");
        let ids: Vec<_> = rows.iter().map(|row| row["id"].clone()).collect();
        let parents: Vec<_> = rows.iter().map(|row| row["parent"].clone()).collect();
        assert!(parents[0].is_null(), "{parents:?}");
        assert_eq!(parents[1..], ids[..ids.len() - 1]);
    }

    /// The parts that have arrived are not sent again.
    async fn assert_resumes(&self) {
        self.proxy.clear();
        let ran = self.run_clean();
        assert_eq!(ran.requests("backup", "UploadPart"), 1, "{}", ran.summary);
        assert_eq!(ran.requests("sync", "UploadPart"), 0, "{}", ran.summary);
        assert_eq!(ran.requests("backup", "CreateMultipartUpload"), 0);
        self.assert_converged().await;
    }
}

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

async fn stops_in_good_order(store: TestStore, seed: u64, which: Signal) {
    let case = hanging(store, seed).await;
    let mut asked = Instant::now();
    let ran = case.while_running(&[], |case, process| {
        case.until(|| case.hangs());
        signal(process, which);
        asked = Instant::now();
    });
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    ran.ends(130);
    assert!(
        !ran.summary["backup"]["snapshot"].is_null(),
        "a checkpoint: {}",
        ran.summary
    );
    case.assert_resumes().await;
}

async fn f24_sigint_stops_within_seconds_and_the_next_run_goes_on_part_by_part(store: TestStore) {
    stops_in_good_order(store, 50, Signal::INT).await;
}

async fn f24_sigterm_stops_within_seconds_and_the_next_run_goes_on_part_by_part(store: TestStore) {
    stops_in_good_order(store, 51, Signal::TERM).await;
}

async fn f24_a_second_sigint_ends_at_once_and_nothing_is_lost(store: TestStore) {
    let case = hanging(store, 52).await;
    let mut child = case.start(&[]);
    case.until(|| case.hangs());
    signal(child.id(), Signal::INT);
    let hint = "interrupt once more";
    case.until(|| child.stderr().contains(hint));
    signal(child.id(), Signal::INT);
    let asked = Instant::now();
    let status = child.child.wait().unwrap();
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(status.code(), Some(130));
    case.assert_resumes().await;
}

async fn f24_a_time_budget_ends_with_7_and_the_next_run_goes_on_part_by_part(store: TestStore) {
    let case = hanging(store, 53).await;
    let begun = Instant::now();
    let ran = case.run(&["--time-budget", "6s"]);
    ran.ends(7);
    let took = begun.elapsed();
    assert!(
        took > Duration::from_secs(5) && took < Duration::from_secs(15),
        "{took:?}"
    );
    case.assert_resumes().await;
}

/// Before anything was written, too: while the mirror is listed.
async fn f24_sigint_during_a_listing_that_hangs_stops_within_seconds(store: TestStore) {
    let case = Case::new(store, 54).await;
    case.proxy
        .plan(Rule::always(Fault::Stall).on("ListObjectsV2"));
    let mut asked = Instant::now();
    let ran = case.while_running(&[], |case, process| {
        case.until(|| case.proxy.fired()[0] > 0);
        signal(process, Signal::INT);
        asked = Instant::now();
    });
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    ran.ends(130);
    case.proxy.clear();
    case.run_clean();
    case.assert_converged().await;
}

async fn f24_sigint_stops_a_restore_within_seconds(store: TestStore) {
    let case = Case::new(store, 55).await;
    case.run_clean();
    case.proxy.plan(
        Rule::always(Fault::Stall)
            .on("GetObject")
            .key("files/video.mp4"),
    );
    let to = tempfile::tempdir().unwrap();
    let mut command = case.process("restore", &[]);
    command.arg("--to").arg(to.path().join("restored"));
    let running = case.start_this(command);
    case.until(|| case.proxy.fired()[0] > 0);
    signal(running.id(), Signal::INT);
    let asked = Instant::now();
    let ran = running.end();
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    ran.ends(130);
    case.proxy.clear();
    case.assert_restorable();
}

/// Whether the snapshot was committed is not known then; the next run finds out.
async fn a_commit_that_hangs_is_given_up(store: TestStore, seed: u64, fault: Fault) {
    let case = Case::new(store, seed).await;
    case.run_clean();
    case.library.file("new.jpg", 5_000);
    case.proxy
        .plan(Rule::once(fault).on("PutObject").key("snapshots/"));
    let mut asked = Instant::now();
    let ran = case.while_running(&[], |case, process| {
        case.until(|| case.proxy.fired()[0] > 0);
        signal(process, Signal::INT);
        asked = Instant::now();
    });
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    ran.ends(130);
    case.proxy.clear();
    case.run_clean();
    case.assert_converged().await;
    case.assert_one_chain();
}

async fn f24_sigint_while_a_commit_hangs_stops_within_seconds(store: TestStore) {
    a_commit_that_hangs_is_given_up(store, 56, Fault::Stall).await;
}

async fn f24_sigint_while_a_commit_is_done_but_not_answered_makes_no_second_child(
    store: TestStore,
) {
    a_commit_that_hangs_is_given_up(store, 57, Fault::StallDone).await;
}

/// The whole network, while files are sent.
async fn f24_sigint_on_a_line_that_is_silent_stops_within_seconds(store: TestStore) {
    let case = hanging(store, 58).await;
    let mut asked = Instant::now();
    let ran = case.while_running(&[], |case, process| {
        case.until(|| case.hangs());
        case.proxy.plan(Rule::always(Fault::Stall));
        signal(process, Signal::INT);
        asked = Instant::now();
    });
    assert!(
        asked.elapsed() < Duration::from_secs(12),
        "{:?}",
        asked.elapsed()
    );
    ran.ends(130);
    case.assert_resumes().await;
}

on_both!(
    f24_sigint_while_a_commit_hangs_stops_within_seconds,
    f24_sigint_while_a_commit_is_done_but_not_answered_makes_no_second_child,
    f24_sigint_on_a_line_that_is_silent_stops_within_seconds,
    f24_sigint_stops_within_seconds_and_the_next_run_goes_on_part_by_part,
    f24_sigterm_stops_within_seconds_and_the_next_run_goes_on_part_by_part,
    f24_a_second_sigint_ends_at_once_and_nothing_is_lost,
    f24_a_time_budget_ends_with_7_and_the_next_run_goes_on_part_by_part,
    f24_sigint_during_a_listing_that_hangs_stops_within_seconds,
    f24_sigint_stops_a_restore_within_seconds,
);
