use super::{file, named, time};
use crate::model::{Crc64, Entry, Error, Mode, Retention, StoreErrorKind, Target, Time};
use crate::snapshot::{
    Claims, CommitRequest, Loaded, Lock, Named, Renewed, Select, SnapshotId, Vault, commit, layout,
    read_ledger, write_ledger,
};
use crate::store::model::{Fault, ModelStore};
use crate::store::{Attributes, BucketInfo, Condition, Put, Store, listing};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::sync::Arc;
use std::time::Duration;

pub(super) const DAY: Duration = Duration::from_secs(86_400);
const LOCK: Lock = Lock {
    mode: Mode::Governance,
    period: Duration::from_secs(60 * 86_400),
};

/// A vault in memory, with pages so short that every listing has several.
fn vault() -> (Arc<ModelStore>, Vault) {
    let info = BucketInfo {
        versioned: true,
        lock: true,
    };
    let store = Arc::new(ModelStore::new("vault", info));
    store.page_size(3);
    let target = Target::parse("s3://vault/library").expect("target");
    (Arc::clone(&store), Vault::new(store, target))
}

async fn now(vault: &Vault) -> Time {
    vault.store().now().await.expect("now")
}

async fn request<'a>(
    vault: &Vault,
    parent: Option<&'a Loaded>,
    claims: &'a Claims,
) -> CommitRequest<'a> {
    CommitRequest {
        parent,
        claims,
        time: now(vault).await,
        complete: true,
        suspect: None,
        library: "Pictures".to_owned(),
        host: "nas".to_owned(),
        sync_target: None,
        lock: LOCK,
        sse: None,
        config: serde_json::json!({}),
        rescued: Vec::new(),
        parallel: 2,
    }
}

fn entries(count: usize) -> Vec<Named> {
    (0..count).map(|n| named(&format!("{n:05}.jpg"))).collect()
}

fn stream_of(entries: Vec<Named>) -> impl stream::Stream<Item = Result<Named, Error>> + Send {
    stream::iter(entries).map(Ok)
}

/// Commits on top of `parent`, knowing what the parent and the ledger say.
async fn commit_on(vault: &Vault, parent: Option<&Loaded>, entries: Vec<Named>) -> Loaded {
    let claims = Claims::of(LOCK.period, parent, &[]);
    let request = request(vault, parent, &claims).await;
    commit(vault, request, stream_of(entries))
        .await
        .expect("commit")
}

async fn read(vault: &Vault, loaded: &Loaded) -> Vec<Entry> {
    let chunks = vault.entries(loaded.snapshot.manifest.clone(), 2);
    let chunks: Vec<_> = chunks.try_collect().await.expect("entries");
    assert!(chunks.iter().all(|chunk| chunk.refused.is_empty()));
    chunks.into_iter().flat_map(|chunk| chunk.entries).collect()
}

fn plain(entries: Vec<Named>) -> Vec<Entry> {
    entries.into_iter().map(|named| named.entry).collect()
}

/// Keys of all versions, oldest first among those of a key.
async fn versions(vault: &Vault, folder: &str) -> Vec<(String, String)> {
    let prefix = vault.target().key(folder);
    let mut all = listing::list_all_versions(&**vault.store(), &prefix)
        .await
        .expect("list");
    all.retain(|version| !version.delete_marker);
    all.into_iter()
        .rev()
        .map(|version| (version.key, version.version_id))
        .collect()
}

/// All but pins, which have no lock.
async fn locked_versions(vault: &Vault) -> Vec<(String, String)> {
    let pins = vault.target().key("pins/");
    let mut all = versions(vault, "").await;
    all.retain(|(key, _)| !key.starts_with(&pins));
    all
}

async fn put(vault: &Vault, key: &str, body: &'static [u8]) {
    let put = Put {
        key: key.to_owned(),
        body: Bytes::from_static(body),
        crc64nvme: Crc64::of(body),
        attributes: Attributes::default(),
        condition: Condition::Always,
    };
    vault.store().put(put).await.expect("put");
}

#[tokio::test]
async fn what_was_committed_is_read_back_and_locked() {
    let (store, vault) = vault();
    assert_eq!(vault.latest().await.expect("empty"), None);
    let begun = now(&vault).await;
    let committed = commit_on(&vault, None, entries(5_000)).await;
    let loaded = vault.latest().await.expect("latest").expect("one");
    assert_eq!(
        (&loaded.snapshot, loaded.blake3),
        (&committed.snapshot, committed.blake3)
    );
    assert_eq!(loaded.at.version_id, committed.at.version_id);
    assert_eq!(read(&vault, &loaded).await, plain(entries(5_000)));

    let snapshot = &loaded.snapshot;
    assert_eq!((snapshot.files, snapshot.bytes), (5_000, 45_000));
    assert_eq!((&snapshot.parent, snapshot.parent_blake3), (&None, None));
    assert!(snapshot.manifest.len() > 1);
    let until = begun + LOCK.period;
    // The files are locked until 2027, the chunks for 60 days: the lesser counts.
    assert_eq!(snapshot.protected_until, until);
    for (key, version) in locked_versions(&vault).await {
        let lock = store.retention(&key, &version).await.expect("retention");
        let mode = Mode::Governance;
        assert_eq!(lock, Some(Retention { mode, until }), "{key}");
    }
}

#[tokio::test]
async fn a_night_that_touches_one_path_stores_few_chunks_and_names_its_parent() {
    let (store, vault) = vault();
    let first = commit_on(&vault, None, entries(5_000)).await;
    let puts = |store: &ModelStore| store.requests()["PutObject"];
    let before = puts(&store);
    let mut touched = entries(5_000);
    touched[2_500].entry.mode = Some(0o600);
    let second = commit_on(&vault, Some(&first), touched.clone()).await;
    assert_eq!(puts(&store) - before, 3, "one chunk, the pin, the snapshot");
    assert_eq!(second.snapshot.parent.as_ref(), Some(&first.snapshot.id));
    assert_eq!(second.snapshot.parent_blake3, Some(first.blake3));
    // The clock did not move a second, the id did.
    assert!(second.snapshot.id.time() > first.snapshot.id.time());
    assert_eq!(second.snapshot.time, second.snapshot.id.time());
    assert_eq!(read(&vault, &second).await, plain(touched));
    assert_eq!(read(&vault, &first).await, plain(entries(5_000)));
}

#[tokio::test]
async fn an_empty_library_is_a_snapshot_too() {
    let (_, vault) = vault();
    let committed = commit_on(&vault, None, Vec::new()).await;
    assert_eq!(committed.snapshot.manifest, []);
    assert!(committed.snapshot.protected_until > now(&vault).await);
    assert_eq!(read(&vault, &committed).await, []);
}

#[tokio::test]
async fn f28_an_unknown_outcome_leaves_one_version_of_each() {
    for (skip, done) in (0..3).flat_map(|skip| [(skip, true), (skip, false)]) {
        let (store, vault) = vault();
        let fault = Fault {
            operation: "PutObject",
            skip,
            kind: StoreErrorKind::UnknownOutcome,
            done,
        };
        store.fail(fault);
        let committed = commit_on(&vault, None, entries(3)).await;
        assert_eq!(store.unfired(), []);
        assert_eq!(locked_versions(&vault).await.len(), 2, "{fault:?}");
        assert!(!versions(&vault, "pins/").await.is_empty(), "{fault:?}");
        assert_eq!(read(&vault, &committed).await.len(), 3);
        let listed = vault.list().await.expect("list");
        assert_eq!(listed[0].version_id, committed.at.version_id);
    }
}

#[tokio::test]
async fn a_failed_commit_is_not_visible_and_its_chunks_are_taken_by_the_next() {
    let (store, vault) = vault();
    let claims = Claims::new(LOCK.period);
    store.fail(Fault {
        operation: "PutObject",
        // The snapshot, behind its pin and its chunk.
        skip: 2,
        kind: StoreErrorKind::Denied,
        done: false,
    });
    let failed = commit(
        &vault,
        request(&vault, None, &claims).await,
        stream_of(entries(3)),
    )
    .await;
    assert!(matches!(failed, Err(Error::Store(_))), "{failed:?}");
    assert_eq!(store.unfired(), []);
    assert_eq!(vault.list().await.expect("list"), []);
    let left = versions(&vault, "manifests/").await;
    assert_eq!(left.len(), 1);

    // Ten days later the chunk is found by its name, and its lock made a full one again.
    store.advance(10 * DAY);
    let until = now(&vault).await + LOCK.period;
    let committed = commit_on(&vault, None, entries(3)).await;
    assert_eq!(versions(&vault, "manifests/").await, left);
    assert_eq!(committed.snapshot.manifest[0].version_id, left[0].1);
    let lock = store
        .retention(&left[0].0, &left[0].1)
        .await
        .expect("retention");
    assert_eq!(
        lock.map(|lock| lock.until.as_second()),
        Some(until.as_second())
    );
}

#[tokio::test]
async fn garbage_under_the_name_of_a_chunk_does_not_stand_in_its_way() {
    let (_, vault) = vault();
    let elsewhere = self::vault().1;
    let wanted = commit_on(&elsewhere, None, entries(3)).await;
    put(&vault, &wanted.snapshot.manifest[0].key, b"garbage").await;
    let committed = commit_on(&vault, None, entries(3)).await;
    assert_eq!(versions(&vault, "manifests/").await.len(), 2);
    assert_eq!(read(&vault, &committed).await.len(), 3);
}

#[tokio::test]
async fn an_unknown_outcome_beside_garbage_is_looked_up_too() {
    let (store, vault) = vault();
    let elsewhere = self::vault().1;
    let wanted = commit_on(&elsewhere, None, entries(3)).await;
    put(&vault, &wanted.snapshot.manifest[0].key, b"garbage").await;
    // The first write is refused because of the garbage; this is the second.
    store.fail(Fault {
        operation: "PutObject",
        skip: 1,
        kind: StoreErrorKind::UnknownOutcome,
        done: true,
    });
    commit_on(&vault, None, entries(3)).await;
    assert_eq!(store.unfired(), []);
    assert_eq!(versions(&vault, "manifests/").await.len(), 2);
}

#[tokio::test]
async fn f47_f48_delete_markers_and_newer_garbage_change_nothing() {
    let (store, vault) = vault();
    let first = commit_on(&vault, None, entries(3)).await;
    let second = commit_on(&vault, Some(&first), entries(4)).await;
    for (key, _) in versions(&vault, "").await {
        put(&vault, &key, b"garbage").await;
        store.delete(&key, None).await.expect("a marker");
    }
    put(&vault, "library/snapshots/99991231T000000Z.json", b"{}").await;
    let ids: Vec<_> = vault
        .list()
        .await
        .expect("list")
        .into_iter()
        .map(|at| at.id)
        .collect();
    assert_eq!(ids, [first.snapshot.id.clone(), second.snapshot.id.clone()]);
    let found = vault.find(&Select::Latest).await.expect("find");
    assert_eq!(found.loaded.snapshot, second.snapshot);
    assert_eq!(read(&vault, &found.loaded).await.len(), 4);
}

#[tokio::test]
async fn unsorted_entries_commit_nothing() {
    let (_, vault) = vault();
    let claims = Claims::new(LOCK.period);
    let mut wrong = entries(3);
    wrong.swap(0, 1);
    let error = commit(
        &vault,
        request(&vault, None, &claims).await,
        stream_of(wrong),
    )
    .await;
    assert!(error.is_err());
    assert_eq!(versions(&vault, "").await, []);
}

#[tokio::test]
async fn a_chunk_that_is_gone_is_named_or_healed_and_the_rest_is_read() {
    let (store, vault) = vault();
    let loaded = commit_on(&vault, None, entries(5_000)).await;
    let chunks = &loaded.snapshot.manifest;
    store.advance(61 * DAY);
    store
        .delete_version(&chunks[1].key, &chunks[1].version_id)
        .await
        .expect("unlocked");
    let read: Vec<_> = vault.entries(chunks.clone(), 3).collect().await;
    assert_eq!(read.len(), chunks.len());
    for (index, chunk) in read.iter().enumerate() {
        match chunk {
            Ok(chunk) => assert!(index != 1 && !chunk.healed),
            Err(Error::Damage(why)) => assert!(index == 1 && why.contains(&chunks[1].key), "{why}"),
            Err(other) => panic!("{other:?}"),
        }
    }
    // The same content again, as another snapshot's chunk: another version of the same key.
    commit_on(&vault, None, entries(5_000)).await;
    let read: Vec<_> = vault
        .entries(chunks.clone(), 3)
        .try_collect()
        .await
        .expect("healed");
    let healed: Vec<_> = read.iter().map(|chunk| chunk.healed).collect();
    assert_eq!(healed.iter().filter(|healed| **healed).count(), 1);
    assert!(healed[1]);
    let all: Vec<_> = read.into_iter().flat_map(|chunk| chunk.entries).collect();
    assert_eq!(all, plain(entries(5_000)));
}

#[tokio::test]
async fn readers_get_the_snapshot_they_mean() {
    let (store, vault) = vault();
    let none = vault.find(&Select::Latest).await.expect_err("none there");
    assert!(matches!(none, Error::Usage(_)), "{none:?}");
    let mut parent: Option<Loaded> = None;
    for night in 0..4 {
        let claims = Claims::of(LOCK.period, parent.as_ref(), &[]);
        let mut request = request(&vault, parent.as_ref(), &claims).await;
        request.suspect = (night >= 2).then(|| "9 of 10 files changed".to_owned());
        parent = Some(
            commit(&vault, request, stream_of(entries(night)))
                .await
                .expect("commit"),
        );
        store.advance(DAY);
    }
    let ids: Vec<_> = vault
        .list()
        .await
        .expect("list")
        .into_iter()
        .map(|at| at.id)
        .collect();
    let get = async |select: Select| {
        let found = vault.find(&select).await?;
        Ok::<_, Error>((found.loaded.snapshot.id, found.passed_over))
    };
    let passed = vec![ids[3].clone(), ids[2].clone()];
    assert_eq!(
        get(Select::Latest).await.expect("latest"),
        (ids[1].clone(), passed)
    );
    let at = |text| Select::At(time(text));
    let second = (ids[1].clone(), vec![ids[2].clone()]);
    assert_eq!(get(at("2026-01-03T12:00:00Z")).await.expect("at"), second);
    assert_eq!(get(at("2026-01-01T12:00:00Z")).await.expect("at").0, ids[0]);
    let (time, random) = ids[3].as_str().split_once('-').expect("id");
    for text in [ids[3].as_str(), time, random, &time[..8]] {
        assert_eq!(
            get(Select::id(text)).await.expect(text),
            (ids[3].clone(), vec![])
        );
    }
    assert_eq!(get(Select::id("latest")).await.expect("latest").0, ids[1]);
    for (select, says) in [
        (at("2025-12-31T00:00:00Z"), ids[0].as_str()),
        (Select::id("202601"), "names several"),
        (Select::id("zzz"), "\"zzz\""),
        (Select::id(""), ids[3].as_str()),
    ] {
        let error = get(select).await.expect_err(says);
        assert!(matches!(error, Error::Usage(_)), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn f49_a_forged_snapshot_is_refused() {
    let (store, vault) = vault();
    let first = commit_on(&vault, None, entries(3)).await;
    let second = commit_on(&vault, Some(&first), entries(4)).await;
    // Somebody with the right to delete replaces the first one when its lock is over.
    store.advance(61 * DAY);
    store
        .delete_version(&first.at.key, &first.at.version_id)
        .await
        .expect("unlocked");
    let mut forged = first.snapshot.clone();
    forged.host = "elsewhere".to_owned();
    let forged: &'static [u8] = forged.encode().expect("encode").leak();
    put(&vault, &first.at.key, forged).await;
    for id in [&first.snapshot.id, &second.snapshot.id] {
        let error = vault
            .find(&Select::id(id.as_str()))
            .await
            .expect_err("forged");
        assert!(matches!(error, Error::Damage(_)), "{error:?}");
        assert!(
            error.to_string().contains(first.snapshot.id.as_str()),
            "{error}"
        );
    }
    // A copy under another name.
    let other = SnapshotId::parse("20991231T000000Z-00000000").expect("id");
    put(&vault, &layout::snapshot(vault.target(), &other), forged).await;
    let error = vault.find(&Select::Latest).await.expect_err("moved");
    assert!(matches!(error, Error::Damage(_)), "{error:?}");
}

#[tokio::test]
async fn rescued_content_is_named_for_90_days() {
    let (store, vault) = vault();
    let mut parent: Option<Loaded> = None;
    let mut rescued = Vec::new();
    for night in 0..5_u32 {
        let claims = Claims::of(LOCK.period, parent.as_ref(), &[]);
        let mut request = request(&vault, parent.as_ref(), &claims).await;
        if night < 2 {
            request.rescued = vec![named(&format!("rescue {night}"))];
        }
        let loaded = commit(&vault, request, stream_of(entries(3)))
            .await
            .expect("commit");
        let chunks = vault.entries(loaded.snapshot.rescued.clone(), 1);
        let chunks: Vec<_> = chunks.try_collect().await.expect("entries");
        let named = chunks.into_iter().flat_map(|chunk| chunk.entries);
        rescued.push(
            named
                .map(|entry| entry.path.to_string())
                .collect::<Vec<_>>(),
        );
        parent = Some(loaded);
        store.advance(30 * DAY);
    }
    let (zero, one) = ("rescue 0", "rescue 1");
    // Nights 0, 30, 60, 90, 120.
    assert_eq!(
        rescued,
        [
            vec![zero],
            vec![zero, one],
            vec![zero, one],
            vec![one],
            vec![]
        ]
    );
    assert_eq!(parent.expect("five").snapshot.files, 3);
}

#[tokio::test]
async fn the_ledger_of_renewals_is_read_back_while_it_can_claim_anything() {
    let (store, vault) = vault();
    let loaded = commit_on(&vault, None, entries(3)).await;
    let chunk = &loaded.snapshot.manifest[0];
    store.advance(20 * DAY);
    let until = LOCK.full(now(&vault).await).expect("lock").until;
    let lines = vec![Renewed {
        chunk: chunk.blake3,
        version_id: chunk.version_id.clone(),
        first: crate::model::RelPath::new(*b"caf\xe9"),
        locked_until: until,
    }];
    let time = now(&vault).await;
    let written = write_ledger(&vault, time, LOCK, None, lines)
        .await
        .expect("write");
    put(
        &vault,
        &layout::ledger(vault.target(), &loaded.snapshot.id),
        b"garbage",
    )
    .await;
    put(
        &vault,
        &layout::ledger(vault.target(), &written.id),
        b"newer garbage",
    )
    .await;

    let objects = read_ledger(&vault, now(&vault).await, LOCK.period)
        .await
        .expect("read");
    assert_eq!(objects.len(), 1);
    assert_eq!(
        (&objects[0].id, &objects[0].lines),
        (&written.id, &written.lines)
    );
    let claims = Claims::of(LOCK.period, Some(&loaded), &objects);
    assert_eq!(claims.locked_until(chunk), until);
    // The next snapshot carries the claim on.
    let request = request(&vault, Some(&loaded), &claims).await;
    let next = commit(&vault, request, stream_of(entries(3)))
        .await
        .expect("commit");
    assert_eq!(next.snapshot.manifest[0].locked_until, until);
    assert_eq!(next.snapshot.protected_until, until);

    let key = layout::ledger(vault.target(), &written.id);
    let stored = versions(&vault, "locks/").await;
    let (_, version) = stored.iter().find(|(at, _)| *at == key).expect("stored");
    let lock = store.retention(&key, version).await.expect("retention");
    assert_eq!(lock.map(|lock| lock.until), Some(until));
    store.advance(61 * DAY);
    let objects = read_ledger(&vault, now(&vault).await, LOCK.period)
        .await
        .expect("read");
    assert_eq!(objects, []);
}

#[tokio::test]
async fn f40_a_lock_that_the_store_drops_commits_nothing() {
    let (store, vault) = vault();
    store.drop_locks();
    let claims = Claims::new(LOCK.period);
    let error = commit(
        &vault,
        request(&vault, None, &claims).await,
        stream_of(entries(3)),
    )
    .await
    .expect_err("no lock");
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert!(
        error.to_string().contains("did not keep the lock"),
        "{error}"
    );
    assert_eq!(versions(&vault, "snapshots/").await, []);
}

#[test]
fn a_file_entry_of_a_commit_names_its_lock() {
    let unlocked = Named {
        entry: file("a"),
        locked_until: None,
    };
    let (_, vault) = vault();
    let claims = Claims::new(LOCK.period);
    let committed = futures::executor::block_on(async {
        let request = request(&vault, None, &claims).await;
        commit(&vault, request, stream_of(vec![unlocked])).await
    });
    assert!(committed.is_err());
}

#[test]
fn commits_and_reads_can_be_spawned() {
    fn spawnable<T: Send>(it: T) -> T {
        it
    }
    let (_, vault) = vault();
    let claims = Claims::new(LOCK.period);
    drop(spawnable(vault.entries(Vec::new(), 1)));
    drop(spawnable(vault.find(&Select::Latest)));
    futures::executor::block_on(async {
        let request = request(&vault, None, &claims).await;
        drop(spawnable(commit(&vault, request, stream_of(Vec::new()))));
    });
}
