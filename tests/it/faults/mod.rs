//! What can go wrong between here and the store, made by the fault proxy before the real ones.

mod bytes;
mod campaign;
mod listings;
mod outages;
mod outcomes;
mod refusals;
mod running;
mod sessions;
mod stopping;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{Library, Lock, Proxy, TestStore, assert_same_tree};

/// A library, two buckets, and the proxy between.
struct Case {
    /// The store through the proxy.
    store: TestStore,
    /// The store itself.
    direct: TestStore,
    proxy: Proxy,
    library: Library,
    sync: String,
    vault: String,
}

/// How a command ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    summary: Value,
    stderr: String,
}

/// Larger than one part.
const VIDEO: usize = (8 << 20) + 70_000;

impl Case {
    /// Two small files and one of two parts, not stored yet.
    async fn new(store: TestStore, seed: u64) -> Self {
        let library = Library::new();
        library.file("2024/a.jpg", 3_000);
        library.file("notes.txt", 17);
        library.file("video.mp4", VIDEO);
        Self::with(store, seed, library).await
    }

    async fn with(store: TestStore, seed: u64, library: Library) -> Self {
        let (sync, vault) = (store.bucket(Lock::Off).await, store.bucket(Lock::On).await);
        let proxy = Proxy::new(&store, seed);
        Self {
            store: proxy.store(&store),
            direct: store,
            proxy,
            library,
            sync,
            vault,
        }
    }

    /// A command with these targets, except for what `more` says itself.
    fn process(&self, verb: &str, more: &[&str]) -> std::process::Command {
        let mut command = self.store.clean_command(env!("CARGO_BIN_EXE_tidelock"));
        command.args([verb, "--json", "--path-style"]);
        let sync = format!("s3://{}/library", self.sync);
        let backup = format!("s3://{}/library", self.vault);
        for (flag, value) in [
            ("--endpoint", &self.store.endpoint),
            ("--sync-to", &sync),
            ("--backup-to", &backup),
        ] {
            let takes_part = flag != "--sync-to" || verb == "run";
            if takes_part && !more.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command.args(more);
        command
    }

    fn run(&self, more: &[&str]) -> Ran {
        let mut command = self.process("run", more);
        command.arg(self.library.path());
        Ran::of(command)
    }

    /// A run without any fault, from this machine on.
    #[track_caller]
    fn run_clean(&self) -> Ran {
        let ran = self.run(&[]);
        ran.ends(0);
        ran
    }

    fn restore(&self, more: &[&str]) -> (Ran, PathBuf, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("restored");
        let mut command = self.process("restore", more);
        command.arg("--to").arg(&to);
        (Ran::of(command), to, folder)
    }

    /// All of it is there and restorable, nothing is locked twice, nothing is left unfinished.
    async fn assert_converged(&self) {
        self.assert_restorable();
        self.assert_mirrored().await;
        self.assert_nothing_twice().await;
        self.assert_nothing_unfinished().await;
    }

    #[track_caller]
    fn assert_restorable(&self) {
        let (ran, to, _folder) = self.restore(&[]);
        ran.ends(0);
        assert_same_tree(self.library.path(), &to);
    }

    async fn assert_mirrored(&self) {
        let client = self.direct.client();
        let listed = client
            .list_objects_v2()
            .bucket(&self.sync)
            .send()
            .await
            .unwrap();
        let mut found = HashMap::new();
        for object in listed.contents() {
            let key = object.key().unwrap();
            let got = client
                .get_object()
                .bucket(&self.sync)
                .key(key)
                .send()
                .await
                .unwrap();
            let body = got.body.collect().await.unwrap().to_vec();
            let path = key.strip_prefix("library/").unwrap().to_owned();
            found.insert(path, blake3::hash(&body));
        }
        let expected: HashMap<_, _> = self
            .paths()
            .into_iter()
            .map(|path| {
                let bytes = std::fs::read(self.library.at(&path)).unwrap();
                (path, blake3::hash(&bytes))
            })
            .collect();
        assert_eq!(found, expected, "the mirror is not the library");
    }

    /// Contents of the vault's file versions, with how many versions each has.
    async fn versions(&self) -> HashMap<blake3::Hash, Vec<String>> {
        let client = self.direct.client();
        let listed = client
            .list_object_versions()
            .bucket(&self.vault)
            .prefix("library/files/")
            .send()
            .await
            .unwrap();
        let mut contents: HashMap<_, Vec<String>> = HashMap::new();
        for version in listed.versions() {
            let key = version.key().unwrap();
            let got = client
                .get_object()
                .bucket(&self.vault)
                .key(key)
                .version_id(version.version_id().unwrap())
                .send()
                .await
                .unwrap();
            let body = got.body.collect().await.unwrap().to_vec();
            contents
                .entry(blake3::hash(&body))
                .or_default()
                .push(key.to_owned());
        }
        contents
    }

    async fn assert_nothing_twice(&self) {
        for (_, keys) in self.versions().await {
            assert_eq!(keys.len(), 1, "locked more than once: {keys:?}");
        }
    }

    async fn assert_nothing_unfinished(&self) {
        let client = self.direct.client();
        for path in self.paths() {
            for (bucket, base) in [(&self.sync, "library/"), (&self.vault, "library/files/")] {
                let key = format!("{base}{path}");
                let uploads = client.list_multipart_uploads().bucket(bucket).prefix(&key);
                let uploads = uploads.send().await.unwrap();
                assert!(
                    uploads.uploads().is_empty(),
                    "left unfinished: {:?}",
                    uploads.uploads()
                );
            }
        }
    }

    /// The library's files.
    fn paths(&self) -> Vec<String> {
        let mut folders = vec![self.library.path().to_owned()];
        let mut paths = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let path = path.strip_prefix(self.library.path()).unwrap();
                    paths.push(path.to_str().unwrap().to_owned());
                }
            }
        }
        paths
    }
}

impl Ran {
    fn of(command: std::process::Command) -> Self {
        let mut command = Command::from_std(command);
        let output = command.timeout(Duration::from_secs(600)).output().unwrap();
        Self::read(output.status.code(), &output.stdout, &output.stderr)
    }

    /// The summary is the last line in any case.
    fn read(code: Option<i32>, stdout: &[u8], stderr: &[u8]) -> Self {
        let stdout = String::from_utf8_lossy(stdout);
        let stderr = String::from_utf8_lossy(stderr).into_owned();
        let last = stdout.lines().last().unwrap_or_default();
        let summary: Value = serde_json::from_str(last).unwrap_or_default();
        let code = code.unwrap_or_else(|| panic!("killed: {stderr}"));
        assert_eq!(summary["event"], "summary", "{stdout}\n{stderr}");
        assert_eq!(summary["exit_code"], code, "{summary}");
        Self {
            code,
            summary,
            stderr,
        }
    }

    #[track_caller]
    fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}\n{}", self.summary, self.stderr);
        self
    }

    fn requests(&self, side: &str, operation: &str) -> u64 {
        self.summary[side]["requests"][operation]
            .as_u64()
            .unwrap_or(0)
    }

    fn count(&self, side: &str, name: &str) -> u64 {
        self.summary[side][name].as_u64().unwrap_or(0)
    }
}
