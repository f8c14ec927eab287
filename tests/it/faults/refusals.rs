//! What is wrong from the start or becomes wrong on the way: settings, credentials, what a store does not know.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::{Case, Ran};
use crate::support::{Fault, Rule, TestStore, on_both};

impl Case {
    /// Ends with 2 and says this; nothing was written.
    #[track_caller]
    fn refuses(&self, more: &[&str], says: &str) -> Ran {
        let ran = self.run(more);
        ran.ends(2);
        assert!(
            ran.stderr.contains(says),
            "{says:?} is not in: {}",
            ran.stderr
        );
        self.wrote_nothing();
        ran
    }

    #[track_caller]
    fn wrote_nothing(&self) {
        for bucket in [&self.sync, &self.vault] {
            let requests = self.proxy.traffic(bucket).answered;
            assert!(!requests.contains_key("PutObject"), "{requests:?}");
        }
    }
}

async fn f36_what_is_wrong_from_the_start_ends_with_2_and_names_the_setting(store: TestStore) {
    let case = Case::new(store, 60).await;
    let none = "s3://no-such-bucket-anywhere/library";
    case.refuses(&["--sync-to", none], "no-such-bucket-anywhere");
    case.refuses(&["--backup-to", none], "no-such-bucket-anywhere");
    let https = case.direct.endpoint.replace("http:", "https:");
    case.refuses(&["--endpoint", &https], "TLS");
    case.refuses(&["--endpoint", "http://192.0.2.1:9000"], "allow_http");
}

async fn f36_wrong_keys_end_with_2(store: TestStore) {
    let case = Case::new(store, 61).await;
    for (code, status) in [("InvalidAccessKeyId", 403), ("SignatureDoesNotMatch", 403)] {
        case.proxy.plan(Rule::always(Fault::Refuse(status, code)));
        case.refuses(&[], "key");
        case.proxy.clear();
    }
}

/// Signed for one host, a request is shown to no other.
async fn f36_a_redirect_is_not_followed(store: TestStore) {
    let case = Case::new(store, 62).await;
    case.proxy.plan(Rule::always(Fault::Redirect));
    case.refuses(&[], "region");
    case.proxy.clear();
}

async fn f36_a_server_that_does_not_speak_s3_ends_with_2(store: TestStore) {
    let case = Case::new(store, 63).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let page = "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\nConnection: close\r\n\r\n<html></html";
            let _ = stream.write_all(page.as_bytes());
        }
    });
    case.refuses(&["--endpoint", &endpoint], "endpoint");
}

/// A network that is gone from the start, and a server that takes requests and is silent.
async fn f36_no_answer_for_a_minute_ends_with_7_before_anything_is_written(store: TestStore) {
    let case = Case::new(store, 64).await;
    let begun = Instant::now();
    let silent = case.start(&["--endpoint", &silent_server()]);
    let gone = case.start(&["--endpoint", "http://127.0.0.1:9"]);
    for running in [gone, silent] {
        let ran = running.end();
        ran.ends(7);
        assert!(ran.stderr.contains("s3://"), "{}", ran.stderr);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(100),
        "{:?}",
        begun.elapsed()
    );
    case.wrote_nothing();
}

fn silent_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let connections: Vec<_> = listener.incoming().collect();
        drop(connections);
    });
    format!("http://{address}")
}

/// What was right at first and is wrong later is no matter of configuration any more.
async fn f36_a_bucket_that_is_gone_later_ends_with_7(store: TestStore) {
    let case = Case::new(store, 65).await;
    let gone = Rule::always(Fault::Refuse(404, "NoSuchBucket")).of(&case.sync);
    case.proxy.plan(gone.key("library/2024"));
    case.run(&[]).ends(7);
    case.proxy.clear();
    case.run_clean();
    case.assert_converged().await;
}

/// Wherever it happens, the run is resumable; where the vault still answers, what it has is named.
async fn f35_credentials_that_expire_on_the_way_end_with_7(store: TestStore) {
    let case = Case::new(store, 66).await;
    for skip in [0, 9, 14, 20, 26] {
        case.proxy
            .plan(Rule::always(Fault::Refuse(400, "ExpiredToken")).skip(skip));
        let ran = case.run(&[]);
        ran.ends(7);
        assert!(
            ran.stderr.contains("ran out"),
            "after {skip}: {}",
            ran.stderr
        );
        case.proxy.clear();
    }
    case.run_clean();
    case.assert_converged().await;
}

async fn f35_what_the_vault_has_is_named_where_only_the_mirror_s_credentials_expire(
    store: TestStore,
) {
    let case = Case::new(store, 67).await;
    let expired = Rule::always(Fault::Refuse(400, "ExpiredToken")).of(&case.sync);
    case.proxy.plan(expired.on("CompleteMultipartUpload"));
    let ran = case.run(&[]);
    ran.ends(7);
    assert!(
        !ran.summary["backup"]["snapshot"].is_null(),
        "{}",
        ran.summary
    );
    case.proxy.clear();
    case.run_clean();
    case.assert_converged().await;
}

async fn f38_a_store_without_conditional_writes_works(store: TestStore) {
    let case = Case::new(store, 68).await;
    for header in ["if-none-match", "if-match"] {
        let unknown = Rule::always(Fault::Refuse(501, "NotImplemented")).header(header);
        case.proxy.plan(unknown);
    }
    case.run_clean();
    case.library.file("2024/a.jpg", 4_000);
    case.run_clean();
    let fired = case.proxy.fired();
    assert!(fired[0] > 0, "{fired:?}");
    case.proxy.forget();
    case.assert_restorable();
    case.assert_mirrored().await;
    case.assert_nothing_twice().await;
}

async fn f38_a_store_without_crc64nvme_works(store: TestStore) {
    let case = Case::new(store, 69).await;
    let headers = [
        "x-amz-checksum-crc64nvme",
        "x-amz-checksum-algorithm",
        "x-amz-sdk-checksum-algorithm",
    ];
    for header in headers {
        case.proxy
            .plan(Rule::always(Fault::Refuse(501, "NotImplemented")).header(header));
    }
    case.run_clean();
    case.library.rename("2024/a.jpg", "2025/a.jpg");
    case.run_clean();
    let fired = case.proxy.fired();
    assert!(fired[0] > 0, "{fired:?}");
    case.proxy.forget();
    case.assert_converged().await;
}

on_both!(
    f36_what_is_wrong_from_the_start_ends_with_2_and_names_the_setting,
    f36_wrong_keys_end_with_2,
    f36_a_redirect_is_not_followed,
    f36_a_server_that_does_not_speak_s3_ends_with_2,
    f36_a_bucket_that_is_gone_later_ends_with_7,
    f35_credentials_that_expire_on_the_way_end_with_7,
    f35_what_the_vault_has_is_named_where_only_the_mirror_s_credentials_expire,
    f38_a_store_without_conditional_writes_works,
    f38_a_store_without_crc64nvme_works,
);

/// No store takes part but to make the buckets.
mod f36_no_answer_for_a_minute_ends_with_7_before_anything_is_written {
    #[test]
    fn minio() {
        let body = super::f36_no_answer_for_a_minute_ends_with_7_before_anything_is_written;
        crate::support::on_store(crate::support::StoreKind::Minio, body);
    }
}
