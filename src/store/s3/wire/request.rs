//! Method, path, query and headers.

use super::super::convert;
use crate::store::Attributes;
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use std::borrow::Cow;

const AGENT: &str = concat!("tidelock/", env!("CARGO_PKG_VERSION"));

/// A request about one key.
#[derive(Debug)]
pub(in crate::store::s3) struct Request {
    pub(super) method: &'static str,
    /// Percent-encoded, with a slash before it.
    path: String,
    headers: Vec<(Cow<'static, str>, String)>,
}

impl Request {
    pub(in crate::store::s3) fn new(method: &'static str, key: &str) -> Self {
        Self {
            method,
            path: format!("/{}", convert::percent_encoded(key, true)),
            headers: Vec::with_capacity(16),
        }
    }

    /// Asks for one version of the key, where one is named.
    pub(in crate::store::s3) fn version(mut self, version_id: Option<&str>) -> Self {
        if let Some(version_id) = version_id {
            self.path.push_str("?versionId=");
            self.path
                .push_str(&convert::percent_encoded(version_id, false));
        }
        self
    }

    pub(in crate::store::s3) fn header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The same for what is not always there.
    pub(in crate::store::s3) fn maybe(
        self,
        name: &'static str,
        value: Option<impl Into<String>>,
    ) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// What an object is given beside its bytes.
    pub(in crate::store::s3) fn attributes(mut self, attributes: &Attributes) -> Self {
        for (name, value) in &attributes.metadata {
            self = self.header(format!("x-amz-meta-{name}"), value);
        }
        if let Some(sse) = &attributes.sse {
            let (sse, key) = convert::sse(sse);
            self = self
                .header("x-amz-server-side-encryption", sse.as_str())
                .maybe("x-amz-server-side-encryption-aws-kms-key-id", key);
        }
        if let Some(lock) = attributes.retention {
            let mode = convert::lock_mode(lock.mode);
            self = self.header("x-amz-object-lock-mode", mode.as_str()).header(
                "x-amz-object-lock-retain-until-date",
                convert::until(lock.until).to_string(),
            );
        }
        self.maybe("content-type", attributes.content_type.as_deref())
            .maybe("x-amz-storage-class", attributes.storage_class.as_deref())
    }

    pub(super) fn url(&self, bucket: &str) -> String {
        format!("{bucket}{}", self.path)
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The request as connections take it.
    pub(super) fn into_http<'a>(
        self,
        url: String,
        signature: impl Iterator<Item = (&'a str, &'a str)>,
        body: SdkBody,
    ) -> Result<HttpRequest, BoxError> {
        let mut request = HttpRequest::new(body);
        request.set_method(self.method)?;
        request.set_uri(url)?;
        let headers = request.headers_mut();
        headers.try_insert("user-agent", AGENT)?;
        for (name, value) in self.headers {
            headers.try_insert(name, value)?;
        }
        for (name, value) in signature {
            headers.try_insert(name.to_owned(), value.to_owned())?;
        }
        Ok(request)
    }
}
