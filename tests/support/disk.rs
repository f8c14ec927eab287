//! A small disk: a file system of its own for one process and its children, so that nothing is left behind.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use super::job::Ran;
use super::nobody::is_root;
use super::store::TestStore;

/// Runs the command, makes the disk large, and runs it again. What is on the disk is copied aside after each.
const TWICE: &str = r#"
    disk=$1 size=$2
    shift 2
    mount -t tmpfs -o "size=$size" none "$disk" || exit 99
    "$@" >first.out 2>first.err
    echo $? >first.code
    cp -a "$disk" first || exit 99
    mount -o remount,size=64m "$disk" || exit 99
    "$@" >second.out 2>second.err
    echo $? >second.code
    cp -a "$disk" second || exit 99
"#;

/// What came of a command that was run on a disk that is too small, and again once it was not.
pub(crate) struct OnSmallDisk {
    folder: PathBuf,
}

impl OnSmallDisk {
    /// Runs `tidelock …` with the disk, of so many bytes, mounted at `disk`.
    #[track_caller]
    pub(crate) fn run(store: &TestStore, disk: &Path, size: u64, tidelock: &Command) -> Self {
        fs::create_dir_all(disk).expect("a mount point");
        let mut command = store.clean_command("unshare");
        if !is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "sh", "-c", TWICE, "sh"]);
        command.arg(disk).arg(size.to_string());
        command
            .arg(tidelock.get_program())
            .args(tidelock.get_args());
        let status = command.status().expect("unshare runs");
        assert!(
            status.success(),
            "no file system of one's own here: {status}"
        );
        Self {
            folder: store.home().to_owned(),
        }
    }

    /// The first or the second run.
    #[track_caller]
    pub(crate) fn ran(&self, which: &str) -> Ran {
        let read = |ending: &str| {
            let path = self.folder.join(format!("{which}.{ending}"));
            fs::read(path).expect("what it said")
        };
        let code = String::from_utf8(read("code")).expect("a number");
        let code: i32 = code.trim().parse().expect("a number");
        assert!(code < 126, "{which}: killed");
        let ran = Ran::of(&Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: read("out"),
            stderr: read("err"),
        });
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ran
    }

    /// What the disk held after it.
    pub(crate) fn disk(&self, which: &str) -> PathBuf {
        self.folder.join(which)
    }
}
