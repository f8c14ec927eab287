//! New content goes up once where the store can copy it, and to both targets where it can't.

use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tidelock::engine::run::{Stores, Which, run_on};
use tidelock::engine::stop::Stop;
use tidelock::model::{
    BackupSettings, CloudFiles, Connection, Events, ExitCode, KeepPolicy, Keys, LibrarySettings,
    Limit, Mode, MtimePolicy, Provider, RunSettings, Secret, Settings, SyncSettings, Target, Via,
};

use crate::support::{
    Fault, Job, Library, Proxy, Ran, Rule, TestStore, assert_same_tree, files_and_bytes, on_both,
    on_minio,
};

/// More than two parts.
const LARGE: usize = (20 << 20) + 12_345;

/// A job whose store is seen through a proxy that counts.
async fn through_proxy(store: TestStore, via: &'static str) -> (Job, Proxy) {
    let job = Job::new(store.via(via)).await;
    let proxy = Proxy::new(&job.store, 1);
    let store = proxy.store(&job.store);
    (Job { store, ..job }, proxy)
}

fn fill(library: &Library) {
    for number in 0..6 {
        library.file(format!("2024/{number}.jpg"), 30_000 + number);
    }
    library.file("exactly one part", 8 << 20);
    library.file("film.mov", LARGE);
    library.write("empty.txt", b"");
    // Its key is a hash.
    library.file(vec!["w".repeat(120); 9].join("/"), 77);
}

async fn new_content_goes_up_once(store: TestStore) {
    let (job, proxy) = through_proxy(store, "auto").await;
    fill(&job.library);
    let (files, bytes) = files_and_bytes(job.library.path());
    let first = job.run(0);
    first.assert_counts(&[
        ("sync.uploaded", files),
        ("sync.bytes_uploaded", bytes),
        ("backup.uploaded", 0),
        ("backup.bytes_uploaded", 0),
        ("backup.copied", files),
        ("library.bytes_read", bytes),
    ]);
    assert_eq!(first.paths("copy", "backup").len() as u64, files);
    let (up, to_vault) = (
        proxy.traffic(&job.mirror.name).up,
        proxy.traffic(&job.vault.name).up,
    );
    // Lease, manifest and snapshot are all that is sent beside.
    assert!(up >= bytes && up < bytes + 10_000, "{up} of {bytes}");
    assert!(to_vault < 20_000, "{to_vault}");

    assert_copies_are_versions_like_others(&job).await;
    job.tidelock("verify", &["--read-data"]).ended(0);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    job.run(0).assert_idle();
    job.lose_state();
    job.run(0).assert_idle();
}
on_both!(new_content_goes_up_once);

/// Locked by the same request, with checksum, BLAKE3 and type.
async fn assert_copies_are_versions_like_others(job: &Job) {
    let versions = job.vault.versions_below("lib/files/").await;
    assert_eq!(versions.len(), 10);
    for version in &versions {
        assert!(job.vault.lock_of(version).await.is_some(), "{version:?}");
        let head = job.vault.client.head_object().bucket(&job.vault.name);
        let head = head.key(&version.key).version_id(&version.version_id);
        let head = head.checksum_mode("ENABLED".into()).send().await.unwrap();
        assert!(head.checksum_crc64_nvme().is_some(), "{version:?}");
        let metadata = head.metadata().unwrap();
        assert!(metadata.contains_key("blake3"), "{metadata:?}");
        assert!(!metadata.contains_key("mtime"), "{metadata:?}");
        if version.key.ends_with(".jpg") {
            assert_eq!(head.content_type(), Some("image/jpeg"));
        }
    }
}

async fn changed_files_go_up_once_and_their_old_content_stays(store: TestStore) {
    let (job, proxy) = through_proxy(store, "copy").await;
    fill(&job.library);
    let first = job.run(0).snapshot();
    let before = proxy.traffic(&job.mirror.name).up;
    job.library.file("2024/0.jpg", 50_000);
    job.library.file("film.mov", LARGE + 1);
    job.library.rename("2024/1.jpg", "2025 moved.jpg");
    let second = job.run(0);
    second.assert_counts(&[
        ("sync.uploaded", 2),
        ("sync.copied", 1),
        ("backup.uploaded", 0),
        ("backup.copied", 2),
        ("backup.referenced", 1),
    ]);
    let new = 50_000 + LARGE as u64 + 1;
    let up = proxy.traffic(&job.mirror.name).up - before;
    assert!(up < new + 10_000, "{up} of {new}");
    assert_eq!(job.vault.versions_below("lib/files/").await.len(), 12);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    let old = job.restore(&["--snapshot", &first]);
    assert!(old.path().join("2024/1.jpg").exists());
}
on_both!(changed_files_go_up_once_and_their_old_content_stays);

/// 2.2 requests a file, and some that are the same for any number.
async fn a_small_file_takes_little_more_than_two_requests(store: TestStore) {
    let (job, proxy) = through_proxy(store, "auto").await;
    for number in 0..300 {
        job.library
            .file(format!("{}/{number}", number % 5), 1_000 + number);
    }
    job.run(0).assert_counts(&[("backup.copied", 300)]);
    let requests = proxy.requests();
    assert!(requests <= 660 + 40, "{requests}");
}
on_minio!(a_small_file_takes_little_more_than_two_requests);

async fn what_sync_alone_has_sent_is_copied_without_being_read(store: TestStore) {
    let job = Job::new(store.via("auto")).await;
    fill(&job.library);
    let (files, _) = files_and_bytes(job.library.path());
    job.tidelock("sync", &[]).ended(0);
    let ran = job.run(0);
    ran.assert_counts(&[
        ("library.bytes_read", 0),
        ("sync.uploaded", 0),
        ("backup.uploaded", 0),
        ("backup.copied", files),
    ]);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
}
on_both!(what_sync_alone_has_sent_is_copied_without_being_read);

async fn a_dry_run_says_which_way(store: TestStore) {
    let job = Job::new(store.via("auto")).await;
    job.library.file("a.jpg", 1_000);
    for (via, told, action) in [
        (
            "auto",
            "copied from there to the backup by the store",
            "copy",
        ),
        ("upload", "sent to each target: via = \"upload\"", "upload"),
    ] {
        let mut command = job.command("run");
        command.env("TIDELOCK_BACKUP_VIA", via);
        let ran = Ran::of(&command.arg("--dry-run").output().unwrap()).ended(0);
        let notes = ran.lines.iter().filter(|line| line["event"] == "note");
        let notes: Vec<_> = notes.filter_map(|line| line["message"].as_str()).collect();
        assert!(notes.join("\n").contains(told), "{notes:?}");
        assert_eq!(ran.paths(action, "backup"), ["a.jpg"]);
    }
    assert!(job.mirror.objects().await.is_empty());
}
on_both!(a_dry_run_says_which_way);

/// Two addresses of one server count as two: nothing shows that they are one.
async fn targets_that_share_no_endpoint_get_the_bytes_both(store: TestStore) {
    let job = Job::new(store.via("auto")).await;
    let proxy = Proxy::new(&job.store, 1);
    let other = proxy.store(&job.store).endpoint;
    job.library.file("a.jpg", 1_000);
    let refused = {
        let mut command = job.command("run");
        command.env("TIDELOCK_BACKUP_VIA", "copy");
        Ran::of(&command.args(["--sync-endpoint", &other]).output().unwrap()).ended(2)
    };
    let why = refused.errors() + &refused.stderr;
    assert!(why.contains("share no endpoint"), "{why}");
    assert!(job.mirror.objects().await.is_empty());

    let mut command = job.store.std_tidelock("run");
    command.arg(job.library.path());
    command.args(["--sync-to", &job.sync_to(), "--backup-to", &job.backup_to()]);
    let output = command.args(["--sync-endpoint", &other]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let told = "sent to each target: the targets share no endpoint";
    assert!(text.contains(told), "{text}");
}
on_both!(targets_that_share_no_endpoint_get_the_bytes_both);

async fn a_store_that_stops_copying_gets_the_bytes(store: TestStore) {
    let (job, proxy) = through_proxy(store, "copy").await;
    fill(&job.library);
    let (files, _) = files_and_bytes(job.library.path());
    proxy.plan(
        Rule::always(Fault::Refuse(403, "AccessDenied"))
            .on("CopyObject")
            .skip(2),
    );
    let ran = job.run(0);
    proxy.clear();
    let (copied, sent) = (ran.count("backup.copied"), ran.count("backup.uploaded"));
    assert_eq!((copied, copied + sent), (2, files));
    let mut notes = ran.lines.iter().filter(|line| line["event"] == "warning");
    assert!(
        notes.any(|line| line.to_string().contains("does not copy")),
        "{ran:?}"
    );
    assert_eq!(
        job.vault.versions_below("lib/files/").await.len() as u64,
        files
    );
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    job.run(0).assert_idle();
}
on_both!(a_store_that_stops_copying_gets_the_bytes);

async fn f28_a_copy_whose_answer_is_lost_is_no_second_version(store: TestStore) {
    let (job, proxy) = through_proxy(store, "copy").await;
    fill(&job.library);
    let (files, _) = files_and_bytes(job.library.path());
    proxy.plan(Rule::always(Fault::LoseAnswer).on("CopyObject").times(4));
    let ran = job.run(0);
    proxy.clear();
    ran.assert_counts(&[("backup.copied", files), ("backup.uploaded", 0)]);
    assert_eq!(
        job.vault.versions_below("lib/files/").await.len() as u64,
        files
    );
    job.tidelock("verify", &[]).ended(0);
}
on_both!(f28_a_copy_whose_answer_is_lost_is_no_second_version);

/// The mirror's failure is no reason for the backup to wait.
async fn what_the_mirror_refuses_is_backed_up_all_the_same(store: TestStore) {
    let (job, proxy) = through_proxy(store, "auto").await;
    fill(&job.library);
    let (files, _) = files_and_bytes(job.library.path());
    for (operation, key) in [
        ("PutObject", "2024/0.jpg"),
        ("UploadPart", "film.mov"),
        ("PutObject", "empty.txt"),
    ] {
        let rule = Rule::always(Fault::Refuse(403, "AccessDenied")).on(operation);
        proxy.plan(rule.of(&job.mirror.name).key(key));
    }
    let ran = job.tidelock("run", &[]).ended(3);
    proxy.clear();
    ran.assert_counts(&[
        ("sync.uploaded", files - 3),
        ("sync.failed", 3),
        ("backup.copied", files - 3),
        ("backup.uploaded", 3),
        ("backup.failed", 0),
    ]);
    let next = job.run(0);
    next.assert_counts(&[
        ("sync.uploaded", 3),
        ("backup.uploaded", 0),
        ("backup.copied", 0),
    ]);
    assert_eq!(
        job.vault.versions_below("lib/files/").await.len() as u64,
        files
    );
}
on_both!(what_the_mirror_refuses_is_backed_up_all_the_same);

/// `tidelock` as a library, with each copy of more than a byte made in parts.
async fn copied_in_parts(settings: &Settings, stores: Stores) -> tidelock::engine::run::Ended {
    let stores = Stores {
        copy_in_parts_above: Some(1),
        ..stores
    };
    let (events, stop) = (Events::none(), Stop::default());
    run_on(settings, Which::Run, &stores, events, stop).await
}

async fn large_objects_are_copied_in_parts(store: TestStore) {
    let job = Job::new(store).await;
    fill(&job.library);
    let (files, _) = files_and_bytes(job.library.path());
    let state = TempDir::new().unwrap();
    let settings = settings(&job, &state);
    let ended = copied_in_parts(&settings, Stores::default()).await;
    assert_eq!(ended.exit, ExitCode::Done, "{ended:?}");
    let backup = ended.summary.backup.unwrap();
    assert_eq!((backup.copied, backup.uploaded), (files, 0));
    // 3 of the film, 1 of each other but the empty one; those that came before the store was known, twice.
    let parts = backup.requests["UploadPartCopy"];
    assert!((11..=22).contains(&parts), "{parts}");
    for version in job.vault.versions_below("lib/files/").await {
        assert!(job.vault.lock_of(&version).await.is_some(), "{version:?}");
    }
    job.tidelock("verify", &["--read-data"]).ended(0);
    assert_same_tree(job.library.path(), job.restore(&[]).path());
    let uploads = job.vault.client.list_multipart_uploads();
    let left = uploads.bucket(&job.vault.name).send().await.unwrap();
    assert!(left.uploads().is_empty(), "{left:?}");

    std::fs::remove_dir_all(state.path()).unwrap();
    std::fs::create_dir(state.path()).unwrap();
    let again = copied_in_parts(&settings, Stores::default()).await;
    let backup = again.summary.backup.unwrap();
    assert_eq!((backup.copied, backup.uploaded), (0, 0));
}
on_both!(large_objects_are_copied_in_parts);

fn settings(job: &Job, state: &TempDir) -> Settings {
    let connection = Connection {
        endpoint: Some(job.store.endpoint.clone()),
        region: Some("us-east-1".to_owned()),
        keys: Some(Keys {
            access_key_id: job.store.access_key.clone(),
            secret_access_key: Secret(job.store.secret_key.clone()),
            session_token: None,
        }),
        path_style: true,
        provider: Provider::Other,
        ..Connection::default()
    };
    Settings {
        library: Some(LibrarySettings {
            path: job.library.path().to_owned(),
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
            target: Target::parse(&job.sync_to()).unwrap(),
            connection: connection.clone(),
            max_delete: Limit::Percent(10.0),
            max_change: Limit::Percent(50.0),
            max_delete_override: false,
            max_change_override: false,
            storage_class: None,
            sse: None,
        }),
        backup: Some(BackupSettings {
            target: Target::parse(&job.backup_to()).unwrap(),
            connection,
            mode: Mode::Governance,
            retention: Duration::from_secs(86_400),
            renew_below: Duration::from_secs(43_200),
            accept_irrevocable: false,
            via: Via::Copy,
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
