//! Pure decisions: from what was seen, what is remembered and what the mirror holds to what is to
//! be done. No I/O here: every function is tested by table.

mod compare;
mod decide;
mod guard;
mod night;
mod renew;
pub mod restore;

pub use compare::{CompareOptions, Comparer, Extra, Known, Mirror, MirrorObject, Plan, Task};
pub use decide::{BackupStep, Copyable, SyncStep, SyncView, backup_step, sync_step};
pub use guard::{DeleteGuard, DeleteVerdict, FLOOR_DELETE, allowed, check_deletes, check_empty};
pub use night::{NightShare, share_of_night};
pub use renew::{Renewable, due_now, renew_due};
