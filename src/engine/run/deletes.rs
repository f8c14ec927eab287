//! The sync target's deletes: last, and only what the plan saw.

use super::Run;
use crate::engine::mirror::Placed;
use crate::model::{Event, Result, killpoint};
use crate::plan::Extra;
use futures::stream::{self, StreamExt};

impl Run {
    /// Deletes objects whose content a committed snapshot names. One that is no longer what the
    /// plan saw stays, and is reported: the next run looks at it anew.
    pub(super) async fn delete(&mut self, extras: Vec<Extra>) -> Result<()> {
        let Some(sync) = self.sync.clone() else {
            return Ok(());
        };
        if extras.is_empty() {
            return Ok(());
        }
        self.events.send(Event::Phase("delete"));
        self.check_leases().await?;
        let jobs = self.settings.run.transfers;
        let mut deletes = stream::iter(extras)
            .map(|extra| {
                let sync = &sync;
                async move {
                    let object = &extra.object;
                    let ended = sync.delete(&object.key, &object.etag).await;
                    (extra, ended)
                }
            })
            .buffer_unordered(jobs);
        while let Some((extra, ended)) = deletes.next().await {
            killpoint::reach("object-deleted");
            match ended {
                Ok(Placed::Done(_)) => {
                    self.tally.sync_deleted.one();
                    self.events.send(Self::delete_event(&extra));
                }
                Ok(Placed::Mismatch) => {
                    self.tally.sync_failed.one();
                    let message = "something else changed it since the listing: it was not \
                                   deleted; the next run looks at it anew";
                    self.fail(extra.object.path.to_string(), "delete", message);
                }
                Err(error) => {
                    self.tally.sync_failed.one();
                    self.fail(extra.object.path.to_string(), "delete", error.to_string());
                }
            }
        }
        Ok(())
    }
}
