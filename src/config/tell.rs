//! Whom a command tells how it went, beside the terminal: nothing that the work itself needs.

use super::endpoint::Endpoint;
use super::values::Values;
use crate::model::{Error, Result, Secret};
use std::path::PathBuf;

/// Where to tell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tell {
    /// `metrics_file`, absolute.
    pub metrics_file: Option<PathBuf>,
    /// `[notify]`.
    pub notify: Notify,
}

/// `[notify]`: both may hold secrets, so neither is ever shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notify {
    /// Pinged as healthchecks.io wants it; checked to be an address.
    pub url: Option<Secret>,
    /// Run by the shell.
    pub command: Option<Secret>,
}

pub(super) fn of(values: &Values) -> Result<Tell> {
    let secret = |id| values.text(id).map(|text| Secret(text.trim().to_owned()));
    let url = secret("notify.url");
    if let (Some(Secret(url)), Some(given)) = (&url, values.get("notify.url")) {
        let wrong = |why: &str| Error::Usage(format!("{}: notify.url {why}", given.origin));
        let allowed = values.switch("notify.allow_http").unwrap_or(false);
        check_address(url, allowed).map_err(|why| wrong(&why))?;
    }
    Ok(Tell {
        metrics_file: values.path("metrics_file"),
        notify: Notify {
            url,
            command: secret("notify.command"),
        },
    })
}

/// The error never repeats the address: it is a secret.
fn check_address(url: &str, allow_http: bool) -> Result<(), String> {
    let end = url.find("://").map_or(0, |at| at + 3);
    let host_end = url[end..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| end + at);
    if url[host_end..].contains(|c: char| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
        return Err("has characters that no address has; escape them (%20)".to_owned());
    }
    if url[..host_end].contains('@') {
        return Err("holds a user or password, which is not supported".to_owned());
    }
    let endpoint = Endpoint::parse(&url[..host_end])?;
    if endpoint.secure || endpoint.is_loopback() || allow_http {
        return Ok(());
    }
    Err(
        "is plain HTTP, which anybody on the way can read; use https://, or set allow_http = true \
         in [notify] if the network is yours"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f57_a_wrong_address_is_told_without_repeating_it() {
        for (url, said) in [
            ("canary", "write https://HOST"),
            ("ftp://host/canary", "http:// or https://"),
            ("https://me:canary@host/", "user or password"),
            ("http://hc.example.org/canary", "plain HTTP"),
            ("https://host/canary x", "%20"),
        ] {
            let why = check_address(url, false).expect_err(url);
            assert!(why.contains(said), "{why}");
            assert!(!why.contains("canary"), "{why}");
        }
        for url in [
            "https://hc-ping.com/0b9d",
            "http://127.0.0.1:8000/ping/0b9d",
            "https://kuma.example.org:3001/api/push/Key?status=up&msg=OK",
        ] {
            assert_eq!(check_address(url, false), Ok(()), "{url}");
        }
        assert_eq!(check_address("http://nas.example.org/ping", true), Ok(()));
    }
}
