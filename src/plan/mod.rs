//! Pure decisions: from what was seen, what is remembered and what the mirror holds to what is to
//! be done. No I/O here: every function is tested by table.

mod change;
mod compare;
mod decide;
mod drain;
pub mod forecast;
mod guard;
mod history;
mod keep;
mod kind;
mod lifecycle;
mod night;
mod objects;
mod offline;
mod overlap;
mod policy;
pub mod pull;
mod renew;
pub mod restore;
mod sweep;
mod task;
mod via;

pub use change::{
    ChangeGuard, FLOOR_CHANGE, Look, after_backup, change_refusal, check_change, may_exceed,
    may_overwrite, spread,
};
pub use compare::{CompareOptions, Comparer};
pub use decide::{BackupStep, Copyable, SyncStep, SyncView, backup_step, sync_step};
pub use guard::{DeleteGuard, DeleteVerdict, FLOOR_DELETE, allowed, check_deletes, check_empty};
pub use history::{History, MostHistory};
pub use keep::{Candidate, keep};
pub use kind::{HEAD, Head, has_known_kind};
pub use lifecycle::{Harm, drops_old_versions, harm_to_backup, harm_to_mirror};
pub use night::{NightShare, share_of_night};
pub use objects::{MirrorObject, MirrorObjects};
pub use overlap::Overlaps;
pub use policy::{Role, Scope, b2_commands, policy};
pub use renew::{Renewable, due_now, renew_due};
pub use sweep::{GRACE, Naming, Sweep, sweep};
pub use task::{Extra, Known, Mirror, Plan, Task};
pub use via::{ViaStep, ViaView, via_answered, via_step};
