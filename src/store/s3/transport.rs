//! TLS, connection pool, proxies.

use crate::model::{Error, Result};
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::time::Duration;

/// S3 closes idle connections after about 20 s; one that is closed while a request goes out on it
/// costs an unknown outcome.
const IDLE: Duration = Duration::from_secs(15);

/// From the first packet to a TLS session.
const CONNECT: Duration = Duration::from_secs(10);

/// One target's ways out.
#[derive(Clone, Debug)]
pub(super) struct Transport {
    /// The target's one pool of connections.
    pub(super) pool: SharedHttpConnector,
    /// For whoever gives the credentials: elsewhere, with time limits of their own.
    pub(super) elsewhere: SharedHttpClient,
}

impl Transport {
    /// The pool as the SDK wants it.
    pub(super) fn client(&self) -> SharedHttpClient {
        let pool = self.pool.clone();
        http_client_fn(move |_, _| pool.clone())
    }
}

/// Connections of its own for one target. Redirects are not followed. Proxies of the
/// environment (`HTTPS_PROXY`, `NO_PROXY`) are used for TLS alone, where they see nothing.
///
/// # Errors
/// [`Error::Usage`] where `ca_cert` can't be read or holds no certificate.
pub(super) fn transport(
    ca_cert: Option<&Path>,
    tls: bool,
    connections: usize,
) -> Result<Transport> {
    let own_authority = ca_cert.map(read_certificates).transpose()?;
    let trusted = |whom: TrustStore| {
        let whom = own_authority.iter().fold(whom, |trust, pem| {
            trust.with_pem_certificate(pem.as_slice())
        });
        let context = TlsContext::builder().with_trust_store(whom).build();
        context.map_err(|error| Error::Failed(format!("TLS could not be set up: {error}")))
    };
    // Reading the system's authorities takes longer than a plain request.
    let context = trusted(if tls {
        TrustStore::default()
    } else {
        TrustStore::empty()
    })?;
    let context_elsewhere = trusted(TrustStore::default())?;
    let builder = move |context: &TlsContext| {
        Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context.clone())
            .proxy_config(if tls {
                ProxyConfig::from_env()
            } else {
                ProxyConfig::disabled()
            })
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(connections.max(1))
    };
    let own = HttpConnectorSettings::builder().connect_timeout(CONNECT);
    let pool = builder(&context)
        .connector_settings(own.build())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()));
    Ok(Transport {
        pool: SharedHttpConnector::new(pool.build()),
        elsewhere: Builder::new().build_with_connector_fn(
            move |settings: Option<&_>, components: Option<&_>| {
                let mut builder = builder(&context_elsewhere);
                builder.set_connector_settings(settings.cloned());
                let sleep = components.and_then(aws_sdk_s3::config::RuntimeComponents::sleep_impl);
                builder.set_sleep_impl(sleep);
                builder.build()
            },
        ),
    })
}

/// Reads PEM certificates and proves them usable, since the SDK would panic on others.
fn read_certificates(path: &Path) -> Result<Vec<u8>> {
    let usage = |why: String| Error::Usage(format!("ca_cert {}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| usage(error.to_string()))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate
            .map_err(|error| error.to_string())
            .and_then(|der| store.add(der).map_err(|error| error.to_string()))
            .map_err(|why| usage(format!("not a usable certificate: {why}")))?;
    }
    if store.is_empty() {
        return Err(usage(
            "no certificate in it; PEM is expected (-----BEGIN CERTIFICATE-----)".to_owned(),
        ));
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_certificate_file_is_a_usage_error_not_a_panic() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("ca.pem");
        for content in [
            "",
            "no certificate",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&path, content).expect("write");
            let error = transport(Some(&path), true, 1).expect_err(content);
            assert!(matches!(error, Error::Usage(_)), "{error}");
            assert!(error.to_string().contains("ca.pem"), "{error}");
        }
        let missing = transport(Some(&folder.path().join("none")), true, 1);
        assert!(matches!(missing, Err(Error::Usage(_))));
    }
}
