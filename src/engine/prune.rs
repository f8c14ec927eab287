//! Dropping snapshots by the keep policy, and the versions that nobody needs and no lock holds.
//!
//! A dropped snapshot is one that a prune record names and whose pin is gone: from then on no
//! reader sees it, and its locks are not renewed. What only it had goes later, when its lock and the
//! days of grace are over, by whichever prune comes then. So nothing here depends on having been here
//! before, and an interrupted prune is gone on with by the next.

mod named;
mod pins;

use crate::engine::client::Client;
use crate::engine::kept::candidate;
use crate::model::{
    Action, BackupSettings, Blake3, Error, Event, Events, RelPath, Result, Side, StoreErrorKind,
    Time,
};
use crate::plan::{Candidate, GRACE, History, MostHistory, Naming, Sweep, keep, sweep};
use crate::snapshot::{
    Dropped, Loaded, Lock, PruneRecord, SnapshotId, Vault, layout, read_prune_records, write_prune,
};
use crate::store::{ListRequest, Version};
use futures::stream::{self, StreamExt};
use jiff::tz::TimeZone;
use named::{Names, stronger};
use std::collections::{HashMap, HashSet};

/// What a prune does, or would do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// Snapshots that this prune drops, ascending.
    pub dropped: Vec<SnapshotId>,
    /// Snapshots that stay.
    pub kept: usize,
    /// Versions that went, and their bytes.
    pub freed: Freed,
    /// Versions that go later, and their bytes.
    pub later: Freed,
    /// When the first and the last of those can go.
    pub between: Option<(Time, Time)>,
    /// The files with the most versions and bytes, as they were listed, before anything went.
    pub history: Vec<History>,
    /// Delete markers that were taken away.
    pub markers: u64,
    /// Versions that the store refused to delete although their lock is over, e.g. for a legal
    /// hold; their keys and why.
    pub refused: Vec<(String, String)>,
}

/// A number of versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Freed {
    /// How many.
    pub versions: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl Freed {
    fn add(&mut self, version: &Version) {
        self.versions += 1;
        self.bytes += version.size;
    }
}

/// How to prune.
pub struct Prune<'a> {
    /// The backup target.
    pub client: &'a Client,
    /// The same, to read from.
    pub vault: &'a Vault,
    /// Its settings: the keep policy, and the lock of the record.
    pub settings: &'a BackupSettings,
    /// Where days begin.
    pub zone: &'a TimeZone,
    /// Nothing is written or deleted.
    pub dry_run: bool,
    /// Requests in flight.
    pub transfers: usize,
    /// Where each deleted version is told.
    pub events: &'a Events,
}

impl Prune<'_> {
    /// Prunes. The caller holds the lease; `check` makes sure of it.
    ///
    /// # Errors
    /// `Refused` for a policy that keeps nothing; `Damage` where a kept snapshot can't be read, so
    /// that nobody can say what it needs: nothing is deleted then.
    pub async fn run(&self, check: impl AsyncFn() -> Result<()>) -> Result<Pruned> {
        let now = self.client.call(|store| store.now()).await?;
        let records = read_prune_records(self.vault).await?;
        let pending: HashSet<_> = records
            .iter()
            .flat_map(|it| &it.pending)
            .map(name)
            .collect();
        let graces = graces(records);
        let all = self.load(&graces).await?;
        let stays = self.decide(&all)?;
        let end = now.checked_add(GRACE).unwrap_or(Time::MAX);
        let (mut stay, mut go, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        let newest = all.last().map(|loaded| loaded.snapshot.id.clone());
        for (loaded, stays) in all.into_iter().zip(stays) {
            let id = &loaded.snapshot.id;
            let named = (id.clone(), loaded.blake3);
            if stays && (pending.contains(&named) || graces.contains_key(&named)) {
                self.events.send(Event::Warning(format!(
                    "a prune record names snapshot {id}, which the keep policy keeps: the policy \
                     was another then, or the record is forged. What it needs stays"
                )));
            }
            let recorded = graces.get(&named).copied();
            match recorded.filter(|_| Some(id) != newest.as_ref()) {
                None if stays => stay.push(loaded),
                None => go.push(loaded),
                // A record never takes what the policy keeps.
                Some(_) if stays => gone.push((loaded, end)),
                Some(grace) => gone.push((loaded, grace)),
            }
        }
        if !go.is_empty() && !self.dry_run {
            check().await?;
            self.record(now, &go).await?;
        }
        let mut names = Names::default();
        for loaded in &stay {
            names.add(loaded, Naming::Kept);
        }
        for (loaded, until) in gone.iter().filter(|(_, until)| *until > now) {
            names.add(loaded, Naming::Until(*until));
        }
        for loaded in &go {
            names.add(loaded, Naming::Until(end));
        }
        names.read_chunks(self.vault).await?;
        let mut pruned = Pruned {
            dropped: go.iter().map(|it| it.snapshot.id.clone()).collect(),
            kept: stay.len(),
            ..Pruned::default()
        };
        let unpinned = go.iter().chain(gone.iter().map(|(loaded, _)| loaded));
        let unpinned = unpinned.map(|it| it.snapshot.id.clone()).collect();
        let pinned = stay.iter().map(|it| it.snapshot.id.clone()).collect();
        check().await?;
        pruned.refused = self.unpin(&unpinned, &pinned, now).await?;
        for folder in [
            layout::SNAPSHOTS,
            layout::MANIFESTS,
            layout::LOCKS,
            layout::FILES,
        ] {
            check().await?;
            self.sweep_folder(folder, &names, now, &mut pruned).await?;
        }
        Ok(pruned)
    }

    /// Every snapshot that is there, dropped ones too; of those, an unreadable one needs nothing.
    async fn load(&self, graces: &Graces) -> Result<Vec<Loaded>> {
        let listed = self.vault.list_all().await?;
        let newest = listed.last().map(|at| at.id.clone());
        let mut all = Vec::new();
        for at in listed {
            let recorded = graces.keys().any(|(id, _)| *id == at.id);
            let loaded = self.vault.load(&at).await;
            match loaded {
                Ok(loaded) => all.push(loaded),
                Err(Error::Store(error)) if error.kind != StoreErrorKind::NotFound => {
                    return Err(error.into());
                }
                Err(error) if recorded && Some(&at.id) != newest.as_ref() => {
                    tracing::warn!(%error, "a dropped snapshot can't be read");
                }
                Err(error) => {
                    return Err(Error::Damage(format!(
                        "{error}. What it needs is not known, so nothing was pruned; see \
                         `tidelock verify`"
                    )));
                }
            }
        }
        Ok(all)
    }

    fn decide(&self, kept: &[Loaded]) -> Result<Vec<bool>> {
        let candidates: Vec<Candidate> = kept.iter().map(candidate).collect();
        keep(&candidates, &self.settings.keep, self.zone).map_err(|why| {
            Error::Refused(format!(
                "{}: {why}; nothing was dropped. Set [backup] keep, e.g. keep = {{ last = 7, \
                 daily = 14, monthly = 24 }}",
                self.vault.target()
            ))
        })
    }

    async fn record(&self, now: Time, go: &[Loaded]) -> Result<()> {
        let dropped: Vec<Dropped> = go
            .iter()
            .map(|loaded| Dropped {
                id: loaded.snapshot.id.clone(),
                blake3: loaded.blake3,
                parent: loaded.snapshot.parent.clone(),
            })
            .collect();
        let lock = Lock {
            mode: self.settings.mode,
            period: self.settings.retention,
        };
        let sse = self.settings.sse.as_deref();
        write_prune(self.vault, now, lock, sse, &dropped).await
    }

    async fn sweep_folder(
        &self,
        folder: &str,
        names: &Names,
        now: Time,
        pruned: &mut Pruned,
    ) -> Result<()> {
        let mut request = ListRequest {
            prefix: self.vault.target().key(folder),
            ..ListRequest::default()
        };
        let mut most = MostHistory::default();
        loop {
            let page = self
                .client
                .call(|store| store.list_versions(&request))
                .await?;
            for version in page.items.iter().filter(|it| !it.delete_marker) {
                most.add(&version.key, version.size);
            }
            let mut swept = stream::iter(page.items)
                .map(|version| async move {
                    let verdict = self.judge_named(&version, names, now).await;
                    (version, verdict)
                })
                .buffered(self.transfers);
            while let Some((version, verdict)) = swept.next().await {
                self.note(&version, verdict?, pruned);
            }
            match page.next {
                Some(next) => request.cursor = Some(next),
                None => break,
            }
        }
        if folder == layout::FILES {
            pruned.history = most.finish();
        }
        Ok(())
    }

    /// As [`Prune::judge`]. A version that only its key speaks for is a chunk's other copy where
    /// it has had a lock, as all that Tidelock writes; else it is a stranger's, over the chunk.
    async fn judge_named(&self, version: &Version, names: &Names, now: Time) -> Result<Ended> {
        let naming = names.of(version);
        if naming == Naming::Nobody
            && names.of_key(version) != Naming::Nobody
            && !version.delete_marker
            && self.lock_of(version).await?.is_some()
        {
            let naming = stronger(naming, names.of_key(version));
            return self.judge(version, naming, now).await;
        }
        self.judge(version, naming, now).await
    }

    /// The end of its lock; none where it has none, or is gone.
    async fn lock_of(&self, version: &Version) -> Result<Option<Time>> {
        let (key, id) = (&version.key, &version.version_id);
        match self.client.call(|store| store.retention(key, id)).await {
            Ok(lock) => Ok(lock.map(|lock| lock.until)),
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a version, or a delete marker, if it can go. A version whose lock holds is not asked
    /// for twice.
    async fn judge(&self, version: &Version, naming: Naming, now: Time) -> Result<Ended> {
        if naming == Naming::Kept {
            return Ok(Ended::Kept);
        }
        let (key, id) = (&version.key, &version.version_id);
        let locked = match version.delete_marker {
            true => None,
            false => self.lock_of(version).await?,
        };
        match sweep(naming, version.last_modified, locked, now) {
            Sweep::Keep => Ok(Ended::Kept),
            Sweep::Later(then) => Ok(Ended::Later(then)),
            Sweep::Now if self.dry_run => Ok(Ended::Gone),
            Sweep::Now => {
                let ended = self
                    .client
                    .call(|store| store.delete_version(key, id))
                    .await;
                match ended {
                    Ok(()) => Ok(Ended::Gone),
                    Err(error) if error.kind == StoreErrorKind::NotFound => Ok(Ended::Gone),
                    Err(error) => Ok(Ended::Refused(error.to_string())),
                }
            }
        }
    }

    fn note(&self, version: &Version, ended: Ended, pruned: &mut Pruned) {
        match ended {
            Ended::Kept => {}
            Ended::Later(_) if version.delete_marker => {}
            Ended::Gone if version.delete_marker => pruned.markers += 1,
            Ended::Later(then) => {
                pruned.later.add(version);
                let (first, last) = pruned.between.unwrap_or((then, then));
                pruned.between = Some((first.min(then), last.max(then)));
            }
            Ended::Refused(why) => pruned.refused.push((version.key.clone(), why)),
            Ended::Gone => {
                pruned.freed.add(version);
                self.events.send(Event::File {
                    path: RelPath::from(version.key.as_str()),
                    action: Action::Delete,
                    side: Some(Side::Backup),
                    size: version.size,
                    planned: self.dry_run,
                });
            }
        }
    }
}

/// Until when what a dropped snapshot names stays, by its id and BLAKE3: a record that tells other
/// bytes of a snapshot is about none.
type Graces = HashMap<(SnapshotId, Blake3), Time>;

fn name(dropped: &Dropped) -> (SnapshotId, Blake3) {
    (dropped.id.clone(), dropped.blake3)
}

fn graces(records: Vec<PruneRecord>) -> Graces {
    let mut graces = Graces::new();
    for record in records {
        let end = record.at.checked_add(GRACE).unwrap_or(Time::MAX);
        for dropped in &record.dropped {
            let grace = graces.entry(name(dropped)).or_insert(end);
            *grace = end.max(*grace);
        }
    }
    graces
}

/// What became of a version.
enum Ended {
    Kept,
    Later(Time),
    Gone,
    Refused(String),
}
