//! Whose keys sign: a target's own beat everything that the environment holds for others.

use crate::model::{Connection, Keys};
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::SharedHttpClient;

/// The region of last resort, and the one that stores without regions expect.
pub(super) const DEFAULT_REGION: &str = "us-east-1";

/// The SDK's behaviour is pinned: an update of the crate changes nothing silently.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// The region: the target's own, its profile's, the one that its host names, the AWS chain's.
pub(super) async fn region(connection: &Connection, from_host: Option<&str>) -> Region {
    let own = connection.region.clone().map(Region::new);
    let mut chain = RegionProviderChain::first_try(own);
    if let Some(profile) = &connection.profile {
        let of_profile = ProfileFileRegionProvider::builder()
            .profile_name(profile)
            .build();
        chain = chain.or_else(of_profile);
    }
    chain
        .or_else(from_host.map(|region| Region::new(region.to_owned())))
        .or_default_provider()
        .or_else(Region::from_static(DEFAULT_REGION))
        .region()
        .await
        .unwrap_or(Region::from_static(DEFAULT_REGION))
}

/// Where a target's credentials come from; asked anew each time, so that what was logged in or
/// written to a profile meanwhile counts.
#[derive(Debug)]
pub(super) struct Chain {
    pub connection: Connection,
    pub region: Region,
    pub http: SharedHttpClient,
}

impl Chain {
    /// The SDK's configuration, its credentials those of the target before any role.
    pub(super) async fn config(&self) -> SdkConfig {
        let mut loader = aws_config::defaults(behavior())
            .region(self.region.clone())
            .http_client(self.http.clone());
        if let Some(own) = own(&self.connection, &self.region, &self.http) {
            loader = loader.credentials_provider(own);
        }
        loader.load().await
    }

    /// Who gives the credentials, the target's role included.
    pub(super) async fn provider(&self, config: &SdkConfig) -> Option<SharedCredentialsProvider> {
        match &self.connection.role_arn {
            Some(role_arn) => assumed(role_arn, &self.region, config).await,
            None => config.credentials_provider(),
        }
    }

    /// Where a profile was to give the credentials, the SDK does not say which.
    pub(super) fn explain(&self, error: CredentialsError) -> CredentialsError {
        let of_environment = || std::env::var("AWS_PROFILE").ok();
        let asked = match &self.connection.keys {
            Some(_) => None,
            None => self.connection.profile.clone().or_else(of_environment),
        };
        match (error, asked) {
            (CredentialsError::CredentialsNotLoaded(_), Some(name)) => {
                CredentialsError::invalid_configuration(NoSuchProfile(name))
            }
            (error, _) => error,
        }
    }
}

/// A profile was asked for, and gives no credentials.
#[derive(Debug, thiserror::Error)]
#[error(
    "the AWS profile {0} does not exist or has no credentials: `aws configure list-profiles` \
     names those that there are (in ~/.aws/config and ~/.aws/credentials, or where \
     AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE point), `aws configure --profile {0}` makes it"
)]
pub(super) struct NoSuchProfile(String);

/// A target's own credentials, before any role: its keys, else its profile. None means the plain
/// AWS chain.
fn own(
    connection: &Connection,
    region: &Region,
    http: &SharedHttpClient,
) -> Option<SharedCredentialsProvider> {
    if let Some(keys) = &connection.keys {
        return Some(SharedCredentialsProvider::new(plain(keys)));
    }
    let profile = connection.profile.as_ref()?;
    let config = ProviderConfig::without_region()
        .with_region(Some(region.clone()))
        .with_http_client(http.clone());
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&config)
        .profile_name(profile)
        .build();
    Some(SharedCredentialsProvider::new(provider))
}

/// The credentials of `role_arn`, assumed with those that `config` holds.
async fn assumed(
    role_arn: &str,
    region: &Region,
    config: &SdkConfig,
) -> Option<SharedCredentialsProvider> {
    let base = config.credentials_provider()?;
    let role = AssumeRoleProvider::builder(role_arn)
        .configure(config)
        .region(region.clone())
        .session_name("tidelock")
        .build_from_provider(base)
        .await;
    Some(SharedCredentialsProvider::new(role))
}

fn plain(keys: &Keys) -> Credentials {
    Credentials::new(
        &keys.access_key_id,
        &keys.secret_access_key.0,
        keys.session_token.as_ref().map(|token| token.0.clone()),
        None,
        "tidelock",
    )
}
