//! Output that may be closed at any time.

use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A stream of lines. The first failing write ends it: whoever read it has gone away, which is
/// no reason to stop a run.
pub(super) struct Out {
    writer: BufWriter<Box<dyn Write + Send>>,
    closed: bool,
}

/// One stream, several writers of whole lines.
pub(super) type Shared = Arc<Mutex<Out>>;

impl Out {
    pub(super) fn new(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: BufWriter::new(Box::new(writer)),
            closed: false,
        }
    }

    pub(super) fn shared(writer: impl Write + Send + 'static) -> Shared {
        Arc::new(Mutex::new(Self::new(writer)))
    }

    pub(super) fn line(&mut self, line: &str) {
        if !self.closed {
            self.closed = writeln!(self.writer, "{line}").is_err();
        }
    }

    pub(super) fn flush(&mut self) {
        if !self.closed {
            self.closed = self.writer.flush().is_err();
        }
    }

    /// Whether anybody still reads, as far as it is known.
    pub(super) fn is_open(&self) -> bool {
        !self.closed
    }
}

/// Locks a stream; one that panicked while it wrote has at worst written half a line.
pub(super) fn lock(shared: &Shared) -> MutexGuard<'_, Out> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
