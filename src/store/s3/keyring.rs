//! Credentials, kept until they are about to run out and renewed then; or as soon as the store says
//! that they are no longer good, which the SDK's own cache never hears of.

use super::credentials::Chain;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// Credentials are renewed so long before they run out, at most: what is sent by then is done.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// How long a source of credentials (a program, a service) may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A source that has failed is not asked again at once.
const PAUSE: Duration = Duration::from_secs(10);

/// Other credentials that are refused as well, so often in a row, are of no use.
const IN_VAIN: u32 = 3;

/// One target's credentials.
#[derive(Debug)]
pub(super) struct Keyring {
    chain: Chain,
    kept: Mutex<Kept>,
    /// Counts how often the credentials became other ones.
    generation: AtomicU64,
    /// Renewals since the store last took the credentials.
    renewals: AtomicU32,
}

#[derive(Debug)]
struct Kept {
    source: Option<SharedCredentialsProvider>,
    credentials: Option<Credentials>,
    /// When they are to be renewed, where they ever run out.
    renew: Option<SystemTime>,
    /// When the source failed last.
    failed: Option<SystemTime>,
}

impl Keyring {
    /// Asks nobody yet.
    pub(super) async fn new(chain: Chain, config: &SdkConfig) -> Arc<Self> {
        let kept = Kept {
            source: chain.provider(config).await,
            credentials: None,
            renew: None,
            failed: None,
        };
        Arc::new(Self {
            chain,
            kept: Mutex::new(kept),
            generation: AtomicU64::new(0),
            renewals: AtomicU32::new(0),
        })
    }

    /// For the SDK, which must keep nothing itself.
    pub(super) fn provider(self: &Arc<Self>) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Handle(Arc::clone(self)))
    }

    /// Which credentials a request that begins now is signed with, or older ones.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The store has taken the credentials.
    pub(super) fn are_good(&self) {
        self.renewals.store(0, Ordering::Relaxed);
    }

    /// The store has refused the credentials of that generation: whether there are others now.
    pub(super) async fn renew(&self, refused: u64) -> bool {
        let mut kept = self.kept.lock().await;
        if self.generation() != refused {
            return true;
        }
        let Some(before) = kept.credentials.clone() else {
            // Nothing was signed: the source itself had none.
            return false;
        };
        let vain = self.renewals.load(Ordering::Relaxed) >= IN_VAIN;
        if vain || kept.failed_lately(SystemTime::now()) {
            return false;
        }
        let config = self.chain.config().await;
        kept.source = self.chain.provider(&config).await;
        let renewed = match self.fetch(&mut kept).await {
            Ok(credentials) => !are_same(&before, &credentials),
            Err(error) => {
                tracing::warn!(%error, "the credentials ran out and could not be renewed");
                false
            }
        };
        if renewed {
            self.renewals.fetch_add(1, Ordering::Relaxed);
            tracing::info!("the credentials ran out and were renewed");
        } else {
            kept.failed = Some(SystemTime::now());
        }
        renewed
    }

    /// The credentials to sign with now.
    pub(super) async fn current(&self) -> provider::Result {
        let mut kept = self.kept.lock().await;
        let now = SystemTime::now();
        let good = kept.credentials.clone().filter(|_| !kept.is_due(now));
        if let Some(credentials) = good {
            return Ok(credentials);
        }
        let alive = kept
            .credentials
            .clone()
            .filter(|credentials| credentials.expiry().is_none_or(|expiry| expiry > now));
        if let Some(credentials) = &alive
            && kept.failed_lately(now)
        {
            return Ok(credentials.clone());
        }
        match (self.fetch(&mut kept).await, alive) {
            (Err(error), Some(alive)) => {
                tracing::warn!(%error, "the credentials could not be renewed; they last a while");
                kept.failed = Some(now);
                Ok(alive)
            }
            (fetched, _) => fetched,
        }
    }

    async fn fetch(&self, kept: &mut Kept) -> provider::Result {
        let Some(source) = &kept.source else {
            return Err(CredentialsError::not_loaded(
                "there is no source of credentials",
            ));
        };
        let fetched = tokio::time::timeout(PATIENCE, source.provide_credentials()).await;
        let fetched = fetched.unwrap_or(Err(CredentialsError::provider_timed_out(PATIENCE)));
        let fetched = fetched.map_err(|error| self.chain.explain(error))?;
        let before = kept.credentials.replace(fetched.clone());
        if before.is_some_and(|before| !are_same(&before, &fetched)) {
            self.generation.fetch_add(1, Ordering::Release);
        }
        kept.renew = fetched.expiry().map(|end| renewal(SystemTime::now(), end));
        kept.failed = None;
        Ok(fetched)
    }
}

impl Kept {
    fn is_due(&self, now: SystemTime) -> bool {
        self.renew.is_some_and(|renew| now >= renew)
    }

    fn failed_lately(&self, now: SystemTime) -> bool {
        let since = |failed| now.duration_since(failed).unwrap_or_default();
        self.failed.is_some_and(|failed| since(failed) < PAUSE)
    }
}

/// When credentials that were fetched `now` are to be renewed. Short-lived ones are used for most
/// of their life; what has run out already by a clock that may be wrong is tried for a minute.
fn renewal(now: SystemTime, end: SystemTime) -> SystemTime {
    match end.duration_since(now) {
        Ok(life) if !life.is_zero() => end - AHEAD.min(life / 4),
        _ => now + Duration::from_secs(60),
    }
}

fn are_same(a: &Credentials, b: &Credentials) -> bool {
    a.access_key_id() == b.access_key_id()
        && a.secret_access_key() == b.secret_access_key()
        && a.session_token() == b.session_token()
}

#[derive(Debug)]
struct Handle(Arc<Keyring>);

impl ProvideCredentials for Handle {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.0.current())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_renewed_ahead_of_their_end() {
        let now = SystemTime::now();
        let seconds = Duration::from_secs;
        for (life, renewed) in [(3600, 3300), (8, 6), (0, 60)] {
            assert_eq!(renewal(now, now + seconds(life)), now + seconds(renewed));
        }
        let clock_ahead = renewal(now, now - seconds(1000));
        assert_eq!(clock_ahead, now + seconds(60));
    }
}
