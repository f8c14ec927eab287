//! Stopping in good order: on a signal, or when the time budget is used up.

use crate::model::{Error, Result};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Why a run is to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// SIGINT or SIGTERM.
    Interrupted,
    /// `--time-budget` is used up.
    TimeBudget,
}

impl Why {
    /// What a command ends with for this reason.
    pub fn error(self) -> Error {
        match self {
            Self::Interrupted => Error::Interrupted,
            Self::TimeBudget => Error::Resumable(
                "the time budget is used up; run the same command again to go on".to_owned(),
            ),
        }
    }
}

/// What is under way when a stop is wished for gets so long to end by itself.
pub const GRACE: Duration = Duration::from_secs(2);

/// A wish to stop, shared by everyone who works. Once requested it stays so.
#[derive(Clone, Debug)]
pub struct Stop {
    sender: std::sync::Arc<watch::Sender<Option<Why>>>,
    deadline: Option<Instant>,
}

impl Default for Stop {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Stop {
    /// Stops by itself after `budget`, if there is one.
    pub fn new(budget: Option<Duration>) -> Self {
        let deadline = budget.and_then(|budget| Instant::now().checked_add(budget));
        Self {
            sender: std::sync::Arc::new(watch::Sender::new(None)),
            deadline,
        }
    }

    /// The same wish with a time budget that begins now; one that ends earlier stands, so that
    /// several libraries share the budget of the command.
    #[must_use]
    pub fn with_budget(self, budget: Option<Duration>) -> Self {
        let deadline = budget.and_then(|budget| Instant::now().checked_add(budget));
        Self {
            deadline: deadline.into_iter().chain(self.deadline).min(),
            ..self
        }
    }

    /// Asks everyone to stop; the first reason stands.
    pub fn request(&self, why: Why) {
        self.sender.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(why);
            first
        });
    }

    /// Whether to stop, and why.
    pub fn requested(&self) -> Option<Why> {
        let late = || {
            self.deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
        };
        let why = *self.sender.borrow();
        why.or_else(|| late().then_some(Why::TimeBudget))
    }

    /// Works until the end, or until [`GRACE`] after a stop was wished for; then `work` is dropped.
    ///
    /// # Errors
    /// The work's; the stop's.
    pub async fn cuts<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let stopped = async {
            let why = self.wait().await;
            tokio::time::sleep(GRACE).await;
            why
        };
        tokio::select! {
            biased;
            ended = work => ended,
            why = stopped => Err(why.error()),
        }
    }

    /// Returns once a stop is requested.
    pub async fn wait(&self) -> Why {
        let mut receiver = self.sender.subscribe();
        let signalled = async {
            match receiver.wait_for(Option::is_some).await.map(|why| *why) {
                Ok(Some(why)) => why,
                // The sender lives as long as `self`; nothing else can end the wait.
                _ => std::future::pending().await,
            }
        };
        match self.deadline {
            None => signalled.await,
            Some(deadline) => tokio::select! {
                why = signalled => why,
                () = tokio::time::sleep_until(deadline.into()) => Why::TimeBudget,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_stands() {
        let stop = Stop::default();
        assert_eq!(stop.requested(), None);
        let waiter = tokio::spawn({
            let stop = stop.clone();
            async move { stop.wait().await }
        });
        stop.request(Why::Interrupted);
        stop.request(Why::TimeBudget);
        assert_eq!(stop.requested(), Some(Why::Interrupted));
        assert_eq!(waiter.await.expect("no panic"), Why::Interrupted);
    }

    #[tokio::test(start_paused = true)]
    async fn f24_work_that_hangs_is_dropped_soon_after_a_stop() {
        let stop = Stop::default();
        stop.request(Why::Interrupted);
        assert_eq!(stop.cuts(async { Ok(7) }).await.expect("in time"), 7);
        let hanging = stop.cuts(std::future::pending::<Result<()>>());
        let ended = tokio::time::timeout(GRACE * 2, hanging).await;
        assert!(matches!(ended, Ok(Err(Error::Interrupted))));
    }

    #[tokio::test]
    async fn a_used_up_budget_is_not_made_longer_by_another() {
        let stop = Stop::new(Some(Duration::ZERO)).with_budget(Some(GRACE * 100));
        assert_eq!(stop.requested(), Some(Why::TimeBudget));
        let stop = Stop::new(Some(GRACE * 100)).with_budget(Some(Duration::ZERO));
        assert_eq!(stop.requested(), Some(Why::TimeBudget));
    }

    #[tokio::test]
    async fn a_used_up_budget_stops() {
        let stop = Stop::new(Some(Duration::ZERO));
        assert_eq!(stop.requested(), Some(Why::TimeBudget));
        assert_eq!(stop.wait().await, Why::TimeBudget);
    }
}
