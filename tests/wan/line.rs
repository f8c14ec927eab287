//! The line itself.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that go onto the line at a time, so that connections take turns.
const PIECE: usize = 8 << 10;
/// Pieces of one connection under way: more than a round trip at full rate needs.
const UNDER_WAY: usize = 1_024;

/// How long and how thin a line is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) round_trip: Duration,
    /// Bytes a second towards the store, all connections together.
    pub(crate) up: u64,
    /// Bytes a second from the store.
    pub(crate) down: u64,
}

impl Default for Shape {
    /// A home line: 40 ms, 50 Mbit/s up, 200 Mbit/s down.
    fn default() -> Self {
        Self {
            round_trip: Duration::from_millis(40),
            up: 50 * 125_000,
            down: 200 * 125_000,
        }
    }
}

/// Serves until the process ends.
pub(crate) struct Line {
    address: String,
}

impl Line {
    /// Before the server at this address (`127.0.0.1:PORT`).
    pub(crate) fn before(server: &str, shape: Shape) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (up, down) = (Direction::new(shape.up), Direction::new(shape.down));
        let server = server.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, up, down) = (server.clone(), up.clone(), down.clone());
                thread::spawn(move || connect(client, &server, shape, up, down));
            }
        });
        Self { address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

/// One direction of the line, shared by all connections.
#[derive(Clone)]
struct Direction {
    rate: u64,
    free_from: Arc<Mutex<Instant>>,
}

impl Direction {
    fn new(rate: u64) -> Self {
        let free_from = Arc::new(Mutex::new(Instant::now()));
        Self { rate, free_from }
    }

    /// When the last of these bytes has left, behind everything that came before.
    fn send(&self, bytes: usize) -> Instant {
        let takes = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        let mut free_from = self
            .free_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *free_from = (*free_from).max(Instant::now()) + takes;
        *free_from
    }
}

fn connect(client: TcpStream, server: &str, shape: Shape, up: Direction, down: Direction) {
    thread::sleep(shape.round_trip);
    let Ok(server) = TcpStream::connect(server) else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let delay = shape.round_trip / 2;
    let answers = thread::spawn(move || carry(server_too, client_too, &down, delay));
    carry(client, server, &up, delay);
    let _ = answers.join();
}

/// Takes bytes in as fast as the line sends them off, and hands them out when they arrive.
fn carry(mut from: TcpStream, to: TcpStream, line: &Direction, delay: Duration) {
    let (sender, receiver) = sync_channel(UNDER_WAY);
    let arrivals = thread::spawn(move || arrive(&receiver, to));
    let mut piece = vec![0; PIECE];
    while let Ok(len @ 1..) = from.read(&mut piece) {
        let left = line.send(len);
        if hand_over(&sender, left + delay, &piece[..len]).is_err() {
            break;
        }
        thread::sleep(left.saturating_duration_since(Instant::now()));
    }
    drop(sender);
    let _ = arrivals.join();
}

type Piece = (Instant, Vec<u8>);

fn hand_over(sender: &SyncSender<Piece>, at: Instant, bytes: &[u8]) -> Result<(), ()> {
    sender.send((at, bytes.to_vec())).map_err(drop)
}

fn arrive(receiver: &Receiver<Piece>, mut to: TcpStream) {
    for (at, bytes) in receiver {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
