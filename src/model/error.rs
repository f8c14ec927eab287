//! Errors by meaning. Each message names the path, bucket or setting and says what to do.

use crate::model::ExitCode;
use std::path::{Path, PathBuf};

/// What a store's answer means, translated once from the vendor's codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum StoreErrorKind {
    /// No such key, version or upload's key.
    NotFound,
    /// The bucket does not exist.
    NoSuchBucket,
    /// The multipart upload is gone: completed, aborted or purged.
    NoSuchUpload,
    /// A condition (`If-Match`, `If-None-Match`, `copy-source-if-match`) refused the request.
    PreconditionFailed,
    /// Two conditional requests met; the same request may succeed in a moment.
    Conflict,
    /// Too many requests; nothing was done. Slow down.
    Throttled,
    /// The server failed (500, 502, 504): for a write the outcome is unknown.
    Server,
    /// The connection broke or timed out after the request may have gone out: outcome unknown.
    UnknownOutcome,
    /// No connection could be made: nothing was sent.
    Unreachable,
    /// The server's certificate was not accepted: nothing was sent.
    Tls,
    /// The credentials lack the permission, or a lock forbids the deletion.
    Denied,
    /// There are no credentials, or the key or its signature is wrong.
    BadCredentials,
    /// The session's credentials ran out.
    ExpiredCredentials,
    /// The bucket lies in another region or answers with a redirect.
    WrongRegion,
    /// The bucket has no object lock.
    NoLock,
    /// The version is in an archive class and must be retrieved first.
    Archived,
    /// Bytes were damaged on the way, in either direction.
    Checksum,
    /// The store does not know this feature (501 and its like).
    Unsupported,
    /// The store refuses the request as it is; sending it again is of no use.
    Invalid,
}

impl StoreErrorKind {
    /// Whether the same request may succeed later. For writes of locked versions an unknown
    /// outcome must be looked up before.
    pub fn is_transient(self) -> bool {
        use StoreErrorKind::*;
        matches!(
            self,
            Conflict | Throttled | Server | UnknownOutcome | Unreachable | Checksum
        )
    }

    /// Whether a write that failed so may nevertheless have happened.
    pub fn may_have_happened(self) -> bool {
        matches!(self, Self::Server | Self::UnknownOutcome)
    }
}

/// A store's refusal or failure of one request.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} {place}: {message}")]
pub struct StoreError {
    /// The meaning, on which code decides.
    pub kind: StoreErrorKind,
    /// The API call, e.g. `PutObject`.
    pub operation: &'static str,
    /// `s3://bucket` or `s3://bucket/key`.
    pub place: String,
    /// For people: what happened, with the vendor's code, and what can be done.
    pub message: String,
}

/// The result of a store's call.
pub type StoreResult<T> = std::result::Result<T, StoreError>;

/// Why a command could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Wrong usage or configuration, found before the first write.
    #[error("{0}")]
    Usage(String),
    /// A guard refused; the message has the exact override.
    #[error("{0}")]
    Refused(String),
    /// Another run holds this library or target; the message names the holder.
    #[error("{0}")]
    Held(String),
    /// Something stored is damaged, forged, or at risk.
    #[error("{0}")]
    Damage(String),
    /// Stopped in good order; the same command goes on.
    #[error("{0}")]
    Resumable(String),
    /// SIGINT or SIGTERM.
    #[error("interrupted; run the same command again to go on")]
    Interrupted,
    /// Some of what was asked for could not be done; each is named before.
    #[error("{0}")]
    Partial(String),
    /// A store's answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The local disk.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A format that this version can't read, or data that breaks its own rules.
    #[error("{0}")]
    Format(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps an I/O error with its path; made to be used with `map_err`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }

    /// The exit code that this error alone means. Callers that know that nothing was written yet
    /// use [`Error::exit_before_first_write`].
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::Usage,
            Self::Refused(_) => ExitCode::Refused,
            Self::Held(_) => ExitCode::Held,
            Self::Damage(_) => ExitCode::Damage,
            Self::Resumable(_) => ExitCode::Resumable,
            Self::Interrupted => ExitCode::Interrupted,
            Self::Partial(_) => ExitCode::Partial,
            Self::Store(error) => match error.kind {
                // What passes by itself, given more time than patience had.
                StoreErrorKind::ExpiredCredentials
                | StoreErrorKind::Unreachable
                | StoreErrorKind::UnknownOutcome
                | StoreErrorKind::Server
                | StoreErrorKind::Throttled
                // Right at first, so something else has changed it: once it is right again, the
                // same command goes on.
                | StoreErrorKind::NoSuchBucket
                | StoreErrorKind::BadCredentials
                | StoreErrorKind::WrongRegion
                | StoreErrorKind::Tls => ExitCode::Resumable,
                StoreErrorKind::NoLock => ExitCode::Refused,
                _ => ExitCode::Failed,
            },
            Self::Io { .. } | Self::Format(_) | Self::Failed(_) => ExitCode::Failed,
        }
    }

    /// As [`Error::exit_code`], where nothing has been written: then a wrong bucket, region,
    /// endpoint, certificate or key is a matter of configuration.
    pub fn exit_before_first_write(&self) -> ExitCode {
        use StoreErrorKind::*;
        match self {
            Self::Store(error) => match error.kind {
                NoSuchBucket | Denied | BadCredentials | WrongRegion | Tls | Invalid => {
                    ExitCode::Usage
                }
                _ => self.exit_code(),
            },
            _ => self.exit_code(),
        }
    }
}
