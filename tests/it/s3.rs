//! What only a real connection can show: credentials, endpoints, TLS, conditions that a store does not know.

use std::io::Read;
use std::net::TcpListener;

use bytes::Bytes;
use tidelock::model::{Connection, Crc64, Error, Keys, Secret, StoreErrorKind, Target};
use tidelock::store::{Attributes, Condition, ConnectOptions, Put, S3Store, Store};

use crate::contract::{connect_with, connection};
use crate::support::{Lock, StoreKind, TestStore};

const CANARY: &str = "canary-secret-that-nobody-may-see";

fn nowhere(endpoint: &str) -> Connection {
    Connection {
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        keys: Some(Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret(CANARY.to_owned()),
            session_token: None,
        }),
        ..Connection::default()
    }
}

fn a_put(key: &str) -> Put {
    let body = Bytes::from_static(b"bytes");
    Put {
        key: key.to_owned(),
        crc64nvme: Crc64::of(&body),
        body,
        attributes: Attributes::default(),
        condition: Condition::Always,
    }
}

#[tokio::test]
async fn f36_bad_keys_are_named_and_not_shown() {
    let Some(store) = TestStore::new(StoreKind::Minio) else {
        return;
    };
    let bucket = store.bucket(Lock::Off).await;
    let mut wrong_secret = connection(&store);
    wrong_secret.keys.as_mut().unwrap().secret_access_key = Secret(CANARY.to_owned());
    let wrong_key = nowhere(&store.endpoint);
    for connection in [wrong_secret, wrong_key] {
        let store = connect_with(&connection, &bucket).await;
        let answers = [
            store.bucket_info().await.map(|_| ()),
            store.put(a_put("k")).await.map(|_| ()),
        ];
        for answer in answers {
            let error = answer.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::BadCredentials, "{error}");
            assert!(!format!("{error} {error:?}").contains(CANARY));
        }
        // Even a refusal carries the server's time.
        store.now().await.unwrap();
    }
}

/// Runs one test of this binary again in a process of its own, with these variables alone: a process can't change its
/// environment safely once it has threads.
fn again(test: &str, variables: &[(&str, &str)]) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

/// What a process of its own is told: endpoint, bucket, keys.
fn told() -> Option<[String; 4]> {
    let told = std::env::var("TIDELOCK_TEST_TOLD").ok()?;
    let words: Vec<String> = told.split_whitespace().map(str::to_owned).collect();
    Some(words.try_into().unwrap())
}

#[tokio::test]
async fn f70_a_target_s_own_keys_beat_the_environment() {
    if let Some([endpoint, bucket, id, secret]) = told() {
        let mut connection = nowhere(&endpoint);
        connection.keys = Some(Keys {
            access_key_id: id,
            secret_access_key: Secret(secret),
            session_token: None,
        });
        let own_keys = connect_with(&connection, &bucket).await;
        own_keys.put(a_put("own keys")).await.unwrap();

        connection.keys = None;
        connection.profile = Some("good".to_owned());
        let own_profile = connect_with(&connection, &bucket).await;
        own_profile.put(a_put("own profile")).await.unwrap();

        connection.profile = None;
        let plain = connect_with(&connection, &bucket).await;
        let error = plain.put(a_put("plain")).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::BadCredentials, "{error}");
        return;
    }
    let Some(store) = TestStore::new(StoreKind::Minio) else {
        return;
    };
    let bucket = store.bucket(Lock::Off).await;
    let (id, secret) = (&store.access_key, &store.secret_key);
    let profiles = store.home().join("credentials");
    let profile = format!("[good]\naws_access_key_id={id}\naws_secret_access_key={secret}\n");
    std::fs::write(&profiles, profile).unwrap();
    again(
        "s3::f70_a_target_s_own_keys_beat_the_environment",
        &[
            (
                "TIDELOCK_TEST_TOLD",
                &format!("{} {bucket} {id} {secret}", store.endpoint),
            ),
            ("AWS_ACCESS_KEY_ID", "AKIDWRONG"),
            ("AWS_SECRET_ACCESS_KEY", CANARY),
            ("AWS_SHARED_CREDENTIALS_FILE", profiles.to_str().unwrap()),
            // Must not redirect a target that names its endpoint.
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
        ],
    );
}

#[tokio::test]
async fn f36_no_credentials_at_all_is_said_so() {
    if let Some([endpoint, bucket, ..]) = told() {
        let mut connection = nowhere(&endpoint);
        connection.keys = None;
        let store = connect_with(&connection, &bucket).await;
        let error = store.put(a_put("k")).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::BadCredentials, "{error}");
        return;
    }
    again(
        "s3::f36_no_credentials_at_all_is_said_so",
        &[("TIDELOCK_TEST_TOLD", "http://127.0.0.1:9 bucket - -")],
    );
}

#[tokio::test]
async fn f36_plain_http_from_the_environment_is_refused_too() {
    if told().is_some() {
        let target = Target::parse("s3://bucket").unwrap();
        let connection = Connection::default();
        let refused = S3Store::connect(&target, &connection, ConnectOptions::default()).await;
        assert!(matches!(refused, Err(Error::Usage(_))), "{refused:?}");
        return;
    }
    again(
        "s3::f36_plain_http_from_the_environment_is_refused_too",
        &[
            ("TIDELOCK_TEST_TOLD", "- - - -"),
            ("AWS_ENDPOINT_URL", "http://192.0.2.1:9000"),
        ],
    );
}

#[tokio::test]
async fn f36_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for endpoint in [
        format!("http://127.0.0.1:{port}"),
        "https://no-such-host.invalid".to_owned(),
    ] {
        let store = connect_with(&nowhere(&endpoint), "bucket").await;
        let error = store.put(a_put("k")).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unreachable, "{error}");
        assert!(!format!("{error:?}").contains(CANARY));
    }
}

#[tokio::test]
async fn f36_a_server_without_tls_is_not_trusted() {
    let Some(store) = TestStore::new(StoreKind::Minio) else {
        return;
    };
    let https = store.endpoint.replace("http://", "https://");
    let connected = connect_with(&nowhere(&https), "bucket").await;
    let error = connected.put(a_put("k")).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Tls, "{error}");
}

#[tokio::test]
async fn f36_plain_http_beyond_loopback_is_refused_before_any_request() {
    let target = Target::parse("s3://bucket").unwrap();
    let connection = nowhere("http://192.0.2.1:9000");
    let refused = S3Store::connect(&target, &connection, ConnectOptions::default()).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error}");
    assert!(error.to_string().contains("allow_http"), "{error}");
}

#[tokio::test]
async fn f28_a_connection_cut_after_the_body_is_an_unknown_outcome() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"bytes") {
            let count = connection.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "the request ended early");
            request.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(request).unwrap()
    });
    let store = connect_with(&nowhere(&endpoint), "bucket").await;
    let error = store.put(a_put("a key")).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::UnknownOutcome, "{error}");

    // What went out: a plain body of known length, its checksum in a signed header, no hash of it.
    let request = server.join().unwrap().to_ascii_lowercase();
    assert!(request.starts_with("put /bucket/a%20key"), "{request}");
    assert!(request.contains("content-length: 5"), "{request}");
    assert!(
        request.contains("x-amz-content-sha256: unsigned-payload"),
        "{request}"
    );
    assert!(request.contains("x-amz-checksum-crc64nvme;"), "{request}");
    assert!(!request.contains("aws-chunked"), "{request}");
    assert!(!request.contains(CANARY), "{request}");
}

#[tokio::test]
async fn what_crosses_a_network_in_the_clear_is_hashed_into_the_signature() {
    let Some(store) = TestStore::new(StoreKind::Minio) else {
        return;
    };
    let bucket = store.bucket(Lock::Off).await;
    let mut connection = connection(&store);
    // The same server by an address that does not count as loopback.
    let exposed = store.endpoint.replace("127.0.0.1", "0.0.0.0");
    assert_ne!(exposed, store.endpoint);
    connection.endpoint = Some(exposed);
    connection.allow_http = true;
    let store = connect_with(&connection, &bucket).await;
    store.put(a_put("k")).await.unwrap();
    let id = store
        .create_upload("parts", &Attributes::default())
        .await
        .unwrap();
    let body = Bytes::from_static(b"bytes");
    let crc = Crc64::of(&body);
    store.upload_part("parts", &id, 1, body, crc).await.unwrap();
}
