//! Snapshots on real stores: committed, locked, read back, and restored by hand as the layout's description says.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, TryStreamExt};
use tidelock::model::{
    Connection, Content, Entry, Keys, Kind, Mode, RelPath, Retention, Secret, Stored, Target, Time,
};
use tidelock::snapshot::{
    Claims, CommitRequest, Lock as FullLock, Named, Renewed, Select, Vault, commit, layout,
    read_ledger, write_ledger,
};
use tidelock::store::{Attributes, Condition, ConnectOptions, Put, S3Store, listing};

use crate::support::{Lock, TestStore, on_both, path_with_public_tools};

const LOCK: FullLock = FullLock {
    mode: Mode::Governance,
    period: Duration::from_secs(2 * 86_400),
};

async fn vault(store: &TestStore) -> Vault {
    let bucket = store.bucket(Lock::On).await;
    let target = Target::parse(&format!("s3://{bucket}/my library")).unwrap();
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
    let options = ConnectOptions::default();
    let store = S3Store::connect(&target, &connection, options)
        .await
        .unwrap();
    Vault::new(Arc::new(store), target)
}

/// Stores a file as the engine would, under a full lock.
async fn stored(vault: &Vault, path: &str, body: &'static str, lock: Retention) -> Named {
    let content = Content::of(body.as_bytes());
    let key = vault.target().key(&format!("{}{path}", layout::FILES));
    let put = Put {
        key: key.clone(),
        body: Bytes::from_static(body.as_bytes()),
        crc64nvme: content.crc64nvme,
        attributes: Attributes {
            retention: Some(lock),
            ..Attributes::default()
        },
        condition: Condition::Always,
    };
    let written = vault.store().put(put).await.unwrap();
    let mut entry = Entry::new(RelPath::from(path), Kind::File);
    entry.mtime = Some("2026-01-02T03:04:05.678901234Z".parse().unwrap());
    entry.mode = Some(0o644);
    entry.content = Some(content);
    entry.stored = Some(Stored {
        key,
        version_id: written.version_id.unwrap(),
        etag: written.etag,
    });
    Named {
        entry,
        locked_until: Some(lock.until),
    }
}

/// One stored file and thousands of other paths, so that there are several chunks.
async fn library(vault: &Vault, lock: Retention) -> Vec<Named> {
    let mut all = BTreeMap::new();
    for (path, body) in [("2024/a b.jpg", "the bytes"), ("é/#1.txt", "")] {
        all.insert(path.to_owned(), stored(vault, path, body, lock).await);
    }
    for n in 0..3_000 {
        let path = format!("folders/{n}");
        let entry = Entry::new(RelPath::from(path.as_str()), Kind::Dir);
        let named = Named {
            entry,
            locked_until: None,
        };
        all.insert(path, named);
    }
    all.into_values().collect()
}

fn request<'a>(now: Time, claims: &'a Claims) -> CommitRequest<'a> {
    CommitRequest {
        parent: None,
        claims,
        time: now,
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
    }
}

async fn a_snapshot_is_committed_under_lock_and_read_back(store: TestStore) {
    let vault = vault(&store).await;
    let now = vault.store().now().await.unwrap();
    let lock = LOCK.full(now).unwrap();
    let claims = Claims::new(LOCK.period);
    let named = library(&vault, lock).await;
    let entries = || stream::iter(named.clone().into_iter().map(Ok));

    let first = commit(&vault, request(now, &claims), entries())
        .await
        .unwrap();
    assert!(first.snapshot.manifest.len() > 1);
    assert_eq!(first.snapshot.protected_until, lock.until);
    // Without memory: every chunk is found by its name, none written twice.
    let mut again = request(now, &claims);
    again.parent = Some(&first);
    let second = commit(&vault, again, entries()).await.unwrap();
    assert_eq!(second.snapshot.manifest, first.snapshot.manifest);

    let mut stored = listing::list_all_versions(&**vault.store(), "")
        .await
        .unwrap();
    let all = stored.len();
    stored.retain(|version| !version.key.contains("/pins/"));
    assert_eq!(all - stored.len(), 2, "a pin of each, without a lock");
    assert_eq!(stored.len(), 2 + first.snapshot.manifest.len() + 2);
    for version in stored {
        let held = vault
            .store()
            .retention(&version.key, &version.version_id)
            .await
            .unwrap();
        assert!(
            held.is_some_and(|held| held.until >= lock.until),
            "{}",
            version.key
        );
    }

    let found = vault.find(&Select::Latest).await.unwrap();
    assert_eq!(found.loaded.snapshot, second.snapshot);
    assert_eq!(found.loaded.blake3, second.blake3);
    let chunks: Vec<_> = vault
        .entries(found.loaded.snapshot.manifest.clone(), 4)
        .try_collect()
        .await
        .unwrap();
    let read: Vec<_> = chunks.into_iter().flat_map(|chunk| chunk.entries).collect();
    assert!(read.iter().eq(named.iter().map(|named| &named.entry)));

    let renewed = first.snapshot.manifest.iter().map(|chunk| Renewed {
        chunk: chunk.blake3,
        version_id: chunk.version_id.clone(),
        first: chunk.first.clone(),
        locked_until: lock.until,
    });
    let written = write_ledger(&vault, now, LOCK, None, renewed.collect())
        .await
        .unwrap();
    let ledger = read_ledger(&vault, now, LOCK.period).await.unwrap();
    assert_eq!(
        (&ledger[0].id, &ledger[0].lines),
        (&written.id, &written.lines)
    );
}
on_both!(a_snapshot_is_committed_under_lock_and_read_back);

async fn the_documented_recipe_restores_a_file_by_hand(store: TestStore) {
    let vault = vault(&store).await;
    let now = vault.store().now().await.unwrap();
    let claims = Claims::new(LOCK.period);
    let named = library(&vault, LOCK.full(now).unwrap()).await;
    let entries = stream::iter(named.into_iter().map(Ok));
    let committed = commit(&vault, request(now, &claims), entries)
        .await
        .unwrap();
    // Whoever can write hides everything and writes over it; nothing comes of it.
    for key in [&committed.at.key, "my library/files/2024/a b.jpg"] {
        vault.store().delete(key, None).await.unwrap();
        let body = Bytes::from_static(b"{}");
        let garbage = Put {
            key: key.to_owned(),
            crc64nvme: tidelock::model::Crc64::of(&body),
            body,
            attributes: Attributes::default(),
            condition: Condition::Always,
        };
        vault.store().put(garbage).await.unwrap();
    }

    let docs = include_str!("../../docs/restore.md");
    let (_, by_hand) = docs.split_once("\n## By hand\n").unwrap();
    let (_, recipe) = by_hand.split_once("```sh\n").unwrap();
    let (recipe, _) = recipe.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        .args(["-c", recipe])
        .env("PATH", path_with_public_tools())
        .current_dir(folder.path())
        .env("BUCKET", vault.store().bucket())
        .env("PREFIX", "my library/")
        .env("FILE", "2024/a b.jpg")
        .env("AWS_ENDPOINT_URL", &store.endpoint)
        .env("AWS_ACCESS_KEY_ID", &store.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &store.secret_key)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let restored = folder.path().join("restored");
    assert_eq!(std::fs::read_to_string(&restored).unwrap(), "the bytes");
    let mtime = std::fs::metadata(&restored).unwrap().modified().unwrap();
    let mtime = Time::try_from(mtime).unwrap();
    assert_eq!(mtime.to_string(), "2026-01-02T03:04:05.678901234Z");
}
on_both!(the_documented_recipe_restores_a_file_by_hand);
