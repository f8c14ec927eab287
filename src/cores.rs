//! No core files: the process's memory holds keys.

use rustix::process::{Resource, Rlimit, setrlimit};
use tidelock::config::Environment;

/// The variable that keeps them, for whoever looks into a crash.
const KEEP: &str = "TIDELOCK_CORE_DUMPS";

/// Forbids core files, those that a pipe takes among them, which know no limit. Where the system
/// does not let us, the crash of a crash is not worth an error.
pub(crate) fn forbid(environment: &Environment) {
    if matches!(environment.get(KEEP), Some("1" | "true" | "yes" | "on")) {
        return;
    }
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::debug!(%error, "core files could not be forbidden");
    }
    not_dumpable();
}

#[cfg(target_os = "linux")]
fn not_dumpable() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

#[cfg(not(target_os = "linux"))]
fn not_dumpable() {}
