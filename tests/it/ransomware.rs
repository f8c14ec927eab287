//! Nights that look like ransomware: the backup goes on, the mirror is not touched.

use std::collections::BTreeMap;

use serde_json::Value;
use tempfile::tempdir;

use crate::support::{Library, Lock, TestStore, assert_same_files, contents, on_both};

/// A library on both targets after one good night.
struct Night {
    store: TestStore,
    library: Library,
    mirror: String,
    vault: String,
}

impl Night {
    async fn after(store: TestStore, library: Library) -> Self {
        let (mirror, vault) = (store.bucket(Lock::Off).await, store.bucket(Lock::On).await);
        let night = Self {
            // Where the mirror has to wait, there is nothing to be copied from it.
            store: store.via("auto"),
            library,
            mirror,
            vault,
        };
        let (exit, _) = night.run("run", &[]);
        assert_eq!(exit, 0);
        night
    }

    fn run(&self, verb: &str, more: &[&str]) -> (i32, Value) {
        let output = self
            .store
            .tidelock(verb)
            .arg(self.library.path())
            .args(["--sync-to", &format!("s3://{}/library", self.mirror)])
            .args(["--backup-to", &format!("s3://{}/library", self.vault)])
            .args(["--json", "--retention", "1d", "--transfers", "4"])
            .args(more)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let summary = text.lines().last().unwrap_or_default();
        let summary = serde_json::from_str(summary).unwrap_or_else(|error| {
            panic!(
                "{error}: {text} {}",
                String::from_utf8_lossy(&output.stderr)
            )
        });
        (output.status.code().unwrap(), summary)
    }

    /// Key and ETag of each object of the mirror.
    async fn objects(&self) -> BTreeMap<String, String> {
        let listed = self.store.client().list_objects_v2();
        let listed = listed.bucket(&self.mirror).send().await.unwrap();
        let objects = listed.contents().iter();
        objects
            .map(|o| {
                let (key, etag) = (o.key().unwrap(), o.e_tag().unwrap());
                (key.to_owned(), etag.to_owned())
            })
            .collect()
    }

    fn restored(&self) -> tempfile::TempDir {
        let folder = tempdir().unwrap();
        let to = format!("s3://{}/library", self.vault);
        self.store
            .fresh_machine()
            .tidelock("restore")
            .args(["--backup-to", &to, "--to"])
            .arg(folder.path())
            .assert()
            .success();
        folder
    }
}

fn message(summary: &Value) -> String {
    summary["errors"].to_string()
}

fn name(index: usize) -> String {
    format!("2024/{index:03}.jpg")
}

fn rewrite(library: &Library, count: usize, seed: &str) {
    for index in 0..count {
        library.write(name(index), &contents(format!("{seed}{index}"), 300));
    }
}

/// As a camera makes them.
fn photo(seed: &str) -> Vec<u8> {
    [&b"\xff\xd8\xff\xe0\0\x10JFIF\0"[..], &contents(seed, 2_000)].concat()
}

async fn f55_a_library_rewritten_at_once_is_backed_up_and_the_mirror_stays(store: TestStore) {
    let library = Library::new();
    rewrite(&library, 101, "good");
    let good = Library::new();
    rewrite(&good, 101, "good");
    let night = Night::after(store, library).await;
    let before = night.objects().await;
    for path in 0..101 {
        let time = rustix::fs::stat(night.library.at(name(path)))
            .unwrap()
            .st_mtime;
        good.mtime(name(path), time, 0);
    }

    rewrite(&night.library, 101, "bad");
    let (exit, summary) = night.run("run", &[]);
    assert_eq!(exit, 4, "{summary}");
    assert_eq!(summary["backup"]["uploaded"], 101);
    assert_eq!(summary["sync"]["uploaded"], 0);
    assert!(message(&summary).contains("--max-change 101"), "{summary}");
    assert_eq!(night.objects().await, before);
    let restored = night.restored();
    assert_eq!(
        std::fs::read(restored.path().join(name(7))).unwrap(),
        contents("good7", 300)
    );

    // The nights after are no less careful, whatever they remember.
    let (exit, _) = night.run("run", &[]);
    assert_eq!(exit, 4);
    let (exit, _) = night.run("sync", &[]);
    assert_eq!(exit, 4);
    let state = tempdir().unwrap();
    let (exit, _) = night.run("run", &["--state-dir", state.path().to_str().unwrap()]);
    assert_eq!(exit, 4);
    assert_eq!(night.objects().await, before);

    // Meant after all.
    let (exit, summary) = night.run("run", &["--max-change", "101"]);
    assert_eq!(exit, 0, "{summary}");
    assert!(before.iter().all(|_| true) && night.objects().await != before);
    let restored = night.restored();
    assert_same_files(night.library.path(), restored.path());
    let (exit, _) = night.run("run", &[]);
    assert_eq!(exit, 0);
}
on_both!(f55_a_library_rewritten_at_once_is_backed_up_and_the_mirror_stays);

async fn f55_files_brought_back_after_an_attack_are_a_good_night_again(store: TestStore) {
    let library = Library::new();
    rewrite(&library, 101, "good");
    let night = Night::after(store, library).await;
    let before = night.objects().await;
    rewrite(&night.library, 101, "bad");
    assert_eq!(night.run("run", &[]).0, 4);
    rewrite(&night.library, 101, "good");
    let (exit, summary) = night.run("run", &[]);
    assert_eq!(exit, 0, "{summary}");
    assert_eq!(night.objects().await.len(), before.len());
    let restored = night.restored();
    assert_same_files(night.library.path(), restored.path());
}
on_both!(f55_files_brought_back_after_an_attack_are_a_good_night_again);

async fn f55_touched_files_do_not_count_and_the_mirror_follows_in_a_second_pass(store: TestStore) {
    let library = Library::new();
    rewrite(&library, 120, "good");
    let night = Night::after(store, library).await;
    for index in 0..120 {
        night.library.mtime(name(index), 1_600_000_000, 0);
    }
    rewrite(&night.library, 3, "edited");
    let (exit, summary) = night.run("run", &[]);
    assert_eq!(exit, 0, "{summary}");
    assert_eq!(summary["backup"]["uploaded"], 3);
    assert_eq!(summary["backup"]["unchanged"], 117);
    assert_eq!(summary["sync"]["uploaded"], 3);
    let head = night.store.client().head_object().bucket(&night.mirror);
    let head = head
        .key(format!("library/{}", name(99)))
        .send()
        .await
        .unwrap();
    let mtime = &head.metadata().unwrap()["mtime"];
    assert!(mtime.starts_with("1600000000"), "{mtime}");
    let (exit, summary) = night.run("run", &[]);
    assert_eq!((exit, &summary["library"]["hashed"]), (0, &0.into()));
}
on_both!(f55_touched_files_do_not_count_and_the_mirror_follows_in_a_second_pass);

async fn f55_photos_that_are_none_any_more_stop_the_mirror_however_few(store: TestStore) {
    let library = Library::new();
    for index in 0..12 {
        library.write(name(index), &photo(&name(index)));
        library.file(format!("other/{index}.bin"), 500);
    }
    let night = Night::after(store, library).await;
    let before = night.objects().await;
    rewrite(&night.library, 12, "bad");
    let (exit, summary) = night.run("run", &[]);
    assert_eq!(exit, 4, "{summary}");
    assert!(
        message(&summary).contains("of 12 changed files looked at, 12"),
        "{summary}"
    );
    assert_eq!(night.run("run", &[]).0, 4);
    assert_eq!(night.objects().await, before);
    // Edited photos are photos.
    for index in 0..12 {
        night
            .library
            .write(name(index), &photo(&format!("edited {index}")));
    }
    let (exit, summary) = night.run("run", &[]);
    assert_eq!(exit, 0, "{summary}");
}
on_both!(f55_photos_that_are_none_any_more_stop_the_mirror_however_few);

async fn f55_files_that_never_were_what_their_names_say_raise_no_alarm(store: TestStore) {
    let library = Library::new();
    rewrite(&library, 30, "one");
    let night = Night::after(store, library).await;
    rewrite(&night.library, 30, "two");
    let (exit, summary) = night.run("run", &[]);
    assert_eq!(exit, 0, "{summary}");
}
on_both!(f55_files_that_never_were_what_their_names_say_raise_no_alarm);

async fn f55_sync_alone_refuses_too_and_writes_nothing(store: TestStore) {
    let library = Library::new();
    rewrite(&library, 101, "good");
    let night = Night::after(store, library).await;
    let before = night.objects().await;
    rewrite(&night.library, 101, "bad");
    for _ in 0..2 {
        let (exit, summary) = night.run("sync", &[]);
        assert_eq!(exit, 4, "{summary}");
        assert_eq!(night.objects().await, before);
    }
}
on_both!(f55_sync_alone_refuses_too_and_writes_nothing);
