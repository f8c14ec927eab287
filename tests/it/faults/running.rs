//! Commands that are watched while they run.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Case, Ran};

/// Nothing that is waited for takes longer.
const LONGEST: Duration = Duration::from_secs(120);

/// A command under way; its output goes to files, so that it never waits for a reader.
pub(super) struct Running {
    pub(super) child: Child,
    output: TempDir,
}

impl Running {
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn stderr(&self) -> String {
        std::fs::read_to_string(self.output.path().join("stderr")).unwrap()
    }

    /// Waits for its end.
    pub(super) fn end(mut self) -> Ran {
        let status = self.child.wait().unwrap();
        let stdout = std::fs::read(self.output.path().join("stdout")).unwrap();
        Ran::read(status.code(), &stdout, self.stderr().as_bytes())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed meanwhile leaves nothing running; one that ended is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Case {
    pub(super) fn start(&self, more: &[&str]) -> Running {
        let mut command = self.process("run", more);
        command.arg(self.library.path());
        self.start_this(command)
    }

    pub(super) fn start_this(&self, mut command: Command) -> Running {
        let output = TempDir::new().unwrap();
        let file = |name: &str| File::create(output.path().join(name)).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Running { child, output }
    }

    /// A run, and what is done meanwhile.
    pub(super) fn while_running(&self, more: &[&str], act: impl FnOnce(&Self, u32)) -> Ran {
        let running = self.start(more);
        act(self, running.id());
        running.end()
    }

    /// Waits for what another process or the proxy does.
    #[track_caller]
    pub(super) fn until(&self, happened: impl Fn() -> bool) {
        let begun = Instant::now();
        while !happened() {
            assert!(begun.elapsed() < LONGEST, "it never happened");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
