//! Which snapshot a reader means.

use crate::model::{Error, Result, Time};
use crate::snapshot::{Finding, Link, Loaded, SnapshotId, SnapshotRef, Vault, check_chain};

/// Which snapshot is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Select {
    /// The newest that is not suspect.
    Latest,
    /// The newest that is not suspect and not later than this.
    At(Time),
    /// This one, suspect or not: a whole id, or a beginning or the random part that only one has.
    Id(String),
}

/// A snapshot that was asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The one.
    pub loaded: Loaded,
    /// Newer ones that were passed over because they are suspect, newest first.
    pub passed_over: Vec<SnapshotId>,
}

impl Select {
    /// An id as a user writes it; `latest` means the newest that is not suspect.
    pub fn id(text: &str) -> Self {
        match text {
            "latest" => Self::Latest,
            id => Self::Id(id.to_owned()),
        }
    }
}

impl Vault {
    /// The snapshot that a reader asked for, checked against its parent and its child where they
    /// are there.
    ///
    /// # Errors
    /// `Usage` where there is none such, naming what there is; `Damage` where the chain shows
    /// that it is forged.
    pub async fn find(&self, select: &Select) -> Result<Found> {
        // By its id a dropped one can be had for as long as it is there.
        let all = match select {
            Select::Id(_) => self.list_all().await?,
            Select::Latest | Select::At(_) => self.list().await?,
        };
        let mut passed_over = Vec::new();
        let mut candidates = self.candidates(&all, select)?;
        while let Some((index, at)) = candidates.pop() {
            let loaded = self.load(at).await?;
            if loaded.snapshot.suspect.is_some() && !matches!(select, Select::Id(_)) {
                passed_over.push(loaded.snapshot.id);
                continue;
            }
            self.check_neighbours(&all, index, &loaded).await?;
            return Ok(Found {
                loaded,
                passed_over,
            });
        }
        Err(Error::Usage(format!(
            "{}: every snapshot asked for is suspect ({}); take one with --snapshot ID",
            self.target(),
            list_ids(&passed_over),
        )))
    }

    /// What can be meant, the first choice last.
    fn candidates<'a>(
        &self,
        all: &'a [SnapshotRef],
        select: &Select,
    ) -> Result<Vec<(usize, &'a SnapshotRef)>> {
        let (Some(oldest), Some(newest)) = (all.first(), all.last()) else {
            return Err(Error::Usage(format!(
                "{}: there is no snapshot; is it the right bucket and prefix (--backup-to)? `tidelock \
                 backup` makes the first",
                self.target()
            )));
        };
        let matches = |at: &SnapshotRef| match select {
            Select::Latest => true,
            // What was written later only says that it was there.
            Select::At(time) => at.id.time() <= *time && !at.is_backdated(),
            Select::Id(text) => names(&at.id, text),
        };
        let found: Vec<_> = all
            .iter()
            .enumerate()
            .filter(|(_, at)| matches(at))
            .collect();
        match select {
            Select::Id(text) if found.len() > 1 => {
                let ids: Vec<_> = found.iter().map(|(_, at)| at.id.clone()).collect();
                Err(Error::Usage(format!(
                    "{}: {text:?} names several snapshots, give more of the id to --snapshot: {}",
                    self.target(),
                    list_ids(&ids)
                )))
            }
            _ if found.is_empty() => Err(Error::Usage(format!(
                "{}: there is no snapshot {}; the oldest is {}, the latest {}; \
                 `tidelock snapshots` lists all",
                self.target(),
                describe(select),
                oldest.id,
                newest.id
            ))),
            _ => Ok(found),
        }
    }

    /// Compares a snapshot with the ones next to it, as far as they can be read.
    async fn check_neighbours(
        &self,
        all: &[SnapshotRef],
        index: usize,
        loaded: &Loaded,
    ) -> Result<()> {
        let mut links = vec![Link::from(loaded)];
        let parent = loaded.snapshot.parent.as_ref();
        let parent = all.iter().find(|at| Some(&at.id) == parent);
        for at in parent.into_iter().chain(all.get(index + 1)) {
            match self.load(at).await {
                Ok(neighbour) => links.push(Link::from(&neighbour)),
                Err(error @ Error::Store(_)) => return Err(error),
                // It can't testify; `verify` tells of it.
                Err(error) => tracing::warn!(%error, "a neighbouring snapshot can't be read"),
            }
        }
        for finding in check_chain(&links, &[]) {
            if let Finding::Forged { child, parent } = finding
                && (child == loaded.snapshot.id || parent == loaded.snapshot.id)
            {
                return Err(Error::Damage(format!(
                    "{}: snapshot {child} was made from another {parent} than the one stored, so \
                     one of the two is forged; run `tidelock verify`, and restore another one \
                     with --snapshot",
                    self.target()
                )));
            }
        }
        Ok(())
    }
}

fn names(id: &SnapshotId, text: &str) -> bool {
    let id = id.as_str();
    !text.is_empty() && (id.starts_with(text) || id.ends_with(&format!("-{text}")))
}

fn describe(select: &Select) -> String {
    match select {
        Select::Latest => "at all".to_owned(),
        // Whole days end with their last nanosecond, which nobody has asked for.
        Select::At(time) => format!("from {} or before", time.strftime("%Y-%m-%d %H:%M:%S UTC")),
        Select::Id(text) => format!("{text:?}"),
    }
}

fn list_ids(ids: &[SnapshotId]) -> String {
    let ids: Vec<_> = ids.iter().map(SnapshotId::as_str).collect();
    ids.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_day_is_told_without_its_nanoseconds() {
        let end = "2026-11-01T23:59:59.999999999Z".parse().expect("a time");
        assert_eq!(
            describe(&Select::At(end)),
            "from 2026-11-01 23:59:59 UTC or before"
        );
    }
}
