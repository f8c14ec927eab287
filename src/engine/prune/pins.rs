//! Taking pins away, by which a prune record comes to count.

use super::{Ended, Prune};
use crate::model::{Event, Result, Time};
use crate::plan::Naming;
use crate::snapshot::{Pins, SnapshotId};
use std::collections::HashSet;

impl Prune<'_> {
    /// Takes away the pins of what is dropped, which makes the record count, and those of no
    /// snapshot, which interrupted commits left. Gives back what the store refused.
    pub(super) async fn unpin(
        &self,
        unpinned: &HashSet<SnapshotId>,
        pinned: &HashSet<SnapshotId>,
        now: Time,
    ) -> Result<Vec<(String, String)>> {
        let mut refused = Vec::new();
        for (id, mut version) in Pins::read(self.vault).await?.into_versions() {
            if pinned.contains(&id) {
                continue;
            }
            if unpinned.contains(&id) {
                // Days of grace are for what a snapshot names.
                version.last_modified = Time::UNIX_EPOCH;
            }
            match self.judge(&version, Naming::Nobody, now).await? {
                Ended::Refused(why) => refused.push((version.key, why)),
                Ended::Later(then) if unpinned.contains(&id) => {
                    self.events.send(Event::Warning(format!(
                        "snapshot {id} is to be dropped, but the bucket locks its pin until \
                         {then:.0}: until a prune after that it is kept, and its locks are renewed"
                    )));
                }
                Ended::Later(_) | Ended::Kept | Ended::Gone => {}
            }
        }
        Ok(refused)
    }
}
