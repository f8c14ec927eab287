//! Prefixes that hold something already: other tools' mirrors, and what strangers left.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use super::album::{self, MIB};
use crate::support::{
    Bucket, Job, TestStore, assert_rclone_agrees, assert_same_tree, borrowed, contents, on_both,
    run_rclone,
};

async fn f62_a_mirror_that_rclone_made_is_adopted_and_nothing_is_sent_again(store: TestStore) {
    let job = Job::new(store).await;
    album::odd_things(&job.library);
    job.library.file("film", 17 * MIB + 5);
    // Five-megabyte parts, as many as rclone makes of a film over its cutoff.
    let in_parts = ["--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M"];
    run_rclone(
        &job.store,
        "sync",
        job.library.path(),
        &job.mirror,
        &in_parts,
    );
    let objects = job.mirror.objects().await;
    assert!(objects["lib/film"].contains("-4"), "{objects:?}");

    let first = job.run(0);
    first.assert_counts(&[
        ("sync.uploaded", 0),
        ("sync.copied", 0),
        ("sync.deleted", 0),
    ]);
    assert!(first.count("library.bytes_read") <= first.count("library.bytes"));
    assert_eq!(job.mirror.objects().await, objects);
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
    job.run(0).assert_idle();
    let restored = job.restore(&[]);
    assert_same_tree(job.library.path(), restored.path());
}

async fn f62_objects_in_parts_of_8_mib_are_adopted_by_their_etag(store: TestStore) {
    let job = Job::new(store).await;
    let film = contents("film", 17 * MIB + 5);
    job.library.write("film", &film);
    put_in_parts(&job.mirror, "lib/film", &film, 8 * MIB).await;
    let objects = job.mirror.objects().await;
    job.run(0)
        .assert_counts(&[("sync.uploaded", 0), ("sync.copied", 0)]);
    assert_eq!(job.mirror.objects().await, objects);
    job.run(0).assert_idle();
}

async fn f62_equal_length_is_not_taken_for_equal_content(store: TestStore) {
    let job = Job::new(store).await;
    let film = contents("film", 9 * MIB);
    job.library.write("film", &film);
    job.library.write("note", b"mine");
    let theirs = contents("another film", 9 * MIB);
    put_in_parts(&job.mirror, "lib/film", &theirs, 8 * MIB).await;
    job.mirror.put("lib/note", b"hers").await;
    let ran = job.run(0);
    ran.assert_counts(&[("sync.uploaded", 2), ("sync.deleted", 0)]);
    assert!(job.mirror.get("lib/film", None).await == film);
    // What was overwritten is kept, under the paths where it was, as locked versions.
    let rescued = rescued(&job, &ran.snapshot()).await;
    assert_eq!(rescued.len(), 2, "{rescued:?}");
    assert!(rescued["film"] == theirs);
    assert_eq!(rescued["note"], b"hers");
}

async fn f62_a_strangers_objects_stay_until_the_printed_override_and_are_rescued_first(
    store: TestStore,
) {
    let job = Job::new(store).await;
    job.library.file("a", 100);
    let strangers = [
        ("lib/config", b"a restic repository".to_vec()),
        ("lib/data/00/0011", contents("pack", 9 * MIB)),
        ("lib/empty", Vec::new()),
        // What consoles make of a folder: no file can have such a path, so it is kept as another.
        ("lib/folder/", Vec::new()),
    ];
    for (key, bytes) in &strangers {
        job.mirror.put(key, bytes).await;
    }
    job.mirror
        .put("library-too/not below the prefix", b"x")
        .await;
    for _ in 0..2 {
        let refused = job.run(4);
        refused.assert_counts(&[("sync.deleted", 0)]);
        assert_eq!(refused.paths("refuse", "sync").len(), 4);
        assert_eq!(refused.printed_override(), ["--max-delete", "4"]);
    }
    assert_eq!(job.mirror.keys().await.len(), 6);
    // The backup is made all the same, and whole: nothing of the library is missing in it.
    assert_eq!(job.latest()["complete"], true);

    let over = job.run(4).printed_override();
    let ran = job.tidelock("run", &borrowed(&over)).ended(0);
    ran.assert_counts(&[("sync.deleted", 4)]);
    let left = ["lib/a", "library-too/not below the prefix"];
    assert_eq!(job.mirror.keys().await, left);
    let kept = rescued(&job, &ran.snapshot()).await;
    for (key, bytes) in strangers {
        let path = key.trim_start_matches("lib/");
        let path = path.replace("folder/", "folder/_");
        assert!(kept[&path] == bytes, "{key}");
    }
    assert_rclone_agrees(&job.store, job.library.path(), &job.mirror);
    // It was for once: strangers that come later are not deleted by a habit.
    job.run(0).assert_idle();
}

on_both!(
    f62_a_mirror_that_rclone_made_is_adopted_and_nothing_is_sent_again,
    f62_objects_in_parts_of_8_mib_are_adopted_by_their_etag,
    f62_equal_length_is_not_taken_for_equal_content,
    f62_a_strangers_objects_stay_until_the_printed_override_and_are_rescued_first,
);

/// What a snapshot names as rescued, by path: the bytes of exactly those locked versions.
async fn rescued(job: &Job, snapshot: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
    let read = super::format::Snapshot::read(&job.vault, "lib/", snapshot).await;
    let mut found = std::collections::BTreeMap::new();
    for entry in read.rescued {
        let path = entry["path"].as_str().unwrap().to_owned();
        let (key, version) = (
            entry["key"].as_str().unwrap(),
            entry["version_id"].as_str().unwrap(),
        );
        let all = job.vault.versions_below(key).await;
        let version = all.iter().find(|v| v.version_id == version).unwrap();
        assert!(
            job.vault.lock_of(version).await.is_some(),
            "{path} is locked"
        );
        let bytes = job.vault.get(key, Some(&version.version_id)).await;
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), entry["blake3"]);
        found.insert(path, bytes);
    }
    found
}

/// As the aws command line sends a large file.
async fn put_in_parts(bucket: &Bucket, key: &str, bytes: &[u8], part: usize) {
    let (client, name) = (&bucket.client, &bucket.name);
    let begun = client.create_multipart_upload().bucket(name).key(key);
    let upload = begun.send().await.unwrap().upload_id().unwrap().to_owned();
    let mut parts = Vec::new();
    for (number, bytes) in (1..).zip(bytes.chunks(part)) {
        let sent = client
            .upload_part()
            .bucket(name)
            .key(key)
            .upload_id(&upload);
        let sent = sent
            .part_number(number)
            .body(ByteStream::from(bytes.to_vec()));
        let etag = sent.send().await.unwrap().e_tag().unwrap().to_owned();
        parts.push(
            CompletedPart::builder()
                .part_number(number)
                .e_tag(etag)
                .build(),
        );
    }
    let parts = CompletedMultipartUpload::builder()
        .set_parts(Some(parts))
        .build();
    let done = client.complete_multipart_upload().bucket(name).key(key);
    done.upload_id(upload)
        .multipart_upload(parts)
        .send()
        .await
        .unwrap();
}
