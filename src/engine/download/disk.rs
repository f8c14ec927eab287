//! Work on the local disk, off the threads that drive requests.
//!
//! To wake a thread for a small file takes longer than what it does there. So short work is done
//! several pieces at a time by few threads, as long as those keep up: a slow disk, or one behind a
//! network, gets more of them.

use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// More bytes than this are no short work.
const SHORT: u64 = 1 << 20;
/// Pieces that one thread takes at a time.
const BATCH: usize = 8;
/// Threads that a quick disk keeps busy.
const LANES: usize = 2;
/// How long they may all be busy before there is one more.
const PATIENCE: Duration = Duration::from_millis(1);

type Work = Box<dyn FnOnce() + Send>;

/// Where work on the disk goes. Cheap to clone; what waits when the last one is dropped is done
/// all the same.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Disk(mpsc::UnboundedSender<Work>);

impl Disk {
    /// Starts it, on the runtime that this is called on.
    pub(in crate::engine) fn start() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(hand_out(receiver));
        Self(sender)
    }

    /// Has `work` done, which reads or writes about so many bytes, and waits for what it gives.
    ///
    /// # Errors
    /// Where its thread died.
    pub(in crate::engine) async fn run<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        if bytes > SHORT {
            return tokio::task::spawn_blocking(work)
                .await
                .map_err(io::Error::other);
        }
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move || {
            // Nobody waits for it any more where the whole command was given up.
            let _ = reply.send(work());
        });
        let died = || io::Error::other("a thread that reads and writes files died");
        // As many wait as there are files under way.
        self.0.send(work).map_err(|_| died())?;
        answer.await.map_err(|_| died())
    }
}

async fn hand_out(mut receiver: mpsc::UnboundedReceiver<Work>) {
    let lanes = Arc::new(Semaphore::new(LANES));
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let lane = timeout(PATIENCE, Arc::clone(&lanes).acquire_owned()).await;
        let batch = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
        tokio::task::spawn_blocking(move || {
            // Given back at the end; a thread that is one more has none.
            let _lane = lane;
            batch.into_iter().for_each(|work| work());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::sync::Barrier;

    #[tokio::test]
    async fn each_piece_gets_its_own_answer() {
        let disk = Disk::start();
        let pieces = (0..500_u64).map(|n| disk.run(n * 10_000, move || n * 2));
        let answers: Vec<u64> = join_all(pieces).await.into_iter().flatten().collect();
        assert_eq!(answers, (0..500).map(|n| n * 2).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_piece_that_panics_is_an_error_and_later_ones_are_done() {
        let disk = Disk::start();
        for bytes in [0, SHORT + 1] {
            let died = disk.run(bytes, || panic!("broken")).await;
            died.map(|()| "no error").unwrap_err();
        }
        for n in 0..2 * LANES {
            assert_eq!(disk.run(0, move || n).await.unwrap(), n);
        }
    }

    #[tokio::test]
    async fn slow_work_gets_more_threads() {
        let disk = Disk::start();
        // None of them ends before all have begun.
        let meeting = Arc::new(Barrier::new(4 * LANES));
        let pieces = (0..4 * LANES).map(|n| {
            let (disk, meeting) = (disk.clone(), Arc::clone(&meeting));
            async move {
                // Apart, so that no two are of one batch.
                tokio::time::sleep(PATIENCE * 20 * n as u32).await;
                disk.run(0, move || meeting.wait()).await
            }
        });
        let all = timeout(Duration::from_secs(20), join_all(pieces)).await;
        all.expect("all of them met");
    }
}
