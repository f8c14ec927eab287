//! Pure decisions.

pub mod renew;
