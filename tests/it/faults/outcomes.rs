//! Answers that do not say what was done, or say it late.

use super::Case;
use crate::support::{Fault, Rule, TestStore, on_both};

async fn f27_an_error_inside_a_200_on_complete_is_a_failure_and_retried(store: TestStore) {
    let case = Case::new(store, 1).await;
    for bucket in [&case.sync, &case.vault] {
        case.proxy
            .plan(Rule::once(Fault::ErrorIn200("InternalError")).of(bucket));
    }
    let ran = case.run_clean();
    case.proxy.clear();
    assert_eq!(ran.requests("backup", "CompleteMultipartUpload"), 2);
    case.assert_converged().await;
}

async fn f27_an_error_inside_a_200_on_copy_is_a_failure_and_retried(store: TestStore) {
    let case = Case::new(store, 2).await;
    case.run_clean();
    case.library.rename("2024/a.jpg", "2025/a.jpg");
    case.proxy
        .plan(Rule::once(Fault::ErrorIn200("SlowDown")).on("CopyObject"));
    let ran = case.run_clean();
    case.proxy.clear();
    assert_eq!(ran.count("sync", "copied"), 1);
    case.assert_converged().await;
}

async fn f28_a_lost_answer_of_put_and_complete_leaves_one_version(store: TestStore) {
    let case = Case::new(store, 3).await;
    for operation in ["PutObject", "CompleteMultipartUpload"] {
        for bucket in [&case.sync, &case.vault] {
            let rule = Rule::always(Fault::LoseAnswer).on(operation).of(bucket);
            case.proxy.plan(rule.key("/").times(2));
        }
    }
    case.run_clean();
    case.proxy.clear();
    case.assert_converged().await;
}

async fn f28_a_complete_that_was_done_though_its_200_holds_an_error_leaves_one_version(
    store: TestStore,
) {
    let case = Case::new(store, 4).await;
    case.proxy
        .plan(Rule::once(Fault::ErrorIn200Done("InternalError")).of(&case.vault));
    case.proxy
        .plan(Rule::once(Fault::ErrorIn200Done("InternalError")).of(&case.sync));
    case.run_clean();
    case.proxy.clear();
    case.assert_converged().await;
}

/// The lock is on a version that the run never heard of: the next one must look for it.
async fn f28_an_outcome_that_stays_unknown_is_looked_up_by_the_next_run(store: TestStore) {
    let case = Case::new(store, 5).await;
    let of_notes = |fault| Rule::always(fault).of(&case.vault).key("files/notes.txt");
    case.proxy.plan(of_notes(Fault::LoseAnswer).on("PutObject"));
    case.proxy
        .plan(of_notes(Fault::Refuse(403, "AccessDenied")).on("HeadObject"));
    let ran = case.run(&[]);
    ran.ends(3);
    case.proxy.clear();
    case.run_clean();
    case.assert_converged().await;
}

async fn f28_a_lost_answer_of_a_new_upload_leaves_none_unfinished(store: TestStore) {
    let case = Case::new(store, 6).await;
    for bucket in [&case.sync, &case.vault] {
        case.proxy.plan(
            Rule::once(Fault::LoseAnswer)
                .on("CreateMultipartUpload")
                .of(bucket),
        );
    }
    case.run_clean();
    case.proxy.clear();
    case.assert_converged().await;
}

/// New times are given by a copy of the object onto itself, which can't be told by its checksum.
async fn f28_a_lost_answer_of_a_copy_onto_itself_is_looked_up(store: TestStore) {
    let case = Case::new(store, 7).await;
    case.run_clean();
    case.library.mtime("video.mp4", 1_500_000_000, 5);
    case.proxy
        .plan(Rule::once(Fault::LoseAnswer).on("CopyObject"));
    let ran = case.run_clean();
    case.proxy.clear();
    assert_eq!(ran.count("sync", "copied"), 1, "{}", ran.summary);
    case.assert_converged().await;
}

async fn f34_an_upload_that_the_store_has_purged_starts_over(store: TestStore) {
    let case = Case::new(store, 8).await;
    let purged = Rule::once(Fault::Refuse(404, "NoSuchUpload")).on("UploadPart");
    case.proxy.plan(purged.of(&case.vault));
    let lost_part = Rule::once(Fault::Refuse(400, "InvalidPart")).on("CompleteMultipartUpload");
    case.proxy.plan(lost_part.of(&case.sync));
    case.run_clean();
    case.proxy.clear();
    case.assert_converged().await;
}

on_both!(
    f27_an_error_inside_a_200_on_complete_is_a_failure_and_retried,
    f27_an_error_inside_a_200_on_copy_is_a_failure_and_retried,
    f28_a_lost_answer_of_put_and_complete_leaves_one_version,
    f28_a_complete_that_was_done_though_its_200_holds_an_error_leaves_one_version,
    f28_an_outcome_that_stays_unknown_is_looked_up_by_the_next_run,
    f28_a_lost_answer_of_a_new_upload_leaves_none_unfinished,
    f28_a_lost_answer_of_a_copy_onto_itself_is_looked_up,
    f34_an_upload_that_the_store_has_purged_starts_over,
);
