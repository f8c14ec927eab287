//! The reference: what was ever stored, and what must hold behind each run.

use crate::check::{Seen, read_snapshot};
use crate::history::Job;
use crate::hooked::{Hooks, Trouble};
use crate::tree::{self, Node, Tree};
use crate::world::{MAX_DELETE, RENEW_BELOW};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tidelock::engine::run::{Ended, Which};
use tidelock::model::{ExitCode, Target, Time};
use tidelock::snapshot::Vault;
use tidelock::store::model::ModelStore;
use tidelock::store::{ListRequest, Store};

/// A snapshot that was committed.
#[derive(Debug)]
pub(crate) struct Committed {
    pub(crate) id: String,
    pub(crate) paths: BTreeSet<Vec<u8>>,
    /// What the manifest names.
    pub(crate) named: HashSet<Vec<u8>>,
    /// What was rescued.
    pub(crate) rescued: HashSet<Vec<u8>>,
    pub(crate) complete: bool,
    pub(crate) committed: Time,
    /// Complete ones: what the library was.
    pub(crate) library: Option<Tree>,
}

/// What is known of all that happened so far.
pub(crate) struct Promises {
    pub(crate) vault: Vault,
    pub(crate) snapshots: BTreeMap<String, Committed>,
    /// Every content that a run saw at a path.
    ever: BTreeMap<Vec<u8>, HashSet<Vec<u8>>>,
    /// A run into the mirror has ended with 0.
    settled: bool,
}

/// A run and what came of it.
pub(crate) struct Ran<'a> {
    pub(crate) job: Job,
    pub(crate) trouble: Trouble,
    pub(crate) library: Tree,
    /// None if it died.
    pub(crate) ended: Option<&'a Ended>,
    pub(crate) hooks: &'a Hooks,
}

impl Promises {
    pub(crate) fn new(vault: &ModelStore) -> Self {
        let store: Arc<dyn Store> = Arc::new(vault.again(vault.bucket()));
        Self {
            vault: Vault::new(store, Target::parse("s3://vault/lib").unwrap()),
            snapshots: BTreeMap::new(),
            ever: BTreeMap::new(),
            settled: false,
        }
    }

    /// Notes what the library is as a run begins.
    pub(crate) fn before(&mut self, library: &Tree) {
        for (path, body) in tree::bodies(library) {
            self.ever
                .entry(path.clone())
                .or_default()
                .insert(body.clone());
        }
    }

    pub(crate) fn check(&mut self, ran: &Ran<'_>, mirror: &ModelStore) {
        let new = self.take_in(Some(ran));
        self.check_victims(ran);
        self.check_new_versions(ran);
        self.check_deletes(ran);
        self.check_exit(ran, &new);
        let done = ran.ended.is_some_and(|ended| ended.exit == ExitCode::Done);
        if done && ran.job.which.syncs() {
            self.settled = true;
            check_mirror(ran, mirror);
        }
        if ran.ended.is_none() && ran.hooks.closing.load(Ordering::Relaxed) {
            // It may have noted a good end before it died, and has then kept what that means.
            self.settled |= contents(mirror) == as_mirrored(&ran.library);
        }
    }

    /// Nothing may have been written but locks and what tells of them.
    pub(crate) fn check_unplugged(&mut self, ended: &Ended, hooks: &Hooks) {
        let latest = self.snapshots.last_key_value();
        let expected = if latest.is_none_or(|(_, latest)| latest.paths.is_empty()) {
            // The state may know files that only `sync` has stored.
            &[ExitCode::Usage, ExitCode::Refused][..]
        } else {
            &[ExitCode::Refused][..]
        };
        assert!(expected.contains(&ended.exit), "{ended:?}");
        assert!(hooks.victims.lock().unwrap().is_empty(), "destroyed");
        assert!(hooks.versions.lock().unwrap().is_empty(), "stored");
        let new = self.take_in(None);
        assert!(new.is_empty(), "a snapshot of a library that is not there");
    }

    /// Reads the snapshots that are new, and checks each by itself.
    fn take_in(&mut self, ran: Option<&Ran<'_>>) -> Vec<String> {
        let found = crate::world::runtime().block_on(async {
            let mut found = Vec::new();
            for at in self.vault.list().await.unwrap() {
                if !self.snapshots.contains_key(at.id.as_str()) {
                    found.push(read_snapshot(&self.vault, &at).await);
                }
            }
            found
        });
        let mut new = Vec::new();
        for seen in found {
            let ran = ran.expect("no snapshot was to be expected");
            let committed = self.check_snapshot(&seen, ran);
            new.push(committed.id.clone());
            self.snapshots.insert(committed.id.clone(), committed);
        }
        new
    }

    fn check_snapshot(&self, seen: &Seen, ran: &Ran<'_>) -> Committed {
        let id = seen.loaded.snapshot.id.to_string();
        let parent = self.snapshots.last_key_value().map(|(_, parent)| parent);
        let named = seen
            .loaded
            .snapshot
            .parent
            .as_ref()
            .map(|id| id.to_string());
        assert_eq!(named, parent.map(|parent| parent.id.clone()), "the chain");
        if seen.loaded.snapshot.complete {
            seen.assert_is(&ran.library);
        } else if let Some(parent) = parent {
            let lost: Vec<_> = parent.paths.difference(&seen.paths()).cloned().collect();
            assert!(
                lost.is_empty(),
                "{id}: an incomplete snapshot lacks {lost:?}"
            );
        }
        for (path, body) in seen.bodies() {
            let ever = self.ever.get(path).is_some_and(|ever| ever.contains(body));
            assert!(ever, "{id}: {path:?} never had the content {body:?}");
        }
        seen.assert_claims_hold();
        // A store that refuses requests may keep locks from being extended; that is exit 5 or 7.
        if !matches!(ran.trouble, Trouble::Refuse { .. }) {
            let least = seen.loaded.at.last_modified + RENEW_BELOW - Duration::from_secs(60);
            seen.assert_locked_until(least);
        }
        Committed {
            paths: seen.paths(),
            named: seen.bodies().map(|(_, body)| body.clone()).collect(),
            rescued: seen.rescued.iter().map(|(_, body)| body.clone()).collect(),
            complete: seen.loaded.snapshot.complete,
            committed: seen.loaded.at.last_modified,
            library: seen.loaded.snapshot.complete.then(|| ran.library.clone()),
            id,
        }
    }

    /// Promise 1: backed up before destroyed.
    fn check_victims(&self, ran: &Ran<'_>) {
        if ran.job.without_backup {
            return;
        }
        for victim in ran.hooks.victims.lock().unwrap().iter() {
            let body = victim.body.to_vec();
            let holds = |key: &String| {
                let id = key.rsplit('/').next().unwrap().trim_end_matches(".json");
                let snapshot = self.snapshots.get(id).expect("a snapshot that was read");
                snapshot.named.contains(&body) || snapshot.rescued.contains(&body)
            };
            assert!(
                victim.snapshots.iter().any(holds),
                "{} held {body:?}, which no snapshot had when it was {}",
                victim.key,
                if victim.deleted {
                    "deleted"
                } else {
                    "overwritten"
                },
            );
        }
    }

    /// No content is stored that the latest snapshot, or an unfinished run, has stored already.
    fn check_new_versions(&self, ran: &Ran<'_>) {
        for new in ran.hooks.versions.lock().unwrap().iter() {
            let id = |key: &String| {
                let name = key.rsplit('/').next().unwrap();
                name.trim_end_matches(".json").to_owned()
            };
            let latest = new.latest.as_ref().map(|key| &self.snapshots[&id(key)]);
            let known = latest.is_some_and(|latest| latest.named.contains(&new.body.to_vec()));
            assert!(!known, "{}: {:?} was stored already", new.key, new.body);
            let since = latest.map_or(Time::UNIX_EPOCH, |latest| latest.committed);
            let left: Vec<_> = new.twins.iter().filter(|at| **at > since).collect();
            assert!(
                left.is_empty(),
                "{}: {:?} was stored already by an unfinished run",
                new.key,
                new.body
            );
        }
    }

    /// Whether the library had files when a run before the last commit saw it: an empty one that
    /// was consented to is known to be empty from then on.
    fn was_last_seen_with_files(&self) -> bool {
        let newest_first = self.snapshots.values().rev().skip(1);
        let before = newest_first.filter(|known| known.complete || !known.named.is_empty());
        before
            .map(|known| !known.named.is_empty())
            .next()
            .unwrap_or_default()
            || self
                .snapshots
                .values()
                .next_back()
                .is_some_and(|known| !known.named.is_empty())
    }

    /// Promise 3: no deletes on doubt.
    fn check_deletes(&self, ran: &Ran<'_>) {
        let victims = ran.hooks.victims.lock().unwrap();
        let deleted: Vec<_> = victims.iter().filter(|victim| victim.deleted).collect();
        if deleted.is_empty() {
            return;
        }
        let here: HashSet<&Vec<u8>> = tree::bodies(&ran.library).map(|(_, body)| body).collect();
        let counted = deleted
            .iter()
            .filter(|victim| !here.contains(&victim.body.to_vec()))
            .count() as u64;
        if !ran.job.max_delete {
            let limit = if self.settled { MAX_DELETE } else { 0 };
            assert!(counted <= limit, "{counted} deletes, limit {limit}");
        }
        // Of a library that never was there nothing can be lost; `--max-delete` is enough then.
        let emptied = here.is_empty() && self.was_last_seen_with_files();
        assert!(!emptied || ran.job.allow_empty, "the library is empty");
        let Some(ended) = ran.ended else { return };
        assert_ne!(ended.exit, ExitCode::Refused, "{ended:?}");
        let doubt = ended.summary.errors.iter().find(|failure| {
            !matches!(
                failure.stage,
                "delete" | "state" | "lease" | "renew" | "rescue"
            )
        });
        assert!(doubt.is_none(), "deleted in doubt: {ended:?}");
    }

    fn check_exit(&self, ran: &Ran<'_>, new: &[String]) {
        let Some(ended) = ran.ended else { return };
        let quiet = ran.trouble == Trouble::None;
        if quiet {
            let expected = [
                ExitCode::Done,
                ExitCode::Refused,
                // Without a backup target's look, an object that is no longer what it was.
                ExitCode::Partial,
            ];
            assert!(expected.contains(&ended.exit), "{ended:?}");
        }
        if ended.exit == ExitCode::Done {
            assert!(ended.error.is_none(), "{ended:?}");
            assert!(ended.summary.errors.is_empty(), "{ended:?}");
            if ran.job.which != Which::Sync {
                let last = new.last().expect("a snapshot");
                assert!(self.snapshots[last].complete, "{ended:?}");
            }
        }
    }
}

/// The objects of a mirror that is the library.
fn as_mirrored(library: &Tree) -> BTreeMap<String, Bytes> {
    let files = library.iter().filter_map(|(path, node)| match node {
        Node::File { body, .. } => Some((path, body)),
        _ => None,
    });
    files
        .map(|(path, body)| (crate::world::mirror_key(path), Bytes::copy_from_slice(body)))
        .collect()
}

/// After an exit 0 the mirror is the library.
fn check_mirror(ran: &Ran<'_>, mirror: &ModelStore) {
    let mut expected = as_mirrored(&ran.library);
    let mut found = contents(mirror);
    if let Trouble::Meddle { key, body, .. } = &ran.trouble
        && found.get(key).is_some_and(|found| found == body)
    {
        // It came behind the look at that key.
        found.remove(key);
        expected.remove(key);
    }
    assert_eq!(found, expected, "the mirror is not the library");
}

/// All objects of the mirror but the lease.
pub(crate) fn contents(mirror: &ModelStore) -> BTreeMap<String, Bytes> {
    futures::executor::block_on(async {
        let mut all = BTreeMap::new();
        let page = mirror.list(&ListRequest::default()).await.unwrap();
        for object in page.items {
            if !object.key.contains("/.tidelock/lease") {
                let body = mirror.get(&object.key, None, None).await.unwrap().body;
                all.insert(object.key, body);
            }
        }
        all
    })
}
