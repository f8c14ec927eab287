//! Vendors' codes into meanings and advice: the one place that knows them.

use crate::model::StoreErrorKind;

/// A refusal, reduced to what its meaning depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer<'a> {
    pub operation: &'static str,
    pub status: u16,
    pub code: &'a str,
    pub message: &'a str,
    /// Where the bucket really is, if the store says so.
    pub region: Option<&'a str>,
}

impl Answer<'_> {
    pub(super) fn meaning(&self) -> StoreErrorKind {
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
            // What such a request asks for is the bucket; a web server that is no S3 says so too.
            404 if matches!(self.operation, "ListObjectsV2" | "ListObjectVersions") => NoSuchBucket,
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
            // It is so already.
            "RestoreAlreadyInProgress" => PreconditionFailed,
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

    /// What is said to people: advice, and the vendor's own words.
    pub(super) fn text(&self, kind: StoreErrorKind, region: &str) -> String {
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
            NoSuchBucket => {
                "there is no such bucket; check its name and the endpoint, or make it with \
             `tidelock init`"
            }
            Denied if self.operation.starts_with("Head") => {
                "access denied, or the key is wrong (a HEAD does not say which); `tidelock doctor` \
                 finds out"
            }
            Denied if self.operation == "DeleteObject" => {
                "the policy forbids it (`tidelock policy`), or a lock still holds the version"
            }
            Denied => "access denied; compare the policy with `tidelock policy`",
            BadCredentials => {
                "the access key or its secret is wrong for this store: set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, or the target's own keys or profile"
            }
            ExpiredCredentials => "the session's credentials ran out; log in again",
            WrongRegion => "the bucket is in another region or at another endpoint; set region",
            NoLock => "the bucket has no object lock; `tidelock init` makes one that has",
            Archived => {
                "the version is in an archive storage class and must be retrieved (thawed) first; \
                 `tidelock restore --thaw=standard` asks for it"
            }
            Throttled => "the store asks to slow down",
            Unsupported => "the store does not know this",
            NoSuchUpload => "the upload or one of its parts is gone",
            Checksum => "the bytes were damaged on the way",
            Conflict if self.code == "RequestTimeTooSkewed" => {
                "this machine's clock is off; the server's time is used from now on"
            }
            Server if self.code.is_empty() && self.status < 300 => {
                "the answer is not S3's; check the endpoint"
            }
            Invalid if self.code == "InvalidStorageClass" => {
                "the store does not have this storage class: change storage_class in [backup] or \
                 [sync], or leave it out"
            }
            Invalid if self.code.is_empty() && self.status == 400 => {
                "refused without a reason; check region, endpoint and credentials"
            }
            _ => return None,
        })
    }
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
            (409, "RestoreAlreadyInProgress", PreconditionFailed),
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
