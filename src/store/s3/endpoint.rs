//! Where requests may go, and how a bucket is addressed there.

use crate::model::{Connection, Error, Provider, Result};
use std::net::IpAddr;

/// The parts of an endpoint's address that decide something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Endpoint {
    /// As it was given.
    pub url: String,
    /// Without port and brackets.
    pub host: String,
    /// `https`.
    pub tls: bool,
}

impl Endpoint {
    /// Reads an endpoint and refuses what would send credentials in the clear.
    ///
    /// # Errors
    /// [`Error::Usage`] on anything but `http(s)://host[:port]`, on credentials in the address,
    /// and on plain HTTP beyond loopback without `allow_http`.
    pub(super) fn parse(url: &str, allow_http: bool) -> Result<Self> {
        let usage = |why: &str| Error::Usage(format!("endpoint {}: {why}", redacted(url)));
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| usage("write https://host or https://host:port"))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(usage("only https:// and http:// are known")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(usage(
                "keys do not belong in an address; give them as a profile or in the environment",
            ));
        }
        let host = host_of(authority);
        if host.is_empty() {
            return Err(usage("the host is missing"));
        }
        if !tls && !allow_http && !is_loopback(&host) {
            return Err(usage(
                "plain HTTP would show your files to the network; use https://, or set \
                 allow_http = true for this target if the network is your own",
            ));
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            host,
            tls,
        })
    }

    /// The address in one spelling: small letters, no port where it is the scheme's own, no path.
    pub(super) fn address(&self) -> String {
        let (scheme, own) = if self.tls {
            ("https", ":443")
        } else {
            ("http", ":80")
        };
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(own).unwrap_or(&authority);
        format!("{scheme}://{authority}")
    }

    /// AWS's own, in any of its partitions.
    pub(super) fn is_aws(&self) -> bool {
        let host = &self.host;
        host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
    }

    /// The region that providers write into their host names (`s3.eu-central-003.backblazeb2.com`,
    /// `s3.eu-west-1.wasabisys.com`), and that signatures must name.
    pub(super) fn region(&self) -> Option<&str> {
        let rest = self.host.strip_prefix("s3.")?;
        ["backblazeb2.com", "wasabisys.com", "amazonaws.com"]
            .iter()
            .find_map(|domain| rest.strip_suffix(domain)?.strip_suffix('.'))
            .filter(|region| !region.is_empty() && !region.contains('.'))
    }

    /// Whether payloads must be hashed into the signature: TLS protects them on its way, and what
    /// stays on this machine needs no protection.
    pub(super) fn needs_signed_payload(&self) -> bool {
        !self.tls && !is_loopback(&self.host)
    }

    /// Whether buckets go into the path: where the host can't carry one, or where nobody has set
    /// up the names that the other style needs.
    pub(super) fn wants_path_style(&self, connection: &Connection) -> bool {
        connection.path_style
            || self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok()
            || matches!(connection.provider, Provider::Minio | Provider::Other)
    }
}

fn host_of(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.to_ascii_lowercase()
}

/// Whether what is sent to this host stays on this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    // RFC 6761, section 6.3: names below `localhost.` are loopback too.
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a request's address is plain HTTP beyond loopback.
pub(super) fn is_exposed(uri: &str) -> bool {
    uri.strip_prefix("http://").is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !is_loopback(&host_of(authority))
    })
}

/// The address without anything before an `@`.
fn redacted(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_leaves_the_machine_only_with_consent() {
        for fine in [
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "http://localhost:4566",
            "http://s3.localhost:4566/",
            "https://minio.lan:9000",
        ] {
            Endpoint::parse(fine, false).expect(fine);
        }
        for exposed in [
            "http://10.0.0.7:9000",
            "http://minio.lan",
            "HTTP://a.example",
        ] {
            let error = Endpoint::parse(exposed, false).expect_err(exposed);
            assert!(matches!(error, Error::Usage(_)));
            assert!(error.to_string().contains("allow_http"), "{error}");
            Endpoint::parse(exposed, true).expect(exposed);
        }
    }

    #[test]
    fn a_key_in_the_address_is_refused_and_not_shown() {
        let error = Endpoint::parse("https://AKIA:canary@host", false).expect_err("refused");
        assert!(!error.to_string().contains("canary"), "{error}");
        for bad in ["minio.lan:9000", "ftp://host", "https://", "https://:9000"] {
            assert!(Endpoint::parse(bad, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn requests_over_plain_http_are_recognised_by_their_address() {
        assert!(is_exposed("http://photos.s3.example/key"));
        assert!(is_exposed("http://127.0.0.1.example/key"));
        assert!(!is_exposed("http://127.0.0.1:9000/photos/key"));
        assert!(!is_exposed("http://[::1]:9000/photos/key"));
        assert!(!is_exposed("https://s3.example/photos/key"));
    }

    #[test]
    fn an_address_is_the_same_however_it_is_spelled() {
        let address = |url: &str| Endpoint::parse(url, true).expect(url).address();
        for same in [
            "https://Minio.lan",
            "HTTPS://minio.lan:443/",
            "https://minio.lan/",
        ] {
            assert_eq!(address(same), "https://minio.lan");
        }
        assert_eq!(address("http://[::1]:80"), "http://[::1]");
        assert_eq!(address("http://10.0.0.7:9000/"), "http://10.0.0.7:9000");
        assert_ne!(
            address("http://minio.lan:443"),
            address("https://minio.lan")
        );
    }

    #[test]
    fn hosts_tell_region_and_style() {
        let endpoint = |url: &str| Endpoint::parse(url, true).expect(url);
        let b2 = endpoint("https://s3.eu-central-003.backblazeb2.com");
        assert_eq!(b2.region(), Some("eu-central-003"));
        assert_eq!(endpoint("https://minio.lan").region(), None);
        assert_eq!(endpoint("https://s3.amazonaws.com").region(), None);
        assert!(endpoint("https://s3.eu-west-1.amazonaws.com").is_aws());

        let connection = Connection::default();
        assert!(endpoint("http://10.0.0.7:9000").wants_path_style(&connection));
        assert!(endpoint("http://localhost:4566").wants_path_style(&connection));
        assert!(!b2.wants_path_style(&connection));
        let minio = Connection {
            provider: Provider::Minio,
            ..Connection::default()
        };
        assert!(endpoint("https://minio.lan").wants_path_style(&minio));
    }
}
