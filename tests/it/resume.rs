//! Runs that are killed or stopped, and what the next one, here or on a fresh machine, still has to do.

use std::process::{Child, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{
    Hop, Library, Lock, TestStore, assert_same_files, assert_same_tree, contents, on_both, on_minio,
};

const MIB: u64 = 1 << 20;

/// Two targets behind one hop, and a library.
struct Scene {
    store: TestStore,
    hop: Hop,
    mirror: String,
    vault: String,
    library: Library,
}

impl Scene {
    async fn new(store: TestStore) -> Self {
        Self {
            hop: Hop::before(&store.endpoint),
            mirror: store.bucket(Lock::Off).await,
            vault: store.bucket(Lock::On).await,
            library: Library::new(),
            store,
        }
    }

    /// The local state is lost, and all else that the machine knew.
    fn move_to_a_fresh_machine(&mut self) {
        self.store = self.store.fresh_machine();
    }

    fn spawn(&self, flags: &[&str]) -> Child {
        let mut command = self.store.clean_command(env!("CARGO_BIN_EXE_tidelock"));
        command
            .args(["run", "--json", "--path-style", "--endpoint"])
            .arg(self.hop.endpoint())
            .arg(self.library.path())
            .args(["--sync-to", &format!("s3://{}/library", self.mirror)])
            .args(["--backup-to", &format!("s3://{}/library", self.vault)])
            .args(flags)
            .stdout(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs to the end; the exit code and the summary.
    fn run(&self, flags: &[&str]) -> (Option<i32>, serde_json::Value) {
        finish(self.spawn(flags))
    }

    fn run_well(&self) -> serde_json::Value {
        let (code, summary) = self.run(&["--max-delete", "10"]);
        assert_eq!(code, Some(0), "{summary}");
        summary
    }

    /// Starts a run and kills it (-9) once so much more was sent.
    fn kill_after(&self, sent: u64) {
        let mut child = self.spawn(&[]);
        assert!(self.hop.wait_for(self.hop.sent() + sent, &mut child));
        kill(child);
    }

    /// Starts a run and kills it when the store has done what a request asked for, before the run hears of it.
    fn kill_at_answer(&self, parts: &[&str]) {
        self.hop.hold(parts);
        let mut child = self.spawn(&[]);
        assert!(
            self.hop.wait_until_held(&mut child),
            "no request with {parts:?}"
        );
        kill(child);
    }

    async fn uploads(&self) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        for bucket in [&self.mirror, &self.vault] {
            let answer = self.store.client().list_multipart_uploads().bucket(bucket);
            for upload in answer.send().await.unwrap().uploads() {
                // MinIO goes on listing an upload whose Complete outlived its client; asked for
                // its parts, it knows better.
                let parts = self.store.client().list_parts().bucket(bucket);
                let parts = parts.key(upload.key().unwrap());
                let parts = parts.upload_id(upload.upload_id().unwrap());
                if parts.send().await.is_err() {
                    continue;
                }
                found.push((
                    bucket.clone(),
                    upload.key().unwrap().to_owned(),
                    upload.upload_id().unwrap().to_owned(),
                ));
            }
        }
        found
    }

    async fn versions_of(&self, path: &str) -> usize {
        let key = format!("library/files/{path}");
        let client = self.store.client();
        let answer = client
            .list_object_versions()
            .bucket(&self.vault)
            .prefix(&key);
        let answer = answer.send().await.unwrap();
        let own = answer
            .versions()
            .iter()
            .filter(|version| version.key() == Some(&*key));
        own.count()
    }

    /// What is stored can be restored from a fresh machine, byte for byte, and nothing is left over.
    async fn is_all_there(&self) {
        let folder = TempDir::new().unwrap();
        let to = folder.path().join("restored");
        let machine = self.store.fresh_machine();
        let mut restore = machine.tidelock("restore");
        restore.args(["--backup-to", &format!("s3://{}/library", self.vault)]);
        restore.arg("--to").arg(&to).assert().success();
        assert_same_tree(self.library.path(), &to);
        assert_same_files(self.library.path(), &to);
        assert_eq!(self.uploads().await, []);
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn finish(child: Child) -> (Option<i32>, serde_json::Value) {
    let output = child.wait_with_output().unwrap();
    let code = ExitStatus::code(&output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap_or("{}");
    (code, serde_json::from_str(last).unwrap())
}

/// 16 parts: enough that parts in flight are not the whole file.
const LARGE: u64 = 128 * MIB;
/// A fifth of a file of 400 MiB, which is what may be sent again of it.
const IN_FLIGHT: u64 = 80 * MIB;

async fn killed_at_two_thirds(store: TestStore, fresh: bool) {
    let mut scene = Scene::new(store).await;
    scene.library.file("2024/film.mov", LARGE as usize);
    scene.kill_after(LARGE * 2 * 2 / 3);
    if fresh {
        scene.move_to_a_fresh_machine();
    }
    scene.run_well();
    let sent = scene.hop.sent();
    eprintln!("sent {} MiB for {} MiB", sent / MIB, LARGE / MIB);
    assert!(sent <= 2 * LARGE + IN_FLIGHT, "{} MiB", sent / MIB);
    assert_eq!(scene.versions_of("2024/film.mov").await, 1);
    scene.is_all_there().await;
}

async fn f21_a_killed_upload_goes_on_part_by_part(store: TestStore) {
    killed_at_two_thirds(store, false).await;
}
async fn f21_a_killed_upload_goes_on_from_a_fresh_machine(store: TestStore) {
    killed_at_two_thirds(store, true).await;
}
on_minio!(
    f21_a_killed_upload_goes_on_part_by_part,
    f21_a_killed_upload_goes_on_from_a_fresh_machine,
);

/// Each way of writing a version, each with the state kept and lost.
async fn f22_a_version_that_nobody_heard_of_is_recognised(store: TestStore) {
    for fresh in [false, true] {
        for (path, size, verb) in [
            ("small.jpg", 9_000, "PUT /"),
            ("large.mov", 20 * MIB, "POST /"),
        ] {
            let mut scene = Scene::new(store.fresh_machine()).await;
            scene.library.file(path, size as usize);
            let key = format!("/{}/library/files/{path}", scene.vault);
            let last = if verb == "PUT /" {
                " HTTP/1.1"
            } else {
                "uploadId="
            };
            scene.kill_at_answer(&[verb, &key, last]);
            if fresh {
                scene.move_to_a_fresh_machine();
            }
            scene.run_well();
            assert_eq!(scene.versions_of(path).await, 1, "{path}, fresh: {fresh}");
            scene.is_all_there().await;
        }
    }
}
on_both!(f22_a_version_that_nobody_heard_of_is_recognised);

async fn f24_an_interrupted_upload_goes_on_part_by_part(store: TestStore) {
    let mut scene = Scene::new(store).await;
    let size = 96 * MIB;
    scene.library.file("film.mov", size as usize);
    let mut child = scene.spawn(&[]);
    assert!(scene.hop.wait_for(size, &mut child));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(finish(child).0, Some(130));
    scene.move_to_a_fresh_machine();
    scene.run_well();
    let sent = scene.hop.sent();
    assert!(sent <= 2 * size + IN_FLIGHT, "{} MiB", sent / MIB);
    scene.is_all_there().await;
}

async fn f24_a_time_budget_ends_with_7_and_a_checkpoint(store: TestStore) {
    let scene = Scene::new(store).await;
    for at in 0..200 {
        scene.library.file(format!("{at:03}.jpg"), 400_000);
    }
    let (code, summary) = scene.run(&["--time-budget", "6s", "--bwlimit", "4M"]);
    assert_eq!(code, Some(7), "{summary}");
    assert!(summary["backup"]["snapshot"].is_string(), "{summary}");
    scene.run_well();
    scene.is_all_there().await;
}
on_minio!(
    f24_an_interrupted_upload_goes_on_part_by_part,
    f24_a_time_budget_ends_with_7_and_a_checkpoint,
);

/// The object's metadata was given when the upload was begun, by a run that the next one knows nothing of.
async fn f34_a_file_that_was_touched_meanwhile_is_mirrored_with_its_new_time(store: TestStore) {
    let mut scene = Scene::new(store).await;
    scene.library.file("film.mov", 48 * MIB as usize);
    scene.kill_after(48 * MIB);
    scene.library.mtime("film.mov", 1_600_000_000, 5);
    scene.move_to_a_fresh_machine();
    let summary = scene.run_well();
    assert_eq!(
        summary["sync"]["requests"]["CreateMultipartUpload"],
        serde_json::Value::Null
    );
    let head = scene.store.client().head_object().bucket(&scene.mirror);
    let head = head.key("library/film.mov").send().await.unwrap();
    let mtime = head.metadata().unwrap().get("mtime").unwrap();
    assert_eq!(mtime, "1600000000.000000005");
    let idle = scene.run_well();
    assert_eq!(idle["sync"]["copied"], 0, "{idle}");
    assert_eq!(idle["library"]["bytes_read"], 0, "{idle}");
    scene.is_all_there().await;
}

/// A lease that another command takes over in between goes on saying that something may be left.
async fn f22_a_version_that_nobody_heard_of_is_recognised_after_a_renew_too(store: TestStore) {
    let mut scene = Scene::new(store).await;
    scene.library.file("kept.jpg", 500);
    scene.run_well();
    scene.library.file("small.jpg", 9_000);
    let key = format!("/{}/library/files/small.jpg", scene.vault);
    scene.kill_at_answer(&["PUT /", &key, " HTTP/1.1"]);
    for verb in ["renew", "prune"] {
        let mut command = scene.store.tidelock(verb);
        let vault = format!("s3://{}/library", scene.vault);
        command.args(["--backup-to", &vault]).assert().success();
    }
    scene.move_to_a_fresh_machine();
    scene.run_well();
    assert_eq!(scene.versions_of("small.jpg").await, 1);
    scene.is_all_there().await;
}

async fn f34_uploads_that_the_store_has_purged_start_over(store: TestStore) {
    let scene = Scene::new(store).await;
    scene.library.file("film.mov", 48 * MIB as usize);
    scene.kill_after(48 * MIB);
    let uploads = scene.uploads().await;
    assert_eq!(uploads.len(), 2);
    for (bucket, key, upload_id) in uploads {
        let abort = scene.store.client().abort_multipart_upload();
        let abort = abort.bucket(bucket).key(key).upload_id(upload_id);
        abort.send().await.unwrap();
    }
    scene.run_well();
    assert_eq!(scene.versions_of("film.mov").await, 1);
    scene.is_all_there().await;
}

async fn uploads_of_files_that_are_gone_are_dropped(store: TestStore) {
    for fresh in [false, true] {
        for edit in ["deleted", "shortened"] {
            let mut scene = Scene::new(store.fresh_machine()).await;
            scene.library.file("kept.jpg", 1000);
            scene.library.file("film.mov", 48 * MIB as usize);
            scene.kill_after(48 * MIB);
            assert_eq!(scene.uploads().await.len(), 2);
            match edit {
                "deleted" => scene.library.remove("film.mov"),
                _ => drop(scene.library.write("film.mov", b"short")),
            }
            if fresh {
                scene.move_to_a_fresh_machine();
            }
            scene.run_well();
            scene.is_all_there().await;
        }
    }
}
on_minio!(
    f22_a_version_that_nobody_heard_of_is_recognised_after_a_renew_too,
    f34_a_file_that_was_touched_meanwhile_is_mirrored_with_its_new_time,
    f34_uploads_that_the_store_has_purged_start_over,
    uploads_of_files_that_are_gone_are_dropped,
);

async fn f60_a_rescue_is_in_a_committed_snapshot_before_anything_is_overwritten(store: TestStore) {
    let mut scene = Scene::new(store).await;
    let foreign = contents("foreign", 5000);
    let put = scene.store.client().put_object().bucket(&scene.mirror);
    put.key("library/a.txt")
        .body(foreign.clone().into())
        .send()
        .await
        .unwrap();
    scene.library.write("a.txt", b"ours");
    let key = format!("PUT /{}/library/a.txt", scene.mirror);
    scene.kill_at_answer(&[&key, " HTTP/1.1"]);
    scene.move_to_a_fresh_machine();
    scene.run_well();
    let blake3 = blake3::hash(&foreign).to_hex();
    let named = rescued_by_latest(&scene).await;
    assert!(named.contains(blake3.as_str()), "{named}");
    scene.is_all_there().await;
}
on_both!(f60_a_rescue_is_in_a_committed_snapshot_before_anything_is_overwritten);

/// The lines of the chunks that the latest snapshot names as rescued.
async fn rescued_by_latest(scene: &Scene) -> String {
    let client = scene.store.client();
    let listed = client
        .list_objects_v2()
        .bucket(&scene.vault)
        .prefix("library/snapshots/");
    let listed = listed.send().await.unwrap();
    let key = listed.contents().last().unwrap().key().unwrap();
    let get = async |key: &str| {
        let got = client.get_object().bucket(&scene.vault).key(key).send();
        got.await
            .unwrap()
            .body
            .collect()
            .await
            .unwrap()
            .into_bytes()
    };
    let snapshot: serde_json::Value = serde_json::from_slice(&get(key).await).unwrap();
    let mut lines = String::new();
    for chunk in snapshot["rescued"].as_array().unwrap() {
        let body = get(chunk["key"].as_str().unwrap()).await;
        lines += &String::from_utf8(zstd::decode_all(&body[..]).unwrap()).unwrap();
    }
    lines
}

/// A first backup that is cut each time that so much more was sent, on a fresh machine each time, as by a CI runner's limit.
struct Sessions {
    photos: u64,
    films: u64,
    film: u64,
    cut_after: u64,
}

impl Sessions {
    async fn converge(self, store: TestStore) {
        const PHOTO: u64 = 600_000;
        let mut scene = Scene::new(store).await;
        for at in 0..self.photos {
            scene
                .library
                .file(format!("2024/{at:03}.jpg"), PHOTO as usize);
        }
        for at in 0..self.films {
            scene
                .library
                .file(format!("films/{at}.mov"), self.film as usize);
        }
        let size = self.photos * PHOTO + self.films * self.film;
        let (mut read, mut cuts) = (0, 0);
        loop {
            let mut child = scene.spawn(&[]);
            if scene
                .hop
                .wait_for(scene.hop.sent() + self.cut_after, &mut child)
            {
                kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
            }
            let (code, summary) = finish(child);
            read += summary["library"]["bytes_read"].as_u64().unwrap_or(0);
            if code != Some(130) {
                assert_eq!(code, Some(0), "{summary}");
                break;
            }
            cuts += 1;
            assert!(cuts < 40, "does not converge");
            scene.move_to_a_fresh_machine();
        }
        let sent = scene.hop.sent() as f64 / size as f64;
        let read = read as f64 / size as f64;
        eprintln!("{cuts} cuts: sent {sent:.2}, read {read:.2} times {size}");
        assert!(cuts >= 4, "{cuts}");
        assert!(sent <= 2.5, "{sent}");
        assert!(read <= 1.2, "{read}");
        scene.is_all_there().await;
    }
}

async fn f64_a_first_backup_in_many_sessions_sends_and_reads_little_twice(store: TestStore) {
    let sessions = Sessions {
        photos: 120,
        films: 4,
        film: 24 * MIB,
        cut_after: 42 * MIB,
    };
    sessions.converge(store).await;
}

/// Each of the films takes several sessions.
async fn f64_films_that_no_session_finishes_are_not_read_again_in_each(store: TestStore) {
    let sessions = Sessions {
        photos: 20,
        films: 2,
        film: 160 * MIB,
        cut_after: 60 * MIB,
    };
    sessions.converge(store).await;
}

async fn f64_films_of_five_parts_are_read_little_twice(store: TestStore) {
    let sessions = Sessions {
        photos: 60,
        films: 5,
        film: 40 * MIB,
        cut_after: 50 * MIB,
    };
    sessions.converge(store).await;
}
on_minio!(
    f64_a_first_backup_in_many_sessions_sends_and_reads_little_twice,
    f64_films_that_no_session_finishes_are_not_read_again_in_each,
    f64_films_of_five_parts_are_read_little_twice,
);
