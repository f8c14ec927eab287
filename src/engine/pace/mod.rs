//! How many requests may be in flight, shared by all workers and both targets.

mod level;

use crate::model::{RunSettings, StoreErrorKind, StoreResult};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use level::Level;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Bandwidth is counted in units of this many bytes, so that rates fit the limiter's 32 bits.
const UNIT: u64 = 256;

/// After SlowDown nobody sends for this long; meanwhile a store's limiter recovers.
const BREATHER: Duration = Duration::from_millis(500);

/// Two halvings within this time are one: the requests in flight all tell of the same overload.
const HALVE_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Where a pace that finds its own level begins, and how few it may come down to.
const BEGIN: usize = 16;
const LEAST: usize = 2;

/// Requests in flight and bytes a second, for everyone together.
///
/// Where nobody has said how many, the number finds its own level (see [`level`]). Else additive
/// increase, multiplicative decrease (Chiu and Jain, 1989), as TCP does it: a SlowDown
/// halves the requests in flight, a whole window of successes allows one more, up to the limit.
///
/// While no connection can be made, everyone waits for the same moment, and then for the one that
/// tries first: an outage is waited for once, not by each for itself.
pub struct Pace {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
    /// The outage, or a try in it, is over.
    changed: Notify,
    /// Answers so far, refusals included.
    answers: AtomicU64,
    bandwidth: Option<(DefaultDirectRateLimiter, NonZeroU32)>,
}

struct State {
    most: usize,
    level: Option<Level>,
    limit: usize,
    /// Permits to withhold when they come back.
    debt: usize,
    successes: usize,
    halved: Option<Instant>,
    not_before: Option<Instant>,
    outage: Option<Outage>,
}

#[derive(Clone, Copy)]
struct Outage {
    /// When somebody may try again.
    until: Instant,
    /// Somebody does.
    tried: bool,
}

/// The right to have one request in flight.
pub struct Permit<'a> {
    pace: &'a Pace,
    permit: Option<OwnedSemaphorePermit>,
    /// The one request that finds out whether the outage is over.
    tries: bool,
}

impl Pace {
    /// At most `transfers` requests in flight (at least one), and `bwlimit` bytes a second.
    pub fn new(transfers: usize, bwlimit: Option<u64>) -> Self {
        Self::with(transfers.max(1), None, bwlimit)
    }

    /// As a run's settings say: as many as they name, or as many as serve best.
    pub fn of(settings: &RunSettings) -> Self {
        let most = settings.transfers.max(1);
        let level = settings
            .adapt_transfers
            .then(|| Level::new(LEAST, BEGIN, most));
        Self::with(most, level, settings.bwlimit)
    }

    fn with(most: usize, level: Option<Level>, bwlimit: Option<u64>) -> Self {
        let limit = level.as_ref().map_or(most, |_| BEGIN.min(most));
        let bandwidth = bwlimit.map(|rate| {
            let units = u32::try_from((rate / UNIT).max(1)).unwrap_or(u32::MAX);
            let units = NonZeroU32::new(units).unwrap_or(NonZeroU32::MIN);
            (RateLimiter::direct(Quota::per_second(units)), units)
        });
        let state = State {
            most,
            level,
            limit,
            debt: 0,
            successes: 0,
            halved: None,
            not_before: None,
            outage: None,
        };
        Self {
            permits: Arc::new(Semaphore::new(limit)),
            state: Mutex::new(state),
            changed: Notify::new(),
            answers: AtomicU64::new(0),
            bandwidth,
        }
    }

    /// Waits for the right to send a request. Once `impatient` ends, neither a SlowDown nor an
    /// outage is waited for any longer.
    pub async fn enter<T>(&self, impatient: impl Future<Output = T>) -> Permit<'_> {
        let mut permit = Permit {
            pace: self,
            permit: self.acquire().await,
            tries: false,
        };
        tokio::select! {
            biased;
            tries = self.held_back() => permit.tries = tries,
            _ = impatient => {}
        }
        permit
    }

    async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        let permits = Arc::clone(&self.permits);
        let at_once = Arc::clone(&permits).try_acquire_owned().ok();
        if let Some(level) = &mut self.state().level {
            level.begins(at_once.is_none());
        }
        match at_once {
            Some(permit) => Some(permit),
            None => permits.acquire_owned().await.ok(),
        }
    }

    /// Waits while everyone is to wait; whether the caller is the one who tries.
    async fn held_back(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            let now = Instant::now();
            let until = {
                let mut state = self.state();
                let pause = state.not_before.filter(|time| *time > now);
                match (&mut state.outage, pause) {
                    (None, None) => return false,
                    (None, Some(time)) => Some(time),
                    (Some(outage), _) if outage.until > now => Some(outage.until),
                    (Some(outage), _) if outage.tried => None,
                    (Some(outage), _) => {
                        outage.tried = true;
                        return true;
                    }
                }
            };
            match until {
                Some(time) => sleep_until(time).await,
                None => changed.await,
            }
        }
    }

    /// Waits until `bytes` more may be moved. To be called for whatever is moved.
    pub async fn bandwidth(&self, bytes: u64) {
        if let Some(level) = &mut self.state().level {
            level.moves(bytes);
        }
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
        self.answers.fetch_add(1, Ordering::Relaxed);
        match answer {
            Ok(_) => self.succeeded(),
            Err(error) if error.kind == StoreErrorKind::Throttled => self.throttled(),
            Err(_) => {}
        }
        let unreachable = matches!(answer, Err(error) if error.kind == StoreErrorKind::Unreachable);
        if !unreachable && self.state().outage.take().is_some() {
            tracing::info!("the network is back");
            self.changed.notify_waiters();
        }
    }

    /// No connection could be made: nobody tries again before so much time has passed.
    pub fn unreachable_for(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state();
        if state.outage.is_none() {
            tracing::warn!("no connection can be made; waiting for the network");
        }
        let until = state.outage.map_or(until, |outage| outage.until.max(until));
        state.outage = Some(Outage {
            until,
            tried: false,
        });
        drop(state);
        self.changed.notify_waiters();
    }

    /// How many answers there have been: while it stands still, nothing is heard of a store.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
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
        if let Some(level) = &mut state.level {
            level.lowered(lower);
        }
        self.allow(&mut state, lower);
        tracing::info!(in_flight = lower, "the store asks to slow down");
    }

    fn succeeded(&self) {
        let mut state = self.state();
        if let Some(level) = &mut state.level {
            if let Some(limit) = level.ends(Instant::now()) {
                tracing::debug!(in_flight = limit, "another level");
                self.allow(&mut state, limit);
            }
            return;
        }
        if state.limit == state.most {
            return;
        }
        state.successes += 1;
        if state.successes >= state.limit {
            state.successes = 0;
            let limit = state.limit + 1;
            self.allow(&mut state, limit);
        }
    }

    /// Lets so many be in flight from now on; those that are too many are withheld when they end.
    fn allow(&self, state: &mut State, limit: usize) {
        if limit < state.limit {
            let withhold = state.limit - limit;
            state.debt += withhold - self.permits.forget_permits(withhold);
        } else {
            let more = limit - state.limit;
            let owed = more.min(state.debt);
            state.debt -= owed;
            self.permits.add_permits(more - owed);
        }
        state.limit = limit;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.pace.state();
        if self.tries
            && let Some(outage) = &mut state.outage
        {
            outage.tried = false;
            self.pace.changed.notify_waiters();
        }
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

    fn never() -> std::future::Pending<()> {
        std::future::pending()
    }

    fn unreachable() -> StoreResult<()> {
        slow_down().map_err(|error| StoreError {
            kind: StoreErrorKind::Unreachable,
            ..error
        })
    }

    #[tokio::test(start_paused = true)]
    async fn f37_an_outage_is_waited_for_once_and_tried_by_one() {
        let pace = Arc::new(Pace::new(8, None));
        let begun = Instant::now();
        pace.unreachable_for(Duration::from_secs(20));
        let first = pace.enter(never()).await;
        assert!(begun.elapsed() >= Duration::from_secs(20));
        let entering = |pace: Arc<Pace>| {
            tokio::spawn(async move { drop(pace.enter(std::future::pending::<()>()).await) })
        };
        let others: Vec<_> = (0..4).map(|_| entering(Arc::clone(&pace))).collect();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(others.iter().all(|other| !other.is_finished()));
        pace.learn(&unreachable());
        drop(first);
        tokio::task::yield_now().await;
        pace.learn(&Ok(()));
        for other in others {
            other.await.expect("no panic");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_is_given_up_leaves_the_next_one_to_another() {
        let pace = Pace::new(8, None);
        pace.unreachable_for(Duration::ZERO);
        drop(pace.enter(never()).await);
        drop(pace.enter(never()).await);
        let impatient = async {};
        let held = pace.enter(never()).await;
        let second = pace.enter(impatient).await;
        assert!(held.tries && !second.tries);
    }

    #[tokio::test]
    async fn a_slow_down_halves_once_and_successes_raise_again() {
        let pace = Pace::new(8, None);
        let held = pace.enter(never()).await;
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
            pace.enter(never()).await,
            pace.enter(never()).await,
            pace.enter(never()).await,
            pace.enter(never()).await,
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
