//! Locks over months: the whole of a run on the model store, whose clock moves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidelock::engine::run::{Ended, Stores, Which, run_on};
use tidelock::engine::stop::Stop;
use tidelock::model::{
    BackupSettings, Connection, Events, ExitCode, KeepPolicy, LibrarySettings, Mode, MtimePolicy,
    RunSettings, Settings, Target, Time, Via,
};
use tidelock::store::model::ModelStore;
use tidelock::store::{BucketInfo, Store, listing};

use crate::support::{Library, block_on};

const DAY: Duration = Duration::from_secs(86_400);

/// A library, a vault in memory, and a state.
struct World {
    library: Library,
    store: Arc<ModelStore>,
    state: TempDir,
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
            state: TempDir::new().unwrap(),
        }
    }

    fn settings(&self) -> Settings {
        let backup = BackupSettings {
            target: Target::parse("s3://vault/library").unwrap(),
            connection: Connection::default(),
            mode: Mode::Governance,
            retention: 60 * DAY,
            renew_below: 30 * DAY,
            accept_irrevocable: false,
            via: Via::Upload,
            storage_class: None,
            sse: None,
            keep: KeepPolicy::default(),
        };
        Settings {
            library: Some(library(self.library.path())),
            sync: None,
            backup: Some(backup),
            run: RunSettings {
                state_dir: self.state.path().to_owned(),
                ..RunSettings::default()
            },
            record: serde_json::json!({}),
        }
    }

    async fn run_with(&self, settings: &Settings) -> Ended {
        let stores = Stores {
            sync: None,
            backup: Some(Arc::clone(&self.store) as Arc<dyn Store>),
        };
        let stop = Stop::default();
        run_on(settings, Which::Backup, &stores, Events::none(), stop).await
    }

    async fn night(&self) -> Ended {
        self.run_with(&self.settings()).await
    }

    fn fresh_machine(&mut self) {
        self.state = TempDir::new().unwrap();
    }

    /// Requests that changed a lock so far.
    fn extensions(&self) -> u64 {
        let requests = self.store.requests();
        requests.get("PutObjectRetention").copied().unwrap_or(0)
    }

    /// The earliest lock of all that lies below `files/`, `manifests/` and `snapshots/`.
    async fn shortest_lock(&self) -> Duration {
        let now = self.store.now().await.unwrap();
        let mut least = Time::MAX;
        for folder in ["files", "manifests", "snapshots"] {
            let prefix = format!("library/{folder}/");
            for version in listing::list_all_versions(&*self.store, &prefix)
                .await
                .unwrap()
            {
                let lock = self
                    .store
                    .retention(&version.key, &version.version_id)
                    .await;
                least = least.min(lock.unwrap().unwrap().until);
            }
        }
        least.duration_since(now).try_into().unwrap_or_default()
    }
}

fn library(path: &Path) -> LibrarySettings {
    LibrarySettings {
        path: path.to_owned(),
        name: None,
        exclude: Vec::new(),
        include: Vec::new(),
        default_excludes: true,
        mtime: MtimePolicy::Keep,
        ignore_inode: false,
        ignore_ctime: false,
    }
}

fn done(ended: &Ended) {
    assert_eq!(ended.exit, ExitCode::Done, "{ended:?}");
}

#[test]
fn f43_whatever_a_kept_snapshot_names_is_locked_for_renewbelow_from_any_run() {
    block_on(async {
        let mut world = World::new();
        world.library.file("a", 10);
        world.library.file("b", 20);
        done(&world.night().await);
        // Only the first snapshot names this content from now on.
        world.library.file("b", 21);
        for night in 1..=100 {
            world.store.advance(DAY);
            if night % 9 == 0 {
                world.fresh_machine();
            }
            let ended = world.night().await;
            done(&ended);
            let least = world.shortest_lock().await;
            assert!(least >= 29 * DAY, "night {night}: {least:?}");
        }
        // Two files, two contents of one, some chunks and a hundred snapshots, each about thrice.
        assert!(world.extensions() < 500, "{}", world.extensions());
    });
}

#[test]
fn f01_locks_are_renewed_while_the_library_is_unplugged() {
    block_on(async {
        let world = World::new();
        world.library.file("a", 10);
        done(&world.night().await);
        let mut settings = world.settings();
        settings.library = Some(library(&world.library.at("unplugged")));
        // The same state: what is gone is the folder, under the same name.
        std::fs::rename(world.library.at("a"), world.state.path().join("a")).unwrap();
        let path = world.library.path().to_owned();
        let away = path.with_extension("away");
        std::fs::rename(&path, &away).unwrap();
        world.store.advance(46 * DAY);
        let ended = world.run_with(&world.settings()).await;
        std::fs::rename(&away, &path).unwrap();
        assert_eq!(ended.exit, ExitCode::Refused, "{ended:?}");
        let said = ended.error.unwrap().to_string();
        assert!(said.contains("3 locks renewed, protected until"), "{said}");
        assert!(world.shortest_lock().await >= 59 * DAY);
    });
}
