//! Answers that no server at hand gives: scripted ones, over a real socket.

use super::{ConnectOptions, S3Store};
use crate::model::{Connection, Crc64, Keys, Mode, Retention, Secret, StoreErrorKind, Target};
use crate::store::listing::{list_all, list_all_versions};
use crate::store::{
    Attributes, ByteRange, Complete, Condition, Copy, CopySource, ListRequest, Part, Put, Store,
};
use bytes::Bytes;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

const DATE: &str = "Tue, 24 Nov 2026 20:00:00 GMT";

/// Gives these answers in turn, a connection each, and tells what it was asked.
fn serve(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("address"));
    let server = std::thread::spawn(move || {
        let ask = |answer: String| {
            let (mut connection, _) = listener.accept().expect("a request");
            let request = read_request(&mut connection);
            connection.write_all(answer.as_bytes()).expect("answered");
            request
        };
        answers.into_iter().map(ask).collect()
    });
    (endpoint, server)
}

/// Head and body of a request, the head in lower case.
fn read_request(connection: &mut TcpStream) -> String {
    let mut reader = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).expect("a line"), 0);
    }
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    reader.read_exact(&mut body).expect("the body");
    head + &String::from_utf8_lossy(&body)
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nDate: {DATE}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
}

fn refusal(status: u16, code: &str) -> String {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    answer(status, "", &body)
}

async fn connect(endpoint: &str) -> S3Store {
    let connection = Connection {
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        allow_http: true,
        keys: Some(Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret("canary".to_owned()),
            session_token: None,
        }),
        ..Connection::default()
    };
    let target = Target::parse("s3://photos").expect("target");
    S3Store::connect(&target, &connection, ConnectOptions::default())
        .await
        .expect("connected")
}

fn a_put(condition: Condition) -> Put {
    let body = Bytes::from_static(b"bytes");
    Put {
        key: "k".to_owned(),
        crc64nvme: Crc64::of(&body),
        body,
        attributes: Attributes::default(),
        condition,
    }
}

fn a_copy() -> Copy {
    Copy {
        source: CopySource {
            bucket: "other".to_owned(),
            key: "k".to_owned(),
            version_id: None,
            if_match: None,
        },
        key: "k".to_owned(),
        attributes: Attributes::default(),
    }
}

fn stored() -> String {
    let crc = Crc64::of(b"bytes").to_base64();
    let headers = format!("ETag: \"e\"\r\nx-amz-checksum-crc64nvme: {crc}\r\n");
    answer(200, &headers, "")
}

#[tokio::test]
async fn f27_a_200_with_an_error_inside_is_a_failure() {
    let inside = refusal(200, "InternalError");
    let (endpoint, server) = serve(vec![inside.clone(), inside]);
    let store = connect(&endpoint).await;
    let complete = Complete {
        key: "k".to_owned(),
        upload_id: "u".to_owned(),
        parts: vec![Part {
            number: 1,
            etag: "e".to_owned(),
            crc64nvme: None,
            size: 5,
        }],
        crc64nvme: None,
        size: 5,
        condition: Condition::Always,
    };
    let error = store.complete_upload(complete).await.expect_err("refused");
    assert_eq!(error.kind, StoreErrorKind::Server, "{error}");
    let error = store.copy(a_copy()).await.expect_err("refused");
    assert_eq!(error.kind, StoreErrorKind::Server, "{error}");
    server.join().expect("both asked");
}

#[tokio::test]
async fn f29_a_request_is_sent_once() {
    let (endpoint, server) = serve(vec![
        refusal(503, "SlowDown"),
        refusal(500, "InternalError"),
    ]);
    let store = connect(&endpoint).await;
    for kind in [StoreErrorKind::Throttled, StoreErrorKind::Server] {
        let error = store
            .put(a_put(Condition::Always))
            .await
            .expect_err("refused");
        assert_eq!(error.kind, kind, "{error}");
    }
    assert_eq!(server.join().expect("both asked").len(), 2);
    assert_eq!(store.requests().get("PutObject"), Some(&2));
}

#[tokio::test]
async fn f36_a_redirect_is_reported_not_followed() {
    let headers = "Location: http://127.0.0.2:9/photos/k\r\nx-amz-bucket-region: eu-west-1\r\n";
    let body = "<Error><Code>PermanentRedirect</Code><Endpoint>127.0.0.2</Endpoint></Error>";
    let (endpoint, server) = serve(vec![answer(301, headers, body), answer(307, headers, "")]);
    let store = connect(&endpoint).await;
    for _ in 0..2 {
        let error = store
            .put(a_put(Condition::Always))
            .await
            .expect_err("refused");
        assert_eq!(error.kind, StoreErrorKind::WrongRegion, "{error}");
        assert!(error.message.contains("region = \"eu-west-1\""), "{error}");
    }
    server.join().expect("both asked");
}

#[tokio::test]
async fn f38_a_store_without_conditions_is_asked_before() {
    let (endpoint, server) = serve(vec![
        refusal(501, "NotImplemented"),
        answer(404, "", ""),
        stored(),
        answer(200, "ETag: \"e\"\r\n", ""),
    ]);
    let store = connect(&endpoint).await;
    // Not AWS itself, whatever the provider is said to be.
    store.put(a_put(Condition::IfAbsent)).await.expect("stored");
    let again = store.put(a_put(Condition::IfAbsent)).await;
    let error = again.expect_err("there already");
    assert_eq!(error.kind, StoreErrorKind::PreconditionFailed, "{error}");
    let asked = server.join().expect("all asked");
    assert!(
        asked[0].contains("\r\nif-none-match: *\r\n"),
        "{}",
        asked[0]
    );
    assert!(asked[1].starts_with("head "), "{}", asked[1]);
    assert!(!asked[2].contains("if-none-match"), "{}", asked[2]);
    assert!(asked[3].starts_with("head "), "{}", asked[3]);
}

#[tokio::test]
async fn f38_a_store_without_crc64nvme_gets_an_md5() {
    let body = "<Error><Code>InvalidRequest</Code>\
                <Message>The checksum algorithm is not supported</Message></Error>";
    let plain = answer(200, "ETag: \"e\"\r\n", "");
    let (endpoint, server) = serve(vec![answer(400, "", body), plain.clone(), plain]);
    let store = connect(&endpoint).await;
    store.put(a_put(Condition::Always)).await.expect("stored");
    store.put(a_put(Condition::Always)).await.expect("stored");
    let asked = server.join().expect("all asked");
    assert!(asked[0].contains("x-amz-checksum-crc64nvme: "));
    for request in &asked[1..] {
        // By md5sum; the head is in lower case here.
        assert!(
            request.contains("content-md5: szpigls+onmd6kfxpg/pkg=="),
            "{request}"
        );
        assert!(!request.contains("crc64nvme"), "{request}");
    }
}

#[tokio::test]
async fn f38_a_checksum_that_is_not_confirmed_must_show_in_the_etag() {
    let md5 = "ETag: \"4b3a6218bb3e3a7303e8a171a60fcf92\"\r\n";
    let (endpoint, server) = serve(vec![answer(200, md5, "")]);
    let store = connect(&endpoint).await;
    store
        .put(a_put(Condition::Always))
        .await
        .expect("proved by MD5");
    server.join().expect("asked");

    let (endpoint, server) = serve(vec![answer(200, "ETag: \"random\"\r\n", "")]);
    let store = connect(&endpoint).await;
    let error = store
        .put(a_put(Condition::Always))
        .await
        .expect_err("unproved");
    assert_eq!(error.kind, StoreErrorKind::UnknownOutcome, "{error}");
    server.join().expect("asked");
}

#[tokio::test]
async fn f41_a_wrong_local_clock_signs_with_the_server_s_time() {
    let skewed = refusal(403, "RequestTimeTooSkewed").replace("2026", "2031");
    let skewed = skewed.replace("Tue,", "Mon,");
    let (endpoint, server) = serve(vec![skewed, stored().replace("2026", "2031")]);
    let store = connect(&endpoint).await;
    let error = store
        .put(a_put(Condition::Always))
        .await
        .expect_err("skewed");
    assert!(
        error.kind.is_transient() && !error.kind.may_have_happened(),
        "{error}"
    );
    store.put(a_put(Condition::Always)).await.expect("in time");
    let asked = server.join().expect("both asked");
    assert!(asked[1].contains("x-amz-date: 20311124t"), "{}", asked[1]);
    let now = store.now().await.expect("known");
    assert!(now.to_string().starts_with("2031-11-24T20:0"), "{now}");
}

#[tokio::test]
async fn f33_a_listing_that_does_not_go_on_is_an_error() {
    let page = |more: &str, keys: &[&str]| {
        let keys = keys
            .iter()
            .map(|key| format!("<Contents><Key>{key}</Key></Contents>"));
        let keys: String = keys.collect();
        let body = format!(
            "<ListBucketResult><IsTruncated>true</IsTruncated>{more}{keys}</ListBucketResult>"
        );
        answer(200, "", &body)
    };
    let token = "<NextContinuationToken>t</NextContinuationToken>";
    let other = "<NextContinuationToken>o</NextContinuationToken>";
    for pages in [
        // No token; the same token; the same keys under another token; a key out of order.
        vec![page("", &["a"])],
        vec![page(token, &["a"]), page(token, &["b"])],
        vec![page(token, &["a", "b"]), page(other, &["b"])],
        vec![page(token, &["b", "a"])],
    ] {
        let (endpoint, server) = serve(pages);
        let store = connect(&endpoint).await;
        let error = list_all(&store, "").await.expect_err("refused");
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
        assert!(error.message.contains("the listing"), "{error}");
        server.join().expect("all asked");
    }
}

#[tokio::test]
async fn f33_a_version_listing_that_does_not_go_on_is_an_error() {
    let page = |marker: &str, id: &str| {
        let body = format!(
            "<ListVersionsResult><IsTruncated>true</IsTruncated>{marker}<Version><Key>k</Key>\
             <VersionId>{id}</VersionId></Version></ListVersionsResult>"
        );
        answer(200, "", &body)
    };
    let marker = |id: &str| {
        format!("<NextKeyMarker>k</NextKeyMarker><NextVersionIdMarker>{id}</NextVersionIdMarker>")
    };
    for pages in [
        vec![page("", "1")],
        vec![page(&marker("1"), "1"), page(&marker("1"), "2")],
        vec![page(&marker("1"), "1"), page(&marker("2"), "1")],
    ] {
        let (endpoint, server) = serve(pages);
        let store = connect(&endpoint).await;
        let error = list_all_versions(&store, "").await.expect_err("refused");
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
        server.join().expect("all asked");
    }
}

#[tokio::test]
async fn f30_an_answer_that_breaks_off_is_an_unknown_outcome() {
    let short = answer(200, "ETag: \"e\"\r\n", "0123456789").replace("h: 10", "h: 20");
    let (endpoint, server) = serve(vec![short]);
    let store = connect(&endpoint).await;
    let error = store.get("k", None, None).await.expect_err("broken off");
    assert_eq!(error.kind, StoreErrorKind::UnknownOutcome, "{error}");
    server.join().expect("asked");
}

#[tokio::test]
async fn f31_a_body_without_the_checksum_that_its_answer_names_is_an_unknown_outcome() {
    let right = Crc64::of(b"0123456789").to_base64();
    let wrong = Crc64::of(b"0123456788").to_base64();
    for (named, range, holds) in [
        (&right, None, true),
        (&wrong, None, false),
        // It is the whole object's.
        (&wrong, Some(ByteRange { first: 0, last: 9 }), true),
    ] {
        let headers = format!("x-amz-checksum-crc64nvme: {named}\r\n");
        let (endpoint, server) = serve(vec![answer(200, &headers, "0123456789")]);
        let store = connect(&endpoint).await;
        let got = store.get("k", None, range).await;
        match got {
            Ok(fetched) => assert!(holds && &*fetched.body == b"0123456789"),
            Err(error) => {
                assert!(!holds, "{error}");
                assert_eq!(error.kind, StoreErrorKind::UnknownOutcome, "{error}");
            }
        }
        server.join().expect("asked");
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_answer_to_a_copy_and_its_status_one_to_a_put() {
    let page = "<!DOCTYPE html><html><body>Sign in</body></html>";
    let (endpoint, server) = serve(vec![answer(200, "", page), answer(503, "", page)]);
    let store = connect(&endpoint).await;
    let error = store.copy(a_copy()).await.expect_err("no copy");
    assert_eq!(error.kind, StoreErrorKind::UnknownOutcome, "{error}");
    let error = store.put(a_put(Condition::Always)).await.expect_err("busy");
    assert_eq!(error.kind, StoreErrorKind::Throttled, "{error}");
    server.join().expect("both asked");
}

#[tokio::test]
async fn an_object_is_given_what_it_has_beside_its_bytes_by_put_and_copy_alike() {
    let attributes = Attributes {
        content_type: Some("image/jpeg".to_owned()),
        metadata: vec![("blake3".to_owned(), "ab".to_owned())],
        retention: Some(Retention {
            mode: Mode::Governance,
            until: "2026-12-24T10:00:00.5Z".parse().expect("time"),
        }),
        storage_class: Some("GLACIER_IR".to_owned()),
        sse: Some("aws:kms:alias/photos".to_owned()),
    };
    let made = "<CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>";
    let version = "x-amz-version-id: v1\r\n";
    let (endpoint, server) = serve(vec![stored(), answer(200, version, made)]);
    let store = connect(&endpoint).await;
    let put = Put {
        key: "a b/ü+%.jpg".to_owned(),
        attributes: attributes.clone(),
        ..a_put(Condition::Always)
    };
    store.put(put).await.expect("stored");
    let mut copy = Copy {
        key: "a b/ü+%.jpg".to_owned(),
        attributes,
        ..a_copy()
    };
    copy.source.if_match = Some("f".to_owned());
    let copied = store.copy(copy).await.expect("copied");
    assert_eq!(
        (&*copied.etag, copied.version_id.as_deref()),
        ("e", Some("v1"))
    );
    let asked = server.join().expect("both asked");
    for request in &asked {
        for wanted in [
            "put /photos/a%20b/%c3%bc%2b%25.jpg http/1.1",
            "content-type: image/jpeg",
            "x-amz-meta-blake3: ab",
            "x-amz-object-lock-mode: governance",
            "x-amz-object-lock-retain-until-date: 2026-12-24t10:00:01z",
            "x-amz-storage-class: glacier_ir",
            "x-amz-server-side-encryption: aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id: alias/photos",
        ] {
            assert!(
                request.contains(&format!("{wanted}\r\n")),
                "{wanted} in {request}"
            );
        }
    }
    assert!(
        asked[1].contains("x-amz-copy-source: other/k\r\n"),
        "{}",
        asked[1]
    );
    assert!(
        asked[1].contains("x-amz-copy-source-if-match: \"f\"\r\n"),
        "{}",
        asked[1]
    );
    assert!(
        asked[1].contains("x-amz-metadata-directive: replace\r\n"),
        "{}",
        asked[1]
    );
}

#[tokio::test]
async fn a_server_that_is_no_store_is_said_so() {
    let html = "<!DOCTYPE html><html><body>Sign in</body></html>";
    let (endpoint, server) = serve(vec![answer(200, "Content-Type: text/html\r\n", html)]);
    let store = connect(&endpoint).await;
    let error = store
        .list(&ListRequest::default())
        .await
        .expect_err("no listing");
    assert_eq!(error.kind, StoreErrorKind::Server, "{error}");
    assert!(error.message.contains("not S3's"), "{error}");
    server.join().expect("asked");
}

#[tokio::test]
async fn payloads_are_hashed_only_where_they_cross_a_network_in_the_clear() {
    let (endpoint, server) = serve(vec![stored(), stored()]);
    let exposed = endpoint.replace("127.0.0.1", "0.0.0.0");
    for endpoint in [&endpoint, &exposed] {
        let store = connect(endpoint).await;
        store.put(a_put(Condition::Always)).await.expect("stored");
    }
    let asked = server.join().expect("both asked");
    assert!(
        asked[0].contains("x-amz-content-sha256: unsigned-payload"),
        "{}",
        asked[0]
    );
    // By sha256sum.
    let hash =
        "x-amz-content-sha256: 277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9";
    assert!(asked[1].contains(hash), "{}", asked[1]);
}
