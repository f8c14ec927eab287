//! The requests that nights and restores consist of, signed by the SDK's own signer and sent
//! through the connection pool that the SDK's requests use too, without its machinery in between:
//! for a small file that takes more of a processor than everything else that is done with it.
//!
//! | file | its idea |
//! |---|---|
//! | `address` | where a bucket is, by the SDK's rules, asked once |
//! | `request` | method, path, query and headers |
//! | `answer` | what comes back: XML, refusals, a body and its checksum |

mod address;
mod answer;
mod request;

pub(super) use address::{Address, Asked};
pub(super) use answer::{Checked, Refusal, copied, version_of};
pub(super) use request::Request;

use super::clock::{PlainHttp, ServerClock};
use super::endpoint::is_exposed;
use super::keyring::Keyring;
use crate::model::time;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{BoxError, SdkError};
use aws_sdk_s3::primitives::SdkBody;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a request on the wire came to, as the SDK says it of its own.
pub(super) type Result<T> = std::result::Result<T, SdkError<Refusal, HttpResponse>>;

/// One bucket's way out.
#[derive(Debug)]
pub(super) struct Wire {
    connector: SharedHttpConnector,
    address: std::result::Result<Address, String>,
    keys: Arc<Keyring>,
    clock: Arc<ServerClock>,
    /// The address is plain HTTP beyond this machine, and nobody has agreed to that.
    exposed: bool,
}

impl Wire {
    pub(super) fn new(
        connector: SharedHttpConnector,
        address: std::result::Result<Address, String>,
        keys: Arc<Keyring>,
        clock: Arc<ServerClock>,
        allow_http: bool,
    ) -> Self {
        let exposed = |address: &Address| !allow_http && is_exposed(&address.url);
        Self {
            exposed: address.as_ref().is_ok_and(exposed),
            connector,
            address,
            keys,
            clock,
        }
    }

    /// Signs and sends a request, once. An answer with a status of success comes back before its
    /// body was read.
    pub(super) async fn send(
        &self,
        request: Request,
        payload: SignableBody<'_>,
        body: SdkBody,
    ) -> Result<HttpResponse> {
        let request = self.signed(request, payload, body).await;
        let request = request.map_err(SdkError::construction_failure)?;
        let answered = self.connector.call(request).await;
        let response = answered.map_err(SdkError::dispatch_failure)?;
        if let Some(date) = response.headers().get("date") {
            self.clock.note(date, time::local_now());
        }
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(answer::refusal(response).await)
        }
    }

    async fn signed(
        &self,
        request: Request,
        payload: SignableBody<'_>,
        body: SdkBody,
    ) -> std::result::Result<HttpRequest, BoxError> {
        let address = self
            .address
            .as_ref()
            .map_err(|why| BoxError::from(why.clone()))?;
        if self.exposed {
            return Err(PlainHttp.into());
        }
        let identity: Identity = self.keys.current().await?.into();
        let url = request.url(&address.url);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&address.region)
            .name(&address.service)
            .time(self.now())
            .settings(settings())
            .build()?
            .into();
        let signable =
            SignableRequest::new(request.method, url.as_str(), request.headers(), payload)?;
        let (signature, _) = sign(signable, &params)?.into_parts();
        request.into_http(url, signature.headers(), body)
    }

    /// Signatures are dated by the server's clock, as soon as it is known.
    fn now(&self) -> SystemTime {
        let local = time::local_now();
        let millis = self.clock.at(local).unwrap_or(local).as_millisecond();
        UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

/// S3 takes paths as they are, and wants to know the payload's hash or that there is none.
fn settings() -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings
}
