//! Where a person is asked. The thread that shows events has the terminal to itself, so it asks,
//! after it has shown all that was said before.

use super::terminal::{self, Keys};
use crate::model::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// What is done while the terminal is ours.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Somebody to ask, if there is somebody.
#[derive(Clone, Debug)]
pub struct Desk {
    jobs: Option<Sender<Job>>,
    /// No answer is waited for any more.
    gone: Arc<AtomicBool>,
}

impl Desk {
    /// `interactive`: standard input and standard error are terminals, and nobody asked for JSON.
    pub(super) fn new(interactive: bool) -> (Self, Receiver<Job>) {
        let (jobs, waiting) = channel();
        let desk = Self {
            jobs: interactive.then_some(jobs),
            gone: Arc::default(),
        };
        (desk, waiting)
    }

    /// Nobody is there.
    pub fn nobody() -> Self {
        Self::new(false).0
    }

    /// Whether anybody can be asked.
    pub fn is_attended(&self) -> bool {
        self.jobs.is_some()
    }

    /// Asks a question that is answered by yes or no; no is the default.
    ///
    /// # Errors
    /// `Interrupted` by Ctrl-C, and where nobody is there to answer.
    pub async fn confirm(&self, question: String) -> Result<bool> {
        self.with_keys(move |keys| terminal::confirm(&question, keys))
            .await?
    }

    /// Does what needs the keyboard; dropped, it ends at once and gives the terminal back.
    ///
    /// # Errors
    /// `Io` where the terminal can't be set up, `Interrupted` where it went away.
    pub(super) async fn with_keys<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Keys) -> T + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let _leaves = Leaves(Arc::clone(&self.gone));
        self.gone.store(false, Ordering::Release);
        let gone = Arc::clone(&self.gone);
        let job = move || {
            let done = Keys::open(gone).map(|mut keys| work(&mut keys));
            // Nobody waits for it any more: it is dropped.
            let _ = answer.send(done.map_err(Error::io("terminal")));
        };
        let Some(jobs) = &self.jobs else {
            return Err(Error::Interrupted);
        };
        jobs.send(Box::new(job)).map_err(|_| Error::Interrupted)?;
        answered.await.map_err(|_| Error::Interrupted)?
    }
}

/// Tells the thread that reads keys that nobody waits for them any more.
struct Leaves(Arc<AtomicBool>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
