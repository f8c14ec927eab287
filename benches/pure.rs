//! The hot parts that touch neither disk nor network: `cargo bench`.
//!
//! What to hold them against, measured by hand on the same machine: memory bandwidth for the hashes, `find -printf`
//! for the comparison of as many files. docs/performance.md has such a set.
#![allow(
    clippy::expect_used,
    reason = "a measurement that can't go on panics and says so"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tidelock::model::key::KeyBase;
use tidelock::model::subtree::{hash_part, merge_parts};
use tidelock::model::{
    Blake3, Content, Crc64, Entry, Identity, Kind, MtimePolicy, RelPath, Seen, Stored, Time,
};
use tidelock::plan::{CompareOptions, Comparer, Known, MirrorObject};
use tidelock::snapshot::{as_line, from_line};

const FILES: usize = 100_000;
const LINES: usize = 1_000;
const PART: usize = 8 << 20;

fn path(number: usize) -> RelPath {
    RelPath::new(format!("2026/{:03}/IMG_{number:07}.jpg", number / 1_000).as_bytes())
}

fn entry(number: usize) -> Entry {
    let body = number.to_le_bytes();
    let mut entry = Entry::new(path(number), Kind::File);
    entry.mtime = Some(Time::UNIX_EPOCH);
    entry.mode = Some(0o644);
    entry.content = Some(Content {
        blake3: Blake3::of(&body),
        crc64nvme: Crc64::of(&body),
        size: body.len() as u64,
    });
    entry.stored = Some(Stored {
        key: format!("lib/files/{}", path(number).display()),
        version_id: format!("{number:032x}"),
        etag: format!("{number:032x}"),
    });
    entry.sync_etag = Some(format!("{number:032x}"));
    entry
}

fn seen(number: usize) -> Seen {
    Seen {
        path: path(number),
        kind: Kind::File,
        size: 8,
        mtime: Time::UNIX_EPOCH,
        mode: 0o644,
        identity: Identity::default(),
        device: 1,
        links: 1,
        target: None,
    }
}

fn known(number: usize) -> Known {
    Known {
        entry: entry(number),
        identity: Identity::default(),
        device: 1,
        locked_until: None,
        committed: true,
    }
}

fn object(number: usize) -> MirrorObject {
    MirrorObject {
        path: path(number),
        key: format!("lib/{}", path(number).display()),
        size: 8,
        etag: format!("{number:032x}"),
    }
}

/// An idle night's decision: as many files, entries and objects, nothing to do.
fn plan(criterion: &mut Criterion) {
    let options = CompareOptions {
        sync: true,
        backup: true,
        mtime: MtimePolicy::Keep,
        checksum: false,
    };
    let all = || {
        let numbers = 0..FILES;
        let seen = numbers.clone().map(seen).collect();
        let objects = numbers.clone().map(object).collect();
        (seen, objects, numbers.map(known).collect::<Vec<_>>())
    };
    let mut group = criterion.benchmark_group("plan");
    group
        .throughput(Throughput::Elements(FILES as u64))
        .sample_size(10);
    group.bench_function("nothing changed", |bench| {
        bench.iter_batched(
            all,
            |(seen, objects, remembered)| {
                let mut comparer = Comparer::new(seen, objects, options);
                remembered
                    .into_iter()
                    .for_each(|known| comparer.remember(known));
                assert_eq!(comparer.finish().unchanged, FILES as u64);
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn manifest(criterion: &mut Criterion) {
    let entries: Vec<Entry> = (0..LINES).map(entry).collect();
    let encode = |entry: &Entry| serde_json::to_vec(&as_line(entry)).expect("a line");
    let lines: Vec<Vec<u8>> = entries.iter().map(encode).collect();
    let mut group = criterion.benchmark_group("manifest");
    group.throughput(Throughput::Elements(LINES as u64));
    group.bench_function("encode", |bench| {
        bench.iter(|| {
            entries
                .iter()
                .map(encode)
                .map(|line| line.len())
                .sum::<usize>()
        });
    });
    group.bench_function("decode", |bench| {
        bench.iter(|| lines.iter().filter_map(|line| from_line(line)).count());
    });
    group.finish();
}

fn keys(criterion: &mut Criterion) {
    let base = KeyBase::new("lib/");
    let plain = path(1);
    let escaped = RelPath::new("Ferien/Tag 1/schöne \u{7}Aussicht \u{1f3d4}.jpg".as_bytes());
    let mut group = criterion.benchmark_group("key");
    group.bench_function("plain", |bench| {
        bench.iter(|| base.key_of(black_box(&plain)))
    });
    group.bench_function("escaped", |bench| {
        bench.iter(|| base.key_of(black_box(&escaped)))
    });
    group.finish();
}

fn hashes(criterion: &mut Criterion) {
    let part: Vec<u8> = (0..PART).map(|n| (n * 31 % 251) as u8).collect();
    let parts = vec![hash_part(&part, 0); 10_000];
    let mut group = criterion.benchmark_group("part");
    group.throughput(Throughput::Bytes(PART as u64));
    group.bench_function("blake3", |bench| {
        bench.iter(|| hash_part(black_box(&part), PART as u64))
    });
    group.bench_function("crc64nvme", |bench| {
        bench.iter(|| Crc64::of(black_box(&part)))
    });
    group.bench_function("memcpy", |bench| {
        let mut to = vec![0; PART];
        bench.iter(|| to.copy_from_slice(black_box(&part)));
    });
    group.finish();
    criterion.bench_function("merge 10,000 parts", |bench| {
        bench.iter(|| merge_parts(black_box(&parts)));
    });
}

criterion_group!(pure, plan, manifest, keys, hashes);
criterion_main!(pure);
