//! A pager for what is longer than the terminal.
//!
//! Lines are held until there are more than the terminal has room for. Then a pager is started and
//! gets them all; what stays shorter is printed as it is. Whoever leaves the pager closes the
//! output, which is no error.

use super::look::Look;
use super::width::width;
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What `less` gets unless the variable LESS says otherwise: end at once where all fits, keep
/// colours, leave the text on the screen.
const LESS: &str = "FRX";
/// A shell is needed for what has any of these.
const FOR_A_SHELL: &str = "|&;<>()$`\\\"'*?[#~=%";

/// Which pager, as the environment says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pager {
    command: String,
    less: &'static str,
}

impl Pager {
    /// By the variables PAGER and LESS. None where PAGER is empty or `cat`: then nothing is paged.
    pub fn of(pager: Option<&str>, less: Option<&str>) -> Option<Self> {
        let command = pager.unwrap_or("less").trim();
        let wished = !command.is_empty() && command != "cat";
        wished.then(|| Self {
            command: command.to_owned(),
            less: if less.is_none() { LESS } else { "" },
        })
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = if self.command.contains(|c| FOR_A_SHELL.contains(c)) {
            let mut shell = Command::new("sh");
            shell.args(["-c", &self.command]);
            shell
        } else {
            let mut words = self.command.split_whitespace();
            let mut command = Command::new(words.next().unwrap_or_default());
            command.args(words);
            command
        };
        if !self.less.is_empty() {
            command.env("LESS", self.less);
        }
        command.stdin(Stdio::piped()).spawn()
    }
}

/// Standard output, through a pager if it becomes long.
pub(super) struct Paged {
    pager: Pager,
    look: Look,
    state: State,
    /// Lines of the terminal that are taken so far.
    taken: usize,
    /// Set as long as the pager has the terminal.
    is_paging: Arc<AtomicBool>,
}

enum State {
    Held(Vec<u8>),
    Direct(io::Stdout),
    Piped(Child),
    Ended,
}

impl Paged {
    pub(super) fn new(pager: Pager, look: Look, is_paging: Arc<AtomicBool>) -> Self {
        Self {
            pager,
            look,
            state: State::Held(Vec::new()),
            taken: 0,
            is_paging,
        }
    }

    /// Prints what is held, or waits until the reader has left the pager.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Held(held) => {
                let mut out = io::stdout();
                out.write_all(&held).and_then(|()| out.flush())
            }
            State::Direct(mut out) => out.flush(),
            State::Piped(mut child) => {
                drop(child.stdin.take());
                let ended = child.wait();
                self.is_paging.store(false, Ordering::Release);
                // What a shell says of what it can't find or can't run.
                if matches!(ended?.code(), Some(126 | 127)) {
                    let command = &self.pager.command;
                    tracing::warn!("the pager {command:?} can't be run; --no-pager goes without");
                }
                Ok(())
            }
            State::Ended => Ok(()),
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        let columns = self.look.columns.unwrap_or(usize::MAX);
        let text = String::from_utf8_lossy(bytes);
        for line in text.split_inclusive('\n') {
            self.taken += width(&without_colours(line)).div_ceil(columns).max(1);
        }
    }

    /// The pager gets what was held; where it can't be started, standard output does.
    fn begin(&mut self, held: &[u8]) -> io::Result<()> {
        self.is_paging.store(true, Ordering::Release);
        match self.pager.start() {
            Ok(child) => self.state = State::Piped(child),
            Err(error) => {
                self.is_paging.store(false, Ordering::Release);
                tracing::warn!(
                    "the pager {:?} can't be started: {error}",
                    self.pager.command
                );
                self.state = State::Direct(io::stdout());
            }
        }
        self.write_all(held)
    }
}

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::Held(held) => {
                held.extend_from_slice(bytes);
                self.count(bytes);
                // The prompt of the shell takes a line, too.
                let is_long = self.look.lines.is_some_and(|lines| self.taken + 1 > lines);
                if is_long
                    && let State::Held(held) = std::mem::replace(&mut self.state, State::Ended)
                {
                    self.begin(&held)?;
                }
                Ok(bytes.len())
            }
            State::Direct(out) => out.write(bytes),
            State::Piped(child) => match &mut child.stdin {
                Some(input) => input.write(bytes),
                None => Err(io::ErrorKind::BrokenPipe.into()),
            },
            State::Ended => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Direct(out) => out.flush(),
            _ => Ok(()),
        }
    }
}

/// A line without what paints it.
fn without_colours(line: &str) -> String {
    let mut bare = String::new();
    let mut rest = line.trim_end_matches('\n');
    while let Some((before, painted)) = rest.split_once('\u{1b}') {
        bare.push_str(before);
        rest = painted.split_once('m').map_or("", |(_, rest)| rest);
    }
    bare.push_str(rest);
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_the_pager_and_its_options() {
        let less = |pager: &Pager| pager.less;
        assert_eq!(Pager::of(None, None).as_ref().map(less), Some("FRX"));
        assert_eq!(Pager::of(None, Some("S")).as_ref().map(less), Some(""));
        assert_eq!(Pager::of(Some("most"), None).unwrap().command, "most");
        for none in ["", " ", "cat"] {
            assert_eq!(Pager::of(Some(none), None), None);
        }
    }

    #[test]
    fn only_what_is_longer_than_the_terminal_is_paged() {
        let look = Look {
            columns: Some(20),
            lines: Some(5),
            colour: false,
        };
        let pager = Pager::of(Some("/no/such/pager"), None).unwrap();
        let mut paged = Paged::new(pager, look, Arc::default());
        paged.write_all(b"1\n2\n").unwrap();
        paged
            .write_all("\u{1b}[31m45678901234567890\u{1b}[0m\n".as_bytes())
            .unwrap();
        assert!(
            matches!(paged.state, State::Held(_)),
            "three lines, and one for the prompt"
        );
        paged.write_all(b"a line that wraps around\n").unwrap();
        assert!(
            matches!(paged.state, State::Direct(_)),
            "there is no such pager"
        );
    }
}
