//! A hop before a real store that counts what is sent, and holds back the answer to a chosen request: the moment in which
//! a test kills the sender. It looks at nothing else and changes nothing.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often a wait looks whether the process that it waits for still lives.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Seen {
    /// Bytes that senders have sent, heads included.
    sent: u64,
    /// Held is the answer to the next request whose head has all of these.
    hold: Option<Vec<String>>,
    /// The store has answered it.
    held: bool,
}

/// Ends with the test's process; connections end with their senders.
pub(crate) struct Hop {
    endpoint: String,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Hop {
    /// Before the store at this endpoint (`http://127.0.0.1:PORT`).
    pub(crate) fn before(endpoint: &str) -> Self {
        let store = endpoint
            .strip_prefix("http://")
            .expect("plain HTTP")
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        let seen = Arc::<(Mutex<Seen>, Condvar)>::default();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (store, seen) = (store.clone(), Arc::clone(&shared));
                thread::spawn(move || forward(client, &store, &seen));
            }
        });
        Self { endpoint, seen }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Bytes sent so far, over all connections.
    pub(crate) fn sent(&self) -> u64 {
        lock(&self.seen).sent
    }

    /// Holds the answer to the next request whose head contains all of `parts`.
    pub(crate) fn hold(&self, parts: &[&str]) {
        let mut seen = lock(&self.seen);
        seen.hold = Some(parts.iter().map(|part| (*part).to_owned()).collect());
        seen.held = false;
    }

    /// Waits until so much was sent in all; false where the process ended before.
    pub(crate) fn wait_for(&self, sent: u64, child: &mut Child) -> bool {
        self.wait(child, |seen| seen.sent >= sent)
    }

    /// Waits until the store has answered the request that [`hold`](Self::hold) names; false where the process ended before.
    pub(crate) fn wait_until_held(&self, child: &mut Child) -> bool {
        self.wait(child, |seen| seen.held)
    }

    fn wait(&self, child: &mut Child, reached: impl Fn(&Seen) -> bool) -> bool {
        let mut seen = lock(&self.seen);
        while !reached(&seen) {
            if child.try_wait().expect("a child").is_some() {
                return false;
            }
            let waited = self.seen.1.wait_timeout(seen, LOOK);
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

fn lock(seen: &(Mutex<Seen>, Condvar)) -> MutexGuard<'_, Seen> {
    seen.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forward(client: TcpStream, store: &str, seen: &Arc<(Mutex<Seen>, Condvar)>) {
    let Ok(server) = TcpStream::connect(store) else {
        return;
    };
    let holding = Arc::new(Mutex::new(false));
    let (Ok(from_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else {
        return;
    };
    let answers = {
        let (seen, holding) = (Arc::clone(seen), Arc::clone(&holding));
        thread::spawn(move || {
            copy(from_server, to_client, |_| {
                if *holding.lock().unwrap_or_else(PoisonError::into_inner) {
                    lock(&seen).held = true;
                    seen.1.notify_all();
                    return false;
                }
                true
            });
        })
    };
    copy(client, server, |bytes| {
        let mut seen_now = lock(seen);
        seen_now.sent += bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
        let wanted = seen_now.hold.as_ref();
        if wanted.is_some_and(|parts| parts.iter().all(|part| text.contains(part))) {
            seen_now.hold = None;
            *holding.lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
        drop(seen_now);
        seen.1.notify_all();
        true
    });
    let _ = answers.join();
}

/// Copies until either end closes, or for as long as `pass` says yes; what is held back never arrives.
fn copy(mut from: TcpStream, mut to: TcpStream, mut pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(len) if !pass(&buffer[..len]) => {}
            Ok(len) if to.write_all(&buffer[..len]).is_err() => break,
            Ok(_) => {}
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
