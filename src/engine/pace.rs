//! How many requests may be in flight, shared by all workers and both targets.

use crate::model::{StoreErrorKind, StoreResult};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bandwidth is counted in units of this many bytes, so that rates fit the limiter's 32 bits.
const UNIT: u64 = 256;

/// After SlowDown nobody sends for this long; meanwhile a store's limiter recovers.
const BREATHER: Duration = Duration::from_millis(500);

/// Two halvings within this time are one: the requests in flight all tell of the same overload.
const HALVE_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Requests in flight and bytes a second, for everyone together.
///
/// Additive increase, multiplicative decrease (Chiu and Jain, 1989), as TCP does it: a SlowDown
/// halves the requests in flight, a whole window of successes allows one more, up to the limit.
pub struct Pace {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
    bandwidth: Option<(DefaultDirectRateLimiter, NonZeroU32)>,
}

struct State {
    most: usize,
    limit: usize,
    /// Permits to withhold when they come back.
    debt: usize,
    successes: usize,
    halved: Option<Instant>,
    not_before: Option<Instant>,
}

/// The right to have one request in flight.
pub struct Permit<'a> {
    pace: &'a Pace,
    permit: Option<OwnedSemaphorePermit>,
}

impl Pace {
    /// At most `transfers` requests in flight (at least one), and `bwlimit` bytes a second.
    pub fn new(transfers: usize, bwlimit: Option<u64>) -> Self {
        let most = transfers.max(1);
        let bandwidth = bwlimit.map(|rate| {
            let units = u32::try_from((rate / UNIT).max(1)).unwrap_or(u32::MAX);
            let units = NonZeroU32::new(units).unwrap_or(NonZeroU32::MIN);
            (RateLimiter::direct(Quota::per_second(units)), units)
        });
        let state = State {
            most,
            limit: most,
            debt: 0,
            successes: 0,
            halved: None,
            not_before: None,
        };
        Self {
            permits: Arc::new(Semaphore::new(most)),
            state: Mutex::new(state),
            bandwidth,
        }
    }

    /// Waits for the right to send a request.
    pub async fn enter(&self) -> Permit<'_> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        loop {
            let not_before = self.state().not_before;
            match not_before {
                Some(time) if time > Instant::now() => tokio::time::sleep_until(time.into()).await,
                _ => return Permit { pace: self, permit },
            }
        }
    }

    /// Waits until `bytes` more may be moved.
    pub async fn bandwidth(&self, bytes: u64) {
        let Some((limiter, burst)) = &self.bandwidth else {
            return;
        };
        let mut units = bytes.div_ceil(UNIT);
        while units > 0 {
            let now = u32::try_from(units).unwrap_or(u32::MAX).min(burst.get());
            units -= u64::from(now);
            if let Some(now) = NonZeroU32::new(now) {
                // Can't fail: `now` is no more than the burst.
                let _ = limiter.until_n_ready(now).await;
            }
        }
    }

    /// Learns from an answer.
    pub fn learn<T>(&self, answer: &StoreResult<T>) {
        match answer {
            Ok(_) => self.succeeded(),
            Err(error) if error.kind == StoreErrorKind::Throttled => self.throttled(),
            Err(_) => {}
        }
    }

    /// Holds everyone back until `time`: one outage is waited for once, not by each for itself.
    pub fn pause_until(&self, time: Instant) {
        let mut state = self.state();
        state.not_before = state.not_before.max(Some(time));
    }

    /// Requests that may be in flight at the moment.
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    fn throttled(&self) {
        let now = Instant::now();
        let mut state = self.state();
        state.not_before = state.not_before.max(Some(now + BREATHER));
        state.successes = 0;
        if state
            .halved
            .is_some_and(|halved| now < halved + HALVE_AGAIN_AFTER)
        {
            return;
        }
        state.halved = Some(now);
        let lower = (state.limit / 2).max(1);
        let withhold = state.limit - lower;
        state.limit = lower;
        let taken = self.permits.forget_permits(withhold);
        state.debt += withhold - taken;
        tracing::info!(in_flight = lower, "the store asks to slow down");
    }

    fn succeeded(&self) {
        let mut state = self.state();
        if state.limit == state.most {
            return;
        }
        state.successes += 1;
        if state.successes >= state.limit {
            state.successes = 0;
            state.limit += 1;
            if state.debt > 0 {
                state.debt -= 1;
            } else {
                self.permits.add_permits(1);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.state();
        if state.debt > 0 {
            state.debt -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StoreError;

    fn slow_down() -> StoreResult<()> {
        let message = "SlowDown".to_owned();
        let place = "s3://b".to_owned();
        Err(StoreError {
            kind: StoreErrorKind::Throttled,
            operation: "PutObject",
            place,
            message,
        })
    }

    #[tokio::test]
    async fn a_slow_down_halves_once_and_successes_raise_again() {
        let pace = Pace::new(8, None);
        let held = pace.enter().await;
        pace.learn(&slow_down());
        pace.learn(&slow_down());
        assert_eq!(pace.limit(), 4);
        drop(held);
        assert_eq!(pace.permits.available_permits(), 4);
        for _ in 0..4 {
            pace.learn(&Ok(()));
        }
        assert_eq!(pace.limit(), 5);
        assert_eq!(pace.permits.available_permits(), 5);
    }

    #[tokio::test]
    async fn permits_in_flight_are_withheld_when_they_come_back() {
        let pace = Pace::new(4, None);
        let held = [
            pace.enter().await,
            pace.enter().await,
            pace.enter().await,
            pace.enter().await,
        ];
        pace.learn(&slow_down());
        assert_eq!(pace.limit(), 2);
        drop(held);
        assert_eq!(pace.permits.available_permits(), 2);
    }

    #[tokio::test]
    async fn bandwidth_admits_more_than_a_second_of_bytes_in_pieces() {
        let pace = Pace::new(1, Some(1 << 30));
        pace.bandwidth(3 << 20).await;
        assert_eq!(pace.limit(), 1);
    }
}
