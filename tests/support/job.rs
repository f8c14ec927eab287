//! The main job as a test runs it: a library, two buckets, the built binary, and what it said.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::bucket::Bucket;
use super::library::Library;
use super::store::{Lock, TestStore};

/// One library with its two targets on one store. `store` is the machine that it runs on.
pub(crate) struct Job {
    pub(crate) store: TestStore,
    pub(crate) library: Library,
    pub(crate) mirror: Bucket,
    pub(crate) vault: Bucket,
}

impl Job {
    /// An empty library and two new buckets.
    pub(crate) async fn new(store: TestStore) -> Self {
        let (mirror, vault) = (store.bucket(Lock::Off).await, store.bucket(Lock::On).await);
        Self {
            mirror: Bucket::new(&store, &mirror),
            vault: Bucket::new(&store, &vault),
            library: Library::new(),
            store,
        }
    }

    pub(crate) fn sync_to(&self) -> String {
        format!("s3://{}/lib", self.mirror.name)
    }

    pub(crate) fn backup_to(&self) -> String {
        format!("s3://{}/lib", self.vault.name)
    }

    /// The same job on a machine that has no state.
    pub(crate) fn elsewhere(self) -> Self {
        Self {
            store: self.store.fresh_machine(),
            ..self
        }
    }

    /// `tidelock VERB --json` for both targets; the library too where the verb takes one.
    pub(crate) fn command(&self, verb: &str) -> Command {
        let mut command = self.store.std_tidelock(verb);
        if ["run", "sync", "backup"].contains(&verb) {
            command.arg(self.library.path());
        }
        command.args(["--json", "--sync-to", &self.sync_to()]);
        command.args(["--backup-to", &self.backup_to()]);
        command
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn tidelock(&self, verb: &str, more: &[&str]) -> Ran {
        let mut command = self.command(verb);
        Ran::of(&command.args(more).output().expect("the binary runs"))
    }

    /// `tidelock run`, which must end with this exit code.
    #[track_caller]
    pub(crate) fn run(&self, exit: i32) -> Ran {
        self.tidelock("run", &[]).ended(exit)
    }

    /// Restores into a new folder, on a machine that knows nothing but the backup target.
    #[track_caller]
    pub(crate) fn restore(&self, more: &[&str]) -> TempDir {
        let to = tempfile::Builder::new()
            .prefix("tidelock-restored-")
            .tempdir()
            .expect("a folder");
        let machine = self.store.fresh_machine();
        let mut command = machine.std_tidelock("restore");
        command.args(["--json", "--backup-to", &self.backup_to(), "--to"]);
        let output = command.arg(to.path()).args(more).output();
        Ran::of(&output.expect("the binary runs")).ended(0);
        to
    }

    /// The manifest's entries of a snapshot, as `ls --json` prints them.
    #[track_caller]
    pub(crate) fn ls(&self, snapshot: &str) -> Vec<Value> {
        let ran = self.tidelock("ls", &["--snapshot", snapshot]).ended(0);
        ran.rows()
    }

    /// The row of the latest snapshot, as `snapshots --json` prints it.
    #[track_caller]
    pub(crate) fn latest(&self) -> Value {
        let rows = self.tidelock("snapshots", &[]).ended(0).rows();
        rows.last().expect("a snapshot").clone()
    }

    /// Forgets all state of this machine.
    pub(crate) fn lose_state(&self) {
        let state = self.store.home().join(".local/state/tidelock");
        std::fs::remove_dir_all(&state).expect("there is a state to lose");
    }
}

/// What a command came to. Made of output that keeps the contract of `--json`, or the test ends.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Option<i32>,
    /// All lines of standard output; the summary is the last.
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn of(output: &Output) -> Self {
        let stdout = String::from_utf8(output.stdout.clone()).expect("UTF-8");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines = stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
            })
            .collect();
        let ran = Self {
            exit: output.status.code(),
            lines,
            stderr,
        };
        let summaries = ran.lines.iter().filter(|line| line["event"] == "summary");
        assert_eq!(summaries.count(), 1, "{ran:?}");
        let last = ran.summary();
        assert_eq!(last["event"], "summary", "it is the last line");
        assert_eq!(last["exit_code"].as_i64(), ran.exit.map(i64::from));
        ran
    }

    #[track_caller]
    pub(crate) fn ended(self, exit: i32) -> Self {
        let events = self.lines.iter().filter(|line| line["event"] != "file");
        let events: Vec<String> = events.map(Value::to_string).collect();
        assert_eq!(
            self.exit,
            Some(exit),
            "{}\n{}",
            events.join("\n"),
            self.stderr
        );
        self
    }

    #[track_caller]
    pub(crate) fn summary(&self) -> &Value {
        self.lines.last().expect("at least the summary")
    }

    /// A number of the summary: `"sync.uploaded"`.
    #[track_caller]
    pub(crate) fn count(&self, name: &str) -> u64 {
        let pointer = format!("/{}", name.replace('.', "/"));
        let found = self.summary().pointer(&pointer).and_then(Value::as_u64);
        found.unwrap_or_else(|| panic!("no {name} in {}", self.summary()))
    }

    /// The numbers of the summary by name, to be compared at once.
    #[track_caller]
    pub(crate) fn assert_counts(&self, expected: &[(&str, u64)]) {
        let found: Vec<_> = expected.iter().map(|(n, _)| (*n, self.count(n))).collect();
        assert_eq!(found, expected, "{}", self.summary());
    }

    /// Nothing was sent, copied, deleted or read, on either target.
    #[track_caller]
    pub(crate) fn assert_idle(&self) {
        self.assert_counts(&[
            ("library.bytes_read", 0),
            ("sync.uploaded", 0),
            ("sync.copied", 0),
            ("sync.deleted", 0),
            ("backup.uploaded", 0),
            ("backup.copied", 0),
        ]);
    }

    /// The id of the snapshot that was committed last.
    #[track_caller]
    pub(crate) fn snapshot(&self) -> String {
        let id = self.summary()["backup"]["snapshot"].as_str();
        id.expect("a snapshot").to_owned()
    }

    /// The paths with this action on that target ("" for none), sorted.
    pub(crate) fn paths(&self, action: &str, target: &str) -> Vec<&str> {
        let files = self.lines.iter().filter(|line| line["event"] == "file");
        let files = files.filter(|line| {
            line["action"] == action && line["target"].as_str().unwrap_or_default() == target
        });
        let mut paths: Vec<&str> = files.filter_map(|line| line["path"].as_str()).collect();
        paths.sort_unstable();
        paths
    }

    /// Rows of `ls`, `snapshots` and the like.
    pub(crate) fn rows(self) -> Vec<Value> {
        let rows = self.lines.into_iter();
        rows.filter(|line| line["event"].is_null()).collect()
    }

    /// The messages of all errors in the summary.
    pub(crate) fn errors(&self) -> String {
        let errors = self.summary()["errors"].as_array();
        let texts = errors.into_iter().flatten();
        let texts = texts.map(|error| format!("{}: {}", error["path"], error["message"]));
        texts.collect::<Vec<_>>().join("\n")
    }

    /// The one-time override that a guard has printed.
    #[track_caller]
    pub(crate) fn printed_override(&self) -> Vec<String> {
        let errors = self.errors();
        let found = errors.split_once("--max-delete ");
        let (_, rest) = found.unwrap_or_else(|| panic!("no override in {errors:?}"));
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        vec!["--max-delete".to_owned(), number]
    }
}

/// All regular files below a folder: their number and their bytes. Hard links count each.
pub(crate) fn files_and_bytes(folder: &Path) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let metadata = entry.path().symlink_metadata().expect("its metadata");
        if metadata.is_dir() {
            let (files, bytes) = files_and_bytes(&entry.path());
            sum = (sum.0 + files, sum.1 + bytes);
        } else if metadata.is_file() {
            sum = (sum.0 + 1, sum.1 + metadata.len());
        }
    }
    sum
}

/// Everything that a command line can hold, borrowed.
pub(crate) fn borrowed<S: AsRef<OsStr> + AsRef<str>>(arguments: &[S]) -> Vec<&str> {
    arguments.iter().map(AsRef::as_ref).collect()
}
