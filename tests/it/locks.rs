//! Locks over months: the whole of a run on the model store, whose clock moves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidelock::engine::run::{Ended, Stores, Which, run_on};
use tidelock::engine::stop::Stop;
use tidelock::model::{
    BackupSettings, CloudFiles, Connection, Events, ExitCode, KeepPolicy, LibrarySettings, Mode,
    MtimePolicy, RunSettings, Settings, StoreErrorKind, Target, Time, Via,
};
use tidelock::store::model::{Fault, ModelStore};
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

    async fn night(&self) -> Ended {
        let stores = Stores {
            sync: None,
            backup: Some(Arc::clone(&self.store) as Arc<dyn Store>),
            ..Stores::default()
        };
        let stop = Stop::default();
        run_on(
            &self.settings(),
            Which::Backup,
            &stores,
            Events::none(),
            stop,
        )
        .await
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
        cloud_files: CloudFiles::Skip,
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
        let path = world.library.path().to_owned();
        let away = path.with_extension("away");
        std::fs::rename(&path, &away).unwrap();
        world.store.advance(46 * DAY);
        let ended = world.night().await;
        std::fs::rename(&away, &path).unwrap();
        assert_eq!(ended.exit, ExitCode::Refused, "{ended:?}");
        let said = ended.error.unwrap().to_string();
        assert!(said.contains("3 locks renewed, protected until"), "{said}");
        assert!(world.shortest_lock().await >= 59 * DAY);
    });
}

#[test]
fn f41_locks_and_ids_follow_the_servers_clock_however_wrong_the_local_one_is() {
    block_on(async {
        // The model's clock began in January 2026: far from this machine's.
        let world = World::new();
        world.library.file("a", 10);
        let before = world.store.now().await.unwrap();
        let ended = world.night().await;
        done(&ended);
        let least = world.shortest_lock().await;
        assert!(
            least > 60 * DAY - Duration::from_secs(60) && least <= 60 * DAY,
            "{least:?}"
        );
        let id = ended.summary.backup.unwrap().snapshot.unwrap();
        let day = before.strftime("%Y%m%d").to_string();
        assert!(id.starts_with(&day), "{id}");
    });
}

#[test]
fn f44_a_version_that_went_missing_is_stored_again_by_the_run_that_would_renew_it() {
    block_on(async {
        let world = World::new();
        world.library.file("a", 10);
        world.library.file("b", 20);
        done(&world.night().await);
        // Locks lapse while nobody runs; then someone deletes a version.
        world.store.advance(61 * DAY);
        let prefix = "library/files/a";
        let versions = listing::list_all_versions(&*world.store, prefix)
            .await
            .unwrap();
        let gone = &versions[0];
        world
            .store
            .delete_version(&gone.key, &gone.version_id)
            .await
            .unwrap();
        let ended = world.night().await;
        done(&ended);
        let backup = ended.summary.backup.unwrap();
        assert_eq!((backup.uploaded, backup.renewed), (1, 3));
        assert!(world.shortest_lock().await >= 59 * DAY);

        // Where the library does not have it either, the others are renewed and it is named.
        let versions = listing::list_all_versions(&*world.store, "library/files/b")
            .await
            .unwrap();
        world.library.remove("b");
        world.store.advance(61 * DAY);
        world
            .store
            .delete_version("library/files/b", &versions[0].version_id)
            .await
            .unwrap();
        let ended = world.night().await;
        assert_eq!(ended.exit, ExitCode::Damage);
        assert!(
            ended
                .summary
                .errors
                .iter()
                .any(|failure| failure.path == "b"),
            "{ended:?}"
        );
        assert!(world.shortest_lock().await >= 59 * DAY);
    });
}

#[test]
fn f42_a_version_of_an_old_upload_gets_the_full_lock() {
    block_on(async {
        for waited in [20 * DAY, 90 * DAY] {
            let world = World::new();
            world.library.file("video", 30 << 20);
            // Its third part is refused: what was sent stays, under a date of that day.
            world.store.fail(Fault {
                operation: "UploadPart",
                skip: 2,
                kind: StoreErrorKind::Denied,
                done: false,
            });
            let ended = world.night().await;
            assert_ne!(ended.exit, ExitCode::Done, "{ended:?}");
            assert_eq!(world.store.unfired(), []);
            world.store.advance(waited);
            done(&world.night().await);
            // A date that has passed by then makes stores refuse the upload: it is begun anew.
            let begun = world.store.requests()["CreateMultipartUpload"];
            assert_eq!(begun, if waited < 60 * DAY { 1 } else { 2 });
            let least = world.shortest_lock().await;
            assert!(least >= 59 * DAY, "{waited:?}: {least:?}");
            let prefix = "library/files/";
            let versions = listing::list_all_versions(&*world.store, prefix).await;
            assert_eq!(versions.unwrap().len(), 1);
        }
    });
}

#[test]
fn f40_a_store_that_drops_locks_without_a_word_gets_no_snapshot() {
    block_on(async {
        for size in [10, 20 << 20] {
            for had_a_night in [false, true] {
                let world = World::new();
                if had_a_night {
                    world.library.file("before", 10);
                    done(&world.night().await);
                    // The second night has to renew, too.
                    world.store.advance(46 * DAY);
                }
                let prefix = "library/snapshots/";
                let before = listing::list_all_versions(&*world.store, prefix).await;
                world.library.file("a", size);
                world.store.drop_locks();
                let ended = world.night().await;
                // A lock that could not be extended is a risk, and comes before the refusal.
                let exit = if had_a_night {
                    ExitCode::Damage
                } else {
                    ExitCode::Refused
                };
                assert_eq!(ended.exit, exit, "{ended:?}");
                let said = ended.error.unwrap().to_string();
                assert!(said.contains("did not keep the lock"), "{said}");
                let after = listing::list_all_versions(&*world.store, prefix).await;
                assert_eq!(after.unwrap(), before.unwrap());
            }
        }
    });
}
