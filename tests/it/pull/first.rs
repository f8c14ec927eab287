//! The first pull, the idle one, and folders that hold something already.

use super::Second;
use crate::support::{TestStore, assert_same_files, contents, on_both, run_rclone};

/// A library with names that trip something somewhere, and one long key.
fn fill(second: &Second) -> u64 {
    let library = &second.job.library;
    let deep = format!("{}/deep.txt", "d".repeat(200));
    let long = format!("{deep}/{}", "e/".repeat(400) + "end.txt");
    let names = [
        "2024/a b.jpg",
        "2024/100%+#?.jpg",
        "2024/-rf",
        "2024/ends with a space ",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{1f642}/x",
        "..a\\b",
        "z",
        &long,
    ];
    for (number, name) in names.iter().enumerate() {
        library.file(name, 1_000 + number);
        library.mtime(name, 1_700_000_000 + number as i64, 123_456_789);
    }
    library.file("empty", 0);
    library.file("video.mp4", (20 << 20) + 1);
    names.len() as u64 + 2
}

async fn a_first_pull_brings_all_and_an_idle_one_nothing(store: TestStore) {
    let second = Second::new(store).await;
    let files = fill(&second);
    second.publish();
    let planned = second.pull_with(&["-n"]).ended(0);
    assert_eq!(planned.paths("download", "").len() as u64, files);
    assert!(!second.to().exists(), "a dry run makes no folder");

    let first = second.pull(0);
    first.assert_counts(&[("pull.downloaded", files), ("pull.unchanged", 0)]);
    assert_same_files(second.job.library.path(), &second.to());
    assert!(
        second
            .names()
            .iter()
            .all(|name| !name.contains(".tidelock"))
    );

    let idle = second.pull(0);
    idle.assert_counts(&[
        ("pull.downloaded", 0),
        ("pull.bytes_downloaded", 0),
        ("pull.unchanged", files),
    ]);
    let requests = idle.summary()["pull"]["requests"].as_object().unwrap();
    let sum: u64 = requests.values().filter_map(|n| n.as_u64()).sum();
    assert!(sum <= files / 1000 + 3, "{requests:?}");
}

async fn files_that_are_there_already_are_compared_and_not_fetched(store: TestStore) {
    let second = Second::new(store).await;
    let files = fill(&second);
    second.publish();
    second.pull(0);
    // Another machine, or a lost state: all is there, one file with another time.
    let file = std::fs::File::options().append(true).open(second.at("z"));
    file.unwrap()
        .set_modified(std::time::SystemTime::now())
        .unwrap();
    let machine = second.job.store.fresh_machine();
    let again = super::Ran::of(&second.command_on(&machine, &second.to()).output().unwrap());
    let again = again.ended(0);
    again.assert_counts(&[("pull.adopted", files), ("pull.bytes_downloaded", 0)]);
    assert_same_files(second.job.library.path(), &second.to());
}

async fn a_mirror_that_rclone_made_comes_with_its_times(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    for name in ["2024/a b.jpg", "caf\u{e9}", "z"] {
        library.file(name, 2_000);
        library.mtime(name, 1_600_000_000, 987_654_321);
    }
    library.file("video.mp4", 12 << 20);
    let cut = ["--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M"];
    run_rclone(
        &second.job.store,
        "sync",
        library.path(),
        &second.job.mirror,
        &cut,
    );
    second.pull(0).assert_counts(&[("pull.downloaded", 4)]);
    assert_same_files(library.path(), &second.to());

    let machine = second.job.store.fresh_machine();
    let again = super::Ran::of(&second.command_on(&machine, &second.to()).output().unwrap());
    again
        .ended(0)
        .assert_counts(&[("pull.adopted", 4), ("pull.bytes_downloaded", 0)]);
}

async fn a_foreign_object_without_metadata_comes_with_its_own_time(store: TestStore) {
    let second = Second::new(store).await;
    second.job.mirror.put("lib/plain.txt", b"tide").await;
    // As consoles show an empty folder.
    second.job.mirror.put("lib/folder/", b"").await;
    second.pull(0).assert_counts(&[("pull.downloaded", 1)]);
    assert_eq!(second.read("plain.txt"), b"tide");
    assert_eq!(second.names(), ["plain.txt"]);
    second.pull(0).assert_counts(&[("pull.unchanged", 1)]);
}

async fn hostile_keys_are_refused_and_links_are_not_followed(store: TestStore) {
    let second = Second::new(store).await;
    let library = &second.job.library;
    library.file("good.txt", 10);
    library.file("linked/inside.txt", 10);
    second.publish();
    let mirror = &second.job.mirror;
    let path = "../../evil";
    let hash = blake3::hash(path.as_bytes()).to_hex();
    let forged = format!("lib/.tidelock/long/{hash}");
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"evil");
    let put = mirror.client.put_object().bucket(&mirror.name).key(&forged);
    let put = put.metadata("path", data_encoding::BASE64.encode(path.as_bytes()));
    put.body(body).send().await.unwrap();
    let mut hostile = vec![forged];
    if second.job.store.kind == crate::support::StoreKind::Localstack {
        // MinIO refuses such keys itself.
        for key in ["lib/../evil", "lib//etc/evil", "lib/a/./evil"] {
            mirror.put(key, b"evil").await;
            hostile.push(key.to_owned());
        }
    }
    let outside = second.folder.path().join("outside");
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::create_dir_all(second.to()).unwrap();
    std::os::unix::fs::symlink(&outside, second.at("linked")).unwrap();

    let ran = second.pull(5);
    ran.assert_counts(&[("pull.downloaded", 1), ("pull.failed", 1)]);
    for key in &hostile {
        assert!(
            ran.errors().contains(key.as_str()),
            "{key}: {}",
            ran.errors()
        );
    }
    assert!(
        ran.errors().contains("linked/inside.txt"),
        "{}",
        ran.errors()
    );
    assert_eq!(second.names(), ["good.txt", "linked"]);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!second.folder.path().join("evil").exists());
}

async fn one_of_several_libraries_is_pulled_by_its_name(store: TestStore) {
    let second = Second::new(store).await;
    let mirror = &second.job.mirror;
    mirror.put("lib/photos/a", b"photo").await;
    mirror.put("lib/papers/b", b"paper").await;
    let file = second.machine.home().join("tidelock.toml");
    let text = format!(
        "[sync]\nto = \"{}\"\n[[library]]\nname = \"photos\"\npath = \"/nowhere/photos\"\n\
         [[library]]\nname = \"papers\"\npath = \"/nowhere/papers\"\n",
        second.job.sync_to()
    );
    std::fs::write(file, text).unwrap();
    let pull = |more: &[&str]| {
        let mut command = second.machine.std_tidelock("pull");
        command.args(["--json", "--to"]).arg(second.to()).args(more);
        super::Ran::of(&command.output().unwrap())
    };
    let unnamed = pull(&[]).ended(2);
    assert!(unnamed.errors().contains("photos"), "{}", unnamed.errors());
    pull(&["papers"]).ended(0);
    assert_eq!(second.names(), ["b"]);
    assert_eq!(second.read("b"), b"paper");
    assert_ne!(contents("b", 5), b"paper");
}

on_both!(
    a_first_pull_brings_all_and_an_idle_one_nothing,
    a_foreign_object_without_metadata_comes_with_its_own_time,
    a_mirror_that_rclone_made_comes_with_its_times,
    files_that_are_there_already_are_compared_and_not_fetched,
    hostile_keys_are_refused_and_links_are_not_followed,
    one_of_several_libraries_is_pulled_by_its_name,
);
