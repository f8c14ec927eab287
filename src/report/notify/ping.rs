//! Pinging a monitor as <https://healthchecks.io/docs/signaling_failures/> describes it: `/start`,
//! the bare address for success, `/fail` with a body.

use super::BOUND;
use crate::model::Secret;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use std::time::Duration;

/// What a monitor keeps of a body, says healthchecks.io; more is cut off.
const LONGEST_BODY: usize = 100_000;
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// What is signalled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Signal<'a> {
    /// It begins.
    Start,
    /// All is well.
    Success,
    /// Something is not; the summary says what.
    Failure(&'a str),
}

/// An address to ping.
#[derive(Clone, Debug)]
pub(super) struct Ping(Secret);

impl Ping {
    pub(super) fn new(url: Secret) -> Self {
        Self(url)
    }

    /// Pings; tries again as long as time allows where nobody answers, or a server fails. The
    /// error names the host alone.
    pub(super) async fn send(&self, signal: Signal<'_>) -> Result<(), String> {
        let sent = tokio::time::timeout(BOUND, self.try_for_long(signal)).await;
        let why = match sent {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} s", BOUND.as_secs()),
        };
        Err(format!(
            "the notification to {} was not delivered: {why}",
            host(&self.0.0)
        ))
    }

    async fn try_for_long(&self, signal: Signal<'_>) -> Result<(), String> {
        let begun = tokio::time::Instant::now();
        loop {
            let status = self.try_once(signal).await;
            let why = match status {
                Ok(200..300) => return Ok(()),
                Ok(status @ 500..) => format!("it answered {status}"),
                Ok(status) => {
                    return Err(format!("it answered {status}; is [notify] url right?"));
                }
                Err(why) => why,
            };
            if begun.elapsed() + PAUSE * 2 > BOUND {
                return Err(why);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_once(&self, signal: Signal<'_>) -> Result<u16, String> {
        let (suffix, body) = match signal {
            Signal::Start => ("/start", None),
            Signal::Success => ("", None),
            Signal::Failure(summary) => ("/fail", Some(cut(summary))),
        };
        let url = with_suffix(&self.0.0, suffix);
        let mut request = Request::new(SdkBody::from(body.unwrap_or_default()));
        let method = if body.is_some() { "POST" } else { "GET" };
        let set = request.set_method(method);
        let set = set.and_then(|()| request.set_uri(url.as_str()));
        set.map_err(|_| "[notify] url is no address".to_owned())?;
        request.headers_mut().insert(
            "user-agent",
            concat!("tidelock/", env!("CARGO_PKG_VERSION")),
        );
        if let Some(body) = body {
            let headers = request.headers_mut();
            headers.insert("content-type", "application/json");
            headers.insert("content-length", body.len().to_string());
        }
        match connector(&url).call(request).await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) => Err(explain(&error)),
        }
    }
}

/// A proxy sees nothing of TLS, and would see all of the rest.
fn connector(url: &str) -> Connector {
    let tls = url
        .get(..6)
        .is_some_and(|s| s.eq_ignore_ascii_case("https:"));
    let proxy = if tls {
        ProxyConfig::from_env()
    } else {
        ProxyConfig::disabled()
    };
    Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .proxy_config(proxy)
        .build()
}

/// The deepest cause, which names no address.
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The suffix ends the path, before a query.
fn with_suffix(url: &str, suffix: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (url, String::new()),
    };
    if suffix.is_empty() {
        return url.to_owned();
    }
    format!("{}{suffix}{query}", path.trim_end_matches('/'))
}

/// `https://host[:port]`: the rest is what makes it secret.
fn host(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url[from..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| from + at);
    &url[..end]
}

/// The end is what counts: the summary of the whole.
fn cut(text: &str) -> &str {
    let mut from = text.len().saturating_sub(LONGEST_BODY);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_ends_the_path_and_keeps_the_query() {
        for (url, start) in [
            ("https://hc-ping.com/0b9d", "https://hc-ping.com/0b9d/start"),
            (
                "https://hc-ping.com/0b9d/",
                "https://hc-ping.com/0b9d/start",
            ),
            ("https://h/p?create=1#x", "https://h/p/start?create=1"),
            ("https://h", "https://h/start"),
        ] {
            assert_eq!(with_suffix(url, "/start"), start);
        }
        assert_eq!(with_suffix("https://h/p?a=b", ""), "https://h/p?a=b");
    }

    #[test]
    fn f57_a_message_names_the_host_alone() {
        assert_eq!(
            host("https://hc-ping.com:8/canary?x"),
            "https://hc-ping.com:8"
        );
        assert_eq!(host("https://hc-ping.com?canary"), "https://hc-ping.com");
    }

    #[test]
    fn a_long_body_keeps_its_end() {
        let long = format!("{}end", "ä".repeat(LONGEST_BODY));
        let cut = cut(&long);
        assert!(cut.len() <= LONGEST_BODY && cut.ends_with("äend"));
    }
}
