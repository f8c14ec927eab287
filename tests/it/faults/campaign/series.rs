//! Series of cases: one fault, at one request after the other, each shown as it ends, so that a campaign of hours can be
//! watched, stopped, and gone on with.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::{Struck, strike};
use crate::support::{Fault, TestStore, block_on};

/// A series that fails so often is not worth more of it.
const MOST_FAILURES: usize = 3;

/// One fault at the first request of a run, the second, and so on.
pub(super) struct Series {
    /// `store/way/fault/run`
    pub(super) name: String,
    pub(super) store: TestStore,
    pub(super) fault: Fault,
    pub(super) struck: Struck,
}

/// What is to be run, as `scripts/campaign` says it.
pub(super) struct Chosen {
    /// Parts of names, one of which a series must have; all of them, where there are none.
    only: Vec<String>,
    /// Parts of names, and the request that a series with such a name begins with.
    from: Vec<(String, u64)>,
    /// Series at a time.
    jobs: usize,
}

impl Chosen {
    pub(super) fn from_environment() -> Self {
        let list = |name: &str| {
            let text = std::env::var(name).unwrap_or_default();
            let items = text.split(',').filter(|item| !item.is_empty());
            items.map(str::to_owned).collect::<Vec<_>>()
        };
        let begins = |item: String| {
            let (part, k) = item.rsplit_once(':').expect("NAME:K");
            (part.to_owned(), k.parse().expect("NAME:K"))
        };
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let jobs = list("TIDELOCK_TEST_JOBS");
        Self {
            only: list("TIDELOCK_TEST_SERIES"),
            from: list("TIDELOCK_TEST_FROM").into_iter().map(begins).collect(),
            // Pauses between two tries take most of the time.
            jobs: jobs.first().map_or(2 * cores, |jobs| jobs.parse().unwrap()),
        }
    }

    fn has(&self, series: &Series) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| series.name.contains(part))
    }

    /// From 1.
    fn first(&self, series: &Series) -> u64 {
        let found = self
            .from
            .iter()
            .rfind(|(part, _)| series.name.contains(part));
        found.map_or(1, |(_, k)| (*k).max(1))
    }
}

/// Runs the chosen ones; how many cases there were, and those that failed.
pub(super) fn run_all(all: Vec<Series>, chosen: &Chosen) -> (u64, Vec<String>) {
    let queue: VecDeque<_> = all.into_iter().filter(|one| chosen.has(one)).collect();
    let queue = Mutex::new(queue);
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.pop_front()
    };
    let work = || {
        let (mut cases, mut failed) = (0, Vec::new());
        while let Some(series) = next() {
            cases += series.run(chosen.first(&series), &mut failed);
        }
        (cases, failed)
    };
    std::thread::scope(|threads| {
        let workers: Vec<_> = (0..chosen.jobs).map(|_| threads.spawn(work)).collect();
        let ended = workers.into_iter().map(|worker| worker.join().unwrap());
        ended.fold((0, Vec::new()), |(cases, mut all), (more, failed)| {
            all.extend(failed);
            (cases + more, all)
        })
    })
}

impl Series {
    /// Until a run no longer reaches the k-th request; how many cases that were.
    fn run(&self, first: u64, failed: &mut Vec<String>) -> u64 {
        let mut failures = 0;
        for k in first.. {
            let begun = Instant::now();
            let case = || block_on(strike(&self.store, self.struck, self.fault, k - 1));
            let ended = catch_unwind(AssertUnwindSafe(case));
            let name = format!("{}:{k}", self.name);
            let how = match ended {
                Ok(true) => "held",
                Ok(false) => "not reached: done",
                Err(_) => "FAILED, see above",
            };
            eprintln!("{name}  {how}  {:.1} s", begun.elapsed().as_secs_f64());
            if ended.is_err() {
                failed.push(name);
                failures += 1;
            }
            if matches!(ended, Ok(false)) || failures == MOST_FAILURES {
                return k + 1 - first;
            }
        }
        0
    }
}
