//! A long, thin line before a store, for measurements: every byte takes half a round trip, and all connections together
//! send no more than the line takes. It looks at nothing and changes nothing.
//!
//!     wan serve http://127.0.0.1:9000 [--rtt-ms 40] [--up-mbit 50] [--down-mbit 200]
//!
//! prints `ENDPOINT=http://127.0.0.1:PORT` and serves until its standard input is closed. A new connection costs one
//! round trip. What a real line also has is left out: TCP's slow start, loss, jitter.
//!
//!     wan bare put|get http://127.0.0.1:9000 BUCKET,BUCKET OBJECTS BYTES
//!
//! moves objects with as little work as can be (see [`bare`]). Called in any other way, as the test suite does, it
//! checks itself.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool of the tests, which speaks to a terminal"
)]

mod bare;
mod line;

use line::{Line, Shape};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => serve(&arguments[1..]),
        Some("bare") => move_bytes(&arguments[1..]),
        _ => check(),
    }
}

fn serve(arguments: &[String]) {
    let (Some(store), options) = (arguments.first(), arguments.get(1..).unwrap_or_default()) else {
        return usage();
    };
    let Some(shape) = shape(options) else {
        return usage();
    };
    let line = Line::before(store.trim_start_matches("http://"), shape);
    println!("ENDPOINT=http://{}", line.address());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn move_bytes(arguments: &[String]) {
    let [way, store, buckets, objects, bytes] = arguments else {
        return usage();
    };
    let (Ok(objects), Ok(bytes)) = (objects.parse(), bytes.parse()) else {
        return usage();
    };
    let job = bare::Job {
        store: store.trim_start_matches("http://").to_owned(),
        buckets: buckets.split(',').map(str::to_owned).collect(),
        objects,
        bytes,
    };
    match way.as_str() {
        "put" => job.put(),
        "get" => job.get(),
        _ => usage(),
    }
}

fn usage() {
    eprintln!(
        "usage: wan serve http://HOST:PORT [--rtt-ms N] [--up-mbit N] [--down-mbit N]\n       \
         wan bare put|get http://HOST:PORT BUCKET,BUCKET OBJECTS BYTES"
    );
    exit(2);
}

fn shape(options: &[String]) -> Option<Shape> {
    let mut shape = Shape::default();
    for option in options.chunks(2) {
        let [name, value] = option else { return None };
        let value: u64 = value.parse().ok().filter(|&value| value > 0)?;
        match name.as_str() {
            "--rtt-ms" => shape.round_trip = Duration::from_millis(value),
            "--up-mbit" => shape.up = value * 125_000,
            "--down-mbit" => shape.down = value * 125_000,
            _ => return None,
        }
    }
    Some(shape)
}

/// Both are lower bounds, so that a busy machine can't break them.
fn check() {
    let shape = Shape::default();
    a_byte_takes_a_round_trip_there_and_back(shape);
    println!("test a_byte_takes_a_round_trip_there_and_back ... ok");
    connections_share_the_line(shape);
    println!("test connections_share_the_line ... ok");
    println!("\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n");
}

fn a_byte_takes_a_round_trip_there_and_back(shape: Shape) {
    let line = Line::before(&echo(), shape);
    let mut connection = TcpStream::connect(line.address()).expect("a connection");
    // The first byte pays for the connection too.
    for (times, byte) in [(2, b"a"), (1, b"b")] {
        let begun = Instant::now();
        connection.write_all(byte).expect("sent");
        let mut back = [0];
        connection.read_exact(&mut back).expect("an answer");
        assert_eq!(&back, byte);
        assert!(
            begun.elapsed() >= shape.round_trip * times,
            "{:?}",
            begun.elapsed()
        );
    }
}

fn connections_share_the_line(shape: Shape) {
    const EACH: usize = 1 << 20;
    let line = Line::before(&echo(), shape);
    let address = line.address().to_owned();
    let begun = Instant::now();
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = TcpStream::connect(&address).expect("a connection");
            thread::spawn(move || {
                let mut sink = connection.try_clone().expect("a clone");
                let reader = thread::spawn(move || {
                    let mut back = vec![0; EACH];
                    sink.read_exact(&mut back).expect("all of it");
                    back
                });
                connection.write_all(&vec![7; EACH]).expect("sent");
                assert!(reader.join().expect("read").iter().all(|&byte| byte == 7));
            })
        })
        .collect();
    senders
        .into_iter()
        .for_each(|sender| sender.join().expect("sent"));
    let least = Duration::from_secs_f64(3.0 * EACH as f64 / shape.up as f64);
    assert!(
        begun.elapsed() >= least,
        "{:?} for {least:?}",
        begun.elapsed()
    );
}

/// A server that sends everything back.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut back = client.try_clone().expect("a clone");
                std::io::copy(&mut client, &mut back)
            });
        }
    });
    address
}
