//! rclone, the tool that the mirror must please.

use std::path::Path;
use std::process::Command;

use super::bucket::Bucket;
use super::servers::rclone;
use super::store::TestStore;

/// `rclone VERB LIBRARY BUCKET/lib MORE...`; its log. Fails unless it succeeds.
#[track_caller]
pub(crate) fn run_rclone(
    store: &TestStore,
    verb: &str,
    library: &Path,
    mirror: &Bucket,
    more: &[&str],
) -> String {
    let output = Command::new(rclone())
        .args(["--config", "", "--retries", "1", "-v", verb])
        // NFC and NFD twins are two files here.
        .arg("--no-unicode-normalization")
        .arg(library)
        .arg(format!(":s3:{}/lib", mirror.name))
        .args(more)
        .env("RCLONE_S3_PROVIDER", "Other")
        .env("RCLONE_S3_ENDPOINT", &store.endpoint)
        .env("RCLONE_S3_ACCESS_KEY_ID", &store.access_key)
        .env("RCLONE_S3_SECRET_ACCESS_KEY", &store.secret_key)
        .output()
        .expect("rclone runs");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "rclone {verb}: {log}");
    log
}

/// For rclone, the mirror is the library: no difference, and nothing that a sync would do.
#[track_caller]
pub(crate) fn assert_rclone_agrees(store: &TestStore, library: &Path, mirror: &Bucket) {
    let log = run_rclone(store, "check", library, mirror, &[]);
    assert!(log.contains("0 differences found"), "{log}");
    let log = run_rclone(store, "sync", library, mirror, &["--dry-run"]);
    let todo: Vec<&str> = log.lines().filter(|l| l.contains("--dry-run")).collect();
    assert!(todo.is_empty(), "rclone would do this: {todo:#?}");
}
