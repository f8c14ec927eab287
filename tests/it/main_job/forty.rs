//! Forty nights of edits, deletes, moves and losses: each can be had back, and each costs what it changed.

use super::day_two::copy_of;
use crate::support::{Job, Library, TestStore, assert_same_tree, contents, on_minio};

const NIGHTS: usize = 40;

/// Paths in order; every eighth ends a chunk of the manifest, so that small libraries have many chunks.
fn paths() -> Vec<String> {
    let ends_a_chunk = |path: &str| {
        let hash = blake3::hash(path.as_bytes());
        let first: [u8; 8] = hash.as_bytes()[..8].try_into().unwrap();
        u64::from_le_bytes(first).is_multiple_of(1024)
    };
    let mut paths = Vec::new();
    for group in 0..12 {
        paths.extend((0..7).map(|number| format!("{group:02}/{number}")));
        let mut ends = (0..).map(|number| format!("{group:02}/x{number}"));
        paths.extend(ends.find(|path| ends_a_chunk(path)));
    }
    paths
}

/// What may be changed next, and the dice that choose it.
struct Changes {
    paths: Vec<String>,
    /// Of a small generator (Knuth's MMIX constants): alike in every run of the test.
    dice: u64,
}

impl Changes {
    fn roll(&mut self, below: usize) -> usize {
        const A: u64 = 6_364_136_223_846_793_005;
        const C: u64 = 1_442_695_040_888_963_407;
        self.dice = self.dice.wrapping_mul(A).wrapping_add(C);
        (self.dice >> 33) as usize % below
    }

    fn take(&mut self) -> String {
        let at = self.roll(self.paths.len());
        self.paths.swap_remove(at)
    }

    /// One change; the paths that it touches.
    fn change(&mut self, library: &Library, night: usize) -> usize {
        let new = format!("{:02}/new {night} {}", self.roll(12), self.roll(1000));
        match self.roll(4) {
            0 => {
                let path = self.take();
                let size = 100 + self.roll(5_000);
                library.write(&path, &contents(&new, size));
                self.paths.push(path);
                1
            }
            1 => {
                library.remove(self.take());
                1
            }
            2 => {
                library.rename(self.take(), &new);
                self.paths.push(new);
                2
            }
            _ => {
                library.file(&new, 100);
                self.paths.push(new);
                1
            }
        }
    }
}

async fn forty_nights_come_back_each_and_each_costs_what_it_changed(store: TestStore) {
    let mut job = Job::new(store).await;
    let mut changes = Changes {
        paths: paths(),
        dice: 20_261_124,
    };
    for (number, path) in changes.paths.iter().enumerate() {
        job.library.file(path, 200 + number);
    }
    for group in 0..12 {
        // Folders that are emptied would be entries of their own.
        job.library.file(format!("{group:02}/stays"), 10);
    }
    let mut nights = Vec::new();
    let mut chunks = 0;
    for night in 0..NIGHTS {
        let touched: usize = match night {
            0 => job.library.path().read_dir().unwrap().count() * 9,
            _ if night % 9 == 0 => 0,
            _ => (0..=changes.roll(3))
                .map(|_| changes.change(&job.library, night))
                .sum(),
        };
        match night % 7 {
            3 => job.lose_state(),
            5 => job = job.elsewhere(),
            _ => {}
        }
        let id = job.run(0).snapshot();
        let stored = job.vault.versions_below("lib/manifests/").await.len();
        let new = stored - chunks;
        assert!(new <= 2 * touched + 2, "night {night}: {new} for {touched}");
        if night == 0 {
            assert!(new >= 12, "small changes would prove nothing: {new}");
        }
        chunks = stored;
        nights.push((id, copy_of(&job.library)));
    }
    for (id, library) in nights {
        let restored = job.restore(&["--snapshot", &id]);
        assert_same_tree(library.path(), restored.path());
    }
}
on_minio!(forty_nights_come_back_each_and_each_costs_what_it_changed);
