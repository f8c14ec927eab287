//! One request, sent once.

use super::body::Patience;
use super::{S3Store, errors};
use crate::model::{Requests, StoreError, StoreErrorKind, StoreResult, Time, time};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

/// For what stores work on for minutes: completing uploads of many parts, copying gigabytes.
pub(super) const SLOW: Duration = Duration::from_secs(15 * 60);

impl S3Store {
    /// Counts a request, waits for its answer, and translates a refusal.
    pub(super) async fn send<T, E>(
        &self,
        operation: &'static str,
        key: &str,
        patience: &Patience,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> StoreResult<T>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        *self.counter().entry(operation).or_default() += 1;
        let keys = self.keys.generation();
        match patience.hold(request).await {
            Some(Ok(output)) => {
                self.keys.are_good();
                Ok(output)
            }
            Some(Err(error)) => {
                let place = self.place_of(key);
                let error = errors::translate(operation, place, &self.region, &error);
                tracing::debug!(kind = ?error.kind, %error, "refused or failed");
                Err(self.renew_keys(keys, error).await)
            }
            None => Err(self.error(
                operation,
                key,
                StoreErrorKind::UnknownOutcome,
                "nothing moved for a minute; the connection was given up",
            )),
        }
    }

    /// Where the store did nothing because the credentials are no longer good, and there are other
    /// ones by now, the same request may be sent again.
    async fn renew_keys(&self, used: u64, error: StoreError) -> StoreError {
        use StoreErrorKind::{BadCredentials, Conflict, ExpiredCredentials};
        let refused = matches!(error.kind, ExpiredCredentials | BadCredentials);
        if !refused || !self.keys.renew(used).await {
            return error;
        }
        StoreError {
            kind: Conflict,
            message: "the session's credentials ran out and were renewed".to_owned(),
            ..error
        }
    }

    /// An error that the store did not send itself.
    pub(super) fn error(
        &self,
        operation: &'static str,
        key: &str,
        kind: StoreErrorKind,
        message: impl Into<String>,
    ) -> StoreError {
        StoreError {
            kind,
            operation,
            place: self.place_of(key),
            message: message.into(),
        }
    }

    /// `s3://bucket` or `s3://bucket/key`, control characters made visible.
    fn place_of(&self, key: &str) -> String {
        let shown = if key.chars().any(char::is_control) {
            key.escape_debug().to_string()
        } else {
            key.to_owned()
        };
        match shown.as_str() {
            "" => format!("s3://{}", self.bucket),
            key => format!("s3://{}/{key}", self.bucket),
        }
    }

    pub(super) fn counted(&self) -> Requests {
        self.counter().clone()
    }

    fn counter(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server's time. Any answer carries it, so that even a refused HEAD will do, unless it
    /// says that the bucket is not there.
    pub(super) async fn server_now(&self) -> StoreResult<Time> {
        if let Some(now) = self.clock.at(time::local_now()) {
            return Ok(now);
        }
        let head = self.client.head_bucket().bucket(&self.bucket).send();
        let asked = self.send("HeadBucket", "", &Patience::new(), head).await;
        match (self.clock.at(time::local_now()), asked) {
            (_, Err(error)) if is_elsewhere(error.kind) => Err(error),
            (Some(now), _) => Ok(now),
            (None, asked) => {
                asked?;
                let why = "the server's answers carry no Date, so locks can't be dated";
                Err(self.error("HeadBucket", "", StoreErrorKind::Unsupported, why))
            }
        }
    }
}

fn is_elsewhere(kind: StoreErrorKind) -> bool {
    matches!(
        kind,
        StoreErrorKind::NoSuchBucket | StoreErrorKind::WrongRegion
    )
}
