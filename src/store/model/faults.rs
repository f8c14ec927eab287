//! Faults that are planned, fire once, and are missed when they do not.

use crate::model::StoreErrorKind;
use std::sync::{Mutex, PoisonError};

/// A failure of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The API name, e.g. `PutObject`.
    pub operation: &'static str,
    /// How many requests of that name pass before.
    pub skip: u64,
    /// What the caller is told.
    pub kind: StoreErrorKind,
    /// Whether the request is carried out nevertheless, as when an answer is lost.
    pub done: bool,
}

#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn plan(&self, fault: Fault) {
        self.planned().push(fault);
    }

    pub(super) fn left(&self) -> Vec<Fault> {
        self.planned().clone()
    }

    /// The fault that strikes this request, if any; it is used up.
    pub(super) fn strike(&self, operation: &'static str) -> Option<Fault> {
        let mut planned = self.planned();
        let mut due = None;
        for (place, fault) in planned.iter_mut().enumerate() {
            if fault.operation != operation {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if due.is_none() {
                due = Some(place);
            }
        }
        due.map(|place| planned.remove(place))
    }

    fn planned(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_request_it_was_planned_for_and_no_other() {
        let faults = Faults::default();
        let fault = Fault {
            operation: "PutObject",
            skip: 1,
            kind: StoreErrorKind::Throttled,
            done: false,
        };
        faults.plan(fault);
        assert_eq!(faults.strike("GetObject"), None);
        assert_eq!(faults.strike("PutObject"), None);
        assert_eq!(faults.left().len(), 1);
        let struck = faults.strike("PutObject").expect("due");
        assert_eq!(struck.kind, fault.kind);
        assert_eq!(faults.strike("PutObject"), None);
        assert!(faults.left().is_empty());
    }
}
