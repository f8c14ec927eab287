//! The sync target's deletes: last, and only what a committed snapshot holds.

use super::Run;
use crate::engine::mirror::{MirrorWriter, Placed};
use crate::model::{Event, Result, killpoint};
use crate::plan::Extra;
use futures::stream::{self, StreamExt};

/// Whoever keeps changing the mirror while we delete is left alone in the end.
const ROUNDS: u32 = 5;

impl Run {
    /// Deletes objects whose content a committed snapshot names. One that is no longer what the
    /// plan saw is planned anew: what it holds now is rescued, a snapshot that names it is
    /// committed (as complete as this run's own), and then that is deleted.
    pub(super) async fn delete(&mut self, extras: Vec<Extra>, complete: bool) -> Result<()> {
        let Some(sync) = self.sync.clone() else {
            return Ok(());
        };
        if extras.is_empty() {
            return Ok(());
        }
        self.events.send(Event::Phase("delete"));
        let mut extras = extras;
        for _ in 0..ROUNDS {
            self.check_leases().await?;
            let changed = self.delete_once(&sync, extras).await;
            // Without a backup target nothing can be kept of what nobody has seen yet.
            if changed.is_empty() || self.backup.is_none() {
                self.leave(changed);
                return Ok(());
            }
            extras = self.look_again(&sync, changed).await?;
            let doomed = self.rescue_doomed(extras).await?;
            if !doomed.rescued.is_empty() {
                self.commit_rescued(doomed.rescued, complete).await?;
            }
            extras = doomed.extras;
        }
        self.leave(extras);
        Ok(())
    }

    /// Returns those that something else has changed.
    async fn delete_once(&self, sync: &MirrorWriter, extras: Vec<Extra>) -> Vec<Extra> {
        let jobs = self.settings.run.transfers;
        let mut changed = Vec::new();
        let mut deletes = stream::iter(extras)
            .map(|extra| async move {
                let object = &extra.object;
                let ended = sync.delete(&object.key, &object.etag).await;
                (extra, ended)
            })
            .buffer_unordered(jobs);
        while let Some((extra, ended)) = deletes.next().await {
            killpoint::reach("object-deleted");
            match ended {
                Ok(Placed::Done(_)) => {
                    self.tally.sync_deleted.one();
                    self.events.send(Self::delete_event(&extra));
                }
                Ok(Placed::Mismatch) => changed.push(extra),
                Err(error) => {
                    self.tally.sync_failed.one();
                    self.fail(extra.object.path.to_string(), "delete", error.to_string());
                }
            }
        }
        changed
    }

    /// The objects as they are now, of unknown content; those that are gone left out.
    pub(super) async fn look_again(
        &self,
        sync: &MirrorWriter,
        extras: Vec<Extra>,
    ) -> Result<Vec<Extra>> {
        let mut found = Vec::new();
        for mut extra in extras {
            if let Some(head) = sync.look(&extra.object.key).await? {
                (extra.object.etag, extra.object.size) = (head.etag, head.size);
                extra.holds = None;
                found.push(extra);
            }
        }
        Ok(found)
    }

    /// Reports objects that stay; the next run looks at them anew.
    pub(super) fn leave(&self, extras: Vec<Extra>) {
        for extra in extras {
            self.tally.sync_failed.one();
            let message = "something else keeps changing it since the listing: it was not \
                           deleted; the next run looks at it anew";
            self.fail(extra.object.path.to_string(), "delete", message);
        }
    }
}
