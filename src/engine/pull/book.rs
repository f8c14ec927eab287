//! Notes of what was pulled, written many at a time. What a crash loses of them costs a look at
//! the checksums of a few files in the next pull, and nothing else.

use crate::model::{RelPath, Result};
use crate::state::{PullState, Pulled};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many notes wait at most.
const BATCH: usize = 256;

/// Where all that work write down what they did. Its methods may touch the disk.
#[derive(Debug)]
pub(super) struct Book(Mutex<Pages>);

#[derive(Debug)]
struct Pages {
    /// None in a dry run.
    state: Option<PullState>,
    files: Vec<Pulled>,
    gone: Vec<RelPath>,
}

impl Book {
    pub(super) fn new(state: Option<PullState>) -> Self {
        Self(Mutex::new(Pages {
            state,
            files: Vec::new(),
            gone: Vec::new(),
        }))
    }

    /// A file is as it is described.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn note(&self, file: Pulled) -> Result<()> {
        let mut pages = self.pages();
        pages.files.push(file);
        pages.flush_if_full()
    }

    /// A path is none of the pull's any more.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn forget(&self, path: RelPath) -> Result<()> {
        let mut pages = self.pages();
        pages.gone.push(path);
        pages.flush_if_full()
    }

    /// Writes what waits; where `settled`, also that a pull has ended well.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn close(&self, settled: bool) -> Result<()> {
        let mut pages = self.pages();
        pages.flush()?;
        match &mut pages.state {
            Some(state) if settled => state.set_settled(),
            _ => Ok(()),
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn flush_if_full(&mut self) -> Result<()> {
        if self.files.len() + self.gone.len() < BATCH {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        let (files, gone) = (
            std::mem::take(&mut self.files),
            std::mem::take(&mut self.gone),
        );
        match &mut self.state {
            Some(state) if !files.is_empty() || !gone.is_empty() => state.note(&files, &gone),
            _ => Ok(()),
        }
    }
}
