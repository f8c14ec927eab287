//! What happens to a vault over its life: refused deletes before a prune, objects that are far too large.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;

use crate::forged::in_an_hour;
use crate::support::{Bucket, Job, Ran, TestStore, assert_same_tree, on_both};

/// `prune` with a policy that keeps the newest alone.
fn prune(job: &Job) -> Ran {
    let mut prune = job.command("prune");
    prune.env("TIDELOCK_BACKUP_KEEP_LAST", "1");
    Ran::of(&prune.output().unwrap()).ended(0)
}

async fn status_tells_what_prune_could_free_and_which_paths_have_the_most_history(
    store: TestStore,
) {
    let job = Job::new(store).await;
    job.library.file("quiet.jpg", 7_000);
    for night in 1..=3 {
        job.library.file("album/often é.psd", 1_000 * night);
        job.run(0);
    }
    let mut status = job.command("status");
    status.env("TIDELOCK_BACKUP_KEEP_LAST", "1");
    let before = job.vault.versions().await;
    let ran = Ran::of(&status.output().unwrap()).ended(0);
    assert_eq!(job.vault.versions().await, before, "it only looks");
    let rows = ran.rows();
    let row = rows.iter().find(|row| row["target"] == "prune").unwrap();
    assert_eq!(row["snapshots"], 2, "{row}");
    assert_eq!(row["now"]["versions"], 0, "{row}");
    // Two old contents, and what alone the two snapshots have.
    assert!(row["later"]["versions"].as_u64() >= Some(4), "{row}");
    assert!(row["later"]["bytes"].as_u64() >= Some(3_000), "{row}");
    assert!(row["later_from"].as_str() <= row["later_until"].as_str());
    let most = row["most_history"].as_array().unwrap();
    let expected =
        serde_json::json!([{"path": "album/often é.psd", "versions": 3, "bytes": 6_000}]);
    assert_eq!(serde_json::json!(most), expected);

    // A night knows how many snapshots could go, and asks nothing for it.
    let mut run = job.command("run");
    run.env("TIDELOCK_BACKUP_KEEP_LAST", "1");
    let ran = Ran::of(&run.output().unwrap()).ended(0);
    assert_eq!(ran.count("backup.prunable"), 2);
    prune(&job);
    let ran = Ran::of(&run.output().unwrap()).ended(0);
    assert!(ran.summary()["backup"]["prunable"].is_null());
}
on_both!(status_tells_what_prune_could_free_and_which_paths_have_the_most_history);

async fn f45_four_nights_of_refused_deletes_and_a_prune_to_the_last_one_lose_nothing(
    store: TestStore,
) {
    let job = Job::new(store).await;
    for number in 0..60 {
        job.library.file(format!("notes/{number:02}"), 100 + number);
    }
    job.run(0);
    let whole = job.restore(&[]);
    for night in 0..4 {
        for number in 0..4 {
            job.library
                .remove(format!("notes/{:02}", night * 4 + number));
        }
        if night == 0 {
            // More than ten at once, so that this night and those that follow are refused.
            for number in 16..30 {
                job.library.remove(format!("notes/{number}"));
            }
        }
        let edited = format!("notes/{}", 40 + night);
        let bytes = std::fs::read(job.library.file(&edited, 5_000 + night)).unwrap();
        std::fs::write(whole.path().join(&edited), &bytes).unwrap();
        job.run(4).assert_counts(&[("sync.deleted", 0)]);
    }
    let carried = |job: &Job| {
        let entries = job.ls("latest").into_iter();
        entries.filter(|entry| entry["carried"] == true).count()
    };
    assert_eq!(carried(&job), 30);
    prune(&job);
    // Again: what is dropped is dropped, and nothing else.
    prune(&job);
    assert_eq!(carried(&job), 30);
    let restored = job.restore(&[]);
    for number in 0..60 {
        let path = format!("notes/{number:02}");
        let read = |folder: &std::path::Path| std::fs::read(folder.join(&path)).unwrap();
        assert_eq!(read(whole.path()), read(restored.path()), "{path}");
    }
    // Each file of the library is there with all that belongs to it.
    for number in 0..30 {
        std::fs::remove_file(restored.path().join(format!("notes/{number:02}"))).unwrap();
    }
    assert_same_tree(job.library.path(), restored.path());
    job.tidelock("verify", &["--read-data"]).ended(0);
}
on_both!(f45_four_nights_of_refused_deletes_and_a_prune_to_the_last_one_lose_nothing);

/// As many zeros, in parts, so that no one holds them all.
async fn put_zeros(bucket: &Bucket, key: &str, parts: i32, rest: usize) {
    let (client, name) = (&bucket.client, &bucket.name);
    let part = Bytes::from(vec![0; 32 << 20]);
    let begun = client.create_multipart_upload().bucket(name).key(key);
    let begun = begun.send().await.unwrap();
    let id = begun.upload_id().unwrap();
    let mut all = CompletedMultipartUpload::builder();
    for number in 1..=parts + 1 {
        let length = if number > parts { rest } else { part.len() };
        let body = ByteStream::from(part.slice(..length));
        let put = client.upload_part().bucket(name).key(key).upload_id(id);
        let put = put.part_number(number).body(body).send().await.unwrap();
        let done = CompletedPart::builder().part_number(number);
        all = all.parts(done.set_e_tag(put.e_tag).build());
    }
    let done = client.complete_multipart_upload().bucket(name).key(key);
    let done = done.upload_id(id).multipart_upload(all.build());
    done.send().await.unwrap();
}

async fn f54_a_snapshot_object_over_its_limit_is_refused_unread_and_the_others_restore(
    store: TestStore,
) {
    let job = Job::new(store).await;
    job.library.file("a", 1_000);
    job.run(0);
    let good = job.latest()["id"].as_str().unwrap().to_owned();
    let forged = &in_an_hour();
    put_zeros(&job.vault, &format!("lib/snapshots/{forged}.json"), 8, 1).await;

    let verified = job.tidelock("verify", &[]).ended(5);
    let said = verified.errors();
    assert!(said.contains(&**forged), "{said}");
    assert!(
        said.contains("268435457 bytes are more than any snapshot object has"),
        "{said}"
    );
    let to = tempfile::tempdir().unwrap();
    let restore = ["--to", to.path().to_str().unwrap()];
    let latest = job.tidelock("restore", &restore).ended(5);
    assert!(latest.stderr.contains("it is refused") || latest.errors().contains("it is refused"));
    let restored = job.restore(&["--snapshot", &good]);
    assert_same_tree(job.library.path(), restored.path());
}
on_both!(f54_a_snapshot_object_over_its_limit_is_refused_unread_and_the_others_restore);
