//! Ninety nights of a library whose files were all written in one: as many renewals in each, the engine's own, on a store
//! whose clock moves. There is no disk in it: what a run scans and sends costs the same every night.

use crate::phases::{RENEW_BELOW, RETENTION, backup_settings, client};
use futures::stream;
use std::sync::Arc;
use std::time::Duration;
use tidelock::engine::renewal::{By, Request, renew};
use tidelock::engine::versions::Versions;
use tidelock::model::{
    BackupSettings, Content, Crc64, Entry, Events, Kind, Mode, RelPath, Retention, Stored, Time,
};
use tidelock::snapshot::{Claims, CommitRequest, Loaded, Lock, Named, SnapshotId, Vault, commit};
use tidelock::store::model::ModelStore;
use tidelock::store::{Attributes, BucketInfo, Condition, Put, Store};

const DAY: Duration = Duration::from_secs(86_400);
const NIGHTS: usize = 90;

struct World {
    store: Arc<ModelStore>,
    versions: Versions,
    vault: Vault,
    settings: BackupSettings,
    /// The version of each file.
    stored: Vec<String>,
    first_locks: Time,
}

impl World {
    fn new() -> Self {
        let info = BucketInfo {
            versioned: true,
            lock: true,
        };
        let store = Arc::new(ModelStore::new("vault", info));
        let settings = backup_settings();
        let (client, vault) = client(Arc::clone(&store) as Arc<dyn Store>, &settings);
        Self {
            versions: Versions::new(client, Mode::Governance, RETENTION, None, None),
            vault,
            settings,
            store,
            stored: Vec::new(),
            first_locks: Time::UNIX_EPOCH,
        }
    }

    fn path(number: usize) -> RelPath {
        RelPath::from(format!("{:04}/IMG_{number:08}.JPG", number / 500).as_str())
    }

    fn key(number: usize) -> String {
        format!("library/files/{:04}/IMG_{number:08}.JPG", number / 500)
    }

    /// Every file in one night.
    async fn store_all(&mut self, files: usize) {
        let now = self.store.now().await.expect("done");
        let until = Time::from_second((now + RETENTION).as_second()).expect("done");
        for number in 0..files {
            let put = Put {
                key: Self::key(number),
                body: bytes::Bytes::new(),
                crc64nvme: Crc64::of(b""),
                attributes: Attributes {
                    retention: Some(Retention {
                        mode: Mode::Governance,
                        until,
                    }),
                    ..Attributes::default()
                },
                condition: Condition::Always,
            };
            let written = self.store.put(put).await.expect("done");
            self.stored.push(written.version_id.expect("done"));
        }
        self.first_locks = until;
    }

    fn named(&self, number: usize) -> Named {
        let mut entry = Entry::new(Self::path(number), Kind::File);
        entry.content = Some(Content::of(b""));
        entry.stored = Some(Stored {
            key: Self::key(number),
            version_id: self.stored[number].clone(),
            etag: String::new(),
        });
        Named {
            entry,
            locked_until: Some(self.first_locks),
        }
    }

    async fn commit(&self, parent: Option<&Loaded>, claims: &Claims) -> Loaded {
        let request = CommitRequest {
            parent,
            claims,
            time: self.store.now().await.expect("done"),
            complete: true,
            suspect: None,
            library: "library".to_owned(),
            host: "host".to_owned(),
            sync_target: None,
            lock: Lock {
                mode: Mode::Governance,
                period: RETENTION,
            },
            sse: None,
            config: serde_json::json!({}),
            rescued: Vec::new(),
            parallel: 2,
        };
        let entries = (0..self.stored.len()).map(|number| Ok(self.named(number)));
        commit(&self.vault, request, stream::iter(entries))
            .await
            .expect("done")
    }

    /// As [`Self::commit`] where nothing has changed, without going through every entry: the same chunks, and what is
    /// claimed of them by now.
    async fn commit_the_same(&self, parent: &Loaded, claims: &Claims) -> Loaded {
        let now = self.store.now().await.expect("done");
        let mut snapshot = parent.snapshot.clone();
        snapshot.id = SnapshotId::after(Some(&parent.snapshot.id), now).expect("done");
        snapshot.time = snapshot.id.time();
        snapshot.parent = Some(parent.snapshot.id.clone());
        snapshot.parent_blake3 = Some(parent.blake3);
        for chunk in &mut snapshot.manifest {
            chunk.locked_until = claims.locked_until(chunk);
        }
        let body = snapshot.encode().expect("done");
        let lock = Lock {
            mode: Mode::Governance,
            period: RETENTION,
        };
        let put = Put {
            key: tidelock::snapshot::layout::snapshot(self.vault.target(), &snapshot.id),
            crc64nvme: Crc64::of(&body),
            body: body.into(),
            attributes: Attributes {
                retention: Some(lock.full(now).expect("done")),
                ..Attributes::default()
            },
            condition: Condition::IfAbsent,
        };
        self.store.put(put).await.expect("done");
        self.vault.latest().await.expect("done").expect("done")
    }

    async fn renew(&self) -> (Claims, u64) {
        let request = Request {
            vault: &self.vault,
            listed: None,
            settings: &self.settings,
            by: By::Claims,
            transfers: 4,
            events: &Events::none(),
        };
        let renewal = renew(&self.versions, request, async || Ok(()))
            .await
            .expect("done");
        assert_eq!((renewal.at_risk, renewal.failures.len()), (0, 0));
        (renewal.kept.claims, renewal.renewed)
    }

    /// The shortest lock of all files.
    async fn shortest(&self) -> Duration {
        let now = self.store.now().await.expect("done");
        let mut least = Time::MAX;
        for (number, version) in self.stored.iter().enumerate() {
            let lock = self.store.retention(&Self::key(number), version).await;
            least = least.min(lock.expect("done").expect("done").until);
        }
        least.duration_since(now).try_into().unwrap_or_default()
    }
}

/// Lives through the nights, and tells the renewals of each.
///
/// # Panics
/// Where a lock is shorter than it may be, or nights are not alike.
pub(crate) async fn ninety(files: usize, mut tell: impl FnMut(usize, u64)) {
    let mut world = World::new();
    world.store_all(files).await;
    let mut latest = world.commit(None, &Claims::new(RETENTION)).await;
    let mut nights: Vec<u64> = Vec::new();
    for night in 1..=NIGHTS {
        world.store.advance(DAY);
        let (claims, renewed) = world.renew().await;
        latest = world.commit_the_same(&latest, &claims).await;
        if night % 30 == 0 {
            world.store.advance(Duration::from_secs(60));
            let really = world.commit(Some(&latest), &claims).await;
            assert_eq!(really.snapshot.manifest, latest.snapshot.manifest);
            latest = really;
        }
        nights.push(renewed);
        tell(night, renewed);
        if night % 15 == 0 {
            let least = world.shortest().await;
            assert!(least >= RENEW_BELOW - DAY, "night {night}: {least:?}");
        }
    }
    assert_alike(&nights, files, &latest);
}

fn assert_alike(nights: &[u64], files: usize, latest: &Loaded) {
    // No lock is short enough in the first fortnight, so its nights do not count.
    let counted: Vec<u64> = nights
        .iter()
        .copied()
        .skip_while(|renewed| *renewed == 0)
        .collect();
    let mean = counted.iter().sum::<u64>() as f64 / counted.len() as f64;
    let worst = counted.iter().max().copied().unwrap_or_default() as f64;
    println!("{files} files: {mean:.0} renewals a night, {worst:.0} in the worst");
    assert!(counted.len() >= 70, "{counted:?}");
    // What is renewed together is a chunk, and of a small library one is much.
    let chunks = latest.snapshot.manifest.iter();
    let largest = chunks.map(|chunk| chunk.entries + 1).max().unwrap_or(0) as f64;
    assert!(
        worst <= (2.0 * mean).max(largest + 10.0),
        "{worst} {mean} {largest}"
    );
    // Each is renewed once in 15 to 30 nights.
    assert!(
        mean >= files as f64 / 30.0 && mean <= files as f64 / 14.0,
        "{mean}"
    );
}
