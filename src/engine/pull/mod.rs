//! Brings the mirror to a folder, on another machine: what changed, and nothing else.
//!
//! # What holds at any moment, after a crash too
//!
//! Every name is absent, as it was before, or complete and proven by checksum. What was edited here
//! is never rewritten or removed: it stays, or is moved beside the mirror's version whole. What the
//! mirror does not have any more goes to the trash, and only what an earlier pull has brought.
//!
//! # Order
//!
//! The listing; a look at every path by `lstat`, compared with what the last pull noted; hashes
//! where only they can tell an edit; the guards; the bytes, many files at once, of renamed files
//! from what is here under the old name; the trash, last.

mod act;
mod book;
mod fetch;
mod listing;
mod look;
mod naming;
mod open;
mod proof;
mod renamed;
mod tally;

mod trash;

use crate::engine::client::Client;
use crate::engine::download::trouble::is_full;
use crate::engine::download::{blocking, space};
use crate::engine::stop::Stop;
use crate::model::{
    Error, Event, Events, ExitCode, Failure, Limit, PullSummary, RelPath, Result, words,
};
use crate::plan::DeleteGuard;
use crate::plan::pull::Step;
use crate::state::Pulled;
use book::Book;
use listing::Listing;
use look::{Task, look};
use open::Opened;
use renamed::Renamed;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tally::{Tally, Totals};

/// What is to be pulled, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder; made where it is missing.
    pub to: PathBuf,
    /// Where the notes of earlier pulls lie.
    pub state_dir: PathBuf,
    /// The sync target's endpoint, which those notes belong to.
    pub endpoint: Option<String>,
    /// More files than this are not moved to the trash.
    pub max_delete: Limit,
    /// Whether it was given for this one pull.
    pub max_delete_override: bool,
    /// An empty mirror, or an emptied folder, is meant.
    pub allow_empty: bool,
    /// Size and time are not proof enough.
    pub checksum: bool,
    /// Tell, touch nothing.
    pub dry_run: bool,
    /// Requests in flight.
    pub transfers: usize,
    /// Bytes of file contents in memory.
    pub memory: u64,
    /// Today, as it is written into names.
    pub date: String,
}

/// How a pull ended.
#[derive(Debug)]
pub struct Ended {
    /// Counts.
    pub summary: PullSummary,
    /// Everything that is not there as it should be, by name.
    pub errors: Vec<Failure>,
    /// `Done`, or the gravest of what happened.
    pub exit: ExitCode,
    /// What ended it before its time: a full disk, a stop, lost credentials, a lost network.
    pub ended_by: Option<Error>,
}

/// Pulls.
///
/// Files that are right already are left alone, so an interrupted pull goes on where it was. A
/// file's failure is told and does not keep others from being pulled, but then nothing is moved to
/// the trash.
///
/// # Errors
/// What keeps it from beginning: the listing can't be had or trusted (`Partial`), the folder can't
/// be made or opened, another pull or restore is writing it (`Held`), it seems to lie on a disk
/// that is not there (`Refused`), or the disk has too little room (`Failed`).
pub async fn pull(client: &Client, request: &Request, events: &Events) -> Result<Ended> {
    let tally = Arc::new(Tally::new(events.clone()));
    let stopped = watch(client.retrier.stop().clone(), Arc::clone(&tally));
    let opened = open::open(client, request, events).await?;
    events.send(Event::Phase("list"));
    let long = opened.long_keys();
    let listing = tokio::select! {
        biased;
        listing = Listing::read(client, &long) => listing?,
        () = tally.over() => Listing::default(),
    };
    if listing.is_empty() && !request.allow_empty && !tally.is_over() {
        return Err(nothing_listed(client, &opened.bases));
    }
    let pull = Pull {
        client,
        request,
        tally: Arc::clone(&tally),
    };
    let fetched = if tally.is_over() {
        0
    } else {
        pull.all(opened, listing).await?
    };
    stopped.abort();
    let mut totals = tally.finish();
    totals.summary.bytes_downloaded = fetched;
    totals.summary.requests = client.store.requests();
    Ok(conclude(totals, &request.to))
}

fn nothing_listed(client: &Client, bases: &[Pulled]) -> Error {
    let target = &client.target;
    let known = match bases.len() {
        0 => "is it the right bucket and prefix?".to_owned(),
        count => format!(
            "though earlier pulls have brought {} from there: what is here stays as it is",
            words::files(count as u64)
        ),
    };
    Error::Partial(format!(
        "{target}: nothing is there, {known} (--allow-empty if the mirror is empty on purpose)"
    ))
}

/// Ends the pull as soon as a stop is wished for.
fn watch(stop: Stop, tally: Arc<Tally>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        tally.give_up(stop.wait().await.error());
    })
}

struct Pull<'a> {
    client: &'a Client,
    request: &'a Request,
    tally: Arc<Tally>,
}

impl Pull<'_> {
    /// Returns how many bytes came.
    async fn all(&self, opened: Opened, listing: Listing) -> Result<u64> {
        let known = opened.bases.len() as u64;
        self.tell_refused(&listing);
        let (looking, hashing) = (opened.looking()?, opened.looking()?);
        let (bases, remotes) = (opened.bases, listing.remotes);
        let checksum = self.request.checksum;
        let (looking, found) = look(looking, bases, remotes, checksum, &self.tally).await?;
        if known > 0 && found.there == 0 && !self.request.allow_empty && !self.tally.is_over() {
            return Err(open::emptied(&self.request.to, known));
        }
        self.tally.unchanged(found.unchanged);
        let book = Arc::new(Book::new(opened.state.filter(|_| !self.request.dry_run)));
        let tasks = self.resolve(found.tasks, hashing, &book).await?;
        let (doomed, tasks): (Vec<Task>, Vec<Task>) =
            tasks.into_iter().partition(|task| task.step == Step::Trash);
        let foretold = renamed_by_etag(&doomed, &tasks);
        let tasks = self.settle(tasks, &book).await?;
        self.announce(&tasks);
        let former = looking.as_ref().map(|walk| walk.another(false));
        let renamed = Arc::new(Renamed::new(&doomed, former.transpose()?));
        let mut fetched = 0;
        match opened.walk {
            Some(walk) if !self.request.dry_run => {
                fetched = self.fetch(tasks, &renamed, walk, &book).await?;
            }
            _ => self.tell_plan(&tasks, &renamed).await,
        }
        let is_deleted = |task: &&Task| {
            let base = task.base.as_ref();
            let given = base.is_some_and(|base| renamed.has_given(&base.content));
            !given && !foretold.contains(&task.path)
        };
        let guard = DeleteGuard {
            deletes: doomed.iter().filter(is_deleted).count() as u64,
            total: known,
            limit: self.request.max_delete,
            overridden: self.request.max_delete_override,
            first_run: !opened.settled,
            doubt: false,
        };
        if let Some(looking) = looking {
            self.throw(doomed, guard, looking, &book).await?;
        }
        let settled = self.tally.is_clean() && !self.request.dry_run;
        blocking(move || book.close(settled)).await?;
        Ok(fetched)
    }
}

/// Files whose content the mirror shows under a new name too, as far as ETags tell: they were renamed
/// and do not count as deleted.
fn renamed_by_etag(doomed: &[Task], tasks: &[Task]) -> HashSet<RelPath> {
    let created = tasks.iter().filter(|task| task.step == Step::Create);
    let created: HashSet<(&str, u64)> = created
        .filter_map(|task| task.remote.as_ref())
        .map(|remote| (remote.etag.as_str(), remote.size))
        .collect();
    let renamed = |task: &&Task| {
        let base = task.base.as_ref();
        base.is_some_and(|base| created.contains(&(base.etag.as_str(), base.content.size)))
    };
    let renamed = doomed.iter().filter(renamed);
    renamed.map(|task| task.path.clone()).collect()
}

fn conclude(totals: Totals, to: &Path) -> Ended {
    let ended_by = totals.fatal.map(|error| match error {
        Error::Io { source, .. } if is_full(&source) => space::ran_out(to, totals.bytes_left),
        other => other,
    });
    let exit = ended_by.as_ref().map_or(ExitCode::Done, Error::exit_code);
    Ended {
        summary: totals.summary,
        errors: totals.errors,
        exit: totals.exit.and(exit),
        ended_by,
    }
}
