//! A large library against the store in memory: what the engine itself takes, without network or server.
//!
//!     scale nights --files 1000000
//!
//! renews the locks of that many files, all written in one night, over ninety nights, and prints how many each night.
//!
//!     scale run --files 1000000 [--folder DIR]
//!
//! makes that many real small files in a new folder (of DIR, or of the temporary folder), and prints for each phase
//! of a library's life its time, its requests, and the peak of memory above what the process held when the phase
//! began. Stores keep their objects in this process: a first run's peak has all of them in it, so it is not told.
//! Called in any other way, as the test suite does, it does the same with few files and holds requests and memory to
//! what is promised.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool of the tests, which speaks to a terminal"
)]

mod memory;
mod nights;
mod phases;

use phases::{Cost, Phases};
use std::path::PathBuf;
use std::process::exit;

/// Enough for what is there once to be small beside what is there per file.
const FEW: usize = 5_000;
/// Of so many files a night's share is some chunks.
const RENEWED: usize = 20_000;
/// Bytes a file that may be held at once, beside the buffers and what every run needs.
const BYTES_A_FILE: u64 = 200;
/// What every run needs, however small its library: stacks, connections, the state's cache.
const BASE: u64 = 24 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("run") => run(&arguments[1..]),
        Some("nights") => match &arguments[1..] {
            [name, files] if name == "--files" => {
                let files = files.parse().unwrap_or_else(|_| usage());
                live(files, |night, renewed| {
                    println!("night {night:2}: {renewed} renewals")
                });
            }
            _ => usage(),
        },
        _ => check(),
    }
}

fn run(options: &[String]) {
    let mut files = None;
    let mut folder = std::env::temp_dir();
    for option in options.chunks(2) {
        match option {
            [name, value] if name == "--files" => files = value.parse().ok().filter(|&it| it > 0),
            [name, value] if name == "--folder" => folder = PathBuf::from(value),
            _ => usage(),
        }
    }
    let Some(files) = files else { usage() };
    println!(
        "{:<28}{:>10}{:>12}{:>14}{:>14}",
        "", "seconds", "requests", "peak MiB", "bytes a file"
    );
    Phases::new(&folder, files).all(|name, cost| {
        let peak = cost.peak.map_or_else(
            || format!("{:>14}{:>14}", "-", "-"),
            |peak| {
                format!(
                    "{:>14.1}{:>14}",
                    peak as f64 / f64::from(1 << 20),
                    peak / files as u64
                )
            },
        );
        println!(
            "{name:<28}{:>10.1}{:>12}{peak}",
            cost.seconds, cost.requests
        );
    });
}

fn live(files: usize, tell: impl FnMut(usize, u64)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(nights::ninety(files, tell));
}

fn usage() -> ! {
    eprintln!("usage: scale run --files N [--folder DIR] | scale nights --files N");
    exit(2);
}

/// Few files, and everything that is promised of them.
fn check() {
    let mut bad = Vec::new();
    let mut at_most = |what: String, count: u64, limit: u64| {
        let good = count <= limit;
        println!(
            "  {} {what}: {count}, at most {limit}",
            if good { "ok " } else { "BAD" }
        );
        if !good {
            bad.push(what);
        }
    };
    let pages = (FEW as u64).div_ceil(1_000) * 2;
    let memory = BASE + BYTES_A_FILE * FEW as u64;
    Phases::new(&std::env::temp_dir(), FEW).all(|name, Cost { requests, peak, .. }| {
        let limit = match name {
            phases::IDLE => pages + 15,
            phases::FRESH => pages + 35,
            _ => u64::MAX,
        };
        at_most(format!("{name}: requests"), requests, limit);
        if let Some(peak) = peak {
            at_most(format!("{name}: bytes of memory"), peak, memory);
        }
    });
    live(RENEWED, |_, _| {});
    if !bad.is_empty() {
        eprintln!("too much: {}", bad.join(", "));
        exit(1);
    }
}
