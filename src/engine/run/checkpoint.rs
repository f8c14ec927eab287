//! Snapshots of what is stored so far, so that a first backup of days can be restored from and
//! goes on from any machine.

use super::Run;
use crate::model::{Event, Result};
use std::time::Duration;

/// A run that takes longer than this commits what it has, again and again.
const EVERY: Duration = Duration::from_secs(55 * 60);

impl Run {
    /// Commits a checkpoint if the last commit is an hour ago.
    pub(super) async fn checkpoint_if_due(&mut self) -> Result<()> {
        match &self.backup {
            Some(backup) if backup.committed.elapsed() >= EVERY => self.checkpoint().await,
            _ => Ok(()),
        }
    }

    /// Commits everything that is stored and not named yet, on top of the parent's entries. An
    /// incomplete snapshot: nothing that it lacks counts as deleted.
    pub(super) async fn checkpoint(&mut self) -> Result<()> {
        if !self.which.backs_up() || self.backup.is_none() {
            return Ok(());
        }
        if self.state.call(|state| state.pending_count()).await? == 0 {
            return Ok(());
        }
        self.renew_for_checkpoint().await?;
        self.commit(false, Vec::new()).await?;
        self.events
            .send(Event::Note("a checkpoint was committed".to_owned()));
        Ok(())
    }
}
