//! SQLite's errors by meaning.

use crate::model::Error;
use rusqlite::ErrorCode;
use std::path::Path;

/// What went wrong with the state in `file`, and what to do.
pub(super) fn translate(file: &Path, error: &rusqlite::Error) -> Error {
    let file = file.display();
    if is_damage(error) {
        return Error::Failed(format!(
            "{file}: the state is damaged ({error}); run the same command again: \
             it will be set aside and rebuilt"
        ));
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => full(&file),
        // There is no room for the index of the write-ahead log.
        Some(ErrorCode::SystemIoFailure) if is_of_shared_memory(error) => full(&file),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Held(format!(
            "{file}: another program has the state open; close it and run again"
        )),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Error::Failed(format!(
                "{file}: the state can't be written ({error}); \
                 check its permissions or choose another folder with --state-dir"
            ))
        }
        _ => Error::Failed(format!("{file}: {error}")),
    }
}

/// Why the folder of the state, or a file in it, can't be made, and what to do.
pub(super) fn unusable(path: &Path, error: &std::io::Error) -> Error {
    let path = path.display();
    if error.kind() == std::io::ErrorKind::StorageFull {
        return full(&path);
    }
    Error::Failed(format!(
        "{path}: the state can't be kept there ({error}); check the folder and its permissions, or \
         choose another one with --state-dir"
    ))
}

fn full(file: &std::path::Display<'_>) -> Error {
    Error::Resumable(format!(
        "{file}: the disk is full; free some space and run the same command again to go on"
    ))
}

fn is_of_shared_memory(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMOPEN, SQLITE_IOERR_SHMSIZE};
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| {
        [
            SQLITE_IOERR_SHMSIZE,
            SQLITE_IOERR_SHMOPEN,
            SQLITE_IOERR_SHMMAP,
        ]
        .contains(&code)
    })
}

/// Whether the file's content is at fault, not the disk's space or its permissions.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase
        ),
        // A table that is not as it was made.
        rusqlite::Error::SqlInputError { .. } => true,
        // A row that can't be what this program wrote.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => false,
    }
}

/// Says that a row breaks its own rules; counts as damage.
pub(super) fn bad_row(why: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Null, why.into())
}
