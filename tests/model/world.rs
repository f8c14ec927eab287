//! A library, a state folder and two stores, and how steps act on them.

use crate::history::{Job, PathNo, STRANGERS, Step};
use crate::hooked::{Hooked, Hooks, Trouble, put_plainly};
use crate::library::Library;
use crate::promises::{Promises, Ran};
use crate::tree;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tidelock::engine::run::{Ended, Stores, run_on};
use tidelock::engine::stop::Stop;
use tidelock::model::key::KeyBase;
use tidelock::model::{
    BackupSettings, CloudFiles, Connection, Error, Events, KeepPolicy, LibrarySettings, Limit,
    Mode, MtimePolicy, RelPath, RunSettings, Settings, SyncSettings, Target, Time,
};
use tidelock::state::State;
use tidelock::store::model::ModelStore;
use tidelock::store::{BucketInfo, Store};
use tokio::runtime::Runtime;

pub(crate) const RETENTION: Duration = Duration::from_secs(60 * 86_400);
pub(crate) const RENEW_BELOW: Duration = Duration::from_secs(30 * 86_400);
/// `max_delete`, where it is not overridden.
pub(crate) const MAX_DELETE: u64 = 3;

pub(crate) fn mirror_key(path: &[u8]) -> String {
    KeyBase::new("lib/").key_of(&RelPath::new(path)).key
}

pub(crate) struct World {
    pub(crate) library: Library,
    folder: TempDir,
    pub(crate) mirror: ModelStore,
    pub(crate) vault: ModelStore,
    pub(crate) promises: Promises,
    /// Each write has a time of its own.
    seconds: i64,
}

/// On the fastest file system that there is: nothing here has to survive a power cut.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("tidelock-model-");
        builder
    };
    builder()
        .tempdir_in(memory)
        .or_else(|_| builder().tempdir())
        .expect("a folder")
}

/// On one thread and in real time: where time jumps while everyone waits for the state's thread, heartbeats come at
/// random, and no history can be replayed.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

impl World {
    pub(crate) fn new() -> Self {
        let plain = BucketInfo::default();
        let locked = BucketInfo {
            versioned: true,
            lock: true,
        };
        let mirror = ModelStore::new("mirror", plain);
        let vault = mirror.sibling("vault", locked);
        let folder = scratch();
        fs::create_dir(folder.path().join("state")).unwrap();
        Self {
            library: Library::new(),
            folder,
            promises: Promises::new(&vault),
            mirror,
            vault,
            seconds: 1_700_000_000,
        }
    }

    pub(crate) fn at(&self, path: PathNo) -> PathBuf {
        self.library.at(OsStr::from_bytes(path.bytes()))
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn is_file(&self, path: PathNo) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok_and(|metadata| metadata.is_file())
    }

    /// Makes room for a file: what is in its way goes.
    fn clear(&self, path: PathNo) {
        if fs::symlink_metadata(self.at(path)).is_ok_and(|metadata| !metadata.is_file()) {
            self.library.remove(OsStr::from_bytes(path.bytes()));
        }
    }

    fn tick(&mut self) -> i64 {
        self.seconds += 1;
        self.seconds
    }

    /// Does one step, and checks every promise behind it.
    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Run(job, trouble) => {
                self.run(*job, trouble.clone());
            }
            Step::Unplugged(job) => self.unplugged(*job),
            Step::Foreign(..) | Step::ForeignDelete(_) | Step::Stranger(..) => self.meddle(step),
            Step::Advance(hours) => self.advance(Duration::from_secs(3600 * u64::from(*hours))),
            Step::LoseState | Step::KeepState | Step::OldState => self.tamper(step),
            edit => self.edit(edit),
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.mirror.advance(by);
    }

    fn edit(&mut self, step: &Step) {
        let seconds = self.tick();
        let name = |path: PathNo| OsStr::from_bytes(path.bytes());
        match step {
            Step::Write(path, body) => {
                self.clear(*path);
                self.library.write(name(*path), body.bytes());
                self.library.mtime(name(*path), seconds, 123_456_789);
            }
            Step::Duplicate(from, to) if self.is_file(*from) && from != to => {
                let mtime = fs::metadata(self.at(*from)).unwrap().modified().unwrap();
                let body = fs::read(self.at(*from)).unwrap();
                self.clear(*to);
                self.library.write(name(*to), &body);
                let file = fs::File::options().write(true).open(self.at(*to)).unwrap();
                file.set_modified(mtime).unwrap();
            }
            Step::Touch(path) if self.is_file(*path) => {
                self.library.mtime(name(*path), seconds, 0);
            }
            Step::Mode(path, wide) if self.is_file(*path) => {
                self.library
                    .mode(name(*path), if *wide { 0o755 } else { 0o600 });
            }
            Step::Rename(from, to) if self.is_file(*from) && from != to => {
                self.clear(*to);
                self.library.rename(name(*from), name(*to));
            }
            Step::Swap(a, b) if self.is_file(*a) && self.is_file(*b) && a != b => {
                self.library.rename(name(*a), "swap");
                self.library.rename(name(*b), name(*a));
                self.library.rename("swap", name(*b));
            }
            Step::RenameFolder => {
                let (from, to) = if self.library.at("d").exists() {
                    ("d", "f")
                } else {
                    ("f", "d")
                };
                if self.library.at(from).exists() && !self.library.at(to).exists() {
                    self.library.rename(from, to);
                }
            }
            Step::Remove(path) if fs::symlink_metadata(self.at(*path)).is_ok() => {
                self.library.remove(name(*path));
            }
            Step::RemoveAll => {
                for item in fs::read_dir(self.library.path()).unwrap() {
                    self.library.remove(item.unwrap().file_name());
                }
            }
            Step::Symlink(path, to) if fs::symlink_metadata(self.at(*path)).is_err() => {
                self.library.symlink(name(*path), name(*to));
            }
            Step::HardLink(path, first)
                if self.is_file(*first) && fs::symlink_metadata(self.at(*path)).is_err() =>
            {
                self.library.hard_link(name(*path), name(*first));
            }
            Step::Folder(path) if fs::symlink_metadata(self.at(*path)).is_err() => {
                self.library.dir(name(*path));
            }
            _ => {}
        }
    }

    fn meddle(&self, step: &Step) {
        let mirror = &self.mirror;
        futures::executor::block_on(async {
            match step {
                Step::Foreign(path, body) => {
                    put_plainly(mirror, &mirror_key(path.bytes()), body.bytes()).await;
                }
                Step::ForeignDelete(path) => {
                    let key = mirror_key(path.bytes());
                    mirror.delete(&key, None).await.unwrap();
                }
                Step::Stranger(no, body) => {
                    put_plainly(mirror, STRANGERS[no % STRANGERS.len()], body.bytes()).await;
                }
                _ => {}
            }
        });
    }

    fn tamper(&mut self, step: &Step) {
        let (state, kept) = (self.folder("state"), self.folder("kept"));
        match step {
            Step::LoseState => replace(&state, None),
            Step::KeepState => replace(&kept, Some(&state)),
            _ if kept.exists() => replace(&state, Some(&kept)),
            _ => {}
        }
    }

    pub(crate) fn settings(&self, job: Job) -> Settings {
        let connection = Connection::default();
        Settings {
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
            sync: Some(SyncSettings {
                target: Target::parse("s3://mirror/lib").unwrap(),
                connection: connection.clone(),
                max_delete: Limit::Count(if job.max_delete { 1000 } else { MAX_DELETE }),
                max_change: Limit::Percent(50.0),
                max_delete_override: job.max_delete,
                max_change_override: false,
                storage_class: None,
                sse: None,
            }),
            backup: Some(BackupSettings {
                target: Target::parse("s3://vault/lib").unwrap(),
                connection,
                mode: Mode::Governance,
                retention: RETENTION,
                renew_below: RENEW_BELOW,
                accept_irrevocable: false,
                via: job.via,
                storage_class: None,
                sse: None,
                keep: KeepPolicy::default(),
            }),
            run: RunSettings {
                state_dir: self.folder("state"),
                transfers: job.transfers,
                memory: 64 << 20,
                allow_empty: job.allow_empty,
                checksum: job.checksum,
                without_backup: job.without_backup,
                ..RunSettings::default()
            },
            record: serde_json::json!({}),
        }
    }

    /// Runs a command; none if it died.
    pub(crate) fn run(&mut self, job: Job, trouble: Trouble) -> Option<Ended> {
        let library = tree::read(self.library.path());
        let settings = self.settings(job);
        self.promises.before(&library);
        let (ended, hooks) = self.execute(&settings, job, trouble.clone());
        if !matches!(trouble, Trouble::None | Trouble::Meddle { .. }) {
            // The lease of whoever died, or could not give it back, is stale by then.
            self.advance(Duration::from_secs(16 * 60));
        }
        let ran = Ran {
            job,
            trouble,
            library,
            ended: ended.as_ref(),
            hooks: &hooks,
        };
        self.promises.check(&ran, &self.mirror);
        ended
    }

    fn execute(
        &self,
        settings: &Settings,
        job: Job,
        trouble: Trouble,
    ) -> (Option<Ended>, Arc<Hooks>) {
        let stop = Stop::default();
        let hooks = Hooks::new(trouble, stop.clone(), &self.mirror, &self.vault);
        let side = |store: &ModelStore, is_mirror| -> Option<Arc<dyn Store>> {
            Some(Arc::new(Hooked {
                inner: store.again(store.bucket()),
                hooks: Arc::clone(&hooks),
                is_mirror,
            }))
        };
        let stores = Stores {
            sync: side(&self.mirror, true),
            backup: side(&self.vault, false),
            copy_in_parts_above: Some(job.in_parts_above),
        };
        let (state, at_death) = (self.folder("state"), self.folder("at-death"));
        let runtime = runtime();
        let ended = runtime.block_on(async {
            tokio::select! {
                ended = run_on(settings, job.which, &stores, Events::none(), stop) => Some(ended),
                () = hooks.dead.notified() => {
                    // A process that is killed writes nothing more.
                    replace(&at_death, Some(&state));
                    None
                }
            }
        });
        drop(runtime);
        if ended.is_none() {
            await_release(&state);
            replace(&state, Some(&at_death));
        }
        (ended, hooks)
    }

    /// A run while the library's folder is not there.
    fn unplugged(&mut self, job: Job) {
        let settings = self.settings(job);
        let away = self.library.path().with_extension("away");
        fs::rename(self.library.path(), &away).unwrap();
        let (ended, hooks) = self.execute(&settings, job, Trouble::None);
        fs::rename(&away, self.library.path()).unwrap();
        self.promises.check_unplugged(&ended.unwrap(), &hooks);
    }
}

/// Makes `to` a copy of `from`, or empty. Once more where a file goes meanwhile: SQLite's log does.
fn replace(to: &Path, from: Option<&Path>) {
    let copy = |from: &Path| -> std::io::Result<()> {
        for item in fs::read_dir(from)? {
            let item = item?;
            fs::copy(item.path(), to.join(item.file_name()))?;
        }
        Ok(())
    };
    loop {
        if to.exists() {
            fs::remove_dir_all(to).unwrap();
        }
        fs::create_dir_all(to).unwrap();
        match from.map_or(Ok(()), copy) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            ended => return ended.unwrap(),
        }
    }
}

/// The state's thread ends by itself once its run is gone; the lock goes with it.
fn await_release(folder: &Path) {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|item| item.unwrap().path());
    for file in files.filter(|file| file.extension() == Some(OsStr::new("sqlite"))) {
        while let Err(Error::Held(_)) = State::open(&file, "the test", Time::UNIX_EPOCH) {
            std::thread::yield_now();
        }
    }
}
