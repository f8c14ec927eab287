//! What one file's failure means for all.

use crate::model::{Error, ExitCode, StoreErrorKind};
use std::io::ErrorKind;

/// What is wrong with the disk, the connection or the credentials, not with one file.
pub(in crate::engine) fn is_fatal(error: &Error) -> bool {
    use StoreErrorKind::*;
    match error {
        Error::Io { source, .. } => is_full(source),
        Error::Store(error) => matches!(
            error.kind,
            NoSuchBucket | Unreachable | Tls | BadCredentials | ExpiredCredentials | WrongRegion
        ),
        Error::Interrupted => true,
        _ => false,
    }
}

/// Whether the disk, or what the user may have of it, is full.
pub(in crate::engine) fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// What one file's failure means for the exit code: anything unnamed by the table is "partial".
pub(in crate::engine) fn exit_of(error: &Error) -> ExitCode {
    match error.exit_code() {
        ExitCode::Failed => ExitCode::Partial,
        code => code,
    }
}
