#![cfg(unix)]

use super::*;
use crate::engine::download::temp;
use crate::engine::pace::Pace;
use crate::engine::stop::Why;
use crate::model::archive::Archive;
use crate::model::{
    Archived, Blake3, Content, Crc64, Entry, InArchive, Kind, Mode, RelPath, Stored, Target, time,
};
use crate::snapshot::{Claims, CommitRequest, Lock, Named, Select, Vault, commit};
use crate::store::model::ModelStore;
use crate::store::{Attributes, BucketInfo, Put, Store};
use futures::stream;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

const PERIOD: Duration = Duration::from_secs(60 * 86_400);

/// Agrees to all.
async fn yes(_: &Preview) -> Result<bool> {
    Ok(true)
}

/// A vault in memory and an empty folder.
struct World {
    store: Arc<ModelStore>,
    vault: Vault,
    dir: tempfile::TempDir,
    entries: Vec<Entry>,
}

impl World {
    fn new() -> Self {
        let info = BucketInfo {
            versioned: true,
            lock: true,
        };
        let store = Arc::new(ModelStore::new("vault", info));
        let target = Target::parse("s3://vault/lib").unwrap();
        Self {
            vault: Vault::new(Arc::clone(&store) as Arc<dyn Store>, target),
            store,
            dir: tempfile::tempdir().unwrap(),
            entries: Vec::new(),
        }
    }

    fn to(&self) -> PathBuf {
        self.dir.path().join("restored")
    }

    async fn put(&self, path: &str, body: &[u8]) -> Stored {
        self.put_as(path, body, None).await
    }

    async fn put_as(&self, path: &str, body: &[u8], class: Option<&str>) -> Stored {
        let key = format!("lib/files/{path}");
        let put = Put {
            key: key.clone(),
            body: body.to_vec().into(),
            crc64nvme: Crc64::of(body),
            attributes: Attributes {
                storage_class: class.map(str::to_owned),
                ..Attributes::default()
            },
            condition: Default::default(),
        };
        let written = self.store.put(put).await.unwrap();
        Stored {
            key,
            version_id: written.version_id.unwrap(),
            etag: written.etag,
        }
    }

    /// Stores a file and names it in the next snapshot.
    async fn file(&mut self, path: &str, body: &[u8]) -> &mut Entry {
        let mut entry = Entry::new(path.into(), Kind::File);
        entry.content = Some(Content::of(body));
        entry.stored = Some(self.put(path, body).await);
        entry.mtime = Some(time::from_unix(1_700_000_000, 123_456_789));
        entry.mode = Some(0o640);
        self.add(entry)
    }

    fn add(&mut self, entry: Entry) -> &mut Entry {
        self.entries.push(entry);
        self.entries.last_mut().unwrap()
    }

    /// Commits what is named so far.
    async fn commit(&self) {
        self.commit_as(true, None).await;
    }

    async fn commit_as(&self, complete: bool, suspect: Option<&str>) {
        let parent = self.vault.latest().await.unwrap();
        let claims = Claims::new(PERIOD);
        let now = self.store.now().await.unwrap();
        let request = CommitRequest {
            parent: parent.as_ref(),
            claims: &claims,
            time: now,
            complete,
            suspect: suspect.map(str::to_owned),
            library: "pictures".into(),
            host: "here".into(),
            sync_target: None,
            lock: Lock {
                mode: Mode::Governance,
                period: PERIOD,
            },
            sse: None,
            config: serde_json::json!({}),
            rescued: Vec::new(),
            parallel: 2,
        };
        let mut entries = self.entries.clone();
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        let named = entries.into_iter().map(|entry| {
            Ok(Named {
                locked_until: entry.stored.is_some().then_some(now + PERIOD),
                entry,
            })
        });
        commit(
            &self.vault,
            request,
            stream::iter(named.collect::<Vec<_>>()),
        )
        .await
        .unwrap();
    }

    fn request(&self) -> Request {
        Request {
            to: self.to(),
            selection: Selection::default(),
            existing: Existing::default(),
            dry_run: false,
            asks: false,
            thaws: false,
            transfers: 4,
            memory: 16 << 20,
        }
    }

    async fn restore(&self, request: &Request) -> Restored {
        self.attempt(request, Stop::default()).await.unwrap()
    }

    async fn attempt(&self, request: &Request, stop: Stop) -> crate::model::Result<Restored> {
        let found = self.vault.find(&Select::Latest).await.unwrap();
        let pace = Arc::new(Pace::new(4, None));
        let retrier = Retrier::new(pace, stop, Duration::from_secs(60));
        restore(&self.vault, &found, request, &retrier, yes, &Events::none()).await
    }

    async fn restore_all(&self) -> Restored {
        self.restore(&self.request()).await
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.to().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Everything below the folder, temporary files among it.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.to()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let shown = path.strip_prefix(self.to()).unwrap().display().to_string();
                names.push(shown);
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                }
            }
        }
        names.sort();
        names
    }
}

fn selection(paths: &[&str]) -> Selection {
    Selection::parse(paths.iter().map(|path| path.as_bytes())).unwrap()
}

/// Bytes that differ from range to range.
fn large(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 251 + at % 13) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_comes_back_with_times_modes_links_and_empty_folders() {
    let mut world = World::new();
    // Four ranges of 4 MiB, the last one short.
    let video = large((12 << 20) + 17);
    world.file("2024/video.mp4", &video).await;
    world.file("2024/a b%+#.jpg", b"a").await;
    world.file("empty", b"").await;
    let first = world.file("2024/first", b"twice").await.clone();
    let mut second = first.clone();
    second.path = "z/second".into();
    second.hardlink = Some(first.path.clone());
    world.add(second);
    let mut folder = Entry::new("albums/none".into(), Kind::Dir);
    folder.mtime = Some(time::from_unix(1_500_000_000, 5));
    folder.mode = Some(0o750);
    world.add(folder);
    let mut link = Entry::new("link".into(), Kind::Symlink);
    link.target = Some(b"/nowhere/../at all".to_vec());
    world.add(link);
    world.add(Entry::new("socket".into(), Kind::Special));
    world.commit().await;

    let restored = world.restore_all().await;
    assert_eq!(restored.exit, ExitCode::Done, "{restored:?}");
    assert_eq!(restored.summary.files, 5);
    assert_eq!(world.read("2024/video.mp4"), video);
    assert_eq!(world.read("2024/a b%+#.jpg"), b"a");
    assert_eq!(world.read("empty"), b"");
    let meta = fs::metadata(world.to().join("2024/video.mp4")).unwrap();
    assert_eq!(
        (meta.mtime(), meta.mtime_nsec()),
        (1_700_000_000, 123_456_789)
    );
    assert_eq!(meta.permissions().mode() & 0o7777, 0o640);
    let inode = |path| fs::metadata(world.to().join(path)).unwrap().ino();
    assert_eq!(inode("2024/first"), inode("z/second"));
    let meta = fs::metadata(world.to().join("albums/none")).unwrap();
    assert_eq!((meta.mtime(), meta.mtime_nsec()), (1_500_000_000, 5));
    assert_eq!(meta.permissions().mode() & 0o7777, 0o750);
    let target = fs::read_link(world.to().join("link")).unwrap();
    assert_eq!(target.to_str(), Some("/nowhere/../at all"));
    assert!(!world.names().contains(&"socket".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_restore_fetches_nothing() {
    let mut world = World::new();
    for number in 0..50 {
        let path = format!("{}/{number}", number % 7);
        world.file(&path, path.as_bytes()).await;
    }
    world.commit().await;
    assert_eq!(world.restore_all().await.summary.files, 50);
    let again = world.restore_all().await;
    assert_eq!((again.summary.files, again.summary.unchanged), (0, 50));
    assert_eq!(again.summary.bytes_downloaded, 0);
    assert_eq!(again.exit, ExitCode::Done);
    assert_eq!(world.names().len(), 57);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_selects_and_a_missing_one_is_named() {
    let mut world = World::new();
    world.file("2024/a", b"a").await;
    world.file("2025/b", b"b").await;
    world.file("2025/c", b"c").await.hardlink = Some("2024/a".into());
    world.entries[2].content = world.entries[0].content;
    world.entries[2].stored = world.entries[0].stored.clone();
    world.commit_as(false, None).await;
    let mut request = world.request();
    request.selection = selection(&["2025/"]);
    let restored = world.restore(&request).await;
    assert_eq!(restored.exit, ExitCode::Done, "{restored:?}");
    assert_eq!(world.names(), ["2025", "2025/b", "2025/c"]);
    // Its first name was not asked for, so it is a copy.
    assert_eq!(world.read("2025/c"), b"a");
    request.selection = selection(&["2025/b", "2026"]);
    let restored = world.restore(&request).await;
    assert_eq!(restored.exit, ExitCode::Partial);
    assert_eq!(restored.errors[0].path, "2026");
}

#[tokio::test(flavor = "multi_thread")]
async fn f52_existing_files_are_refused_unless_asked_and_others_restored() {
    let mut world = World::new();
    world.file("mine", b"theirs").await;
    world.file("other", b"new").await;
    world.commit().await;
    fs::create_dir_all(world.to()).unwrap();
    fs::write(world.to().join("mine"), b"precious").unwrap();
    let restored = world.restore_all().await;
    assert_eq!(restored.exit, ExitCode::Refused);
    assert!(restored.errors[0].message.contains("--overwrite"));
    assert_eq!(world.read("mine"), b"precious");
    assert_eq!(world.read("other"), b"new");
    let mut request = world.request();
    request.existing.overwrite = true;
    assert_eq!(world.restore(&request).await.exit, ExitCode::Done);
    assert_eq!(world.read("mine"), b"theirs");
    assert_eq!(world.names(), ["mine", "other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_a_files_place_and_a_file_in_a_folders_are_named() {
    let mut world = World::new();
    world.file("a/b", b"b").await;
    world.file("c", b"c").await;
    world.commit().await;
    fs::create_dir_all(world.to().join("c/keep")).unwrap();
    fs::write(world.to().join("a"), b"file").unwrap();
    let mut request = world.request();
    request.existing.overwrite = true;
    let restored = world.restore(&request).await;
    assert_eq!(restored.exit, ExitCode::Refused);
    assert_eq!(restored.summary.failed, 2);
    assert_eq!(world.names(), ["a", "c", "c/keep"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f51_a_planted_symlink_is_not_followed() {
    let mut world = World::new();
    world.file("album/photo", b"photo").await;
    world.file("note", b"note").await;
    world.file("sub/inside", b"inside").await;
    world.commit().await;
    let outside = world.dir.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::create_dir_all(world.to().join("real")).unwrap();
    fs::write(outside.join("victim"), b"victim").unwrap();
    symlink(&outside, world.to().join("album")).unwrap();
    symlink(outside.join("victim"), world.to().join("note")).unwrap();
    // Not even one that stays in the folder.
    symlink("real", world.to().join("sub")).unwrap();
    let mut request = world.request();
    request.existing.overwrite = true;
    let restored = world.restore(&request).await;
    assert_eq!(restored.exit, ExitCode::Refused);
    let refused: Vec<_> = restored.errors.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(refused, ["album/photo", "sub/inside"]);
    assert_eq!(fs::read(outside.join("victim")).unwrap(), b"victim");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_dir(world.to().join("real")).unwrap().count(), 0);
    // The link itself was replaced, since that was asked for.
    assert!(!world.to().join("note").is_symlink());
    assert_eq!(world.read("note"), b"note");
}

#[tokio::test(flavor = "multi_thread")]
async fn f31_wrong_bytes_are_damage_and_leave_no_file() {
    let mut world = World::new();
    world.file("good", b"good").await;
    world.file("bad", b"bad").await.content = Some(Content::of(b"bud"));
    let long = large(9 << 20);
    let mut wrong = Content::of(&long);
    wrong.blake3 = Blake3::of(b"else");
    world.file("bad-video", &long).await.content = Some(wrong);
    let mut longer = Content::of(&long);
    longer.size += 1;
    world.file("short", &long).await.content = Some(longer);
    world.commit().await;
    let restored = world.restore_all().await;
    assert_eq!(restored.exit, ExitCode::Damage);
    assert_eq!(restored.summary.failed, 3);
    assert_eq!(world.names(), ["good"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f47_f48_markers_and_garbage_over_every_key_change_nothing() {
    let mut world = World::new();
    world.file("a", b"a").await;
    world.file("b", b"b").await;
    world.commit().await;
    world.put("a", b"garbage").await;
    world.store.delete("lib/files/b", None).await.unwrap();
    let restored = world.restore_all().await;
    assert_eq!(restored.exit, ExitCode::Done, "{restored:?}");
    assert_eq!(world.read("a"), b"a");
    assert_eq!(world.read("b"), b"b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_version_is_replaced_by_one_that_another_snapshot_names() {
    let mut world = World::new();
    world.file("a", b"content").await;
    world.file("b", b"unique").await;
    world.commit().await;
    let old = world.entries[0].stored.clone().unwrap();
    world.entries[0].stored = Some(world.put("elsewhere", b"content").await);
    world.commit().await;
    let new = world.entries[0].stored.clone().unwrap();
    assert_ne!(old.version_id, new.version_id);
    let gone = [&new, world.entries[1].stored.as_ref().unwrap()];
    for stored in gone {
        let deleted = world.store.delete_version(&stored.key, &stored.version_id);
        deleted.await.unwrap();
    }
    let restored = world.restore_all().await;
    assert_eq!(world.read("a"), b"content");
    assert_eq!(restored.exit, ExitCode::Damage);
    let failed: Vec<_> = restored.errors.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(failed, ["b"]);
    assert_eq!(world.names(), ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_restores_leftovers_go_and_nothing_else() {
    let mut world = World::new();
    world.file("sub/a", b"a").await;
    world.commit().await;
    fs::create_dir_all(world.to().join("sub")).unwrap();
    let leftover = ".tidelock-restore-00ff.tmp";
    fs::write(world.to().join(leftover), b"half").unwrap();
    fs::write(world.to().join("sub").join(leftover), b"half").unwrap();
    fs::write(world.to().join("sub/.tmp"), b"mine").unwrap();
    world.restore_all().await;
    assert_eq!(world.names(), ["sub", "sub/.tmp", "sub/a"]);
}

/// A run that met a restore half-way may have stored such files.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_a_leftover_s_name_is_told_and_not_called_restored() {
    let mut world = World::new();
    world.file("sub/.tidelock-restore-00ff.tmp", b"half").await;
    world.file("sub/a", b"a").await;
    let mut folder = Entry::new("sub/empty".into(), Kind::Dir);
    folder.mode = Some(0o755);
    world.add(folder);
    world.commit().await;
    let restored = world.restore_all().await;
    assert_eq!(restored.exit, ExitCode::Partial);
    assert_eq!(restored.errors.len(), 1, "{:?}", restored.errors);
    assert_eq!(restored.errors[0].path, "sub/.tidelock-restore-00ff.tmp");
    assert_eq!(world.names(), ["sub", "sub/a", "sub/empty"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_touches_nothing() {
    let mut world = World::new();
    world.file("a", b"a").await;
    world.commit().await;
    let mut request = world.request();
    request.dry_run = true;
    let restored = world.restore(&request).await;
    assert_eq!(restored.exit, ExitCode::Done);
    assert_eq!(restored.summary.files, 0);
    assert!(!world.to().exists());
}

/// What a restore of everything is said to come to.
async fn previewed(world: &World, change: impl FnOnce(&mut Request)) -> Option<Preview> {
    let mut request = world.request();
    change(&mut request);
    let found = world.vault.find(&Select::Latest).await.unwrap();
    let retrier = Retrier::new(Arc::new(Pace::new(4, None)), Stop::default(), PERIOD);
    let (events, mut said) = Events::channel();
    let no = async |_: &Preview| Ok(false);
    let restored = restore(&world.vault, &found, &request, &retrier, no, &events);
    let restored = restored.await.unwrap();
    assert_eq!((restored.exit, restored.summary.files), (ExitCode::Done, 0));
    drop(events);
    while let Some(event) = said.recv().await {
        if let Event::Preview(preview) = event {
            return Some(*preview);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_what_is_there_what_comes_and_what_is_archived() {
    let mut world = World::new();
    world.file("new", b"new").await;
    world.file("right", b"right").await;
    world.file("other", b"other").await;
    let stored = world.put_as("cold", b"cold!", Some("GLACIER")).await;
    world.file("cold", b"cold!").await.stored = Some(stored);
    world.commit().await;
    world.restore_all().await;
    for gone in ["new", "cold"] {
        fs::remove_file(world.to().join(gone)).ok();
    }
    fs::write(world.to().join("other"), b"mine").unwrap();
    let preview = previewed(&world, |request| request.dry_run = true)
        .await
        .unwrap();
    assert_eq!(
        (preview.files, preview.fetch_files, preview.fetch_bytes),
        (4, 2, 8)
    );
    assert_eq!(
        (preview.right, preview.refused, preview.replaced),
        (1, 1, 0)
    );
    let cold = Archived {
        archive: Archive::Glacier,
        coming: false,
        versions: 1,
        bytes: 5,
    };
    assert_eq!(preview.archive, InArchive::Known(vec![cold]));
    // A file that would be replaced makes it a large one; what is on its way is told apart.
    let tier = crate::model::archive::Tier::Bulk;
    let key = "lib/files/cold";
    world
        .store
        .restore_archived(key, None, tier, Some(1))
        .await
        .ok();
    let replaces = |request: &mut Request| {
        request.existing.overwrite = true;
        request.asks = true;
    };
    let preview = previewed(&world, replaces).await.unwrap();
    assert_eq!((preview.replaced, preview.refused), (1, 0));
    assert!(preview.is_large());
    assert_eq!(
        fs::read(world.to().join("other")).unwrap(),
        b"mine",
        "nobody agreed"
    );
    // A small one begins without a word.
    assert_eq!(previewed(&world, |request| request.asks = true).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_versions_one_listing_tells_which_are_archived() {
    let mut world = World::new();
    for number in 0..=archived::ASKED {
        let path = format!("{number:05}");
        let class = (number % 100 == 0).then_some("DEEP_ARCHIVE");
        let stored = world.put_as(&path, b"x", class).await;
        let mut entry = Entry::new(path.as_str().into(), Kind::File);
        entry.content = Some(Content::of(b"x"));
        entry.stored = Some(stored);
        world.add(entry);
    }
    world.commit().await;
    let before = world.store.requests().get("HeadObject").copied();
    let preview = previewed(&world, |request| request.asks = true)
        .await
        .unwrap();
    assert_eq!(world.store.requests().get("HeadObject").copied(), before);
    let cold = Archived {
        archive: Archive::DeepArchive,
        coming: false,
        versions: 11,
        bytes: 11,
    };
    assert_eq!(preview.archive, InArchive::Known(vec![cold]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_restore_without_leftovers() {
    let mut world = World::new();
    world.file("a", b"a").await;
    world.commit().await;
    let stop = Stop::default();
    stop.request(Why::Interrupted);
    let restored = world.attempt(&world.request(), stop).await.unwrap();
    assert_eq!(restored.exit, ExitCode::Interrupted);
    assert!(!world.to().exists() || world.names().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_restore_at_a_time_writes_a_folder() {
    let mut world = World::new();
    world.file("a", b"a").await;
    world.commit().await;
    let _other = Walk::to_write(&world.to()).unwrap();
    let refused = world.attempt(&world.request(), Stop::default()).await;
    assert!(matches!(refused, Err(Error::Held(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_disk_has_is_refused_before_the_first_byte() {
    let mut world = World::new();
    world.file("a", b"a").await;
    let mut huge = Content::of(b"a");
    huge.size = 1 << 60;
    world.file("huge", b"a").await.content = Some(huge);
    world.commit().await;
    let refused = world.attempt(&world.request(), Stop::default()).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.exit_code(), ExitCode::Usage);
    assert!(refused.to_string().contains("are missing"), "{refused}");
    assert!(!world.to().exists());
}

#[test]
fn folders_can_be_made_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut walk = Walk::to_write(dir.path()).unwrap();
    let place = walk.place(&RelPath::from("sub/a")).unwrap().unwrap();
    place.folder.sync().unwrap();
}

#[test]
fn a_name_spelled_otherwise_is_no_exact_match() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("A.jpg"), b"").unwrap();
    let mut walk = Walk::to_write(dir.path()).unwrap();
    // What a case-insensitive disk would do is not to be had here; what follows from it is.
    walk.pretend_folding();
    let place = |walk: &mut Walk, path: &str| walk.place(&RelPath::from(path)).unwrap().unwrap();
    assert!(place(&mut walk, "A.jpg").is_exact());
    assert!(!place(&mut walk, "a.jpg").is_exact());
}

#[test]
fn an_unfinished_file_goes_when_it_is_dropped_and_a_taken_name_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut walk = Walk::to_write(dir.path()).unwrap();
    let place = walk.place(&RelPath::from("a")).unwrap().unwrap();
    fs::write(dir.path().join("a"), b"mine").unwrap();
    let temp = temp::Temp::create(&place.folder, temp::OWNER_ALONE).unwrap();
    temp.write_at(b"new", 0).unwrap();
    let taken = temp.publish(&place, false).unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    drop(temp);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"mine");
}
