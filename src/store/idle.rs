//! Large buffers that are used again.
//!
//! Those that come and go leave an allocator's heap full of holes, and each new one costs a page
//! fault for every 4 KiB of it. So some are kept and filled anew.

use bytes::Bytes;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Smaller buffers are the allocator's own business.
pub const KEPT_FROM: usize = 1 << 20;

/// Buffers that wait to be used again. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Idle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Bytes that they may have together.
    most: usize,
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl Idle {
    /// Keeps so many bytes at most.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            most,
            buffers: Mutex::default(),
        }))
    }

    /// An empty buffer with room for `capacity` bytes: one that was used before, or one with room
    /// for `rounded`.
    pub fn take(&self, capacity: usize, rounded: usize) -> Kept {
        let buffer = self.fitting(capacity);
        Kept {
            bytes: buffer.unwrap_or_else(|| Vec::with_capacity(rounded.max(capacity))),
            idle: self.clone(),
        }
    }

    fn fitting(&self, capacity: usize) -> Option<Vec<u8>> {
        if capacity < KEPT_FROM {
            return None;
        }
        let mut buffers = self.lock();
        let fits = |buffer: &Vec<u8>| buffer.capacity() >= capacity;
        let at = buffers.iter().position(fits)?;
        Some(buffers.swap_remove(at))
    }

    fn put(&self, buffer: Vec<u8>) {
        if buffer.capacity() < KEPT_FROM {
            return;
        }
        let mut buffers = self.lock();
        let held: usize = buffers.iter().map(Vec::capacity).sum();
        if held + buffer.capacity() <= self.0.most {
            buffers.push(buffer);
        }
    }

    /// How many there are at the moment.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0
            .buffers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer that goes back when it, or the last of its bytes, is dropped. What is in it from before
/// is of no meaning: it is to be cleared or overwritten.
#[derive(Debug)]
pub struct Kept {
    bytes: Vec<u8>,
    idle: Idle,
}

impl Kept {
    /// What it holds, to be shared.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl Deref for Kept {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
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
