//! A library's life, phase by phase.

use crate::memory;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tidelock::engine::client::Client;
use tidelock::engine::pace::Pace;
use tidelock::engine::prune::Prune;
use tidelock::engine::renewal::{By, Request as Renew, renew};
use tidelock::engine::retry::{PATIENCE, Retrier};
use tidelock::engine::run::{Stores, Which, run_on};
use tidelock::engine::stop::Stop;
use tidelock::engine::verify::{Request as Verify, verify};
use tidelock::engine::versions::Versions;
use tidelock::model::{
    BackupSettings, CloudFiles, Connection, Events, ExitCode, KeepPolicy, LibrarySettings, Limit,
    Mode, MtimePolicy, RunSettings, Settings, Side, SyncSettings, Target, Via,
};
use tidelock::snapshot::Vault;
use tidelock::store::model::ModelStore;
use tidelock::store::{BucketInfo, Store};

pub(crate) const IDLE: &str = "idle night";
pub(crate) const FRESH: &str = "fresh machine";
pub(crate) const RETENTION: Duration = Duration::from_secs(60 * 86_400);
pub(crate) const RENEW_BELOW: Duration = Duration::from_secs(30 * 86_400);
const FILES_A_FOLDER: usize = 1_000;

/// What a phase cost.
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    /// Bytes above what was held when it began, where that says anything of the engine.
    pub(crate) peak: Option<u64>,
}

/// One library and its two stores.
pub(crate) struct Phases {
    folder: TempDir,
    files: usize,
    mirror: ModelStore,
    vault: ModelStore,
    settings: Settings,
    runtime: tokio::runtime::Runtime,
}

impl Phases {
    /// Makes the library: `files` small files, no two alike.
    pub(crate) fn new(within: &Path, files: usize) -> Self {
        let folder = TempDir::with_prefix_in("tidelock-scale-", within).expect("a folder");
        let library = folder.path().join("library");
        for number in 0..files {
            write(&library, number, "");
        }
        let locked = BucketInfo {
            versioned: true,
            lock: true,
        };
        let mirror = ModelStore::new("mirror", BucketInfo::default());
        Self {
            vault: mirror.sibling("vault", locked),
            mirror,
            settings: settings(library, folder.path().join("state")),
            folder,
            files,
            runtime: tokio::runtime::Runtime::new().expect("a runtime"),
        }
    }

    /// Lives through all phases and tells the cost of each.
    pub(crate) fn all(&self, mut tell: impl FnMut(&'static str, Cost)) {
        tell("first run, dry", self.measure(true, || self.dry_run()));
        tell("first run", self.measure(false, || self.night()));
        tell(IDLE, self.measure(true, || self.night()));
        for number in (0..self.files).step_by(100) {
            write(&self.library(), number, "changed ");
        }
        tell("1 % changed", self.measure(true, || self.night()));
        fs::remove_dir_all(self.folder.path().join("state")).expect("the state goes");
        tell(FRESH, self.measure(true, || self.night()));
        tell("verify", self.measure(true, || self.verify()));
        self.mirror.advance(Duration::from_secs(31 * 86_400));
        tell("renewal of every lock", self.measure(true, || self.renew()));
        self.mirror.advance(Duration::from_secs(90 * 86_400));
        tell("prune, dropping", self.measure(true, || self.prune()));
        self.mirror.advance(Duration::from_secs(90 * 86_400));
        tell("prune, freeing", self.measure(true, || self.prune()));
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("library")
    }

    /// What `phase` costs; it returns the requests that it made.
    fn measure(&self, tells_memory: bool, phase: impl FnOnce() -> u64) -> Cost {
        let held = memory::begin();
        let begun = Instant::now();
        let requests = phase();
        let seconds = begun.elapsed().as_secs_f64();
        let above = |(held, peak): (u64, u64)| peak.saturating_sub(held);
        let peak = held.zip(memory::peak()).map(above).filter(|_| tells_memory);
        Cost {
            seconds,
            requests,
            peak,
        }
    }

    fn night(&self) -> u64 {
        self.run(&self.settings)
    }

    /// All that a run decides, and nothing of what it writes.
    fn dry_run(&self) -> u64 {
        let mut settings = self.settings.clone();
        settings.run.dry_run = true;
        self.run(&settings)
    }

    fn run(&self, settings: &Settings) -> u64 {
        fs::create_dir_all(self.folder.path().join("state")).expect("a folder");
        let mirror = Arc::new(self.mirror.again("mirror"));
        let vault = Arc::new(self.vault.again("vault"));
        let stores = Stores {
            sync: Some(Arc::clone(&mirror) as Arc<dyn Store>),
            backup: Some(Arc::clone(&vault) as Arc<dyn Store>),
            ..Stores::default()
        };
        let run = run_on(
            settings,
            Which::Run,
            &stores,
            Events::none(),
            Stop::default(),
        );
        let ended = self.runtime.block_on(run);
        assert_eq!(ended.exit, ExitCode::Done, "{:?}", ended.error);
        requests(&*mirror) + requests(&*vault)
    }

    fn client(&self) -> (Client, Vault) {
        client(Arc::new(self.vault.again("vault")), self.backup())
    }

    fn backup(&self) -> &BackupSettings {
        self.settings.backup.as_ref().expect("a backup target")
    }

    fn verify(&self) -> u64 {
        let (client, vault) = self.client();
        let request = Verify {
            read_data: None,
            transfers: self.settings.run.transfers,
            memory: self.settings.run.memory,
            retention: RETENTION,
            renew_below: RENEW_BELOW,
        };
        let verifying = verify(&vault, &request, &client.retrier, &client.events);
        let verified = self.runtime.block_on(verifying).expect("verified");
        assert!(verified.damage.is_empty(), "{:?}", verified.damage);
        requests(&*client.store)
    }

    fn renew(&self) -> u64 {
        let (client, vault) = self.client();
        let versions = Versions::new(client.clone(), Mode::Governance, RETENTION, None, None);
        let request = Renew {
            vault: &vault,
            listed: None,
            settings: self.backup(),
            by: By::Locks,
            transfers: self.settings.run.transfers,
            events: &client.events,
        };
        let renewing = renew(&versions, request, async || Ok(()));
        let renewed = self.runtime.block_on(renewing).expect("renewed");
        assert!(renewed.renewed >= self.files as u64, "{}", renewed.renewed);
        requests(&*client.store)
    }

    fn prune(&self) -> u64 {
        let (client, vault) = self.client();
        let prune = Prune {
            client: &client,
            vault: &vault,
            settings: self.backup(),
            zone: &jiff::tz::TimeZone::UTC,
            dry_run: false,
            transfers: self.settings.run.transfers,
            events: &client.events,
        };
        let pruning = prune.run(async || Ok(()));
        let pruned = self.runtime.block_on(pruning).expect("pruned");
        assert!(pruned.refused.is_empty(), "{:?}", pruned.refused);
        requests(&*client.store)
    }
}

/// What speaks to a vault.
pub(crate) fn client(store: Arc<dyn Store>, settings: &BackupSettings) -> (Client, Vault) {
    let target = settings.target.clone();
    let pace = Arc::new(Pace::of(&RunSettings::default()));
    let client = Client {
        side: Side::Backup,
        target: target.clone(),
        store: Arc::clone(&store),
        retrier: Retrier::new(pace, Stop::default(), PATIENCE),
        events: Events::none(),
    };
    (client, Vault::new(store, target))
}

pub(crate) fn backup_settings() -> BackupSettings {
    BackupSettings {
        target: Target::parse("s3://vault/lib").expect("a target"),
        connection: Connection::default(),
        mode: Mode::Governance,
        retention: RETENTION,
        renew_below: RENEW_BELOW,
        accept_irrevocable: false,
        via: Via::Upload,
        storage_class: None,
        sse: None,
        keep: KeepPolicy {
            last: 1,
            ..KeepPolicy::default()
        },
    }
}

fn write(library: &Path, number: usize, what: &str) {
    let folder = library.join(format!("{:04}", number / FILES_A_FOLDER));
    if number.is_multiple_of(FILES_A_FOLDER) {
        fs::create_dir_all(&folder).expect("a folder");
    }
    let file = folder.join(format!("IMG_{number:07}.jpg"));
    fs::write(file, format!("{what}{number}")).expect("a file");
}

fn requests(store: &dyn Store) -> u64 {
    store.requests().values().sum()
}

fn settings(library: PathBuf, state_dir: PathBuf) -> Settings {
    Settings {
        library: Some(LibrarySettings {
            path: library,
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
            target: Target::parse("s3://mirror/lib").expect("a target"),
            connection: Connection::default(),
            max_delete: Limit::Percent(10.0),
            max_change: Limit::Percent(50.0),
            max_delete_override: false,
            max_change_override: false,
            storage_class: None,
            sse: None,
        }),
        backup: Some(backup_settings()),
        run: RunSettings {
            state_dir,
            ..RunSettings::default()
        },
        record: serde_json::json!({}),
    }
}
