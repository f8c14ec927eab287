//! What a library can do to a run: go away, shrink, lock itself, change under its hands, hold what no store takes.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};

use tidelock::model::Time;

use crate::support::{
    Job, Nobody, Ran, SLOW, TestStore, assert_same_files, assert_same_tree, contents, on_both,
    on_minio,
};

async fn f01_a_library_that_is_gone_keeps_its_locks_running(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("lib/a", 10);
    let lib = job.library.at("lib");
    let command = |more: &[&str]| {
        let mut command = job.store.std_tidelock("run");
        command
            .arg(&lib)
            .args(["--json", "--sync-to", &job.sync_to()]);
        command.args(["--backup-to", &job.backup_to()]).args(more);
        Ran::of(&command.output().unwrap())
    };
    job.library.rename("lib", "unplugged");
    command(&[]).ended(2);
    assert!(job.vault.versions_below("lib/files/").await.is_empty());
    job.library.rename("unplugged", "lib");

    command(&["--retention", "1d"]).ended(0);
    let version = job.vault.versions_below("lib/files/").await.remove(0);
    let short = job.vault.lock_of(&version).await.unwrap().1;
    let (mirror, snapshots) = (
        job.mirror.objects().await,
        job.vault.versions_below("lib/snapshots/").await,
    );
    for problem in ["disk unplugged?", "is not a folder"] {
        job.library.rename("lib", "unplugged");
        if problem == "is not a folder" {
            job.library.write("lib", b"in its place");
        }
        let ran = command(&["--retention", "60d"]).ended(4);
        let said = ran.errors();
        assert!(said.contains(problem), "{said}");
        let (_, until) = said.split_once("locks renewed, protected until ").unwrap();
        let until: Time = until[..20].parse().unwrap();
        assert!(until.as_second() - short.secs() > 50 * 86_400, "{said}");
        if problem == "is not a folder" {
            job.library.remove("lib");
        }
        job.library.rename("unplugged", "lib");
    }
    let long = job.vault.lock_of(&version).await.unwrap().1;
    assert!(long.secs() - short.secs() > 50 * 86_400);
    assert_eq!(job.mirror.objects().await, mirror);
    let after = job.vault.versions_below("lib/snapshots/").await;
    assert_eq!(after, snapshots);
}

/// As a user for whom permissions count, three nights in a row, until they can be read again.
async fn f03_what_can_t_be_read_is_carried_night_after_night(store: TestStore) {
    let job = Job::new(store).await;
    for path in ["closed/a", "closed/sub/b", "secret", "open", "doomed"] {
        job.library.file(path, 10);
    }
    let nobody = Nobody::of(&job);
    let run = |exit| Ran::of(&nobody.command(&job, "run").output().unwrap()).ended(exit);
    run(0);
    let mirror = job.mirror.objects().await;

    job.library.mode("closed", 0);
    job.library.mode("secret", 0);
    job.library.remove("doomed");
    for night in 0..3 {
        // A file that is new to the folder's reader each night, so that there is something to commit.
        job.library.file(format!("night{night}"), 10);
        nobody.owns(job.library.path());
        // Its owner again, so still closed.
        job.library.mode("secret", 0);
        fs::write(job.library.at("secret"), [night; 12]).unwrap();
        let ran = run(3);
        let said = ran.errors();
        assert!(
            said.contains("\"closed\"") && said.contains("\"secret\""),
            "{said}"
        );
        assert_eq!(ran.count("sync.deleted"), 0);
        let latest = job.vault.latest_snapshot().await;
        assert!(!latest.is_complete());
        for path in ["closed/a", "closed/sub/b", "secret", "doomed"] {
            let entry = latest.entry(path).await.expect("carried");
            assert_eq!(entry["carried"], true, "night {night}: {entry}");
            let kept = contents(path, 10);
            assert_eq!(latest.content(&entry).await, kept, "night {night}");
        }
        for (key, etag) in &mirror {
            assert_eq!(job.mirror.objects().await.get(key), Some(etag), "{key}");
        }
    }
    job.library.mode("closed", 0o755);
    job.library.mode("secret", 0o644);
    let ran = run(0);
    assert_eq!(ran.paths("delete", "sync"), ["doomed"]);
    let latest = job.vault.latest_snapshot().await;
    assert!(latest.is_complete());
    let entries = latest.entries().await;
    assert!(entries.iter().all(|entry| entry["carried"].is_null()));
    let secret = latest.entry("secret").await.unwrap();
    assert_eq!(latest.content(&secret).await, [2; 12]);
}

/// Rewrites, truncates and grows a file, without a pause or with pauses of up to half a second, in which it may be read.
/// Each state is one 8-byte pattern over and over, so a mix of two states shows.
struct Writer {
    stop: Arc<AtomicBool>,
    states: Arc<Mutex<HashSet<(u64, u64)>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    fn start(file: File, sizes: [u64; 3]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let states = Arc::new(Mutex::new(HashSet::new()));
        let (stopped, noted) = (Arc::clone(&stop), Arc::clone(&states));
        let thread = thread::spawn(move || {
            let mut pattern = 1u64;
            while !stopped.load(Ordering::Relaxed) {
                let [whole, half, more] = sizes;
                let note = |size| noted.lock().unwrap().insert((pattern, size));
                let bytes = |size: u64| pattern.to_le_bytes().repeat((size / 8) as usize);
                // In place; then cut; then longer than before.
                for size in sizes {
                    note(size);
                }
                file.set_len(whole).unwrap();
                file.write_all_at(&bytes(whole), 0).unwrap();
                file.set_len(half).unwrap();
                file.write_all_at(&bytes(more - half), half).unwrap();
                let pause = pattern % 8;
                thread::sleep(Duration::from_millis(70 * pause));
                pattern += 1;
            }
        });
        Self {
            stop,
            states,
            thread: Some(thread),
        }
    }

    /// Whether the bytes are one state that was written, or one on its way there.
    fn assert_is_a_state(&self, bytes: &[u8], whose: &str) {
        let mut words = bytes.chunks_exact(8);
        let Some(first) = words.next() else {
            return assert!(bytes.is_empty(), "{whose}: a torn word");
        };
        assert!(
            words.all(|word| word == first),
            "{whose} is a mix of states"
        );
        let pattern = u64::from_le_bytes(first.try_into().unwrap());
        let known = self.states.lock().unwrap();
        assert!(
            known.contains(&(pattern, bytes.len() as u64)),
            "{whose}: {}",
            bytes.len()
        );
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

async fn f04_f05_a_file_that_never_keeps_still_is_never_stored_as_a_mix(store: TestStore) {
    let job = Job::new(store).await;
    let sizes = [
        ("small", [65_536, 4_096, 131_072]),
        ("one-part", [4 << 20, 1 << 20, 6 << 20]),
        ("parts", [20 << 20, 9 << 20, 28 << 20]),
    ];
    job.library.file("still", 10);
    let mut writers = Vec::new();
    for (name, sizes) in sizes {
        let path = job.library.write(name, b"");
        let file = File::options().write(true).open(path).unwrap();
        writers.push((name, Writer::start(file, sizes)));
    }
    for _ in 0..5 {
        let ran = job.tidelock("run", &[]);
        assert!(matches!(ran.exit, Some(0 | 3)), "{ran:?}");
        let failed = ran.summary()["errors"].as_array().unwrap();
        assert_eq!(ran.exit == Some(3), !failed.is_empty(), "{failed:?}");
        for failure in failed {
            let said = failure["message"].as_str().unwrap();
            assert!(said.contains("changed while it was read"), "{said}");
        }
        let named = job.vault.latest_snapshot().await;
        assert_eq!(named.is_complete(), ran.exit == Some(0));
    }
    for (name, writer) in &mut writers {
        for version in job.vault.versions_below(&format!("lib/files/{name}")).await {
            let bytes = job.vault.get(&version.key, Some(&version.version_id)).await;
            writer.assert_is_a_state(&bytes, name);
        }
        let key = format!("lib/{name}");
        if job.mirror.keys().await.contains(&key) {
            writer.assert_is_a_state(&job.mirror.get(&key, None).await, name);
        }
    }
    writers.iter_mut().for_each(|(_, writer)| writer.stop());
    job.run(0);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

/// Rewritten in place, with its old time put back.
fn rewrite_secretly(job: &Job, path: &str, bytes: &[u8]) {
    let before = fs::metadata(job.library.at(path)).unwrap();
    job.library.write(path, bytes);
    let file = File::options().write(true).open(job.library.at(path));
    file.unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    let after = fs::metadata(job.library.at(path)).unwrap();
    assert_eq!(after.len(), before.len());
    assert_eq!(after.modified().unwrap(), before.modified().unwrap());
}

async fn f06_other_content_of_the_same_size_and_time_is_found(store: TestStore) {
    let job = Job::new(store).await;
    job.library.write("a", b"one");
    job.run(0);
    rewrite_secretly(&job, "a", b"two");
    let ran = job.run(0);
    ran.assert_counts(&[("backup.uploaded", 1), ("sync.uploaded", 1)]);
    assert_eq!(job.mirror.get("lib/a", None).await, b"two");

    // A machine without memory has nothing but size and time to go by; unless it is told to look.
    rewrite_secretly(&job, "a", b"six");
    job.lose_state();
    job.run(0).assert_idle();
    job.tidelock("run", &["--checksum"]).ended(0);
    assert_eq!(job.mirror.get("lib/a", None).await, b"six");
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

async fn f07_a_time_in_the_past_or_the_future_is_a_change_like_any_other(store: TestStore) {
    let job = Job::new(store).await;
    job.library.write("a", b"old content");
    job.library.mtime("a", 4_102_444_800, 5);
    job.run(0);
    for (seconds, bytes) in [
        (-86_400, b"new content"),
        (0, b"yet another"),
        (1, b"and so on, "),
    ] {
        job.library.write("a", bytes);
        job.library.mtime("a", seconds, 999_999_999);
        // Nothing but the time tells, on a machine that never saw the inode.
        job.lose_state();
        job.run(0)
            .assert_counts(&[("backup.uploaded", 1), ("sync.uploaded", 1)]);
        assert_eq!(job.mirror.get("lib/a", None).await, bytes);
        assert_same_tree(job.library.path(), job.restore(&[]).path());
    }
}

async fn f08_f09_twins_are_kept_side_by_side_and_reported(store: TestStore) {
    let job = Job::new(store).await;
    for path in ["caf\u{e9}", "cafe\u{301}", "IMG.jpg", "img.JPG"] {
        job.library.file(path, 10);
    }
    let ran = job.run(0);
    let notes = ran.lines.iter().filter(|line| line["event"] == "note");
    let notes: Vec<&str> = notes.filter_map(|line| line["message"].as_str()).collect();
    assert!(
        notes.iter().any(|note| note.contains("IMG.jpg")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.contains("caf\u{e9}")),
        "{notes:?}"
    );
    assert_eq!(job.mirror.keys().await.len(), 4);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

const AWKWARD: &[&[u8]] = &[
    b"control \x01\x1f\x7f",
    b"new\nline\tand\rreturn",
    b"not utf-8 \xff\xfe",
    b"50%25 + # ? & = ;",
    b"  spaces  ",
    b"trailing ",
    b" / ",
    b"dots../..a/...",
    b"-rf",
    b"*?[a]{b}~$(x)`y`'\"\\",
    "🌊🔒".as_bytes(),
    "‛quoted‛‛／".as_bytes(),
    b"files",
    b"snapshots/x",
];

async fn f10_awkward_names_come_back_as_they_were(store: TestStore) {
    let job = Job::new(store).await;
    for name in AWKWARD {
        job.library.file(OsStr::from_bytes(name), 10);
    }
    job.run(0);
    job.run(0).assert_idle();
    assert_eq!(job.mirror.keys().await.len(), AWKWARD.len());
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    let job = job.elsewhere();
    job.run(0).assert_idle();
    for name in AWKWARD {
        job.library.remove(OsStr::from_bytes(name));
    }
    job.library.file("left", 1);
    let all = AWKWARD.len().to_string();
    job.tidelock("run", &["--max-delete", &all]).ended(0);
    assert_eq!(job.mirror.keys().await, ["lib/left"]);
}

async fn f11_paths_too_long_for_a_key_come_back(store: TestStore) {
    let job = Job::new(store).await;
    let folder = |letter: &str| letter.repeat(200);
    let long = ["a", "b", "c", "d", "e", "f"].map(folder).join("/");
    job.library.file(&long, 10);
    job.library.file("short", 10);
    assert!(long.len() > 1_100);
    job.run(0);
    job.run(0).assert_idle();
    let keys = job.mirror.keys().await;
    assert!(keys.iter().all(|key| key.len() <= 1_024), "{keys:?}");
    assert!(keys[0].starts_with("lib/.tidelock/long/"), "{keys:?}");
    assert_same_tree(job.library.path(), job.restore(&[]).path());

    let job = job.elsewhere();
    job.run(0).assert_idle();
    job.library.remove(&long);
    let ran = job.run(0);
    assert_eq!(ran.paths("delete", "sync"), [&long]);
    assert_eq!(job.mirror.keys().await, ["lib/short"]);
}

async fn f12_links_and_loops_are_recorded_and_not_followed(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("dir/a", 10);
    job.library.symlink("loop", ".");
    job.library.symlink("dir/up", "..");
    job.library.symlink("self", "self");
    job.library.symlink("out", "/etc");
    job.library.symlink("dangling", "nothing");
    job.run(0);
    assert_eq!(job.mirror.keys().await, ["lib/dir/a"]);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

/// A folder and a link out of the library change places without a pause.
async fn f12_a_link_swapped_in_during_the_scan_leads_nowhere(store: TestStore) {
    let job = Job::new(store).await;
    let outside = tempfile::tempdir().unwrap();
    for n in 0..50 {
        job.library.file(format!("swap/{n:02}"), 10);
        fs::write(outside.path().join(format!("{n:02}")), b"the secret").unwrap();
    }
    job.library.symlink("link", outside.path());
    let (swap, link) = (job.library.at("swap"), job.library.at("link"));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let swapper = thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            renameat_with(CWD, &swap, CWD, &link, RenameFlags::EXCHANGE).unwrap();
        }
    });
    for _ in 0..5 {
        // Both names may be links for the scan: then all files are gone, which the guard refuses.
        let ran = job.tidelock("run", &[]);
        assert!(matches!(ran.exit, Some(0 | 3 | 4)), "{ran:?}");
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    for bucket in [&job.mirror, &job.vault] {
        for version in bucket.versions_below("lib/").await {
            if !version.marker && version.size == 10 {
                let bytes = bucket.get(&version.key, Some(&version.version_id)).await;
                assert_ne!(bytes, b"the secret", "{version:?}");
            }
        }
    }
}

async fn f13_fifos_sockets_and_devices_are_listed_and_block_nothing(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a", 10);
    mknodat(CWD, job.library.at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = UnixListener::bind(job.library.at("socket")).unwrap();
    let ran = job.run(0);
    assert_eq!(ran.paths("skip", ""), ["fifo", "socket"]);
    assert_eq!(ran.count("library.skipped"), 2);
    assert_eq!(job.mirror.keys().await, ["lib/a"]);
    let latest = job.vault.latest_snapshot().await;
    assert!(latest.is_complete());
    for path in ["fifo", "socket"] {
        assert_eq!(latest.entry(path).await.unwrap()["type"], "special");
    }
    let restored = job.restore(&[]);
    assert_same_files(job.library.path(), restored.path());
}

async fn f14_a_file_that_goes_after_the_scan_is_no_error_and_no_delete_yet(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("a-first", SLOW);
    job.library.write("known", b"as it was");
    job.run(0);
    job.library.write("a-first", &contents("again", SLOW));
    job.library.write("known", b"never seen");
    job.library.write("new", b"never seen");
    let mut run = job.crawl("run", &[]);
    run.until_phase("transfer");
    job.library.remove("known");
    job.library.remove("new");
    let ran = run.finish().ended(0);
    assert_eq!(ran.errors(), "");
    assert_eq!(ran.count("sync.deleted"), 0);
    assert_eq!(job.mirror.get("lib/known", None).await, b"as it was");
    let latest = job.vault.latest_snapshot().await;
    assert!(!latest.is_complete());
    assert!(latest.entry("new").await.is_none());
    let known = latest.entry("known").await.unwrap();
    assert_eq!((&known["carried"]), true);
    assert_eq!(latest.content(&known).await, b"as it was");

    let ran = job.run(0);
    assert_eq!(ran.paths("delete", "sync"), ["known"]);
    assert!(job.vault.latest_snapshot().await.is_complete());
}

async fn f15_every_size_comes_back(store: TestStore) {
    const PART: u64 = 8 << 20;
    let job = Job::new(store).await;
    for size in [0, 1, PART - 1, PART, PART + 1, 2 * PART] {
        job.library.file(format!("{size}"), size as usize);
    }
    let sparse = File::create(job.library.at("sparse")).unwrap();
    sparse.set_len(3 * PART).unwrap();
    sparse.write_all_at(b"island", PART + 5).unwrap();
    job.run(0);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    let (to, machine) = (tempfile::tempdir().unwrap(), &job.mirror);
    for key in machine.keys().await {
        let name = key.strip_prefix("lib/").unwrap();
        fs::write(to.path().join(name), machine.get(&key, None).await).unwrap();
        let mtime = fs::metadata(job.library.at(name)).unwrap().modified();
        let file = File::options().write(true).open(to.path().join(name));
        file.unwrap().set_modified(mtime.unwrap()).unwrap();
    }
    assert_same_files(job.library.path(), to.path());
}

on_both!(
    f10_awkward_names_come_back_as_they_were,
    f11_paths_too_long_for_a_key_come_back,
    f15_every_size_comes_back,
);

on_minio!(
    f01_a_library_that_is_gone_keeps_its_locks_running,
    f03_what_can_t_be_read_is_carried_night_after_night,
    f04_f05_a_file_that_never_keeps_still_is_never_stored_as_a_mix,
    f06_other_content_of_the_same_size_and_time_is_found,
    f07_a_time_in_the_past_or_the_future_is_a_change_like_any_other,
    f08_f09_twins_are_kept_side_by_side_and_reported,
    f12_links_and_loops_are_recorded_and_not_followed,
    f12_a_link_swapped_in_during_the_scan_leads_nowhere,
    f13_fifos_sockets_and_devices_are_listed_and_block_nothing,
    f14_a_file_that_goes_after_the_scan_is_no_error_and_no_delete_yet,
);
