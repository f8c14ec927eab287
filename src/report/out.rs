//! Output that may be closed at any time.

use super::pager::Paged;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A stream of lines. The first failing write ends it: whoever read it has gone away, which is
/// no reason to stop a run.
pub(super) struct Out {
    writer: BufWriter<Sink>,
    closed: bool,
}

/// One stream, several writers of whole lines.
pub(super) type Shared = Arc<Mutex<Out>>;

/// Where the lines go.
enum Sink {
    Plain(Box<dyn Write + Send>),
    Paged(Paged),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Paged(paged) => paged.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(writer) => writer.flush(),
            Self::Paged(paged) => paged.flush(),
        }
    }
}

impl Out {
    pub(super) fn new(writer: impl Write + Send + 'static) -> Self {
        Self::on(Sink::Plain(Box::new(writer)))
    }

    pub(super) fn paged(paged: Paged) -> Self {
        Self::on(Sink::Paged(paged))
    }

    fn on(sink: Sink) -> Self {
        Self {
            writer: BufWriter::new(sink),
            closed: false,
        }
    }

    pub(super) fn shared(self) -> Shared {
        Arc::new(Mutex::new(self))
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

    /// All has been written; returns when a pager has been left.
    pub(super) fn end(&mut self) {
        self.flush();
        if let Sink::Paged(paged) = self.writer.get_mut() {
            // Who has closed the output does not read this either.
            let _ = paged.end();
        }
        self.closed = true;
    }
}

/// Locks a stream; one that panicked while it wrote has at worst written half a line.
pub(super) fn lock(shared: &Shared) -> MutexGuard<'_, Out> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
