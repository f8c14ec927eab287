//! The bound on memory for file contents, and buffers that are used again.

use crate::store::{Idle, KEPT_FROM};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in units of this many bytes.
const UNIT: u64 = 4096;

/// A buffer for larger pieces than this is allocated as it is asked for.
const ROUNDED_UP_TO: u64 = 8 << 20;
/// Of the budget, one part in so many is for idle buffers.
const IDLE_SHARE: u32 = 8;

/// What a buffer of `bytes` really takes: one that is used again may have been a larger one.
fn rounded(bytes: u64) -> u64 {
    if bytes < KEPT_FROM as u64 {
        bytes
    } else {
        bytes
            .next_power_of_two()
            .min(bytes.next_multiple_of(ROUNDED_UP_TO))
    }
}

/// A budget of bytes that readers take from before they allocate.
#[derive(Clone)]
pub struct Buffers {
    units: Arc<Semaphore>,
    total: u32,
    idle: Idle,
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
        let most = u64::from(total / IDLE_SHARE) * UNIT;
        Self {
            units: Arc::new(Semaphore::new((total - total / IDLE_SHARE) as usize)),
            total,
            idle: Idle::new(usize::try_from(most).unwrap_or(usize::MAX)),
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
        let room = usize::try_from(rounded(len as u64)).unwrap_or(len);
        let mut kept = self.idle.take(len, room);
        kept.resize(len, 0);
        fill(&mut kept)?;
        Ok(kept.freeze())
    }

    /// Waits for a share of `bytes`. Who asks for more than the whole budget gets all of it, so
    /// that a file with huge parts goes on slowly instead of never.
    ///
    /// Never ask for a second share while holding one, unless both together are certain to fit.
    pub async fn take(&self, bytes: u64) -> Share {
        let units = u32::try_from(rounded(bytes).div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .clamp(1, self.total - self.total / IDLE_SHARE);
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
    fn idle_buffers_hold_an_eighth_of_the_budget_at_most() {
        let buffers = Buffers::new(64 << 20);
        let many: Vec<_> = (0..6).map(|_| filled(&buffers, 8 << 20, 0)).collect();
        drop(many);
        drop(filled(&buffers, 100, 0));
        assert_eq!(buffers.idle.count(), 1);
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
