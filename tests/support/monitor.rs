//! A monitor as healthchecks.io is one: an HTTP server that notes who pinged it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// One request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ping {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
}

/// How it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    Answers(u16),
    /// Takes the connection and never says a word.
    Silent,
}

/// Listens on a loopback port until the test ends.
pub(crate) struct Monitor {
    address: SocketAddr,
    pings: Arc<Mutex<Vec<Ping>>>,
}

impl Monitor {
    pub(crate) fn answering(status: u16) -> Self {
        Self::start(Mood::Answers(status))
    }

    pub(crate) fn silent() -> Self {
        Self::start(Mood::Silent)
    }

    fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let pings = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&pings);
        thread::spawn(move || {
            let mut held = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                match mood {
                    Mood::Silent => held.push(stream),
                    // One that breaks off has told nothing.
                    Mood::Answers(status) => _ = serve(stream, status, &seen),
                }
            }
        });
        Self { address, pings }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All pings so far; what was answered is among them.
    pub(crate) fn pings(&self) -> Vec<Ping> {
        self.pings.lock().expect("no panic").clone()
    }

    /// `GET /x` and so on, without bodies.
    pub(crate) fn requests(&self) -> Vec<String> {
        let pings = self.pings();
        let line = |ping: &Ping| format!("{} {}", ping.method, ping.path);
        pings.iter().map(line).collect()
    }
}

fn serve(stream: TcpStream, status: u16, pings: &Mutex<Vec<Ping>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header == "\r\n" {
            break;
        }
        let header = header.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    pings.lock().expect("no panic").push(Ping {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        body: String::from_utf8(body).expect("UTF-8"),
    });
    (&stream).write_all(
        format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK")
            .as_bytes(),
    )
}
