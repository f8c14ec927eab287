//! Standard output and standard error of one invocation, as all its libraries share them.

use super::Mode;
use super::out::{Out, Shared, lock};
use super::pager::{Paged, Pager};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Both streams.
pub struct Screen {
    pub(super) out: Shared,
    pub(super) err: Shared,
    /// Set as long as a pager has the terminal: nothing else is drawn there.
    pub(super) is_paging: Arc<AtomicBool>,
}

impl Screen {
    /// The process's streams. What becomes longer than the terminal goes through the pager, if one
    /// is given and standard output is a terminal.
    pub fn new(mode: &Mode, pager: Option<Pager>) -> Self {
        let is_paging = Arc::<AtomicBool>::default();
        let is_terminal = mode.look.columns.is_some() && !mode.json;
        let out = match pager.filter(|_| is_terminal) {
            Some(pager) => Out::paged(Paged::new(pager, mode.look, Arc::clone(&is_paging))),
            None => Out::new(io::stdout()),
        };
        let err = Patient {
            held: Vec::new(),
            is_paging: Arc::clone(&is_paging),
        };
        Self {
            out: out.shared(),
            err: Out::new(err).shared(),
            is_paging,
        }
    }

    /// Ends the output: returns when the pager has been left, and then shows what it was in the way
    /// of.
    pub fn end(&self) {
        lock(&self.out).end();
        lock(&self.err).flush();
    }
}

/// Standard error, which waits as long as a pager has the terminal.
struct Patient {
    held: Vec<u8>,
    is_paging: Arc<AtomicBool>,
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_paging.load(Ordering::Acquire) {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        io::stderr().write_all(&held)
    }
}
