//! Trying again: the only place that knows the `backoff` crate.

use crate::engine::pace::Pace;
use crate::engine::stop::Stop;
use crate::model::{StoreError, StoreErrorKind, StoreResult};
use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a failing request is tried again before its file is given up.
pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The same before the first write, when a wrong setting is more likely than an outage.
pub const PATIENCE_AT_FIRST: Duration = Duration::from_secs(60);

/// Once a stop is wished for, what has to be done still is tried for so long, without long pauses.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// The longest of those pauses.
const LAST_PAUSE: Duration = Duration::from_millis(300);

/// Damage on the way is rare; what is damaged so often in a row is no accident.
const CHECKSUM_TRIES: u32 = 5;

/// Sends requests at the common pace and tries them again, with growing, jittered pauses.
#[derive(Clone)]
pub struct Retrier {
    pace: Arc<Pace>,
    stop: Stop,
    patience: Duration,
}

impl Retrier {
    /// Gives up after `patience`, or as soon as `stop` is requested.
    pub fn new(pace: Arc<Pace>, stop: Stop, patience: Duration) -> Self {
        Self {
            pace,
            stop,
            patience,
        }
    }

    /// The common pace.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The wish to stop.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// Sends a request that does no harm when it is done twice, until it succeeds, fails for good,
    /// or patience runs out.
    ///
    /// # Errors
    /// The last error.
    pub async fn run<T, F, Fut>(&self, mut request: F) -> StoreResult<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = StoreResult<T>>,
    {
        let mut attempts = self.attempts();
        loop {
            match self.once(request()).await {
                Ok(value) => return Ok(value),
                Err(error) => attempts.pause(error).await?,
            }
        }
    }

    /// Sends a request once, at the common pace.
    ///
    /// # Errors
    /// The store's.
    pub async fn once<T>(&self, request: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
        let permit = self.pace.enter(self.stop.wait()).await;
        let answer = request.await;
        self.pace.learn(&answer);
        drop(permit);
        answer
    }

    /// For requests that need a look between two tries.
    pub fn attempts(&self) -> Attempts<'_> {
        let delays = ExponentialBackoffBuilder::new()
            .with_initial_interval(Duration::from_millis(100))
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            .with_max_interval(Duration::from_secs(20))
            .with_max_elapsed_time(Some(self.patience))
            .build();
        Attempts {
            retrier: self,
            delays,
            failures: 0,
            give_up: None,
        }
    }
}

/// The tries of one request.
pub struct Attempts<'a> {
    retrier: &'a Retrier,
    delays: ExponentialBackoff,
    failures: u32,
    /// Since a stop is wished for.
    give_up: Option<Instant>,
}

impl Attempts<'_> {
    /// Waits before the next try.
    ///
    /// # Errors
    /// `error` itself where another try is of no use, or patience has run out; where a stop is
    /// wished for, that is soon.
    pub async fn pause(&mut self, error: StoreError) -> StoreResult<()> {
        self.failures += 1;
        let damaged_again =
            error.kind == StoreErrorKind::Checksum && self.failures >= CHECKSUM_TRIES;
        if !error.kind.is_transient() || damaged_again {
            return Err(error);
        }
        let Some(delay) = self.delays.next_backoff() else {
            return Err(error);
        };
        tracing::debug!(%error, ?delay, "trying again");
        if error.kind == StoreErrorKind::Unreachable {
            self.retrier.pace.unreachable_for(delay);
        }
        if self.retrier.stop.requested().is_some() {
            let now = Instant::now();
            if now >= *self.give_up.get_or_insert(now + LAST_PATIENCE) {
                return Err(error);
            }
            tokio::time::sleep(delay.min(LAST_PAUSE)).await;
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            _ = self.retrier.stop.wait() => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn error(kind: StoreErrorKind) -> StoreError {
        let (place, message) = ("s3://b".to_owned(), "made up".to_owned());
        StoreError {
            kind,
            operation: "PutObject",
            place,
            message,
        }
    }

    fn retrier() -> Retrier {
        Retrier::new(
            Arc::new(Pace::new(4, None)),
            Stop::default(),
            Duration::from_secs(60),
        )
    }

    async fn tries(kind: StoreErrorKind, failures: u32) -> (StoreResult<()>, u32) {
        let count = Cell::new(0);
        let answer = retrier()
            .run(|| async {
                count.set(count.get() + 1);
                if count.get() <= failures {
                    Err(error(kind))
                } else {
                    Ok(())
                }
            })
            .await;
        (answer, count.get())
    }

    #[tokio::test(start_paused = true)]
    async fn passing_failures_are_tried_again_and_final_ones_are_not() {
        let (answer, count) = tries(StoreErrorKind::Throttled, 3).await;
        assert!(answer.is_ok());
        assert_eq!(count, 4);
        let (answer, count) = tries(StoreErrorKind::Denied, 3).await;
        assert!(answer.is_err());
        assert_eq!(count, 1);
        let (answer, count) = tries(StoreErrorKind::Checksum, 100).await;
        assert!(answer.is_err());
        assert_eq!(count, CHECKSUM_TRIES);
    }

    #[tokio::test(start_paused = true)]
    async fn f24_after_a_stop_a_request_is_tried_for_seconds_only() {
        let begun = Instant::now();
        let retrier = retrier();
        retrier
            .stop()
            .request(crate::engine::stop::Why::Interrupted);
        let answer: StoreResult<()> = retrier
            .run(|| async { Err(error(StoreErrorKind::Unreachable)) })
            .await;
        assert!(answer.is_err());
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "{:?}",
            begun.elapsed()
        );
    }
}
