//! Running as a user for whom permissions mean something: to root nothing is unreadable.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::job::Job;

/// Whoever owns nothing else.
const NOBODY: u32 = 65_534;

/// Another user's copy of the program; under a plain user, this user's own.
pub(crate) struct Nobody {
    bin: TempDir,
}

impl Nobody {
    /// Hands library and home over to them.
    pub(crate) fn of(job: &Job) -> Self {
        let bin = tempfile::tempdir().expect("a folder");
        let copy = bin.path().join("tidelock");
        // By another process: a test that forks while this one has the copy open for writing would
        // make it "text file busy".
        let copied = Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_tidelock"))
            .arg(&copy)
            .status();
        assert!(copied.expect("cp runs").success(), "no copy of the program");
        fs::set_permissions(bin.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
        let nobody = Self { bin };
        nobody.owns(job.library.path());
        nobody.owns(job.store.home());
        nobody
    }

    /// `tidelock VERB --json …` as that user.
    pub(crate) fn command(&self, job: &Job, verb: &str) -> Command {
        let program = self.bin.path().join("tidelock");
        let plain = job.command(verb);
        let mut arguments: Vec<OsString> = Vec::new();
        if is_root() {
            let id = NOBODY.to_string();
            let drop = ["--reuid", &id, "--regid", &id, "--clear-groups"];
            arguments.extend(drop.map(OsString::from));
            arguments.push(program.into());
            arguments.extend(plain.get_args().map(OsString::from));
            let mut command = job.store.clean_command("setpriv");
            command.args(arguments);
            return command;
        }
        let mut command = job.store.clean_command(program);
        command.args(plain.get_args());
        command
    }

    /// Gives a folder, with all that is in it, to that user.
    pub(crate) fn owns(&self, path: &Path) {
        if !is_root() {
            return;
        }
        lchown(path, Some(NOBODY), Some(NOBODY)).expect("another owner");
        if path.symlink_metadata().expect("its metadata").is_dir() {
            for entry in fs::read_dir(path).expect("a folder") {
                self.owns(&entry.expect("an entry").path());
            }
        }
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
