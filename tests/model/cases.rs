//! Random histories.

use crate::history::{Job, Step, step};
use crate::hooked::Trouble;
use crate::tree;
use crate::world::{World, runtime};
use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::env;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tidelock::engine::pace::Pace;
use tidelock::engine::restore::{Request, restore};
use tidelock::engine::retry::Retrier;
use tidelock::engine::run::Which;
use tidelock::engine::stop::Stop;
use tidelock::model::{Events, ExitCode};
use tidelock::plan::restore::{Existing, Selection};
use tidelock::snapshot::Select;

/// Steps of one history.
const STEPS: usize = 30;

/// Histories by default, in about two minutes on two cores.
const CASES: u32 = 2_000;
/// Histories that are played at a time: they mostly wait, for files that have just been written.
const SHARDS: u32 = 25;
/// Longer rounds draw theirs.
const USUAL_SEED: u64 = 1;

/// Plays a history to its end, and shows that one more run brings everything in order.
pub(crate) fn play(history: &[Step]) {
    let mut world = World::new();
    for step in history {
        world.step(step);
    }
    converge(&mut world);
    nothing_is_left_to_do(&mut world);
    restore_all(&world);
}

fn converge(world: &mut World) {
    let ended = world
        .run(Job::permitted(Which::Run), Trouble::None)
        .unwrap();
    assert_eq!(ended.exit, ExitCode::Done, "{ended:?}");
}

/// A second run, and one on a fresh machine, send and store nothing.
fn nothing_is_left_to_do(world: &mut World) {
    for fresh in [false, true] {
        if fresh {
            world.step(&Step::LoseState);
        }
        let ended = world.run(Job::plain(Which::Run), Trouble::None).unwrap();
        assert_eq!(ended.exit, ExitCode::Done, "{ended:?}");
        let (sync, backup) = (ended.summary.sync.unwrap(), ended.summary.backup.unwrap());
        assert_eq!((sync.uploaded, sync.copied, sync.deleted), (0, 0, 0));
        assert_eq!((backup.uploaded, backup.copied), (0, 0));
        assert_eq!(ended.summary.library.unwrap().hashed, 0);
    }
}

/// The last snapshot, and the oldest complete one, come back as the library was.
fn restore_all(world: &World) {
    let snapshots = world.promises.snapshots.values();
    let complete: Vec<_> = snapshots.filter(|snapshot| snapshot.complete).collect();
    let (first, last) = (complete.first().unwrap(), complete.last().unwrap());
    for (name, snapshot) in [("first", first), ("last", last)] {
        let to = world.folder(name);
        let request = Request {
            to: to.clone(),
            selection: Selection::default(),
            existing: Existing::default(),
            dry_run: false,
            asks: false,
            thaws: false,
            transfers: 2,
            memory: 16 << 20,
        };
        let retrier = Retrier::new(
            Arc::new(Pace::new(2, None)),
            Stop::default(),
            Duration::from_secs(60),
        );
        let vault = &world.promises.vault;
        let restored = runtime().block_on(async {
            let found = vault.find(&Select::id(&snapshot.id)).await.unwrap();
            restore(
                vault,
                &found,
                &request,
                &retrier,
                async |_: &_| Ok(true),
                &Events::none(),
            )
            .await
            .unwrap()
        });
        assert_eq!(restored.exit, ExitCode::Done, "{restored:?}");
        assert_eq!(Some(tree::read(&to)), snapshot.library, "{name}");
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

/// A share of the cases.
fn shard(shard: u64, seed: u64, cases: u32) -> Result<(), String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&shard.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 3_000,
        max_shrink_time: 120_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&vec(step(), 1..=STEPS), |history| {
        play(&history);
        Ok(())
    });
    result.map_err(|error| match error {
        TestError::Fail(why, history) => {
            let steps = history.iter().map(|step| format!("    {step:?},\n"));
            format!("shard {shard}: {why}\n{}", steps.collect::<String>())
        }
        error => format!("shard {shard}: {error}"),
    })
}

fn random() -> u64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    u64::from(u32::from_le_bytes(bytes))
}

#[test]
fn every_history_keeps_every_promise() {
    let wanted = number("TIDELOCK_CASES");
    let seed = number("TIDELOCK_SEED").unwrap_or_else(|| match wanted {
        Some(_) => random(),
        // A round of the usual size is the same each time: what it finds, it finds for who caused it.
        None => USUAL_SEED,
    });
    let cases = wanted.map_or(CASES, |cases| cases as u32).div_ceil(SHARDS);
    let begun = Instant::now();
    let failed: Vec<String> = thread::scope(|scope| {
        let shards: Vec<_> = (1..=u64::from(SHARDS))
            .map(|no| scope.spawn(move || shard(no, seed, cases)))
            .collect();
        let results = shards.into_iter().map(|shard| shard.join().unwrap());
        results.filter_map(Result::err).collect()
    });
    assert!(
        failed.is_empty(),
        "TIDELOCK_SEED={seed}\n{}",
        failed.join("\n")
    );
    eprintln!(
        "{} histories in {:?}, TIDELOCK_SEED={seed}",
        cases * SHARDS,
        begun.elapsed()
    );
}
