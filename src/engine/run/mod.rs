//! A whole run: `run`, `sync` or `backup`.
//!
//! The order is what the promises rest on:
//!
//! 1. [`connect`], [`open`], [`via`], [`stock`]: both targets, their leases, the way to the backup, the state, the latest
//!    snapshot; nothing is written before the backup target has proved versioning and lock.
//! 2. [`look`]: scan and listing, compared with what is remembered: the plan.
//! 3. [`change`]: does the night look like ransomware's? Then the backup alone goes on.
//! 4. [`rescue`]: foreign content of the mirror that is to be overwritten becomes a locked version,
//!    named by a committed snapshot.
//! 5. transfer: each file that needs it, read once, to both targets.
//! 6. [`guard`]: may anything be deleted?
//! 7. [`commit`]: locks that run out are renewed, then the snapshot is committed.
//! 8. [`deletes`]: only now.
//! 9. [`sweep`]: unfinished uploads that no file needs any more are dropped.

mod change;
mod checkpoint;
mod cloud;
mod commit;
mod connect;
mod deletes;
mod dry;
mod forecast;
mod forget;
mod guard;
mod heads;
mod listed;
mod look;
mod open;
mod own;
mod presence;
mod renew;
mod rescue;
mod scratch;
mod silence;
mod stages;
mod stock;
mod sweep;
mod via;

pub use connect::{connect_backup, consent};
pub use forget::forget_lost;
pub use open::has_state;
pub use stages::{Ended, Stores, Which, run, run_on};

use crate::engine::client::Client;
use crate::engine::lease::Lease;
use crate::engine::memory::Memory;
use crate::engine::mirror::MirrorWriter;
use crate::engine::pace::Pace;
use crate::engine::remembered::Remembered;
use crate::engine::stop::Stop;
use crate::engine::tally::Tally;
use crate::engine::transfer::Copies;
use crate::engine::unfinished::Unfinished;
use crate::engine::versions::Versions;
use crate::model::{Events, ExitCode, Failure, Settings, Time};
use crate::snapshot::{Claims, Loaded, SnapshotRef, Vault};
use crate::state::StateHandle;
use std::sync::Arc;

/// Everything that a run holds.
pub(crate) struct Run {
    settings: Settings,
    which: Which,
    events: Events,
    stop: Stop,
    tally: Arc<Tally>,
    state: StateHandle,
    memory: Arc<Memory>,
    sync: Option<Arc<MirrorWriter>>,
    backup: Option<Backup>,
    /// Requests in flight over both targets.
    pace: Arc<Pace>,
    leases: Vec<Lease>,
    /// How new content gets to the backup target.
    route: via::Route,
    /// The way by copies, where that is it.
    copies: Option<Arc<Copies>>,
    /// For tests: larger objects are copied in parts.
    copy_in_parts_above: Option<u64>,
    /// No run into the sync target has ended with 0 yet.
    first_run: bool,
    /// Earlier runs may have left versions and uploads that no snapshot and no state names.
    leftovers: bool,
    /// What another machine has sent of unfinished uploads.
    unfinished: Arc<Vec<Unfinished>>,
    /// The state had nothing when it was opened.
    fresh_state: bool,
    /// Where a dry run keeps its state, where this machine has none. Held until the end.
    _scratch: Option<scratch::Scratch>,
    /// Why the next snapshot is suspect, where it is.
    suspect: Option<String>,
    /// The guard's finding that this night looks like ransomware.
    suspicion: Option<change::Suspicion>,
    /// A commit was given up before its answer: whether it happened is for the next run to see.
    unsure: bool,
    /// What the exit code is so far.
    exit: ExitCode,
}

/// The backup target's side of a run.
struct Backup {
    versions: Arc<Versions>,
    vault: Vault,
    /// What the vault is read through, once the state is open.
    remembered: Option<Arc<Remembered>>,
    /// All snapshots that there were at the beginning, until something is committed.
    listed: Option<Vec<SnapshotRef>>,
    latest: Option<Loaded>,
    claims: Claims,
    /// When a snapshot was committed last, or the run began.
    committed: std::time::Instant,
}

impl Run {
    /// Notes a failure that does not end the run.
    fn fail(&self, path: impl Into<String>, stage: &'static str, message: impl Into<String>) {
        let failure = Failure {
            path: path.into(),
            stage,
            message: message.into(),
        };
        self.events
            .send(crate::model::Event::Failed(failure.clone()));
        self.tally.fail(failure);
    }

    /// Raises the exit code.
    fn raise(&mut self, exit: ExitCode) {
        self.exit = self.exit.and(exit);
    }

    /// The client whose server's clock counts.
    fn clock(&self) -> Option<&Client> {
        match (&self.backup, &self.sync) {
            (Some(backup), _) => Some(backup.versions.client()),
            (None, Some(sync)) => Some(sync.client()),
            (None, None) => None,
        }
    }

    /// Now, by the server's clock.
    async fn now(&self) -> crate::model::Result<Time> {
        match self.clock() {
            Some(client) => Ok(client.call(|store| store.now()).await?),
            None => Ok(crate::model::time::local_now()),
        }
    }

    /// The sync target as snapshots name it.
    fn sync_target(&self) -> Option<String> {
        self.settings
            .sync
            .as_ref()
            .map(|sync| sync.target.to_string())
    }
}
