//! One target's client, from its own settings alone.

use super::abilities::Abilities;
use super::clock::{ReadDate, RefusePlainHttp, ServerClock};
use super::endpoint::Endpoint;
use super::keyring::Keyring;
use super::wire::{Address, Asked, Wire};
use super::{ConnectOptions, S3Store, credentials, transport};
use crate::model::{Connection, Provider, Requests, Result, Target};
use crate::store::{Idle, Site};
use aws_config::SdkConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    Builder, IdentityCache, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use std::sync::{Arc, Mutex};

/// Bytes of buffers that are kept for the next answers: two ranges of a large file.
const IDLE_BODIES: usize = 16 << 20;

impl S3Store {
    /// Prepares a client for one target; sends nothing to it. Two targets share nothing: each has
    /// its own credentials, endpoint and pool.
    ///
    /// # Errors
    /// [`Usage`](crate::model::Error::Usage) on an endpoint or `ca_cert` that can't be used.
    /// Missing or wrong credentials show up with the first request.
    pub async fn connect(
        target: &Target,
        connection: &Connection,
        options: ConnectOptions,
    ) -> Result<Self> {
        let given = connection
            .endpoint
            .as_deref()
            .map(|url| Endpoint::parse(url, connection.allow_http))
            .transpose()?;
        let tls = given.as_ref().is_none_or(|endpoint| endpoint.tls);
        let ca_cert = connection.ca_cert.as_deref();
        let transport = transport::transport(ca_cert, tls, options.transfers)?;
        let from_host = given.as_ref().and_then(Endpoint::region);
        let region = credentials::region(connection, from_host).await;

        let chain = credentials::Chain {
            connection: connection.clone(),
            region: region.clone(),
            http: transport.elsewhere.clone(),
        };
        let sdk = chain.config().await;
        let keys = Keyring::new(chain, &sdk).await;
        let endpoint = match given {
            Some(endpoint) => Some(endpoint),
            None => endpoint_of_environment(&sdk, connection.allow_http)?,
        };

        let clock = Arc::new(ServerClock::new());
        let mut config = base(&sdk)
            .http_client(transport.client())
            .interceptor(ReadDate(Arc::clone(&clock)))
            .region(region.clone())
            .credentials_provider(keys.provider())
            .identity_cache(IdentityCache::no_cache());
        if !connection.allow_http {
            config = config.interceptor(RefusePlainHttp);
        }
        let path_style = match &endpoint {
            Some(endpoint) => endpoint.wants_path_style(connection),
            None => connection.path_style,
        };
        config = config.force_path_style(path_style);
        if let Some(endpoint) = &endpoint {
            config = config.endpoint_url(&endpoint.url);
        }
        let address = Address::of(Asked {
            bucket: &target.bucket,
            region: region.as_ref(),
            endpoint: endpoint.as_ref().map(|endpoint| endpoint.url.as_str()),
            path_style,
            fips: sdk.use_fips().unwrap_or(false),
            dual_stack: sdk.use_dual_stack().unwrap_or(false),
        });
        let wire = Wire::new(
            transport.pool,
            address.await,
            Arc::clone(&keys),
            Arc::clone(&clock),
            connection.allow_http,
        );
        Ok(Self {
            client: aws_sdk_s3::Client::from_conf(config.build()),
            wire,
            bucket: target.bucket.clone(),
            region: region.to_string(),
            site: site(endpoint.as_ref(), region.as_ref()),
            is_aws: connection.provider == Provider::Aws
                && endpoint.as_ref().is_none_or(Endpoint::is_aws),
            signs_payload: endpoint
                .as_ref()
                .is_some_and(Endpoint::needs_signed_payload),
            clock,
            keys,
            abilities: Abilities::default(),
            bodies: Idle::new(IDLE_BODIES),
            requests: Mutex::new(Requests::new()),
        })
    }
}

/// What holds for every request. Time limits beyond the connect are our own (see `body`), retries
/// are the caller's, checksums are given explicitly.
fn base(sdk: &SdkConfig) -> Builder {
    Builder::from(sdk)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
}

/// Where the store is, by its address: two names of one server count as two.
fn site(endpoint: Option<&Endpoint>, region: &str) -> Site {
    let place = match endpoint.filter(|endpoint| !endpoint.is_aws()) {
        Some(endpoint) => format!("{}, region {region}", endpoint.address()),
        None => format!("AWS, partition {}", partition(region)),
    };
    Site {
        place,
        region: region.to_owned(),
    }
}

/// Between partitions nothing can be copied. Their names are those of ARNs.
fn partition(region: &str) -> &'static str {
    let named = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let found = named.iter().find(|(start, _)| region.starts_with(start));
    found.map_or("aws", |(_, partition)| partition)
}

/// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or the AWS profile's, for targets that name none: held
/// to the same rules as one that is given.
fn endpoint_of_environment(sdk: &SdkConfig, allow_http: bool) -> Result<Option<Endpoint>> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let ignored = set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    set("AWS_ENDPOINT_URL_S3")
        .filter(|_| !ignored)
        .or_else(|| sdk.endpoint_url().map(str::to_owned))
        .map(|url| Endpoint::parse(&url, allow_http))
        .transpose()
}
