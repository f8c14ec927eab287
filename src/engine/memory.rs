//! What is known of contents while a run goes on: the state, and what is being stored right now.

use crate::model::{Blake3, Content, Kind, RelPath, Result, Time};
use crate::plan::Known;
use crate::state::{Change, Found, Row, StateHandle};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The state, with one worker at a time for each content: two files of the same bytes must not
/// become two locked versions because they were read at the same moment.
pub struct Memory {
    state: StateHandle,
    busy: Mutex<HashMap<Blake3, Arc<Notify>>>,
}

/// The sole right to store a content; given back on drop.
pub struct Claim<'a> {
    memory: &'a Memory,
    blake3: Blake3,
}

impl Memory {
    /// Remembers in `state`.
    pub fn new(state: StateHandle) -> Self {
        Self {
            state,
            busy: Mutex::default(),
        }
    }

    /// The state.
    pub fn state(&self) -> &StateHandle {
        &self.state
    }

    /// Waits until nobody else is storing this content.
    pub async fn claim(&self, content: &Content) -> Claim<'_> {
        let blake3 = content.blake3;
        loop {
            let busy = {
                let mut map = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
                match map.get(&blake3) {
                    Some(notify) => Arc::clone(notify).notified_owned(),
                    None => {
                        map.insert(blake3, Arc::default());
                        return Claim {
                            memory: self,
                            blake3,
                        };
                    }
                }
            };
            busy.await;
        }
    }

    /// Where the content is stored already: at `path` itself if it is there, else anywhere. What
    /// a committed snapshot names comes first.
    ///
    /// # Errors
    /// The state's.
    pub async fn find(&self, content: &Content, path: &RelPath) -> Result<Option<Known>> {
        let found = self
            .state
            .find_content(content.blake3, content.size)
            .await?;
        Ok(found.into_iter().map(known).max_by_key(|known| {
            let stored = known.entry.stored.is_some();
            (
                stored,
                known.entry.path == *path,
                known.committed,
                known.entry.sync_etag.is_some(),
            )
        }))
    }

    /// Whether some other path has, or had, a file of this size and time: a moved one, most likely.
    ///
    /// # Errors
    /// The state's.
    pub async fn is_like(&self, size: u64, mtime: Time) -> Result<bool> {
        let like = self
            .state
            .call(move |state| state.find_like(size, mtime))
            .await?;
        Ok(!like.is_empty())
    }

    /// Notes what a path is now; seen by every later [`find`](Self::find).
    ///
    /// # Errors
    /// The state's.
    pub async fn remember(&self, known: Known) -> Result<()> {
        self.state.put_pending(Change::Store(row(known))).await
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut map = self
            .memory
            .busy
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = map.remove(&self.blake3) {
            notify.notify_waiters();
        }
    }
}

/// A row of the state as plans want it. What a run without backup has made the base's is named by
/// no snapshot.
pub fn known(found: Found) -> Known {
    let named = found.row.entry.kind != Kind::File || found.row.entry.stored.is_some();
    let Row {
        entry,
        identity,
        device,
        locked_until,
    } = found.row;
    Known {
        entry,
        identity,
        device,
        locked_until,
        committed: found.committed && named,
    }
}

/// The reverse of [`known`].
pub fn row(known: Known) -> Row {
    let Known {
        entry,
        identity,
        device,
        locked_until,
        committed: _,
    } = known;
    Row {
        entry,
        identity,
        device,
        locked_until,
    }
}
