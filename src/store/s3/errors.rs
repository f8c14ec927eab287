//! Vendors' answers into meanings: the one place that knows their codes.

use super::clock::PlainHttp;
use crate::model::{StoreError, StoreErrorKind};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use std::error::Error;

/// A refusal, reduced to what its meaning depends on.
#[derive(Clone, Copy, Debug, Default)]
struct Answer<'a> {
    operation: &'static str,
    status: u16,
    code: &'a str,
    message: &'a str,
    /// Where the bucket really is, if the store says so.
    region: Option<&'a str>,
}

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

/// Failures without an answer: what counts is whether anything can have been sent.
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
        if find::<rustls::Error>(error).is_some() {
            return (
                Tls,
                format!("no trusted TLS connection: {why}; for a private authority set ca_cert"),
            );
        }
        return (
            Unreachable,
            format!("can't connect: {why}; check the network and the endpoint"),
        );
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
    let text = format!(
        "no usable credentials: {why}; set a profile, role_arn or keys for this target, or give \
         plain AWS credentials"
    );
    (StoreErrorKind::BadCredentials, text)
}

impl Answer<'_> {
    fn meaning(&self) -> StoreErrorKind {
        use StoreErrorKind::*;
        if self.region.is_some() && matches!(self.status, 301 | 307 | 400) {
            return WrongRegion;
        }
        self.by_code().unwrap_or(match self.status {
            // Complete and Copy begin their answer before they know how it ends.
            200..=299 => Server,
            301 | 307 | 308 => WrongRegion,
            304 | 412 => PreconditionFailed,
            401 | 403 => Denied,
            404 if self.operation.ends_with("Bucket") => NoSuchBucket,
            404 => NotFound,
            // What HEAD and GET say of a delete marker that is asked for by its version id.
            405 if matches!(self.operation, "HeadObject" | "GetObject") => NotFound,
            405 | 501 => Unsupported,
            408 => UnknownOutcome,
            409 => Conflict,
            429 | 503 => Throttled,
            500..=599 => Server,
            _ => Invalid,
        })
    }

    fn by_code(&self) -> Option<StoreErrorKind> {
        use StoreErrorKind::*;
        Some(match self.code {
            "NoSuchKey" | "NoSuchVersion" => NotFound,
            "NoSuchBucket" => NoSuchBucket,
            // A part that the store purged: the upload is of no use any more.
            "NoSuchUpload" | "InvalidPart" => NoSuchUpload,
            "PreconditionFailed" | "BucketAlreadyOwnedByYou" | "BucketAlreadyExists" => {
                PreconditionFailed
            }
            // A clock that is off is corrected from the refusal's own date.
            "ConditionalRequestConflict" | "OperationAborted" | "RequestTimeTooSkewed" => Conflict,
            "SlowDown"
            | "SlowDownRead"
            | "SlowDownWrite"
            | "ServiceUnavailable"
            | "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequests"
            | "BandwidthLimitExceeded" => Throttled,
            "InternalError" => Server,
            "RequestTimeout" => UnknownOutcome,
            "BadDigest"
            | "XAmzContentChecksumMismatch"
            | "InvalidDigest"
            | "XAmzContentSHA256Mismatch"
            | "IncompleteBody" => Checksum,
            "InvalidObjectState" => Archived,
            "ObjectLockConfigurationNotFoundError" => NoLock,
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "NotSignedUp"
            | "ObjectLocked" => Denied,
            "SignatureDoesNotMatch"
            | "InvalidAccessKeyId"
            | "InvalidToken"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException" => BadCredentials,
            "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "TokenRefreshRequired" => ExpiredCredentials,
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "InvalidRegion" => WrongRegion,
            "NotImplemented" | "MethodNotAllowed" if self.status != 405 => Unsupported,
            // Lock on an existing bucket, where the store allows it at creation only.
            "InvalidBucketState" => Unsupported,
            "InvalidRequest" => return self.by_message(),
            _ => return None,
        })
    }

    /// `InvalidRequest` says what it means in its text alone.
    fn by_message(&self) -> Option<StoreErrorKind> {
        let text = self.message.to_ascii_lowercase();
        if text.contains("missing object lock configuration")
            || text.contains("missing objectlockconfiguration")
        {
            return Some(StoreErrorKind::NoLock);
        }
        // MinIO, on deleting a locked version.
        text.contains("worm protected")
            .then_some(StoreErrorKind::Denied)
    }

    fn text(&self, kind: StoreErrorKind, region: &str) -> String {
        let said = match (self.code, self.message) {
            ("", "") => format!("HTTP {}", self.status),
            (code, "") => format!("{code}, HTTP {}", self.status),
            ("", message) => format!("{message}, HTTP {}", self.status),
            (code, message) => format!("{}, {code}", message.trim_end_matches('.')),
        };
        let Some(advice) = self.advice(kind) else {
            return said;
        };
        match (kind, self.region) {
            (StoreErrorKind::WrongRegion, Some(actual)) => format!(
                "the bucket is in {actual}, the request was for {region}: set region = \
                 \"{actual}\" ({said})"
            ),
            _ => format!("{advice} ({said})"),
        }
    }

    fn advice(&self, kind: StoreErrorKind) -> Option<&'static str> {
        use StoreErrorKind::*;
        Some(match kind {
            NoSuchBucket => "there is no such bucket; check its name and the endpoint, or make it",
            Denied if self.operation.starts_with("Head") => {
                "access denied, or the key is wrong (a HEAD does not say which)"
            }
            Denied if self.operation == "DeleteObject" => {
                "the policy forbids it, or a lock still holds the version"
            }
            Denied => "access denied; compare the policy with `tidelock policy`",
            BadCredentials => "the access key or its secret is wrong for this store",
            ExpiredCredentials => "the session's credentials ran out; log in again",
            WrongRegion => "the bucket is in another region or at another endpoint; set region",
            NoLock => "the bucket has no object lock",
            Archived => "the version is archived and must be retrieved first",
            Throttled => "the store asks to slow down",
            Unsupported => "the store does not know this",
            NoSuchUpload => "the upload or one of its parts is gone",
            Checksum => "the bytes were damaged on the way",
            Conflict if self.code == "RequestTimeTooSkewed" => {
                "this machine's clock is off; the server's time is used from now on"
            }
            Invalid if self.code.is_empty() && self.status == 400 => {
                "refused without a reason; check region, endpoint and credentials"
            }
            _ => return None,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use StoreErrorKind::*;

    fn answer(status: u16, code: &'static str, message: &'static str) -> Answer<'static> {
        Answer {
            operation: "PutObject",
            status,
            code,
            message,
            region: None,
        }
    }

    #[test]
    fn codes_have_one_meaning_each() {
        let table = [
            (404, "NoSuchKey", NotFound),
            (404, "NoSuchVersion", NotFound),
            (404, "NoSuchBucket", NoSuchBucket),
            (404, "NoSuchUpload", NoSuchUpload),
            (400, "InvalidPart", NoSuchUpload),
            (412, "PreconditionFailed", PreconditionFailed),
            (409, "ConditionalRequestConflict", Conflict),
            (409, "OperationAborted", Conflict),
            (403, "RequestTimeTooSkewed", Conflict),
            (503, "SlowDown", Throttled),
            (503, "ServiceUnavailable", Throttled),
            (500, "InternalError", Server),
            (200, "InternalError", Server),
            (200, "SlowDown", Throttled),
            (400, "BadDigest", Checksum),
            (400, "XAmzContentChecksumMismatch", Checksum),
            (400, "InvalidDigest", Checksum),
            (403, "InvalidObjectState", Archived),
            (404, "ObjectLockConfigurationNotFoundError", NoLock),
            (403, "AccessDenied", Denied),
            (403, "SignatureDoesNotMatch", BadCredentials),
            (403, "InvalidAccessKeyId", BadCredentials),
            (400, "ExpiredToken", ExpiredCredentials),
            (403, "RequestExpired", ExpiredCredentials),
            (301, "PermanentRedirect", WrongRegion),
            (400, "AuthorizationHeaderMalformed", WrongRegion),
            (501, "NotImplemented", Unsupported),
            (409, "InvalidBucketState", Unsupported),
            (400, "EntityTooSmall", Invalid),
            (400, "KeyTooLongError", Invalid),
        ];
        for (status, code, kind) in table {
            assert_eq!(answer(status, code, "").meaning(), kind, "{status} {code}");
        }
    }

    #[test]
    fn a_bare_status_has_a_meaning_too() {
        let table = [
            (200, Server),
            (304, PreconditionFailed),
            (400, Invalid),
            (403, Denied),
            (404, NotFound),
            (405, Unsupported),
            (409, Conflict),
            (412, PreconditionFailed),
            (429, Throttled),
            (500, Server),
            (501, Unsupported),
            (502, Server),
            (503, Throttled),
            (504, Server),
        ];
        for (status, kind) in table {
            assert_eq!(answer(status, "", "").meaning(), kind, "{status}");
        }
        let head = Answer {
            operation: "HeadObject",
            ..answer(405, "", "")
        };
        assert_eq!(head.meaning(), NotFound);
        let bucket = Answer {
            operation: "HeadBucket",
            ..answer(404, "", "")
        };
        assert_eq!(bucket.meaning(), NoSuchBucket);
    }

    #[test]
    fn invalid_request_is_read_from_its_text() {
        let worm = "Object is WORM protected and cannot be overwritten";
        assert_eq!(answer(400, "InvalidRequest", worm).meaning(), Denied);
        for text in [
            "Bucket is missing Object Lock Configuration",
            "Bucket is missing ObjectLockConfiguration",
        ] {
            assert_eq!(answer(400, "InvalidRequest", text).meaning(), NoLock);
        }
        assert_eq!(answer(400, "InvalidRequest", "else").meaning(), Invalid);
    }

    #[test]
    fn a_wrong_region_names_the_right_one() {
        for (status, code) in [(301, ""), (400, "AuthorizationHeaderMalformed"), (400, "")] {
            let answer = Answer {
                region: Some("eu-west-1"),
                ..answer(status, code, "")
            };
            assert_eq!(answer.meaning(), WrongRegion);
            let text = answer.text(WrongRegion, "us-east-1");
            assert!(text.contains("region = \"eu-west-1\""), "{text}");
        }
    }
}
