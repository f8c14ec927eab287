//! Listings that do not tell the truth.

use super::Case;
use crate::support::{Fault, Rule, TestStore, on_both};

/// What was written and deleted on the mirror, the lease left out.
fn mirror_writes(case: &Case) -> u64 {
    let traffic = case.proxy.traffic(&case.sync);
    let of = |operation| traffic.requests.get(operation).copied().unwrap_or(0);
    of("PutObject") + of("CopyObject") + of("CompleteMultipartUpload") + of("DeleteObject")
}

/// A run while `fault` is at work: the backup goes on, the mirror is left as it is.
async fn backs_up_alone(case: &Case, fault: Fault) {
    case.library.file("new.jpg", 1_234);
    case.library.remove("notes.txt");
    let before = mirror_writes(case);
    case.proxy
        .plan(Rule::always(fault).on("ListObjectsV2").of(&case.sync));
    let ran = case.run(&[]);
    ran.ends(3);
    case.proxy.clear();
    let lease = 2;
    assert_eq!(
        mirror_writes(case) - before,
        lease,
        "written or deleted on the mirror"
    );
    assert_eq!(ran.count("backup", "uploaded"), 1, "{}", ran.summary);
    case.run_clean();
    case.assert_converged().await;
}

async fn f33_a_listing_that_repeats_its_token_touches_nothing_on_the_mirror(store: TestStore) {
    let case = Case::new(store, 20).await;
    case.run_clean();
    backs_up_alone(&case, Fault::RepeatPage).await;
}

async fn f33_a_listing_that_lacks_what_is_there_touches_nothing_on_the_mirror(store: TestStore) {
    let case = Case::new(store, 21).await;
    case.run_clean();
    backs_up_alone(&case, Fault::EmptyPage).await;
}

/// Where the mirror was really emptied by someone, it is filled again.
async fn f33_an_empty_mirror_is_filled_again(store: TestStore) {
    let case = Case::new(store, 22).await;
    case.run_clean();
    let client = case.direct.client();
    for path in case.paths() {
        let key = format!("library/{path}");
        client
            .delete_object()
            .bucket(&case.sync)
            .key(key)
            .send()
            .await
            .unwrap();
    }
    let ran = case.run_clean();
    assert_eq!(ran.count("sync", "uploaded"), 3);
    case.assert_converged().await;
}

async fn f33_a_version_listing_that_repeats_its_token_ends_in_an_error(store: TestStore) {
    let case = Case::new(store, 23).await;
    case.run_clean();
    case.proxy
        .plan(Rule::always(Fault::RepeatPage).on("ListObjectVersions"));
    let (ran, _, _folder) = case.restore(&[]);
    assert_ne!(ran.code, 0);
    case.proxy.clear();
}

on_both!(
    f33_a_listing_that_repeats_its_token_touches_nothing_on_the_mirror,
    f33_a_listing_that_lacks_what_is_there_touches_nothing_on_the_mirror,
    f33_an_empty_mirror_is_filled_again,
    f33_a_version_listing_that_repeats_its_token_ends_in_an_error,
);
