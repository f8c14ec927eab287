//! A store as a test sees it: buckets made and looked at through the SDK alone, and the built binary pointed at it.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use assert_cmd::Command;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use tempfile::TempDir;

use super::servers::{Server, StoreKind, server};

pub(crate) const REGION: &str = "us-east-1";

/// Whether a bucket has object lock, and versioning with it, from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    On,
    Off,
}

/// One store, and a machine of its own for the tidelock that runs against it: a home folder with its state, nothing else.
#[derive(Clone)]
pub(crate) struct TestStore {
    pub(crate) kind: StoreKind,
    pub(crate) endpoint: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// `[backup] via` of all commands; tests of another way name it.
    pub(crate) via: &'static str,
    home: Arc<TempDir>,
}

/// Every store that is not left out by name, for a test that needs them side by side.
pub(crate) fn stores() -> Vec<TestStore> {
    StoreKind::ALL
        .into_iter()
        .filter_map(TestStore::new)
        .collect()
}

impl TestStore {
    /// `None` where the store is left out by name.
    pub(crate) fn new(kind: StoreKind) -> Option<Self> {
        let Server {
            endpoint,
            access_key,
            secret_key,
        } = server(kind)?;
        Some(Self {
            kind,
            endpoint,
            access_key,
            secret_key,
            via: "upload",
            home: new_home(),
        })
    }

    /// The same store, where new content goes to the backup target in this way.
    pub(crate) fn via(self, via: &'static str) -> Self {
        Self { via, ..self }
    }

    /// The same store seen from a fresh machine: no state, no configuration.
    pub(crate) fn fresh_machine(&self) -> Self {
        Self {
            home: new_home(),
            ..self.clone()
        }
    }

    /// The same store with other credentials, from a fresh machine.
    pub(crate) fn with_keys(&self, access_key: &str, secret_key: &str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            ..self.fresh_machine()
        }
    }

    /// The same store under another address, seen from the same machine.
    pub(crate) fn through(&self, endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            ..self.clone()
        }
    }

    /// The home folder of [`Self::tidelock`].
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A client of the test's own: path style, checksums only where the test names them.
    pub(crate) fn client(&self) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(REGION))
            .endpoint_url(&self.endpoint)
            .force_path_style(true)
            .credentials_provider(Credentials::new(
                &self.access_key,
                &self.secret_key,
                None,
                None,
                "test",
            ))
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Client::from_conf(config)
    }

    /// A new bucket under a name that no other test has. It stays: its server goes when the tests are done.
    pub(crate) async fn bucket(&self, lock: Lock) -> String {
        let name = unique_name();
        self.client()
            .create_bucket()
            .bucket(&name)
            .object_lock_enabled_for_bucket(lock == Lock::On)
            .send()
            .await
            .unwrap_or_else(|error| panic!("no bucket {name} on {}: {error:?}", self.kind.name()));
        name
    }

    /// `tidelock VERB` as on a machine that has nothing but credentials for this store.
    pub(crate) fn tidelock(&self, verb: &str) -> Command {
        let mut command = self.bare_tidelock();
        command.args([verb, "--endpoint", &self.endpoint, "--path-style"]);
        command
    }

    /// `tidelock` without any argument, for a test that gives them all; the same clean environment.
    pub(crate) fn bare_tidelock(&self) -> Command {
        Command::from_std(self.clean_command(env!("CARGO_BIN_EXE_tidelock")))
    }

    /// As [`Self::tidelock`], for a test that handles the process itself.
    pub(crate) fn std_tidelock(&self, verb: &str) -> std::process::Command {
        let mut command = self.clean_command(env!("CARGO_BIN_EXE_tidelock"));
        command.args([verb, "--endpoint", &self.endpoint, "--path-style"]);
        command
    }

    /// A program in an environment that has nothing but this machine's home and credentials for this store.
    pub(crate) fn clean_command(&self, program: impl AsRef<OsStr>) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("AWS_ACCESS_KEY_ID", &self.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret_key)
            .env("AWS_REGION", REGION)
            .env("TIDELOCK_BACKUP_VIA", self.via)
            // No look for an instance's metadata service, which takes seconds where there is none.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .current_dir(self.home());
        command
    }
}

fn new_home() -> Arc<TempDir> {
    Arc::new(
        tempfile::Builder::new()
            .prefix("tidelock-home-")
            .tempdir()
            .expect("a home folder"),
    )
}

/// Unique on a server that several test processes share, and valid as a bucket's name.
pub(crate) fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_nanos();
    format!(
        "t{}-{}-{}",
        std::process::id(),
        nanos % 1_000_000_000_000_000,
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}
