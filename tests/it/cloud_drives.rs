//! Libraries as cloud drives, Google Takeout, Photos and Lightroom leave them.

use std::fs;

use crate::support::{Job, Ran, TestStore, assert_same_tree, on_both, on_minio};

/// What iCloud Drive leaves of an evicted file: a small property list.
const STUB: &[u8] = b"bplist00\xd3\x01\x02\x03\x04\x05\x06NSURLFileResourceTypeKey";

fn evict(job: &Job, path: &str) {
    let (folder, name) = path.rsplit_once('/').unwrap();
    job.library.remove(path);
    job.library.write(format!("{folder}/.{name}.icloud"), STUB);
}

/// As iCloud does: the time of before, another inode.
fn fetch(job: &Job, path: &str, size: usize) {
    let (folder, name) = path.rsplit_once('/').unwrap();
    job.library.remove(format!("{folder}/.{name}.icloud"));
    job.library.file(path, size);
    job.library.mtime(path, 1_700_000_000, 5);
}

fn library(job: &Job) {
    for number in 0..12 {
        job.library
            .file(format!("2024/{number}.jpg"), 1_000 + number);
    }
    job.library.mtime("2024/1.jpg", 1_700_000_000, 5);
    job.library.file("trip/a.mov", 5_000);
    job.library.file("trip/day 2/b.mov", 6_000);
}

async fn f69_a_placeholder_is_no_delete_and_no_doubt_until_its_file_is_back(store: TestStore) {
    let job = Job::new(store).await;
    library(&job);
    job.run(0);
    let first = job.restore(&[]);
    let mirror = job.mirror.objects().await;

    // A file, and a folder with all that it holds.
    evict(&job, "2024/1.jpg");
    job.library.remove("trip");
    job.library.write(".trip.icloud", STUB);
    job.library.remove("2024/2.jpg");
    job.library.write("2024/.never.jpg.icloud", STUB);
    let planned = job.tidelock("run", &["--dry-run"]).ended(0);
    assert_eq!(planned.paths("delete", "sync"), ["2024/2.jpg"]);
    assert_eq!(planned.paths("skip", ""), ["2024/never.jpg"]);
    let second = job.run(0);
    assert_eq!(second.paths("delete", "sync"), ["2024/2.jpg"]);
    second.assert_counts(&[
        ("sync.uploaded", 0),
        ("backup.uploaded", 0),
        ("library.files", 10),
        ("library.skipped", 4),
        ("library.bytes_read", 0),
        ("library.failed", 0),
    ]);
    assert!(second.errors().is_empty(), "{}", second.errors());
    let latest = job.vault.latest_snapshot().await;
    assert!(latest.is_complete());
    for path in ["2024/1.jpg", "trip/a.mov", "trip/day 2/b.mov"] {
        let entry = latest.entry(path).await.expect("carried");
        assert_eq!(entry["carried"], true, "{entry}");
    }
    for stub in ["2024/.1.jpg.icloud", ".trip.icloud", "2024/never.jpg"] {
        assert_eq!(latest.entry(stub).await, None, "{stub}");
    }
    let mut expected = mirror.clone();
    expected.retain(|key, _| !key.ends_with("/2.jpg"));
    assert_eq!(job.mirror.objects().await, expected);
    let restored = job.restore(&[]);
    fs::remove_file(first.path().join("2024/2.jpg")).unwrap();
    assert_same_tree(first.path(), restored.path());

    // A night on which nothing happened stores nothing, and a fresh machine knows no less.
    job.run(0).assert_idle();
    job.lose_state();
    job.run(0)
        .assert_counts(&[("sync.deleted", 0), ("backup.uploaded", 0)]);
    assert_eq!(job.mirror.objects().await, expected);

    fetch(&job, "2024/1.jpg", 1_001);
    job.library.remove(".trip.icloud");
    job.library.file("trip/a.mov", 5_000);
    job.library.remove("2024/.never.jpg.icloud");
    job.library.file("2024/never.jpg", 70);
    // This one was deleted in the cloud meanwhile.
    let third = job.run(0);
    assert_eq!(third.paths("delete", "sync"), ["trip/day 2/b.mov"]);
    third.assert_counts(&[("backup.uploaded", 1), ("library.skipped", 0)]);
    let entries = job.vault.latest_snapshot().await.entries().await;
    assert!(entries.iter().all(|entry| entry["carried"].is_null()));
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}

async fn f69_a_library_that_is_all_in_the_cloud_is_not_empty(store: TestStore) {
    let job = Job::new(store).await;
    job.library.file("d/a", 100);
    job.library.file("d/b", 100);
    job.run(0);
    let mirror = job.mirror.objects().await;
    evict(&job, "d/a");
    evict(&job, "d/b");
    job.run(0)
        .assert_counts(&[("sync.deleted", 0), ("library.files", 0)]);
    assert_eq!(job.mirror.objects().await, mirror);

    // Moved in the cloud: its content can't be compared, its name can.
    job.library.rename("d/.a.icloud", "d/.c.icloud");
    job.library.dir("e");
    job.library.rename("d/.b.icloud", "e/.b.icloud");
    let moved = job.run(0);
    assert_eq!(moved.paths("delete", "sync"), ["d/a"]);
    let keys: Vec<String> = job.mirror.keys().await;
    assert!(keys.iter().any(|key| key.ends_with("d/b")), "{keys:?}");
}

/// The mirror alone, where nothing but a listing knows the file.
async fn f69_a_mirror_s_object_of_a_file_in_the_cloud_stays(store: TestStore) {
    let job = Job::new(store).await;
    library(&job);
    let sync = |more: &[&str]| {
        let mut command = job.store.std_tidelock("sync");
        command.arg(job.library.path());
        command
            .args(["--json", "--sync-to", &job.sync_to()])
            .args(more);
        Ran::of(&command.output().unwrap()).ended(0)
    };
    sync(&[]);
    job.lose_state();
    evict(&job, "2024/1.jpg");
    job.library.remove("2024/2.jpg");
    let ran = sync(&["--max-delete", "1"]);
    assert_eq!(ran.paths("delete", "sync"), ["2024/2.jpg"]);
    assert_eq!(job.mirror.keys().await.len(), 13);
}

async fn takeouts_json_and_packages_with_open_databases_come_back_as_they_are(store: TestStore) {
    let job = Job::new(store).await;
    let takeout = "Takeout/Google Fotos/Fotos von 2023";
    for name in ["IMG_1.jpg", "IMG_1(1).jpg", "IMG_1-bearbeitet.jpg"] {
        job.library.file(format!("{takeout}/{name}"), 3_000);
    }
    for name in [
        "IMG_1.jpg.json",
        "IMG_1.jpg(1).json",
        "IMG_1.jpg.supplemental-metadata.json",
        "Metadaten.json",
    ] {
        let json = br#"{"photoTakenTime":{"timestamp":"1700000000"}}"#;
        job.library.write(format!("{takeout}/{name}"), json);
    }
    job.library.file("takeout-20231114T221320Z-001.zip", 9_000);
    let package = "Fotos.photoslibrary";
    for number in 0..300 {
        let folder = format!("{:X}", number % 16);
        job.library
            .file(format!("{package}/originals/{folder}/{number}.heic"), 200);
    }
    job.library.dir(format!("{package}/private/empty"));
    job.library.write("Lightroom.lrcat-data/.lock", b"");
    // A database in WAL mode that its program holds open: part of its rows are in `-wal` alone.
    let database = job
        .library
        .dir(format!("{package}/database"))
        .join("Photos.sqlite");
    let open = rusqlite::Connection::open(&database).unwrap();
    open.pragma_update(None, "journal_mode", "wal").unwrap();
    open.execute_batch("CREATE TABLE photo(n); INSERT INTO photo VALUES (1), (2), (3)")
        .unwrap();

    let ran = job.run(0);
    assert_eq!(ran.count("library.failed"), 0);
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
    let back = restored.path().join(package).join("database/Photos.sqlite");
    for suffix in ["-wal", "-shm"] {
        assert!(
            fs::metadata(format!("{}{suffix}", back.display()))
                .unwrap()
                .len()
                > 0
        );
    }
    let count = rusqlite::Connection::open(&back).unwrap();
    let count: i64 = count
        .query_row("SELECT count(*) FROM photo", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 3, "the rows that were in -wal alone");
    drop(open);
    job.run(0);
}

on_both!(
    f69_a_placeholder_is_no_delete_and_no_doubt_until_its_file_is_back,
    takeouts_json_and_packages_with_open_databases_come_back_as_they_are,
);

on_minio!(
    f69_a_library_that_is_all_in_the_cloud_is_not_empty,
    f69_a_mirror_s_object_of_a_file_in_the_cloud_stays,
);
