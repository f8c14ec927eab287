//! The bound on memory for file contents.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in units of this many bytes.
const UNIT: u64 = 4096;

/// A budget of bytes that readers take from before they allocate.
#[derive(Clone)]
pub struct Buffers {
    units: Arc<Semaphore>,
    total: u32,
}

/// A share of the budget, given back on drop.
pub struct Share {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Buffers {
    /// A budget of `bytes`.
    pub fn new(bytes: u64) -> Self {
        // Tokio's semaphore allows 2^61 permits, `acquire_many` 2^32: 16 TiB of buffers.
        let total = u32::try_from((bytes / UNIT).max(1)).unwrap_or(u32::MAX);
        Self {
            units: Arc::new(Semaphore::new(total as usize)),
            total,
        }
    }

    /// Waits for a share of `bytes`. Who asks for more than the whole budget gets all of it, so
    /// that a file with huge parts goes on slowly instead of never.
    ///
    /// Never ask for a second share while holding one, unless both together are certain to fit.
    pub async fn take(&self, bytes: u64) -> Share {
        let units = u32::try_from(bytes.div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .clamp(1, self.total);
        Share {
            _permit: Arc::clone(&self.units).acquire_many_owned(units).await.ok(),
        }
    }

    /// What one file may hold as a whole: half of the budget, so that others go on beside it.
    pub fn whole_file_limit(&self) -> u64 {
        u64::from(self.total) * UNIT / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shares_come_back_and_the_greedy_wait_for_all() {
        let buffers = Buffers::new(4 * UNIT);
        let one = buffers.take(1).await;
        assert_eq!(buffers.units.available_permits(), 3);
        drop(one);
        let all = buffers.take(1 << 40).await;
        assert_eq!(buffers.units.available_permits(), 0);
        drop(all);
        assert_eq!(buffers.units.available_permits(), 4);
    }
}
