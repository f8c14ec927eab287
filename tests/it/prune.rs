//! Pruning over months: the model store, whose clock moves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tempfile::{TempDir, tempdir};
use tidelock::engine::client::Client;
use tidelock::engine::pace::Pace;
use tidelock::engine::prune::{Prune, Pruned};
use tidelock::engine::retry::{PATIENCE, Retrier};
use tidelock::engine::run::{Stores, Which, run_on};
use tidelock::engine::stop::Stop;
use tidelock::model::{
    BackupSettings, CloudFiles, Connection, Events, ExitCode, KeepPolicy, LibrarySettings, Mode,
    MtimePolicy, RunSettings, Settings, Side, Target, Via,
};
use tidelock::snapshot::Vault;
use tidelock::store::model::ModelStore;
use tidelock::store::{BucketInfo, Store, listing};

use crate::support::{Library, block_on, contents};

const DAY: Duration = Duration::from_secs(86_400);

struct World {
    library: Library,
    store: Arc<ModelStore>,
    state: TempDir,
    keep: KeepPolicy,
}

impl World {
    fn new() -> Self {
        let info = BucketInfo {
            versioned: true,
            lock: true,
        };
        Self {
            library: Library::new(),
            store: Arc::new(ModelStore::new("vault", info)),
            state: tempdir().unwrap(),
            keep: KeepPolicy {
                last: 1,
                ..KeepPolicy::default()
            },
        }
    }

    fn target() -> Target {
        Target::parse("s3://vault/library").unwrap()
    }

    fn backup(&self) -> BackupSettings {
        BackupSettings {
            target: Self::target(),
            connection: Connection::default(),
            mode: Mode::Governance,
            retention: 30 * DAY,
            renew_below: 10 * DAY,
            accept_irrevocable: false,
            via: Via::Upload,
            storage_class: None,
            sse: None,
            keep: self.keep.clone(),
        }
    }

    async fn night(&self) -> ExitCode {
        let settings = Settings {
            library: Some(LibrarySettings {
                path: self.library.path().to_owned(),
                name: None,
                exclude: Vec::new(),
                include: Vec::new(),
                default_excludes: true,
                mtime: MtimePolicy::Keep,
                ignore_inode: false,
                ignore_ctime: false,
                cloud_files: CloudFiles::Skip,
            }),
            sync: None,
            backup: Some(self.backup()),
            run: RunSettings {
                state_dir: self.state.path().to_owned(),
                ..RunSettings::default()
            },
            record: serde_json::json!({}),
        };
        let stores = Stores {
            sync: None,
            backup: Some(Arc::clone(&self.store) as Arc<dyn Store>),
            ..Stores::default()
        };
        let night = || {
            let events = Events::none();
            run_on(&settings, Which::Backup, &stores, events, Stop::default())
        };
        let mut exit = night().await.exit;
        // A process that another test is just starting may still hold the state's lock, of the night before.
        while exit == ExitCode::Held {
            exit = night().await.exit;
        }
        self.store.advance(DAY);
        exit
    }

    async fn prune(&self, dry_run: bool) -> tidelock::model::Result<Pruned> {
        let pace = Arc::new(Pace::new(4, None));
        let client = Client {
            side: Side::Backup,
            target: Self::target(),
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            retrier: Retrier::new(pace, Stop::default(), PATIENCE),
            events: Events::none(),
        };
        let prune = Prune {
            client: &client,
            vault: &self.vault(),
            settings: &self.backup(),
            zone: &TimeZone::UTC,
            dry_run,
            transfers: 4,
            events: &Events::none(),
        };
        prune.run(async || Ok(())).await
    }

    fn vault(&self) -> Vault {
        Vault::new(Arc::clone(&self.store) as Arc<dyn Store>, Self::target())
    }

    async fn versions(&self, folder: &str) -> usize {
        let prefix = format!("library/{folder}");
        let all = listing::list_all_versions(&*self.store, &prefix).await;
        all.unwrap().len()
    }

    /// Everything that the newest snapshot names is there.
    async fn assert_whole(&self, files: &[(&str, &str)]) {
        let vault = self.vault();
        let latest = vault.latest().await.unwrap().unwrap();
        let mut chunks = Box::pin(vault.entries(latest.snapshot.manifest, 1));
        let mut found = Vec::new();
        while let Some(chunk) = futures::StreamExt::next(&mut chunks).await {
            for entry in chunk.unwrap().entries {
                let stored = entry.stored.unwrap();
                let version = Some(stored.version_id.as_str());
                let got = self.store.get(&stored.key, version, None).await.unwrap();
                found.push((entry.path.to_string(), got.body.to_vec()));
            }
        }
        let expected: Vec<_> = files
            .iter()
            .map(|(path, seed)| ((*path).to_owned(), contents(seed, 50)))
            .collect();
        assert_eq!(found, expected);
    }

    /// As a stranger would.
    async fn put(&self, key: &str, body: Vec<u8>) {
        let put = tidelock::store::Put {
            key: key.to_owned(),
            crc64nvme: tidelock::model::Crc64::of(&body),
            body: body.into(),
            attributes: tidelock::store::Attributes::default(),
            condition: tidelock::store::Condition::Always,
        };
        self.store.put(put).await.unwrap();
    }

    /// Requests that changed a lock so far.
    fn extensions(&self) -> u64 {
        let requests = self.store.requests();
        requests.get("PutObjectRetention").copied().unwrap_or(0)
    }

    /// What is left of the shortest lock in a folder.
    async fn shortest_lock(&self, folder: &str) -> Duration {
        let now = self.store.now().await.unwrap();
        let prefix = format!("library/{folder}");
        let all = listing::list_all_versions(&*self.store, &prefix).await;
        let mut least = Duration::MAX;
        for version in all.unwrap() {
            let (key, id) = (&version.key, &version.version_id);
            let lock = self.store.retention(key, id).await.unwrap().unwrap();
            let left = lock.until.duration_since(now).try_into();
            least = least.min(left.unwrap_or_default());
        }
        least
    }

    fn write(&self, path: impl AsRef<Path>, seed: &str) {
        self.library.write(path, &contents(seed, 50));
    }
}

#[test]
fn f45_prune_drops_now_frees_later_and_never_what_a_kept_snapshot_names() {
    block_on(async {
        let world = World::new();
        world.write("a", "a1");
        world.write("b", "b1");
        assert_eq!(world.night().await, ExitCode::Done);
        world.write("a", "a2");
        assert_eq!(world.night().await, ExitCode::Done);
        assert_eq!(world.versions("files/").await, 3);

        let before = world.store.requests();
        let dry = world.prune(true).await.unwrap();
        assert_eq!((dry.dropped.len(), dry.kept, dry.freed.versions), (1, 1, 0));
        let writes = |requests: &tidelock::model::Requests| {
            let count = |name| requests.get(name).copied().unwrap_or(0);
            (count("PutObject"), count("DeleteObject"))
        };
        assert_eq!(writes(&world.store.requests()), writes(&before));

        let first = world.prune(false).await.unwrap();
        assert_eq!((first.dropped.len(), first.freed.versions), (1, 0));
        assert!(first.later.versions >= 3, "{first:?}");
        // Dropped: no reader sees it, though its lock holds.
        assert_eq!(world.vault().list().await.unwrap().len(), 1);
        assert_eq!(world.versions("snapshots/").await, 2);

        // Once more on the same day: locked versions are no error, and nothing is dropped twice.
        let again = world.prune(false).await.unwrap();
        assert_eq!((again.dropped.len(), again.freed.versions), (0, 0));
        assert_eq!(again.refused, []);
        assert_eq!(world.versions("prunes/").await, 1);

        // The nightly runs renew what is kept, and not what was dropped.
        for _ in 0..40 {
            assert_eq!(world.night().await, ExitCode::Done);
        }
        let late = world.prune(false).await.unwrap();
        assert!(late.freed.versions >= 3, "{late:?}");
        assert_eq!(world.versions("files/").await, 2);
        world.assert_whole(&[("a", "a2"), ("b", "b1")]).await;
    });
}

#[test]
fn f45_what_was_dropped_stays_for_seven_days_even_without_a_lock() {
    block_on(async {
        let world = World::new();
        world.write("a", "a1");
        assert_eq!(world.night().await, ExitCode::Done);
        world.write("a", "a2");
        world.store.advance(40 * DAY);
        assert_eq!(world.night().await, ExitCode::Done);
        // The lock of the old version was renewed: let it run out.
        world.store.advance(40 * DAY);
        assert_eq!(world.prune(false).await.unwrap().dropped.len(), 1);
        assert_eq!(world.versions("files/").await, 2);
        world.store.advance(6 * DAY);
        world.prune(false).await.unwrap();
        assert_eq!(world.versions("files/").await, 2);
        world.store.advance(2 * DAY);
        world.prune(false).await.unwrap();
        assert_eq!(world.versions("files/").await, 1);
        assert_eq!(world.versions("snapshots/").await, 1);
        world.assert_whole(&[("a", "a2")]).await;
    });
}

#[test]
fn f45_what_nobody_ever_named_goes_too_but_not_in_its_first_week() {
    block_on(async {
        let world = World::new();
        world.write("a", "a1");
        assert_eq!(world.night().await, ExitCode::Done);
        world.put("library/files/left", b"left".to_vec()).await;
        world.store.advance(6 * DAY);
        assert_eq!(world.prune(false).await.unwrap().freed.versions, 0);
        world.store.advance(2 * DAY);
        assert_eq!(world.prune(false).await.unwrap().freed.versions, 1);
        world.assert_whole(&[("a", "a1")]).await;
    });
}

#[test]
fn a_policy_that_keeps_nothing_is_refused() {
    block_on(async {
        let mut world = World::new();
        world.keep = KeepPolicy::default();
        world.write("a", "a1");
        assert_eq!(world.night().await, ExitCode::Done);
        let error = world.prune(false).await.unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Refused, "{error}");
        assert_eq!(world.vault().list().await.unwrap().len(), 1);
    });
}

/// By claims, as every night decides: what a forged record names is renewed as before.
#[test]
fn f56_locks_run_on_under_a_forged_prune_record_until_the_pruner_really_prunes() {
    block_on(async {
        let world = World::new();
        world.write("a", "a1");
        assert_eq!(world.night().await, ExitCode::Done);
        let first = world.vault().latest().await.unwrap().unwrap();
        world.write("a", "a2");
        assert_eq!(world.night().await, ExitCode::Done);
        let line = serde_json::json!({
            "id": first.snapshot.id.as_str(), "blake3": first.blake3.to_hex(), "parent": null,
        });
        let record = serde_json::json!({"format": 1, "dropped": [line]}).to_string();
        let key = "library/prunes/20260101T000000Z-00000000.json";
        world.put(key, record.into()).await;
        for _ in 0..100 {
            assert_eq!(world.night().await, ExitCode::Done);
            assert!(world.shortest_lock("files/").await >= 9 * DAY);
        }
        assert_eq!(world.vault().list().await.unwrap().len(), 102);

        // It frees nothing, however old it is, and the days of grace begin with the true prune.
        let pruned = world.prune(false).await.unwrap();
        assert_eq!(pruned.dropped.len(), 101);
        // Old ledger objects alone.
        assert_eq!(world.versions("files/").await, 2);
        assert_eq!(world.versions("snapshots/").await, 102);
        let before = world.extensions();
        for _ in 0..40 {
            assert_eq!(world.night().await, ExitCode::Done);
        }
        assert_eq!(world.versions("files/").await, 2);
        let kept = world.extensions() - before;
        assert!(world.prune(false).await.unwrap().freed.versions > 100);
        assert_eq!(world.versions("files/").await, 1);
        world.assert_whole(&[("a", "a2")]).await;
        // What was dropped cost no renewal: about one for each of the forty nights.
        assert!(kept <= 60, "{kept}");
    });
}

/// Nobody but the pruner takes pins away, those of commits that never came among them.
#[test]
fn pins_go_with_their_snapshots_and_those_of_none_after_a_week() {
    block_on(async {
        let world = World::new();
        world.write("a", "a1");
        assert_eq!(world.night().await, ExitCode::Done);
        assert_eq!(world.night().await, ExitCode::Done);
        world
            .put("library/pins/20260101T000000Z-00000000", Vec::new())
            .await;
        assert_eq!(world.versions("pins/").await, 3);
        assert_eq!(world.prune(false).await.unwrap().dropped.len(), 1);
        assert_eq!(world.versions("pins/").await, 2);
        world.store.advance(8 * DAY);
        world.prune(false).await.unwrap();
        assert_eq!(world.versions("pins/").await, 1);
    });
}
