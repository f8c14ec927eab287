//! Which S3 operation a request is.

use super::wire::Head;

/// A request, as far as faults are chosen by it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) operation: &'static str,
    pub(super) bucket: String,
    pub(super) key: String,
    head: Head,
}

impl Request {
    /// Path style: `/bucket/key?query`.
    pub(super) fn of(head: &Head) -> Self {
        let target = head.word(1);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let asks = |name: &str| {
            let mut names = query.split('&').map(|pair| pair.split('=').next());
            names.any(|found| found == Some(name))
        };
        let copies = head.header("x-amz-copy-source").is_some();
        let operation = if key.is_empty() {
            of_bucket(head.word(0), asks)
        } else {
            of_object(head.word(0), asks, copies)
        };
        Self {
            operation,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            head: head.clone(),
        }
    }
}

impl Request {
    pub(super) fn has(&self, header: &str) -> bool {
        self.head.header(header).is_some()
    }

    pub(super) fn is_signed_by(&self, access_key: &str) -> bool {
        let signature = self.head.header("authorization").unwrap_or_default();
        signature.contains(&format!("Credential={access_key}/"))
    }
}

fn of_bucket(method: &str, asks: impl Fn(&str) -> bool) -> &'static str {
    match method {
        "HEAD" => "HeadBucket",
        "PUT" => "CreateBucket",
        "POST" => "DeleteObjects",
        "GET" if asks("versions") => "ListObjectVersions",
        "GET" if asks("uploads") => "ListMultipartUploads",
        "GET" if asks("object-lock") => "GetObjectLockConfiguration",
        "GET" if asks("versioning") => "GetBucketVersioning",
        "GET" if asks("list-type") => "ListObjectsV2",
        _ => "Other",
    }
}

fn of_object(method: &str, asks: impl Fn(&str) -> bool, copies: bool) -> &'static str {
    match method {
        "PUT" if asks("partNumber") && copies => "UploadPartCopy",
        "PUT" if asks("partNumber") => "UploadPart",
        "PUT" if asks("retention") => "PutObjectRetention",
        "PUT" if copies => "CopyObject",
        "PUT" => "PutObject",
        "POST" if asks("uploads") => "CreateMultipartUpload",
        "POST" if asks("uploadId") => "CompleteMultipartUpload",
        "GET" if asks("uploadId") => "ListParts",
        "GET" if asks("retention") => "GetObjectRetention",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "DELETE" if asks("uploadId") => "AbortMultipartUpload",
        "DELETE" => "DeleteObject",
        _ => "Other",
    }
}
