//! Pull by the built binary: the mirror on a second machine.

mod doubt;
mod edits;
mod first;
mod renamed;
mod stopping;

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Job, Ran, TestStore};

/// A mirror with its library on one machine, and a folder on another.
struct Second {
    job: Job,
    machine: TestStore,
    folder: TempDir,
}

impl Second {
    async fn new(store: TestStore) -> Self {
        let machine = store.fresh_machine();
        let folder = tempfile::Builder::new()
            .prefix("tidelock-pulled-")
            .tempdir()
            .expect("a folder");
        Self {
            job: Job::new(store).await,
            machine,
            folder,
        }
    }

    fn to(&self) -> PathBuf {
        self.folder.path().join("Pictures")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.to().join(path)
    }

    /// Brings the mirror to what the library is; deletes are meant.
    #[track_caller]
    fn publish(&self) {
        let mut command = self.job.store.std_tidelock("sync");
        command.arg(self.job.library.path());
        command.args(["--json", "--max-delete", "1000", "--max-change", "1000"]);
        command.args(["--sync-to", &self.job.sync_to()]);
        Ran::of(&command.output().expect("the binary runs")).ended(0);
    }

    fn command_on(&self, machine: &TestStore, to: &Path) -> Command {
        let mut command = machine.std_tidelock("pull");
        command.args(["--json", "--sync-to", &self.job.sync_to(), "--to"]);
        command.arg(to);
        command
    }

    fn command(&self) -> Command {
        self.command_on(&self.machine, &self.to())
    }

    #[track_caller]
    fn pull_with(&self, more: &[&str]) -> Ran {
        let output = self.command().args(more).output();
        Ran::of(&output.expect("the binary runs"))
    }

    #[track_caller]
    fn pull(&self, exit: i32) -> Ran {
        self.pull_with(&[]).ended(exit)
    }

    fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// All names below the folder, sorted; folders end with a slash.
    fn names(&self) -> Vec<String> {
        fn walk(root: &Path, folder: &Path, names: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let name = path.strip_prefix(root).expect("below it");
                let name = name.to_string_lossy().into_owned();
                if path.symlink_metadata().expect("its metadata").is_dir() {
                    names.push(format!("{name}/"));
                    walk(root, &path, names);
                } else {
                    names.push(name);
                }
            }
        }
        let mut names = Vec::new();
        walk(&self.to(), &self.to(), &mut names);
        names.sort();
        names
    }

    /// Today, as trash and conflict copies have it; the local day may turn while a test runs.
    fn in_trash(&self, path: &str) -> Option<PathBuf> {
        let trash = self.at(".tidelock-trash");
        let days = std::fs::read_dir(trash).ok()?;
        let mut found = days.map(|day| day.expect("a day").path().join(path));
        found.find(|path| path.symlink_metadata().is_ok())
    }

    /// The conflict copies, by name.
    fn conflicts(&self) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| name.contains(" (conflict 20"));
        names
    }
}
