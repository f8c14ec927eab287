//! What a run would ask of both targets, store and cost: a dry run's closing words.

use super::Run;
use crate::engine::kept::Kept;
use crate::engine::mirror::MAX_COPY;
use crate::engine::renewal::{Upcoming, upcoming};
use crate::engine::transfer::{SMALLEST_PART, part_len};
use crate::model::{
    Action, Connection, Expected, Forecast, Kind, Locks, RelPath, Result, Side, Time,
};
use crate::plan::forecast::{Counter, prices, renewals_a_year, seconds};
use crate::plan::{DeleteVerdict, Plan};
use crate::snapshot::{Fate, Touched};
use crate::state::View;
use std::collections::BTreeMap;

/// What the plan's actions come to.
#[derive(Default)]
pub(super) struct Sketch {
    counter: Counter,
    sync: Expected,
    backup: Expected,
    /// Objects of unknown content that become versions before they are overwritten.
    rescues: u64,
}

impl Sketch {
    /// One planned action.
    pub(super) fn take(&mut self, action: Action, side: Option<Side>, size: u64) {
        let Some(side) = side else { return };
        match action {
            Action::Upload => {
                self.counter.send(side, parts_to_send(size));
                self.part(side).bytes_sent += size;
            }
            Action::Copy => self.counter.copy(side, parts_to_copy(size)),
            Action::Rescue => {
                self.rescues += 1;
                self.rescue(size);
                return;
            }
            Action::Delete => return self.counter.delete(true),
            _ => return,
        }
        let part = self.part(side);
        part.files += 1;
        part.bytes_stored += size;
    }

    /// What is in no snapshot is kept before it goes.
    fn rescue(&mut self, size: u64) {
        self.counter.rescue(parts_to_send(size));
        self.backup.files += 1;
        self.backup.bytes_sent += size;
        self.backup.bytes_stored += size;
    }

    fn part(&mut self, side: Side) -> &mut Expected {
        match side {
            Side::Sync => &mut self.sync,
            Side::Backup => &mut self.backup,
        }
    }
}

fn parts_to_send(size: u64) -> u64 {
    match size {
        0..=SMALLEST_PART => 1,
        size => size.div_ceil(part_len(size)),
    }
}

fn parts_to_copy(size: u64) -> u64 {
    match size {
        0..=MAX_COPY => 1,
        size => size.div_ceil(part_len(size)),
    }
}

impl Run {
    /// Foretells a run with this plan. Reads what the run would read of the vault's snapshots, and
    /// writes nothing.
    pub(super) async fn foretell(
        &self,
        plan: &Plan,
        verdict: &DeleteVerdict,
        mut sketch: Sketch,
    ) -> Result<Forecast> {
        let deletes = *verdict == DeleteVerdict::Allowed && !plan.extras.is_empty();
        let unknown = plan.extras.iter().filter(|extra| !is_kept(extra));
        for extra in unknown.filter(|_| deletes && self.backup.is_some()) {
            sketch.rescue(extra.object.size);
        }
        let chunks = self.chunks_to_store(plan, verdict).await?;
        let locks = self.foretell_locks(&mut sketch, chunks).await?;
        let sync = match (&self.sync, &self.settings.sync) {
            (Some(sync), Some(settings)) => {
                let client = sync.client();
                sketch.counter.lease(Side::Sync, deletes);
                sketch.counter.again(Side::Sync, &client.store.requests());
                sketch.sync.requests = sketch.counter.of(Side::Sync);
                let (how, class) = (&settings.connection, settings.storage_class.as_deref());
                let region = client.store.site().region;
                price(&mut sketch.sync, how, &region, class, 0)?;
                Some(sketch.sync)
            }
            _ => None,
        };
        let backup = match (&self.backup, &self.settings.backup) {
            (Some(backup), Some(settings)) => {
                let client = backup.versions.client();
                sketch.counter.lease(Side::Backup, deletes);
                let asked = client.store.requests();
                sketch.counter.again(Side::Backup, &asked);
                sketch.backup.requests = sketch.counter.of(Side::Backup);
                let (how, class) = (&settings.connection, settings.storage_class.as_deref());
                let region = client.store.site().region;
                let renewals = locks.as_ref().map_or(0, |locks| locks.renewals_a_year);
                price(&mut sketch.backup, how, &region, class, renewals)?;
                Some(sketch.backup)
            }
            _ => None,
        };
        let mut forecast = Forecast {
            sync,
            backup,
            locks,
            seconds: None,
        };
        let rate = self.settings.run.bwlimit;
        forecast.seconds = rate.map(|rate| seconds(forecast.bytes_sent(), rate));
        Ok(forecast)
    }

    /// What is committed and renewed, and how long it is locked then.
    async fn foretell_locks(&self, sketch: &mut Sketch, chunks: u64) -> Result<Option<Locks>> {
        let (Some(backup), Some(settings)) = (&self.backup, &self.settings.backup) else {
            return Ok(None);
        };
        if sketch.rescues > 0 {
            sketch.counter.commit(1);
        }
        let mut known = Upcoming::default();
        let now = self.now().await?;
        if self.which.backs_up() {
            sketch.counter.commit(chunks);
            if backup.latest.is_some() {
                let (vault, listed) = (&backup.vault, backup.listed.clone());
                let kept = Kept::read_slim(vault, listed, now, settings.retention).await?;
                known = upcoming(&kept, settings, now);
                sketch.counter.renew(known.due);
            }
        }
        let versions = known.versions + sketch.backup.files + chunks + 1;
        let until = now.checked_add(settings.retention).unwrap_or(Time::MAX);
        Ok(Some(Locks {
            mode: settings.mode,
            until: Time::from_second(until.as_second()).unwrap_or(until),
            renewals_a_year: renewals_a_year(versions, settings.retention, settings.renew_below),
        }))
    }

    /// Chunks of the next manifest that no snapshot has yet.
    async fn chunks_to_store(&self, plan: &Plan, verdict: &DeleteVerdict) -> Result<u64> {
        let mut fates = fates(plan, *verdict == DeleteVerdict::Allowed)
            .into_iter()
            .peekable();
        let first = self.backup.as_ref().is_none_or(|it| it.latest.is_none());
        let mut touched = Touched::default();
        let mut rows = self.state.rows(View::Merged);
        while let Some(found) = rows.next().await? {
            let entry = &found.row.entry;
            while let Some((path, fate)) = fates.next_if(|(path, _)| *path < entry.path) {
                touched.path(&path, if fate == Fate::Goes { fate } else { Fate::New });
            }
            let planned = fates.next_if(|(path, _)| *path == entry.path);
            let is_named = entry.kind != Kind::File || entry.stored.is_some();
            let fate = match planned {
                Some((_, Fate::Goes)) => Fate::Goes,
                Some(_) if !is_named || first => Fate::New,
                Some((_, fate)) => fate,
                None if !is_named => continue,
                None if first => Fate::New,
                None if !found.committed => Fate::Changes,
                None => Fate::Stays,
            };
            touched.path(&entry.path, fate);
        }
        for (path, fate) in fates {
            touched.path(&path, if fate == Fate::Goes { fate } else { Fate::New });
        }
        Ok(touched.count())
    }
}

/// What becomes of the remembered paths that the plan speaks of; those that nothing is remembered
/// of are new, whatever stands here.
fn fates(plan: &Plan, drops: bool) -> BTreeMap<RelPath, Fate> {
    let carried = |known: &crate::plan::Known| match known.entry.carried {
        true => Fate::Stays,
        false => Fate::Changes,
    };
    let mut fates = BTreeMap::new();
    for task in &plan.tasks {
        let fate = if task.same {
            Fate::Stays
        } else {
            Fate::Changes
        };
        fates.insert(task.seen.path.clone(), fate);
    }
    for known in &plan.entries {
        fates.insert(known.entry.path.clone(), Fate::Changes);
    }
    for known in &plan.gone {
        let fate = if drops { Fate::Goes } else { carried(known) };
        fates.insert(known.entry.path.clone(), fate);
    }
    for known in &plan.offline {
        fates.insert(known.entry.path.clone(), carried(known));
    }
    fates
}

/// Whether an object that is to be deleted is in a committed snapshot.
fn is_kept(extra: &crate::plan::Extra) -> bool {
    extra.holds.as_ref().is_some_and(|known| known.committed)
}

fn price(
    part: &mut Expected,
    connection: &Connection,
    region: &str,
    class: Option<&str>,
    renewals: u64,
) -> Result<()> {
    if let Some((prices, as_of)) = prices(connection.provider, region, class)? {
        part.cost = Some(prices.cost(&as_of, &part.requests, part.bytes_stored, renewals));
    }
    Ok(())
}
