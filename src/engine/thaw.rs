//! What becomes of versions that are in an archive storage class.
//!
//! They are neither damaged nor denied: reading one is refused until it has been retrieved. Whoever
//! reads through [`Steady`](super::steady::Steady) has each of them met here once, at the price of
//! a HEAD; with a [`Tier`] its retrieval is asked for. Asking twice, or after a crash, changes
//! nothing: the store knows which retrievals are under way.

use super::kept::VersionName;
use crate::model::archive::{Archive, Tier};
use crate::model::{Error, StoreError, StoreResult, Stored, Time, words};
use crate::store::Store;
use bytesize::ByteSize;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// A retrieved copy can be read for so long: enough for a restore of some terabytes, and for who
/// comes back late. It is paid for by the day.
pub const DAYS: i32 = 14;

/// Remembers what was met in the archive.
#[derive(Debug, Default)]
pub struct Thaw {
    tier: Option<Tier>,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    /// Each version is asked about once. Who meets it meanwhile waits: the first to return ends
    /// its file's other requests, this one among them.
    met: HashMap<VersionName, Arc<OnceCell<()>>>,
    /// Left as they are, by class.
    left: BTreeMap<Archive, Group>,
    /// On their way, by class.
    coming: BTreeMap<Archive, Group>,
    /// How many retrievals were refused, and the first refusal.
    refused: u64,
    refusal: Option<StoreError>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    versions: u64,
    bytes: u64,
}

/// What to do about a version.
enum Met {
    Left,
    Coming,
}

impl Thaw {
    /// With a tier, retrievals are asked for.
    pub fn new(tier: Option<Tier>) -> Self {
        Self {
            tier,
            log: Mutex::default(),
        }
    }

    /// Takes note of a version whose bytes the store refused as archived, and asks for it where
    /// that is wished. Returns the refusal in words.
    pub(super) async fn meet(
        &self,
        store: &dyn Store,
        key: &str,
        version_id: Option<&str>,
        refusal: StoreError,
    ) -> StoreError {
        let name = VersionName::of(&Stored {
            key: key.to_owned(),
            version_id: version_id.unwrap_or_default().to_owned(),
            etag: String::new(),
        });
        let once = Arc::clone(self.log().met.entry(name).or_default());
        let ask = || async {
            if let Err(error) = self.ask(store, key, version_id).await {
                let mut log = self.log();
                log.refused += 1;
                log.refusal.get_or_insert(error);
            }
        };
        once.get_or_init(ask).await;
        refusal
    }

    async fn ask(&self, store: &dyn Store, key: &str, version_id: Option<&str>) -> StoreResult<()> {
        let head = store.head(key, version_id).await?;
        let archive = Archive::of(
            head.storage_class.as_deref(),
            head.archive_status.as_deref(),
        );
        let archive = archive.unwrap_or(Archive::Other);
        // A retrieval that has ended between the two requests counts as one that is coming.
        let asked_before = head.restore.is_some();
        let met = match self.tier {
            _ if asked_before => Met::Coming,
            None => Met::Left,
            Some(tier) => {
                let days = (!archive.moves_back()).then_some(DAYS);
                store.restore_archived(key, version_id, tier, days).await?;
                Met::Coming
            }
        };
        let mut log = self.log();
        let groups = match met {
            Met::Left => &mut log.left,
            Met::Coming => &mut log.coming,
        };
        let group = groups.entry(archive).or_default();
        group.versions += 1;
        group.bytes += head.size;
        Ok(())
    }

    /// What is to be said at the end, if anything was met: `Resumable` where something is being
    /// retrieved, saying when to come back, reckoned from `now`; `Partial` where something
    /// must be asked for first.
    pub fn conclusion(&self, now: Time) -> Option<Error> {
        let log = self.log();
        let mut said = Vec::new();
        if !log.left.is_empty() {
            said.push(left(&log.left));
        }
        if let Some(refusal) = &log.refusal {
            said.push(format!(
                "{} refused, the first with: {refusal}; the key needs s3:RestoreObject, see \
                 `tidelock policy reader`",
                words::count(log.refused, "retrieval was", "retrievals were")
            ));
        }
        if log.coming.is_empty() {
            return (!said.is_empty()).then(|| Error::Partial(said.join("; ")));
        }
        said.insert(0, coming(&log.coming, self.tier, now));
        Some(Error::Resumable(said.join("; ")))
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `3 versions (12.0 MiB; GLACIER 2, DEEP_ARCHIVE 1)`.
fn count(groups: &BTreeMap<Archive, Group>) -> String {
    let (mut versions, mut bytes, mut classes) = (0, 0, Vec::new());
    for (archive, group) in groups {
        versions += group.versions;
        bytes += group.bytes;
        classes.push(format!("{} {}", archive.name(), group.versions));
    }
    format!(
        "{} ({}; {})",
        words::versions(versions),
        ByteSize(bytes),
        classes.join(", ")
    )
}

fn versions(groups: &BTreeMap<Archive, Group>) -> u64 {
    groups.values().map(|group| group.versions).sum()
}

fn hours(groups: &BTreeMap<Archive, Group>, tier: Tier) -> u32 {
    let hours = groups.keys().map(|archive| archive.hours(tier));
    hours.max().unwrap_or_default()
}

fn left(groups: &BTreeMap<Archive, Group>) -> String {
    let (are, they) = match versions(groups) {
        1 => ("is", "it is safe, but must be retrieved (thawed) before it"),
        _ => (
            "are",
            "they are safe, but must be retrieved (thawed) before they",
        ),
    };
    format!(
        "{} {are} in an archive storage class: {they} can be read. Run the same command with --thaw=standard (ready within {} hours) or \
         --thaw=bulk (within {} hours, cheaper) to ask for that",
        count(groups),
        hours(groups, Tier::Standard),
        hours(groups, Tier::Bulk),
    )
}

fn coming(groups: &BTreeMap<Archive, Group>, tier: Option<Tier>, now: Time) -> String {
    // Who asked earlier may have asked for the slower one.
    let longest = hours(groups, tier.unwrap_or(Tier::Bulk));
    let ready = now.checked_add(Duration::from_secs(u64::from(longest) * 3_600));
    let ready = ready.unwrap_or(now).strftime("%Y-%m-%d %H:%M UTC");
    let are = if versions(groups) == 1 { "is" } else { "are" };
    format!(
        "{} {are} being retrieved from the archive, usually within {longest} hours: run the same \
         command again after {ready}. Each can then be read for {DAYS} days",
        count(groups)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::pace::Pace;
    use crate::engine::retry::Retrier;
    use crate::engine::steady::Steady;
    use crate::engine::stop::Stop;
    use crate::model::{Crc64, ExitCode, StoreErrorKind};
    use crate::store::model::ModelStore;
    use crate::store::{Attributes, BucketInfo, Put};

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A bucket with an object of each class.
    async fn bucket(classes: &[&str]) -> Arc<ModelStore> {
        let store = Arc::new(ModelStore::new("vault", BucketInfo::default()));
        for class in classes {
            let body = bytes::Bytes::from_static(b"tide");
            let put = Put {
                key: (*class).to_owned(),
                crc64nvme: Crc64::of(&body),
                body,
                attributes: Attributes {
                    storage_class: Some((*class).to_owned()),
                    ..Attributes::default()
                },
                condition: Default::default(),
            };
            store.put(put).await.unwrap();
        }
        store
    }

    /// Reads all of it twice, as a restore may, and returns what can't be read and what is said.
    async fn read(store: &Arc<ModelStore>, tier: Option<Tier>) -> (Vec<String>, Option<Error>) {
        let retrier = Retrier::new(Arc::new(Pace::new(4, None)), Stop::default(), HOUR);
        let thaw = Arc::new(Thaw::new(tier));
        let steady = Steady::new(Arc::clone(store) as Arc<dyn Store>, retrier);
        let steady = steady.with_thaw(Arc::clone(&thaw));
        let mut refused = Vec::new();
        for key in ["GLACIER", "DEEP_ARCHIVE", "STANDARD"] {
            for _ in 0..2 {
                match steady.get(key, None, None).await {
                    Err(error) if error.kind == StoreErrorKind::Archived => {
                        refused.push(key.to_owned());
                    }
                    _ => {}
                }
            }
        }
        refused.dedup();
        (refused, thaw.conclusion(store.now().await.unwrap()))
    }

    fn exit(said: Option<Error>) -> (Option<ExitCode>, String) {
        let code = said.as_ref().map(Error::exit_code);
        (code, said.map(|it| it.to_string()).unwrap_or_default())
    }

    #[tokio::test]
    async fn f68_what_is_archived_is_asked_for_once_and_read_when_it_is_there() {
        let store = bucket(&["GLACIER", "DEEP_ARCHIVE", "STANDARD"]).await;
        let (refused, said) = read(&store, None).await;
        assert_eq!(refused, ["GLACIER", "DEEP_ARCHIVE"]);
        let (code, text) = exit(said);
        assert_eq!(code, Some(ExitCode::Partial));
        let told = "2 versions (8 B; GLACIER 1, DEEP_ARCHIVE 1)";
        assert!(text.contains(told), "{text}");
        assert!(
            text.contains("--thaw=standard (ready within 12 hours)"),
            "{text}"
        );
        assert!(text.contains("--thaw=bulk (within 48 hours"), "{text}");

        // Asked for, and asked for again while it is on its way: one request each.
        for _ in 0..2 {
            let (code, text) = exit(read(&store, Some(Tier::Standard)).await.1);
            assert_eq!(code, Some(ExitCode::Resumable));
            assert!(text.contains("after 2026-01-01 12:00 UTC"), "{text}");
        }
        assert_eq!(store.requests()["RestoreObject"], 2);
        // Who does not ask is told that it is coming.
        let (code, _) = exit(read(&store, None).await.1);
        assert_eq!(code, Some(ExitCode::Resumable));

        store.advance(6 * HOUR);
        assert_eq!(read(&store, None).await.0, ["DEEP_ARCHIVE"]);
        store.advance(6 * HOUR);
        let (refused, said) = read(&store, None).await;
        assert!(refused.is_empty() && said.is_none(), "{refused:?} {said:?}");

        store.advance(15 * 24 * HOUR);
        let (code, _) = exit(read(&store, None).await.1);
        assert_eq!(code, Some(ExitCode::Partial));
    }

    #[tokio::test]
    async fn f68_a_key_that_may_not_ask_is_told_what_it_needs() {
        let store = bucket(&["GLACIER", "STANDARD"]).await;
        store.fail(crate::store::model::Fault {
            operation: "RestoreObject",
            skip: 0,
            kind: StoreErrorKind::Denied,
            done: false,
        });
        let (code, text) = exit(read(&store, Some(Tier::Bulk)).await.1);
        assert_eq!(code, Some(ExitCode::Partial));
        assert!(text.contains("s3:RestoreObject"), "{text}");
        assert!(store.unfired().is_empty());
    }
}
