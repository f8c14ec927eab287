//! How renewals spread over the nights.

use crate::model::{Blake3, RelPath, Time};
use crate::plan::{Renewable, due_now};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A chunk as far as renewal goes: where it begins, how many files it names.
struct Chunk {
    first: RelPath,
    files: u64,
    until: Time,
}

/// A million files written in one night, cut as the format says.
fn chunks(locked_until: Time) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut ended = true;
    for n in 0..1_000_000 {
        let path = format!(
            "{}/{:02}/IMG_{n:07}.JPG",
            2000 + n / 40_000,
            n / 3_400 % 12 + 1
        );
        let path = RelPath::from(path.as_str());
        let mut hash = [0; 8];
        hash.copy_from_slice(&Blake3::of(path.as_bytes()).0[..8]);
        if ended {
            chunks.push(Chunk {
                first: path,
                files: 0,
                until: locked_until,
            });
        }
        if let Some(last) = chunks.last_mut() {
            last.files += 1;
            ended = u64::from_le_bytes(hash).is_multiple_of(1024) || last.files == 16_384;
        }
    }
    chunks
}

#[test]
fn a_million_files_of_one_night_renew_evenly_over_ninety_nights() {
    for (retention, below) in [(60, 30), (90, 45), (30, 15)] {
        let (retention, below) = (retention * DAY, below * DAY);
        let mut now = Time::UNIX_EPOCH;
        let mut chunks = chunks(now + retention);
        let mut nights = Vec::new();
        for _ in 0..90 {
            now += DAY;
            let all: Vec<Renewable<'_>> = chunks
                .iter()
                .map(|chunk| Renewable {
                    until: chunk.until,
                    first: &chunk.first,
                    requests: chunk.files + 1,
                })
                .collect();
            let due = due_now(&all, now, retention, below, DAY);
            let mut requests = 0;
            for index in due {
                requests += chunks[index].files + 1;
                chunks[index].until = now + retention;
            }
            assert!(chunks.iter().all(|chunk| chunk.until >= now + below));
            nights.push(requests);
        }
        let mean = nights.iter().sum::<u64>() / 90;
        let worst = nights.iter().max().copied().unwrap_or_default();
        assert!(
            worst <= 2 * mean,
            "{retention:?}: worst {worst}, mean {mean}, {nights:?}"
        );
    }
}
