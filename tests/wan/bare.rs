//! The bytes alone: requests over bare sockets, one connection a thread, without signature, hash or disk. Nobody moves
//! the same objects through the same server with less work, so this is what clients are held against.
//!
//! The buckets must let anybody read and write.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Connections at a time.
const CONNECTIONS: usize = 16;
/// Objects below one prefix, as in the libraries of the measurements.
const IN_A_FOLDER: usize = 500;

/// What is moved.
#[derive(Clone)]
pub(super) struct Job {
    /// `HOST:PORT`.
    pub(super) store: String,
    /// Each object goes to all of them, or comes from the last.
    pub(super) buckets: Vec<String>,
    pub(super) objects: usize,
    pub(super) bytes: usize,
}

impl Job {
    pub(super) fn put(&self) {
        let content = noise(self.bytes);
        self.on_all_connections(|connection, number| {
            let mut content = content.clone();
            let content = stamped(&mut content, number);
            for bucket in &self.buckets {
                let head = format!(
                    "PUT {} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
                    path(bucket, number),
                    self.store,
                    self.bytes
                );
                connection.ask(&head, content);
            }
        });
    }

    pub(super) fn get(&self) {
        let bucket = self.buckets.last().expect("a bucket");
        self.on_all_connections(|connection, number| {
            let (path, store) = (path(bucket, number), &self.store);
            let head = format!("GET {path} HTTP/1.1\r\nHost: {store}\r\n\r\n");
            assert_eq!(connection.ask(&head, &[]), self.bytes, "{path}");
        });
    }

    fn on_all_connections(&self, each: impl Fn(&mut Connection, usize) + Sync) {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..CONNECTIONS.min(self.objects) {
                scope.spawn(|| {
                    let mut connection = Connection::open(&self.store);
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.objects {
                            return;
                        }
                        each(&mut connection, number);
                    }
                });
            }
        });
    }
}

fn path(bucket: &str, number: usize) -> String {
    format!("/{bucket}/bare/{:04}/{number:06}", number / IN_A_FOLDER)
}

/// Noise; no two objects are alike once each has its number in front.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        // Knuth's MMIX generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        noise.extend_from_slice(&state.to_be_bytes());
    }
    noise.truncate(bytes);
    noise
}

fn stamped(content: &mut [u8], number: usize) -> &[u8] {
    let number = (number as u64).to_be_bytes();
    let room = number.len().min(content.len());
    content[..room].copy_from_slice(&number[..room]);
    content
}

struct Connection {
    reader: BufReader<TcpStream>,
    scratch: Vec<u8>,
}

impl Connection {
    fn open(store: &str) -> Self {
        let stream = TcpStream::connect(store).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self {
            reader: BufReader::with_capacity(64 << 10, stream),
            scratch: Vec::new(),
        }
    }

    /// Sends a request and reads its answer, which must be a success; the length of its body.
    fn ask(&mut self, head: &str, body: &[u8]) -> usize {
        let stream = self.reader.get_mut();
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(body).expect("sent");
        let mut status = String::new();
        self.reader.read_line(&mut status).expect("an answer");
        assert!(status.starts_with("HTTP/1.1 200"), "{head}{status}");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a header");
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
        }
        self.scratch.resize(length, 0);
        self.reader.read_exact(&mut self.scratch).expect("a body");
        length
    }
}
