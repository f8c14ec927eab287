//! A command that is watched while it runs, so that a test can interfere at a known point of it.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use super::job::{Job, Ran};

/// A started `tidelock VERB --json`. Killed if the test ends before it does.
pub(crate) struct Running {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    seen: Vec<String>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stderr = child.stderr.take().expect("piped");
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).expect("its log");
            text
        });
        Self {
            stdout: BufReader::new(child.stdout.take().expect("piped")).lines(),
            child,
            seen: Vec::new(),
            stderr: Some(stderr),
        }
    }

    /// Reads on until it says so; a command that ends without is a failure of the test.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, said: impl Fn(&Value) -> bool) -> Value {
        for line in self.stdout.by_ref() {
            let line = line.expect("its output");
            self.seen.push(line.clone());
            let value: Value = serde_json::from_str(&line).expect("JSON Lines");
            if said(&value) {
                return value;
            }
        }
        panic!("it ended before {what}: {:#?}", self.seen);
    }

    /// Until a phase begins: all that was looked at before has been looked at by then.
    #[track_caller]
    pub(crate) fn until_phase(&mut self, phase: &str) {
        self.until(phase, |line| {
            line["event"] == "phase" && line["phase"] == phase
        });
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As a power failure does it.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a signal");
        self.child.wait().expect("it ends");
    }

    #[track_caller]
    pub(crate) fn finish(mut self) -> Ran {
        for line in self.stdout.by_ref() {
            self.seen.push(line.expect("its output"));
        }
        let status = self.child.wait().expect("it ends");
        let stderr = self.stderr.take().expect("not finished yet");
        Ran::of(&Output {
            status,
            stdout: self.seen.join("\n").into_bytes(),
            stderr: stderr.join().expect("its log"),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes a second that make [`SLOW`] take three seconds and more, to each of two targets.
const CRAWL: &str = "1M";

/// Size of a file that holds a run up.
pub(crate) const SLOW: usize = 2 << 20;

impl Job {
    /// A run that takes one file after another, in the order of their paths, and crawls: whatever
    /// comes after a file of [`SLOW`] bytes is reached seconds after the phase `transfer` began.
    #[track_caller]
    pub(crate) fn crawl(&self, verb: &str, more: &[&str]) -> Running {
        let mut command = self.command(verb);
        command.args(["--transfers", "1", "--bwlimit", CRAWL]);
        command.args(more);
        Running::start(command)
    }
}
