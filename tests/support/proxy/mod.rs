//! An HTTP hop before a real store that makes faults, by rule or by seed, and counts what passes.
//!
//! It keeps every header, so the store finds the signatures valid: a client is pointed at the proxy by path style, and
//! signs the proxy's address as its host. It has threads of its own: a test may wait for a process that talks to it.
//!
//! A planned fault that never fires fails its test: [`Proxy::clear`] and the end of the proxy see to it.

mod hop;
mod request;
mod rules;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::TestStore;
use request::Request;
pub(crate) use rules::{Fault, Rule};

/// Requests and bytes of one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// By operation, those that were struck included.
    pub(crate) requests: BTreeMap<&'static str, u64>,
    /// Those of them that the client has got an answer to.
    pub(crate) answered: BTreeMap<&'static str, u64>,
    /// Bytes of requests' bodies, as far as they came.
    pub(crate) up: u64,
    /// Bytes of answers' bodies.
    pub(crate) down: u64,
}

struct Shared {
    /// The store's own address.
    upstream: String,
    seed: u64,
    state: Mutex<State>,
    /// Whether connections are refused.
    down: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    traffic: BTreeMap<String, Traffic>,
    seen: u64,
    /// How far the store's clock seems to be ahead.
    ahead: Duration,
    /// Pages that come again and again, by bucket.
    repeated: HashMap<String, (wire::Head, Vec<u8>)>,
}

/// A running proxy; it ends when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Before this store, with a seed for what happens by chance.
    pub(crate) fn new(store: &TestStore, seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let upstream = store.endpoint.trim_start_matches("http://");
        let shared = Arc::new(Shared {
            upstream: upstream.trim_end_matches('/').to_owned(),
            seed,
            state: Mutex::default(),
            down: watch::Sender::new(false),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let serving = Arc::clone(&shared);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            hop::serve(listener, address, serving).await;
        });
        Self {
            address,
            shared,
            runtime: Some(runtime),
        }
    }

    /// The same store, seen through the proxy from the same machine.
    pub(crate) fn store(&self, store: &TestStore) -> TestStore {
        store.through(&format!("http://{}", self.address))
    }

    /// Plans a fault. Where several are due, the first planned one strikes.
    pub(crate) fn plan(&self, rule: Rule) {
        self.shared.state().rules.push(rule);
    }

    /// How often each planned fault has fired so far, in the order of planning.
    pub(crate) fn fired(&self) -> Vec<u64> {
        self.shared.state().rules.iter().map(Rule::fired).collect()
    }

    /// Ends all faults; panics if one of them never fired.
    #[track_caller]
    pub(crate) fn clear(&self) {
        let idle = self.forget();
        assert!(idle.is_empty(), "planned, and never happened: {idle:?}");
    }

    /// Ends all faults; returns those that never fired.
    pub(crate) fn forget(&self) -> Vec<Rule> {
        let mut state = self.shared.state();
        state.repeated.clear();
        let mut rules = std::mem::take(&mut state.rules);
        rules.retain(|rule| rule.fired() == 0);
        rules
    }

    /// Refuses connections and breaks those that there are; or ends that.
    pub(crate) fn outage(&self, down: bool) {
        self.shared.down.send_replace(down);
    }

    /// What has passed, by bucket.
    pub(crate) fn traffic(&self, bucket: &str) -> Traffic {
        self.shared
            .state()
            .traffic
            .get(bucket)
            .cloned()
            .unwrap_or_default()
    }

    /// From now on the store's clock seems to be so much ahead. Requests go on without their signatures meanwhile, which
    /// are of a time to come: a store that looks at them has to serve everybody.
    pub(crate) fn shift_clock(&self, ahead: Duration) {
        self.shared.state().ahead = ahead;
    }

    /// Requests so far, to any bucket.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.state().seen
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if !std::thread::panicking() {
            self.clear();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and tells which fault strikes it.
    fn strike(&self, request: &Request, body: usize) -> Option<Fault> {
        let mut state = self.state();
        state.seen += 1;
        let number = state.seen;
        let traffic = state.traffic.entry(request.bucket.clone()).or_default();
        *traffic.requests.entry(request.operation).or_default() += 1;
        let mut rules = std::mem::take(&mut state.rules);
        let struck = rules
            .iter_mut()
            .enumerate()
            .find_map(|(place, rule)| rule.strike(request, body, self.dice(number, place)));
        state.rules = rules;
        struck
    }

    fn dice(&self, request: u64, rule: usize) -> u64 {
        let mut hasher = blake3::Hasher::new();
        for number in [self.seed, request, rule as u64] {
            hasher.update(&number.to_le_bytes());
        }
        let hash = hasher.finalize();
        hash.as_bytes()
            .first_chunk()
            .map_or(0, |first| u64::from_le_bytes(*first))
    }

    fn count(&self, bucket: &str, up: usize, down: usize) {
        let mut state = self.state();
        let traffic = state.traffic.entry(bucket.to_owned()).or_default();
        traffic.up += up as u64;
        traffic.down += down as u64;
    }

    fn answered(&self, request: &Request) {
        let mut state = self.state();
        let traffic = state.traffic.entry(request.bucket.clone()).or_default();
        *traffic.answered.entry(request.operation).or_default() += 1;
    }
}
