//! Endpoint addresses: what is allowed in one, and what it tells.

use crate::model::Provider;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An endpoint, taken apart. Its parts never hold credentials: an address with some is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Endpoint {
    /// `https`, not `http`.
    pub(super) secure: bool,
    /// Lower case, without brackets.
    pub(super) host: String,
    /// Given or implied.
    pub(super) port: u16,
    /// `scheme://host[:port]`.
    pub(super) text: String,
}

impl Endpoint {
    /// Reads `https://host[:port]`. The error never repeats the address, which may hold a secret.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (secure, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some(_) => return Err("is not an http:// or https:// address".to_owned()),
            None => {
                return Err("is not an address; write https://HOST or https://HOST:PORT".to_owned());
            }
        };
        if rest.contains('@') {
            return Err(
                "holds credentials; take them out and give keys by a profile or by \
                 TIDELOCK_SYNC_ACCESS_KEY_ID, TIDELOCK_BACKUP_ACCESS_KEY_ID and their like"
                    .to_owned(),
            );
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(
                "has a path or a query; write the host alone, and bucket and prefix in the target"
                    .to_owned(),
            );
        }
        let (host, port) = split_port(authority)?;
        let host = check_host(host)?;
        Ok(Self {
            secure,
            host,
            port: port.unwrap_or(if secure { 443 } else { 80 }),
            text: format!("{}://{authority}", if secure { "https" } else { "http" }),
        })
    }

    /// Whether requests stay on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self
                .host
                .parse::<IpAddr>()
                .is_ok_and(|address| match address {
                    IpAddr::V4(address) => address.is_loopback(),
                    IpAddr::V6(address) => address == Ipv6Addr::LOCALHOST,
                })
    }

    /// Whose S3 the host's name says it is.
    pub(super) fn provider(&self) -> Provider {
        let below = |domain: &str| {
            self.host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if below("amazonaws.com") || below("amazonaws.com.cn") {
            Provider::Aws
        } else if below("backblazeb2.com") {
            Provider::B2
        } else {
            Provider::Other
        }
    }

    /// Whether both surely lead to different stores. Two names of one server can't be told apart
    /// from two servers, so only what is known to be one is taken for one.
    pub(super) fn is_other_store(&self, other: &Self) -> bool {
        if self.provider() == Provider::Aws && other.provider() == Provider::Aws {
            // Bucket names are unique over all regions.
            return false;
        }
        let same_host = self.host == other.host || (self.is_loopback() && other.is_loopback());
        !(same_host && self.port == other.port)
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let end_of_host = authority.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = authority[end_of_host..].find(':') else {
        return Ok((authority, None));
    };
    let (host, port) = authority.split_at(end_of_host + colon);
    match port[1..].parse() {
        Ok(0) | Err(_) => Err("has a port that is not a number from 1 to 65535".to_owned()),
        Ok(port) => Ok((host, Some(port))),
    }
}

fn check_host(host: &str) -> Result<String, String> {
    let plain = host.to_ascii_lowercase();
    if let Some(inner) = plain.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return match inner.parse::<Ipv6Addr>() {
            Ok(address) => Ok(address.to_string()),
            Err(_) => Err("has no valid IPv6 address in its brackets".to_owned()),
        };
    }
    let numeric = plain.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if numeric && plain.parse::<Ipv4Addr>().is_err() {
        return Err("has no valid host".to_owned());
    }
    let label_is_good = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if plain.trim_end_matches('.').split('.').all(label_is_good) {
        Ok(plain)
    } else {
        Err("has no valid host; write https://HOST or https://HOST:PORT".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text).expect(text)
    }

    #[test]
    fn addresses_are_taken_apart() {
        for (text, secure, host, port) in [
            ("https://s3.example.org", true, "s3.example.org", 443),
            ("https://s3.example.org/", true, "s3.example.org", 443),
            ("HTTP://NAS.local:9000", false, "nas.local", 9000),
            ("http://[::1]:9000", false, "::1", 9000),
            ("http://127.0.0.1", false, "127.0.0.1", 80),
        ] {
            let parsed = endpoint(text);
            assert_eq!(
                (parsed.secure, parsed.host.as_str(), parsed.port),
                (secure, host, port),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_bare_address_is_refused() {
        for bad in [
            "",
            "localhost:9000",
            "s3.example.org",
            "ftp://host",
            "https://",
            "https://host:port",
            "https://host:0",
            "https://host:99999",
            "https://host/bucket",
            "https://host?x=1",
            "https://a..b",
            "https://ho st",
            "https://300.1.1.1",
            "https://[::zz]",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn credentials_in_an_address_are_refused_and_not_repeated() {
        let error = Endpoint::parse("https://user:canary@host").expect_err("refused");
        assert!(!error.contains("canary"), "{error}");
    }

    #[test]
    fn loopback_is_recognised_by_name_and_number() {
        for (text, loopback) in [
            ("http://localhost:9000", true),
            ("http://s3.localhost", true),
            ("http://127.8.0.1", true),
            ("http://[::1]", true),
            ("http://192.168.1.5", false),
            ("http://notlocalhost", false),
            ("http://127.0.0.1.example.org", false),
        ] {
            assert_eq!(endpoint(text).is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn the_provider_follows_from_the_host() {
        for (text, provider) in [
            ("https://s3.eu-central-1.amazonaws.com", Provider::Aws),
            ("https://s3.eu-central-003.backblazeb2.com", Provider::B2),
            ("https://evilamazonaws.com", Provider::Other),
            ("http://localhost:9000", Provider::Other),
        ] {
            assert_eq!(endpoint(text).provider(), provider, "{text}");
        }
    }

    #[test]
    fn one_store_under_two_names_is_one_store() {
        for (one, two, other) in [
            ("http://localhost:9000", "http://127.0.0.1:9000", false),
            ("http://localhost:9000", "http://localhost:9001", true),
            ("https://a.org", "https://a.org:443/", false),
            ("https://a.org", "https://b.org", true),
            (
                "https://s3.amazonaws.com",
                "https://s3.eu-west-1.amazonaws.com",
                false,
            ),
        ] {
            assert_eq!(
                endpoint(one).is_other_store(&endpoint(two)),
                other,
                "{one} {two}"
            );
        }
    }
}
