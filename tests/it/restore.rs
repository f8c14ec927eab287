//! Restore, `ls` and `snapshots` by the built binary, from real stores.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use tidelock::model::key::KeyBase;
use tidelock::model::{
    Connection, Content, Entry, Keys, Kind, Mode, RelPath, Secret, Stored, Target, time,
};
use tidelock::snapshot::{Claims, CommitRequest, Lock as FullLock, Named, Vault, commit};
use tidelock::store::{Attributes, Condition, ConnectOptions, Put, S3Store};

use crate::support::{Lock, TestStore, contents, on_both};

const LOCK: FullLock = FullLock {
    mode: Mode::Governance,
    period: Duration::from_secs(2 * 86_400),
};

/// Names that trip something somewhere; NFC and NFD twins among them.
const NAMES: [&str; 9] = [
    "2024/a b.jpg",
    "2024/100%+#?.jpg",
    "2024/-rf",
    "2024/ends with a space ",
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{1f642}/x",
    "..a\\b",
    "z",
];

struct Written {
    vault: Vault,
    target: String,
    named: Vec<Named>,
}

async fn vault(store: &TestStore) -> Written {
    let bucket = store.bucket(Lock::On).await;
    vault_in(store, &format!("s3://{bucket}/library")).await
}

async fn vault_in(store: &TestStore, target: &str) -> Written {
    let target = target.to_owned();
    let parsed = Target::parse(&target).unwrap();
    let connection = Connection {
        endpoint: Some(store.endpoint.clone()),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        keys: Some(Keys {
            access_key_id: store.access_key.clone(),
            secret_access_key: Secret(store.secret_key.clone()),
            session_token: None,
        }),
        ..Connection::default()
    };
    let s3 = S3Store::connect(&parsed, &connection, ConnectOptions::default());
    let vault = Vault::new(Arc::new(s3.await.unwrap()), parsed);
    let named = Vec::new();
    Written {
        vault,
        target,
        named,
    }
}

impl Written {
    async fn file(&mut self, path: &str, body: Vec<u8>) {
        let path = RelPath::from(path);
        let content = Content::of(&body);
        let lock = LOCK.full(self.vault.store().now().await.unwrap()).unwrap();
        let key = KeyBase::new(self.vault.target().key("files/")).key_of(&path);
        let put = Put {
            key: key.key.clone(),
            body: Bytes::from(body),
            crc64nvme: content.crc64nvme,
            attributes: Attributes {
                retention: Some(lock),
                ..Attributes::default()
            },
            condition: Condition::Always,
        };
        let written = self.vault.store().put(put).await.unwrap();
        let mut entry = Entry::new(path, Kind::File);
        entry.mtime = Some(time::from_unix(1_700_000_000, 123_456_789));
        entry.mode = Some(0o640);
        entry.content = Some(content);
        entry.stored = Some(Stored {
            key: key.key,
            version_id: written.version_id.unwrap(),
            etag: written.etag,
        });
        let locked_until = Some(lock.until);
        self.named.push(Named {
            entry,
            locked_until,
        });
    }

    async fn commit(&mut self) {
        let parent = self.vault.latest().await.unwrap();
        let claims = Claims::new(LOCK.period);
        let request = CommitRequest {
            parent: parent.as_ref(),
            claims: &claims,
            time: self.vault.store().now().await.unwrap(),
            complete: true,
            suspect: None,
            library: "Pictures".to_owned(),
            host: "nas".to_owned(),
            sync_target: None,
            lock: LOCK,
            sse: None,
            config: serde_json::Value::Null,
            rescued: Vec::new(),
            parallel: 4,
        };
        self.named.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        let entries = stream::iter(self.named.clone().into_iter().map(Ok));
        commit(&self.vault, request, entries).await.unwrap();
    }
}

async fn a_snapshot_comes_back_on_another_machine(store: TestStore) {
    let mut written = vault(&store).await;
    for name in NAMES {
        written.file(name, contents(name, 1_000)).await;
    }
    written.file("empty", Vec::new()).await;
    let video = contents("video", (20 << 20) + 1);
    written.file("video.mp4", video.clone()).await;
    written.commit().await;
    // What comes later under the same keys, and what hides them, changes nothing.
    written.file("z", b"garbage".to_vec()).await;
    let hidden = written.named[0].entry.stored.as_ref().unwrap().key.clone();
    written.vault.store().delete(&hidden, None).await.unwrap();

    let machine = store.fresh_machine();
    let to = machine.home().join("restored");
    let mut restore = machine.tidelock("restore");
    restore.args(["--backup-to", &written.target, "--json", "--to"]);
    restore.arg(&to);
    let output = restore.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["restore"]["files"], 11, "{last}");
    for name in NAMES {
        assert_eq!(fs::read(to.join(name)).unwrap(), contents(name, 1_000));
    }
    assert!(fs::read(to.join("video.mp4")).unwrap() == video);
    let meta = fs::metadata(to.join("empty")).unwrap();
    assert_eq!((meta.len(), meta.mode() & 0o7777), (0, 0o640));
    let mtime = (meta.mtime(), meta.mtime_nsec());
    assert_eq!(mtime, (1_700_000_000, 123_456_789));

    let again = restore.output().unwrap();
    let stdout = String::from_utf8(again.stdout).unwrap();
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["restore"]["unchanged"], 11, "{last}");
    assert_eq!(last["restore"]["bytes_downloaded"], 0, "{last}");
    // Looking and skipping need no content.
    let requests = &last["backup"]["requests"];
    assert!(requests["GetObject"].as_u64().unwrap() <= 6, "{requests}");
}

async fn snapshots_and_their_entries_are_listed_without_a_download(store: TestStore) {
    let mut written = vault(&store).await;
    written.file("2024/a b.jpg", b"bytes".to_vec()).await;
    written.file("z", b"z".to_vec()).await;
    written.commit().await;
    written.commit().await;
    let rows = |verb: &str, more: &[&str]| {
        let mut command = store.tidelock(verb);
        command.args(["--backup-to", &written.target, "--json"]);
        let output = command.args(more).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<serde_json::Value> = stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|row: &serde_json::Value| row["event"].is_null())
            .collect();
        (output.status.code(), rows)
    };
    let (code, snapshots) = rows("snapshots", &[]);
    assert_eq!((code, snapshots.len()), (Some(0), 2));
    assert_eq!(snapshots[0]["files"], 2);
    assert_eq!(snapshots[1]["parent"], snapshots[0]["id"]);
    let (code, entries) = rows("ls", &["2024/"]);
    assert_eq!((code, entries.len()), (Some(0), 1));
    assert_eq!(entries[0]["path"], "2024/a b.jpg");
    assert_eq!(entries[0]["size"], 5);
    assert!(entries[0]["version_id"].is_string());
    let (code, entries) = rows("ls", &["nothing"]);
    assert_eq!((code, entries.len()), (Some(3), 0));
    let id = snapshots[0]["id"].as_str().unwrap();
    assert_eq!(rows("ls", &["--snapshot", id]).1.len(), 2);
    assert_eq!(rows("ls", &["--at", "2001-01-01"]).0, Some(2));
}

async fn a_bucket_alone_is_enough_to_find_the_libraries_in_it(store: TestStore) {
    let bucket = store.bucket(Lock::On).await;
    for prefix in ["photos", "nas/my documents"] {
        let mut written = vault_in(&store, &format!("s3://{bucket}/{prefix}")).await;
        written.file("snapshots/x", b"not a library".to_vec()).await;
        written.commit().await;
        // Hidden by an attacker.
        let at = &written.vault.list().await.unwrap()[0];
        written.vault.store().delete(&at.key, None).await.unwrap();
    }
    let to = store.home().join("restored");
    let say = |verb: &str, target: &str, more: &[&str]| {
        let machine = store.fresh_machine();
        let mut command = machine.tidelock(verb);
        command.args(["--json", "--backup-to", target]).args(more);
        let output = command.output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), stdout)
    };
    let to = ["--to", to.to_str().unwrap()];
    let whole = format!("s3://{bucket}");
    for (verb, more) in [("restore", &to[..]), ("snapshots", &[]), ("ls", &[])] {
        let (code, said) = say(verb, &whole, more);
        assert_eq!(code, Some(2), "{said}");
        let quoted = format!("'{whole}/nas/my documents'");
        for target in [quoted, format!("{whole}/photos")] {
            let flag = format!("--backup-to {target}");
            assert!(said.contains(&flag), "{said}");
        }
    }
    let (code, said) = say("snapshots", &format!("{whole}/nas"), &[]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("my documents") && !said.contains("photos"),
        "{said}"
    );
    assert_eq!(say("restore", &format!("{whole}/photos"), &to).0, Some(0));
    let (code, said) = say("restore", &format!("{whole}/nothing"), &to);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("is it the right bucket and prefix (--backup-to)?"),
        "{said}"
    );
}

on_both!(
    a_bucket_alone_is_enough_to_find_the_libraries_in_it,
    a_snapshot_comes_back_on_another_machine,
    snapshots_and_their_entries_are_listed_without_a_download,
);
