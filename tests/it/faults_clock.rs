//! A local clock that is far ahead of the store's. On the model, whose year 2026 has just begun whatever the machine
//! thinks: no real server's clock could be moved, and this machine's is not ours to move.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tidelock::engine::run::{Ended, Stores, Which, run_on};
use tidelock::engine::stop::Stop;
use tidelock::model::{
    BackupSettings, CloudFiles, Connection, Events, ExitCode, KeepPolicy, LibrarySettings, Limit,
    Mode, MtimePolicy, RunSettings, Settings, SyncSettings, Target, Time, Via, time,
};
use tidelock::snapshot::{Select, Vault};
use tidelock::store::model::ModelStore;
use tidelock::store::{BucketInfo, Store};

use crate::support::{Library, block_on};

const DAY: Duration = Duration::from_secs(86_400);
const RETENTION: Duration = Duration::from_secs(60 * 86_400);

/// A library and a model of both targets.
struct Modelled {
    library: Library,
    vault: Arc<ModelStore>,
    stores: Stores,
    settings: Settings,
    _state: TempDir,
}

impl Modelled {
    fn new() -> Self {
        let (library, state) = (Library::new(), TempDir::new().unwrap());
        let bucket = |lock| BucketInfo {
            versioned: lock,
            lock,
        };
        let vault = Arc::new(ModelStore::new("vault", bucket(true)));
        let mirror: Arc<dyn Store> = Arc::new(vault.sibling("mirror", bucket(false)));
        let settings = settings(&library, &state);
        let stores = Stores {
            sync: Some(mirror),
            backup: Some(Arc::clone(&vault) as Arc<dyn Store>),
            ..Stores::default()
        };
        Self {
            library,
            vault,
            stores,
            settings,
            _state: state,
        }
    }

    async fn run(&self) -> Ended {
        let (events, stop) = (Events::none(), Stop::default());
        let ended = run_on(&self.settings, Which::Run, &self.stores, events, stop).await;
        assert_eq!(ended.exit, ExitCode::Done, "{ended:?}");
        ended
    }

    fn snapshots(&self) -> Vault {
        let target = self.settings.backup.as_ref().unwrap().target.clone();
        Vault::new(Arc::clone(&self.vault) as Arc<dyn Store>, target)
    }
}

fn settings(library: &Library, state: &TempDir) -> Settings {
    Settings {
        library: Some(LibrarySettings {
            path: library.path().to_owned(),
            name: None,
            exclude: Vec::new(),
            include: Vec::new(),
            default_excludes: true,
            mtime: MtimePolicy::Keep,
            ignore_inode: false,
            ignore_ctime: false,
            cloud_files: CloudFiles::Skip,
        }),
        sync: Some(SyncSettings {
            target: Target::parse("s3://mirror/lib").unwrap(),
            connection: Connection::default(),
            max_delete: Limit::Percent(10.0),
            max_change: Limit::Percent(50.0),
            max_delete_override: false,
            max_change_override: false,
            storage_class: None,
            sse: None,
        }),
        backup: Some(BackupSettings {
            target: Target::parse("s3://vault/lib").unwrap(),
            connection: Connection::default(),
            mode: Mode::Governance,
            retention: RETENTION,
            renew_below: RETENTION / 2,
            accept_irrevocable: false,
            via: Via::Auto,
            storage_class: None,
            sse: None,
            keep: KeepPolicy::default(),
        }),
        run: RunSettings {
            state_dir: state.path().to_owned(),
            ..RunSettings::default()
        },
        record: Value::Null,
    }
}

fn about(one: Time, other: Time) -> bool {
    one.duration_since(other).unsigned_abs() < Duration::from_secs(60)
}

/// As of a server at home that has lost its time for a night.
#[test]
fn f65_after_a_night_with_the_store_s_clock_far_ahead_the_next_ones_count() {
    block_on(async {
        let job = Modelled::new();
        job.library.write("first", b"1");
        job.run().await;
        job.vault.advance(365 * DAY);
        job.library.write("ahead", b"2");
        job.run().await;
        job.vault.turn_back(364 * DAY);
        for (night, files) in [("third", 3), ("fourth", 4)] {
            job.library.write(night, night.as_bytes());
            let made = job.run().await.summary.backup.unwrap().snapshot;
            let found = job.snapshots().find(&Select::Latest).await.unwrap();
            let latest = found.loaded.snapshot;
            assert_eq!((Some(latest.id.to_string()), latest.files), (made, files));
            job.vault.advance(DAY);
        }
        let (all, ahead) = job.snapshots().list_every().await.unwrap();
        assert_eq!((all.len(), ahead.len()), (4, 0));
    });
}

#[test]
fn f65_with_the_local_clock_far_ahead_ids_times_and_locks_are_the_server_s() {
    block_on(async {
        let job = Modelled::new();
        let begun = job.vault.now().await.unwrap();
        let ahead = time::local_now().duration_since(begun);
        assert!(ahead.unsigned_abs() > 30 * DAY, "no fault was made");
        job.library.write("a", b"first");
        let first = job.run().await.summary.backup.unwrap().snapshot;
        job.vault.advance(DAY);
        job.library.write("a", b"second");
        let second = job.run().await.summary.backup.unwrap().snapshot;

        let vault = job.snapshots();
        let latest = vault.find(&Select::Latest).await.unwrap().loaded.snapshot;
        assert_eq!(Some(latest.id.to_string()), second);
        assert!(about(latest.time, begun + DAY), "{}", latest.time);
        let least = begun + RETENTION;
        assert!(latest.protected_until >= least && latest.protected_until <= least + 2 * DAY);
        let between = Select::At(begun + DAY / 2);
        let found = vault.find(&between).await.unwrap().loaded.snapshot;
        assert_eq!(Some(found.id.to_string()), first);
        assert!(about(found.time, begun), "{}", found.time);
    });
}
