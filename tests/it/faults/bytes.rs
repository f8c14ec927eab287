//! Bytes that do not arrive as they were sent.

use super::{Case, VIDEO};
use crate::support::{Fault, Rule, TestStore, on_both};

async fn f30_a_reset_in_the_middle_of_a_part_sends_that_part_again(store: TestStore) {
    let case = Case::new(store, 10).await;
    for bucket in [&case.sync, &case.vault] {
        case.proxy
            .plan(Rule::once(Fault::ResetInBody).on("UploadPart").of(bucket));
    }
    let ran = case.run_clean();
    case.proxy.clear();
    for side in ["sync", "backup"] {
        assert_eq!(ran.requests(side, "UploadPart"), 3);
        assert_eq!(ran.requests(side, "CreateMultipartUpload"), 1);
    }
    let sent = case.proxy.traffic(&case.vault).up;
    assert!(
        sent < VIDEO as u64 * 8 / 5,
        "{sent} bytes for a file of {VIDEO}"
    );
    case.assert_converged().await;
}

async fn f32_a_byte_flipped_on_the_way_up_is_refused_and_sent_again(store: TestStore) {
    let case = Case::new(store, 11).await;
    for operation in ["PutObject", "UploadPart"] {
        for bucket in [&case.sync, &case.vault] {
            let rule = Rule::once(Fault::FlipUp).on(operation).of(bucket);
            case.proxy.plan(if operation == "PutObject" {
                rule.key("notes.txt")
            } else {
                rule
            });
        }
    }
    case.run_clean();
    case.proxy.clear();
    case.assert_converged().await;
}

async fn f31_wrong_bytes_on_the_way_down_are_fetched_again(store: TestStore) {
    let case = Case::new(store, 12).await;
    case.run_clean();
    for key in ["files/notes.txt", "files/video.mp4"] {
        case.proxy.plan(Rule::once(Fault::FlipDown).key(key));
    }
    case.proxy
        .plan(Rule::once(Fault::CutDown).key("files/video.mp4").skip(1));
    case.proxy
        .plan(Rule::once(Fault::ShortenDown).key("files/2024/a.jpg"));
    case.assert_restorable();
    case.proxy.clear();
}

async fn f31_bytes_that_stay_wrong_are_damage_and_leave_no_file(store: TestStore) {
    let case = Case::new(store, 13).await;
    case.run_clean();
    case.proxy
        .plan(Rule::always(Fault::FlipDown).key("files/notes.txt"));
    case.proxy
        .plan(Rule::always(Fault::FlipDown).key("files/video.mp4"));
    let (ran, to, _folder) = case.restore(&[]);
    ran.ends(5);
    assert_eq!(case.proxy.fired()[0], 2, "one refetch");
    let left: Vec<_> = std::fs::read_dir(&to)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["2024"], "no partial file, under whatever name");
    assert_eq!(std::fs::read(to.join("2024/a.jpg")).unwrap().len(), 3_000);
    case.proxy.clear();
}

async fn f31_a_manifest_damaged_on_the_way_is_read_again(store: TestStore) {
    let case = Case::new(store, 14).await;
    case.run_clean();
    for key in ["library/manifests/", "library/snapshots/"] {
        case.proxy.plan(Rule::once(Fault::FlipDown).key(key));
    }
    case.assert_restorable();
    case.proxy.clear();
}

on_both!(
    f30_a_reset_in_the_middle_of_a_part_sends_that_part_again,
    f32_a_byte_flipped_on_the_way_up_is_refused_and_sent_again,
    f31_wrong_bytes_on_the_way_down_are_fetched_again,
    f31_bytes_that_stay_wrong_are_damage_and_leave_no_file,
    f31_a_manifest_damaged_on_the_way_is_read_again,
);
