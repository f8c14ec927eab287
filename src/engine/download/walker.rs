//! One walk for many tasks: what needs the disk goes to a thread that may block.

use super::blocking;
use super::folder::{Place, Walk};
use crate::model::{Error, RelPath, Result};
use tokio::sync::Mutex;

/// A walk that many may ask for places, one after another.
#[derive(Debug)]
pub(in crate::engine) struct Walker {
    /// Away while it is at work on a thread that may block.
    walk: Mutex<Option<Walk>>,
}

impl Walker {
    pub(in crate::engine) fn new(walk: Walk) -> Self {
        Self {
            walk: Mutex::new(Some(walk)),
        }
    }

    /// The place of a path; see [`Walk::place`].
    ///
    /// # Errors
    /// As there, and `Failed` where the folder is gone.
    pub(in crate::engine) async fn place(&self, path: &RelPath) -> Result<Place> {
        let gone = || Error::Failed(format!("{path}: its folder is gone"));
        let mut slot = self.walk.lock().await;
        if let Some(walk) = slot.as_mut().filter(|walk| walk.is_at(path)) {
            return walk.place(path)?.ok_or_else(gone);
        }
        let mut walk = slot.take().ok_or_else(gone)?;
        let wanted = path.clone();
        let (walk, place) = blocking(move || {
            let place = walk.place(&wanted);
            Ok((walk, place))
        })
        .await?;
        *slot = Some(walk);
        place?.ok_or_else(gone)
    }

    /// See [`Walk::rewind`].
    ///
    /// # Errors
    /// As there.
    pub(in crate::engine) async fn rewind(&self) -> Result<()> {
        match self.walk.lock().await.as_mut() {
            Some(walk) => walk.rewind(),
            None => Ok(()),
        }
    }
}
