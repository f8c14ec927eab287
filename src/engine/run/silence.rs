//! Commits and stops. A commit is not cut short as other work is: whoever stopped in its middle
//! would not know whether the next snapshot is its child or its sibling. But nobody waits for a
//! store that says nothing.

use super::Run;
use crate::engine::pace::Pace;
use crate::engine::stop::{Stop, Why};
use crate::model::Result;
use std::time::Duration;
use tokio::time::Instant;

/// Once a stop is wished for, a commit is given up after so long without any answer. What a commit
/// sends at once is no more than a chunk of a few megabytes.
const SILENCE: Duration = Duration::from_secs(5);

/// And after so long in any case.
const LAST_COMMIT: Duration = Duration::from_secs(20);

/// How often it is looked whether there were answers.
const LOOK: Duration = Duration::from_millis(500);

const GIVEN_UP: &str = "the store did not answer in time; the next run sees whether the snapshot \
                        was committed";

impl Run {
    /// A commit, given up after a stop where the store falls silent. Then this run commits nothing
    /// more: the next one sees what became of it.
    ///
    /// # Errors
    /// The commit's; the stop's, where it was given up.
    pub(super) async fn commits<T>(
        &mut self,
        commit: impl AsyncFnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let Some(retrier) = self.clock().map(|client| client.retrier.clone()) else {
            return commit(self).await;
        };
        // Until it has ended, also where this future is dropped.
        self.unsure = true;
        tokio::select! {
            biased;
            ended = commit(self) => {
                self.unsure = false;
                ended
            }
            why = silence_after(&self.stop, retrier.pace()) => {
                self.fail("snapshot", "snapshot", GIVEN_UP);
                Err(why.error())
            }
        }
    }

    /// Commits what is stored so far, so that the next run, here or elsewhere, goes on from it; not
    /// for long, since someone waits for the end.
    pub(super) async fn last_checkpoint(&mut self) {
        let Some(retrier) = self.clock().map(|client| client.retrier.clone()) else {
            return;
        };
        let stop = self.stop.clone();
        let ended = tokio::select! {
            biased;
            ended = tokio::time::timeout(LAST_COMMIT, self.checkpoint()) => ended.ok(),
            _ = silence_after(&stop, retrier.pace()) => None,
        };
        let why = match ended {
            Some(Ok(())) => return,
            Some(Err(error)) => error.to_string(),
            None => "the store did not answer in time".to_owned(),
        };
        let message = format!("no checkpoint could be committed: {why}");
        self.fail("snapshot", "snapshot", message);
    }
}

/// Returns when a stop was wished for and nothing is heard any more.
async fn silence_after(stop: &Stop, pace: &Pace) -> Why {
    let why = stop.wait().await;
    let end = Instant::now() + LAST_COMMIT;
    let mut heard = (pace.answers(), Instant::now());
    while heard.1.elapsed() < SILENCE && Instant::now() < end {
        tokio::time::sleep(LOOK).await;
        if pace.answers() != heard.0 {
            heard = (pace.answers(), Instant::now());
        }
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn f24_after_a_stop_a_commit_has_as_long_as_answers_come_and_no_longer() {
        let (stop, pace) = (Stop::default(), Arc::new(Pace::new(4, None)));
        let quiet = tokio::time::timeout(LAST_COMMIT * 9, silence_after(&stop, &pace)).await;
        assert!(quiet.is_err(), "nobody wished for a stop");
        stop.request(Why::Interrupted);
        let begun = Instant::now();
        silence_after(&stop, &pace).await;
        assert!(begun.elapsed() < SILENCE * 2);
        let talking = Arc::clone(&pace);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SILENCE / 2).await;
                talking.learn(&Ok(()));
            }
        });
        let begun = Instant::now();
        silence_after(&stop, &pace).await;
        assert!(begun.elapsed() >= LAST_COMMIT);
    }
}
