//! Users of MinIO, made with its own client.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::store::TestStore;

/// A user of the store who may do some things in some buckets, and nothing elsewhere.
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl User {
    /// `actions`: such as `s3:*`.
    pub(crate) fn new(store: &TestStore, buckets: &[&str], actions: &[&str]) -> Self {
        let user = Self {
            id: format!("user-of-{}", buckets[0]),
            secret: format!("secret-of-{}", buckets[0]),
        };
        let arns = |bucket| {
            [
                format!("arn:aws:s3:::{bucket}"),
                format!("arn:aws:s3:::{bucket}/*"),
            ]
        };
        let resources: Vec<String> = buckets.iter().flat_map(arns).collect();
        let allow = json!({"Effect": "Allow", "Action": actions, "Resource": resources});
        let policy = json!({"Version": "2012-10-17", "Statement": [allow]});
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.json");
        std::fs::write(&file, policy.to_string()).unwrap();
        let (mc, folder) = (mc(), folder.path());
        let keys = [&store.access_key, &store.secret_key].map(String::as_str);
        admin(
            &mc,
            folder,
            &[&["alias", "set", "t", &store.endpoint][..], &keys].concat(),
        );
        admin(
            &mc,
            folder,
            &["admin", "user", "add", "t", &user.id, &user.secret],
        );
        let file = file.to_str().unwrap();
        admin(
            &mc,
            folder,
            &["admin", "policy", "create", "t", &user.id, file],
        );
        let attach = [
            "admin", "policy", "attach", "t", &user.id, "--user", &user.id,
        ];
        admin(&mc, folder, &attach);
        user
    }
}

fn mc() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/minio");
    let output = Command::new(script).arg("mc-path").output().unwrap();
    assert!(
        output.status.success(),
        "no mc to make users with: {output:?}"
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

fn admin(mc: &str, configuration: &Path, arguments: &[&str]) {
    let mut command = Command::new(mc);
    command
        .args(["--quiet", "--config-dir"])
        .arg(configuration)
        .args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "mc {arguments:?}: {output:?}");
}
