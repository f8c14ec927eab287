//! The bound on memory for file contents, and buffers that are used again.
//!
//! Large buffers that come and go leave an allocator's heap full of holes, and each new one costs a
//! page fault for every 4 KiB of it. So those of parts are kept and filled anew.

use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in units of this many bytes.
const UNIT: u64 = 4096;

/// Smaller buffers are the allocator's own business.
const KEPT_FROM: usize = 1 << 20;
/// Idle buffers may hold so much of the budget, beside what is in use.
const IDLE_SHARE: u64 = 4;

/// A budget of bytes that readers take from before they allocate.
#[derive(Clone)]
pub struct Buffers {
    units: Arc<Semaphore>,
    total: u32,
    idle: Arc<Idle>,
}

/// Buffers that wait to be used again.
struct Idle {
    /// Bytes that they may have together.
    most: usize,
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl Idle {
    fn take(&self, len: usize) -> Vec<u8> {
        let mut buffer = self.fitting(len).unwrap_or_else(|| {
            let capacity = if len < KEPT_FROM {
                len
            } else {
                len.checked_next_power_of_two().unwrap_or(len)
            };
            Vec::with_capacity(capacity)
        });
        buffer.resize(len, 0);
        buffer
    }

    fn fitting(&self, len: usize) -> Option<Vec<u8>> {
        if len < KEPT_FROM {
            return None;
        }
        let mut buffers = self.lock();
        let fits = |buffer: &Vec<u8>| buffer.capacity() >= len;
        let at = buffers.iter().position(fits)?;
        Some(buffers.swap_remove(at))
    }

    fn put(&self, buffer: Vec<u8>) {
        if buffer.capacity() < KEPT_FROM {
            return;
        }
        let mut buffers = self.lock();
        let held: usize = buffers.iter().map(Vec::capacity).sum();
        if held + buffer.capacity() <= self.most {
            buffers.push(buffer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer that goes back when the last of its bytes are dropped.
struct Kept {
    bytes: Vec<u8>,
    idle: Arc<Idle>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.idle.put(std::mem::take(&mut self.bytes));
    }
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
        let most = u64::from(total) * UNIT / IDLE_SHARE;
        let idle = Idle {
            most: usize::try_from(most).unwrap_or(usize::MAX),
            buffers: Mutex::default(),
        };
        Self {
            units: Arc::new(Semaphore::new(total as usize)),
            total,
            idle: Arc::new(idle),
        }
    }

    /// `len` bytes as `fill` leaves them; what is in the buffer before is of no meaning. Blocks for
    /// as long as `fill` does.
    ///
    /// # Errors
    /// Those of `fill`.
    pub fn filled<E>(
        &self,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        let mut kept = Kept {
            bytes: self.idle.take(len),
            idle: Arc::clone(&self.idle),
        };
        fill(&mut kept.bytes)?;
        Ok(Bytes::from_owner(kept))
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

    fn filled(buffers: &Buffers, len: usize, byte: u8) -> Bytes {
        let fill = |buffer: &mut [u8]| {
            buffer.fill(byte);
            Ok::<_, ()>(())
        };
        buffers.filled(len, fill).expect("filled")
    }

    #[test]
    fn large_buffers_are_used_again_once_nobody_reads_them() {
        let buffers = Buffers::new(64 << 20);
        let first = filled(&buffers, 5 << 20, 1);
        let (place, clone) = (first.as_ptr(), first.clone());
        drop(first);
        let second = filled(&buffers, 5 << 20, 2);
        assert_ne!(second.as_ptr(), place, "the clone is still being read");
        assert!(clone.iter().all(|&byte| byte == 1));
        drop(clone);
        let third = filled(&buffers, 7 << 20, 3);
        assert_eq!(third.as_ptr(), place);
        assert!(third.len() == 7 << 20 && third.iter().all(|&byte| byte == 3));
    }

    #[test]
    fn idle_buffers_hold_a_quarter_of_the_budget_at_most() {
        let buffers = Buffers::new(64 << 20);
        let many: Vec<_> = (0..6).map(|_| filled(&buffers, 8 << 20, 0)).collect();
        drop(many);
        drop(filled(&buffers, 100, 0));
        assert_eq!(buffers.idle.lock().len(), 2);
    }

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
