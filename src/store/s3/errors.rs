//! What the SDK returns into meanings: an answer's own (see `answer`), or that of a failure without
//! one, where what counts is whether anything can have been sent.

use super::answer::Answer;
use super::clock::PlainHttp;
use super::credentials::NoSuchProfile;
use crate::model::{StoreError, StoreErrorKind};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;

/// Translates what the SDK returned.
pub(super) fn translate<E>(
    operation: &'static str,
    place: String,
    region: &str,
    error: &SdkError<E, HttpResponse>,
) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (kind, message) = match error {
        SdkError::ServiceError(service) => {
            of_service(operation, region, service.err(), service.raw())
        }
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            let why = format!(
                "the answer (HTTP {status}) can't be understood: {}; is the endpoint really S3?",
                chain(error)
            );
            (StoreErrorKind::UnknownOutcome, why)
        }
        SdkError::TimeoutError(_) => (
            StoreErrorKind::UnknownOutcome,
            "no answer in time".to_owned(),
        ),
        other => of_connection(other),
    };
    StoreError {
        kind,
        operation,
        place,
        message,
    }
}

fn of_service<E: ProvideErrorMetadata>(
    operation: &'static str,
    region: &str,
    error: &E,
    raw: &HttpResponse,
) -> (StoreErrorKind, String) {
    let headers = raw.headers();
    let answer = Answer {
        operation,
        status: raw.status().as_u16(),
        // A HEAD has no body; MinIO says it in a header.
        code: headers
            .get("x-minio-error-code")
            .or_else(|| error.code().filter(|code| !is_generic(code)))
            .unwrap_or_default(),
        message: error.message().unwrap_or_default(),
        region: headers
            .get("x-amz-bucket-region")
            .filter(|actual| *actual != region),
    };
    let kind = answer.meaning();
    (kind, answer.text(kind, region))
}

/// Names that the SDK derives from the bare status of an answer without a body.
fn is_generic(code: &str) -> bool {
    matches!(code, "NotFound" | "BadRequest" | "Forbidden")
}

fn of_connection<E: Error + 'static>(
    error: &SdkError<E, HttpResponse>,
) -> (StoreErrorKind, String) {
    use StoreErrorKind::*;
    if let Some(refusal) = find::<PlainHttp>(error) {
        return (Invalid, refusal.to_string());
    }
    if let Some(client) = find::<hyper_util::client::legacy::Error>(error)
        && client.is_connect()
    {
        let why = chain(client);
        match find::<rustls::Error>(error) {
            Some(rustls::Error::InvalidMessage(_)) => {
                return (
                    Tls,
                    format!(
                        "what answers there speaks no TLS ({why}): check the port, or if it is plain \
                         HTTP, write http:// in the endpoint (--endpoint)"
                    ),
                );
            }
            Some(_) => {
                return (
                    Tls,
                    format!(
                        "no trusted TLS connection: {why}; for a private authority set ca_cert"
                    ),
                );
            }
            None => {}
        }
        return (
            Unreachable,
            format!("can't connect: {why}; check the network and the endpoint"),
        );
    }
    if let Some(CredentialsError::ProviderTimedOut(_)) = find::<CredentialsError>(error) {
        let why = format!(
            "no answer about credentials: {}; is the network there?",
            chain(error)
        );
        return (Unreachable, why);
    }
    if find::<CredentialsError>(error).is_some() {
        return of_credentials(error);
    }
    match error {
        SdkError::ConstructionFailure(_) => (Invalid, chain(error)),
        _ => (
            UnknownOutcome,
            format!("the connection broke: {}", chain(error)),
        ),
    }
}

fn of_credentials(error: &(dyn Error + 'static)) -> (StoreErrorKind, String) {
    let why = chain(error);
    if why.to_ascii_lowercase().contains("expired") {
        let text = format!("the session's credentials ran out ({why}); log in again");
        return (StoreErrorKind::ExpiredCredentials, text);
    }
    if let Some(missing) = find::<NoSuchProfile>(error) {
        return (StoreErrorKind::BadCredentials, missing.to_string());
    }
    let none = matches!(
        find::<CredentialsError>(error),
        Some(CredentialsError::CredentialsNotLoaded(_))
    );
    let text = if none {
        // Where it was looked for is a page of the SDK's own terms.
        tracing::debug!(%why, "no credentials");
        "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name an \
         AWS profile that has them, or give this target keys of its own \
         (TIDELOCK_SYNC_ACCESS_KEY_ID, TIDELOCK_SYNC_SECRET_ACCESS_KEY; the same with BACKUP)"
            .to_owned()
    } else {
        format!("no usable credentials: {why}; check the profile, role_arn or keys of this target")
    };
    (StoreErrorKind::BadCredentials, text)
}

/// The first error of that type in the chain. An `io::Error` hides what it wraps from `source`.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref::<T>())
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// All causes in one line, repetitions left out.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}
