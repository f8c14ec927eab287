//! Where a bucket is, and how requests to it are signed: by the rules that the SDK carries.

use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

/// What the rules are asked.
pub(in crate::store::s3) struct Asked<'a> {
    pub(in crate::store::s3) bucket: &'a str,
    pub(in crate::store::s3) region: &'a str,
    pub(in crate::store::s3) endpoint: Option<&'a str>,
    pub(in crate::store::s3) path_style: bool,
    pub(in crate::store::s3) fips: bool,
    pub(in crate::store::s3) dual_stack: bool,
}

/// What they answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::store::s3) struct Address {
    /// The bucket's, without a slash at its end.
    pub(super) url: String,
    /// As signatures name it.
    pub(super) region: String,
    /// `s3`, or what a kind of bucket wants in its place.
    pub(super) service: String,
}

impl Address {
    /// Asks the rules.
    ///
    /// # Errors
    /// Why there is none, in the rules' own words, or that requests there are signed otherwise
    /// than with SigV4.
    pub(in crate::store::s3) async fn of(asked: Asked<'_>) -> Result<Self, String> {
        let params = Params::builder()
            .bucket(asked.bucket)
            .region(asked.region)
            .set_endpoint(asked.endpoint.map(str::to_owned))
            .force_path_style(asked.path_style)
            .use_fips(asked.fips)
            .use_dual_stack(asked.dual_stack)
            // Sessions are the SDK's own affair; a bucket of that kind takes plain signatures too.
            .disable_s3_express_session_auth(true)
            .build()
            .map_err(|error| error.to_string())?;
        let resolver = DefaultResolver::new();
        let found = resolver.resolve_endpoint(&params).await;
        let found = found.map_err(|error| error.to_string())?;
        let schemes = found.auth_schemes();
        let scheme = schemes.iter().find(|scheme| scheme.name() == "sigv4");
        if scheme.is_none() && !schemes.is_empty() {
            return Err(
                "requests to such a bucket are not signed with SigV4: name a general-purpose bucket"
                    .to_owned(),
            );
        }
        let field = |name: &str| Some(scheme?.get(name)?.as_string()?.to_owned());
        Ok(Self {
            url: found.url().trim_end_matches('/').to_owned(),
            region: field("signingRegion").unwrap_or_else(|| asked.region.to_owned()),
            service: field("signingName").unwrap_or_else(|| "s3".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(bucket: &'a str, region: &'a str) -> Asked<'a> {
        Asked {
            bucket,
            region,
            endpoint: None,
            path_style: false,
            fips: false,
            dual_stack: false,
        }
    }

    #[tokio::test]
    async fn a_bucket_s_address_follows_the_sdk_s_rules() {
        for (bucket, endpoint, path_style, expected) in [
            (
                "photos",
                None,
                false,
                "https://photos.s3.eu-west-1.amazonaws.com",
            ),
            // A dot would break the certificate's wildcard.
            (
                "my.photos",
                None,
                false,
                "https://s3.eu-west-1.amazonaws.com/my.photos",
            ),
            (
                "photos",
                Some("http://127.0.0.1:9000"),
                true,
                "http://127.0.0.1:9000/photos",
            ),
            (
                "photos",
                Some("https://b2.example"),
                false,
                "https://photos.b2.example",
            ),
        ] {
            let address = Address::of(Asked {
                endpoint,
                path_style,
                ..asked(bucket, "eu-west-1")
            });
            let address = address.await.expect(bucket);
            assert_eq!(address.url, expected);
            assert_eq!((&*address.region, &*address.service), ("eu-west-1", "s3"));
        }
    }

    #[tokio::test]
    async fn signatures_name_what_the_rules_say() {
        let everywhere = Address::of(asked("photos", "aws-global")).await;
        assert_eq!(everywhere.expect("found").region, "us-east-1");
        let express = Address::of(asked("photos--euw1-az1--x-s3", "eu-west-1")).await;
        assert_eq!(express.expect("found").service, "s3express");
    }

    #[tokio::test]
    async fn what_the_rules_refuse_says_why() {
        let why = Address::of(asked("photos", "not a region")).await;
        let why = why.expect_err("refused");
        assert!(why.to_lowercase().contains("region"), "{why}");
    }
}
