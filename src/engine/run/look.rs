//! Looking: the scan and the listing, compared with what is remembered.

use super::Run;
use super::listed::read_listing;
use super::stages::Progress;
use crate::engine::buffers::Buffers;
use crate::engine::listing::{self, Listing};
use crate::engine::memory::known;
use crate::engine::transfer::{Transfer, large_files};
use crate::library::{Library, Root, RootProblem, Scan, ScanError, check_root, scan};
use crate::model::key::KeyBase;
use crate::model::{
    Error, Event, LibrarySettings, MtimePolicy, RelPath, Result, RunSettings, words,
};
use crate::plan::{CompareOptions, Comparer, Extra, MirrorObject, Plan, check_empty};
use crate::state::View;
use crate::store::Object;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Parts of one file in flight to each target: what a kill costs of it. More of them finish no
/// sooner on a line that four fill; other files use what is left of `--transfers`.
const PARTS_AT_A_TIME: usize = 4;

/// What was seen, and what follows from it.
pub(super) struct Looked {
    /// The plan.
    pub(super) plan: Plan,
    /// The library, open for reading.
    pub(super) library: Arc<Library>,
    /// Something could not be seen.
    pub(super) scan_errors: bool,
    /// The mirror's listing can't be trusted: nothing is written or deleted there.
    pub(super) listing_failed: bool,
}

impl Run {
    /// Scans and lists at the same time, then compares.
    pub(super) async fn look(&mut self, progress: &mut Progress) -> Result<Looked> {
        let mut settings = self.library_settings()?.clone();
        let state_dir = &self.settings.run.state_dir;
        let own = super::own::pattern(state_dir, &settings.path);
        settings.exclude.extend(own);
        let root = match check_root(&settings.path) {
            Ok(root) => root,
            Err(problem) => return Err(self.no_library(problem).await),
        };
        self.events.send(Event::Phase("scan"));
        let sync = self.sync.as_ref().map(|sync| sync.client().clone());
        let splits = match &sync {
            Some(client) => listing::splits(client, &self.state).await?,
            None => Vec::new(),
        };
        let (scanned, listed) =
            tokio::join!(self.scan(&root, &settings), read_listing(sync, &splits));
        let scanned = match scanned {
            Ok(scanned) => scanned,
            Err(ScanError::Root(problem)) => return Err(self.no_library(problem).await),
            Err(ScanError::Other(error)) => return Err(self.as_stop(error)),
        };
        let listed = match listed {
            Some(Ok(listing)) => Some(self.proven(listing).await?),
            other => other,
        };
        let (listing, listing_failed) = self.usable(listed)?;
        let library = Library::open(&root, &settings)
            .map_err(|problem| Error::Refused(problem.to_string()))?;
        for note in &scanned.notes {
            self.events.send(Event::Note(note.clone()));
        }
        for unseen in &scanned.unseen {
            self.tally.unread.one();
            self.events.send(Event::Failed(unseen.failure.clone()));
            self.tally.fail(unseen.failure.clone());
        }
        let scan_errors = !scanned.unseen.is_empty();
        let plan = self.compare(scanned, listing, &settings).await?;
        progress.library = Some((plan.files, plan.bytes));
        self.tally.skipped.add(plan.special.len() as u64);
        self.tell_placeholders(&plan, settings.cloud_files);
        let there = plan.files + (plan.offline.len() + plan.never_stored.len()) as u64;
        if check_empty(there, plan.known_files, self.settings.run.allow_empty) {
            return Err(self.emptied(&settings.path, plan.known_files));
        }
        Ok(Looked {
            plan,
            library: Arc::new(library),
            scan_errors,
            listing_failed,
        })
    }

    fn library_settings(&self) -> Result<&LibrarySettings> {
        self.settings.library.as_ref().ok_or_else(|| {
            Error::Usage("no library: name its folder, e.g. `tidelock run ~/Pictures`".to_owned())
        })
    }

    async fn scan(&self, root: &Root, settings: &LibrarySettings) -> Result<Scan, ScanError> {
        let stopping = Arc::new(AtomicBool::new(false));
        let (root, settings, flag) = (root.clone(), settings.clone(), Arc::clone(&stopping));
        let scanning = tokio::task::spawn_blocking(move || scan(&root, &settings, &flag, &|_| {}));
        tokio::pin!(scanning);
        let ended = tokio::select! {
            ended = &mut scanning => ended,
            _ = self.stop.wait() => {
                stopping.store(true, Ordering::Relaxed);
                scanning.await
            }
        };
        ended.unwrap_or_else(|error| {
            Err(ScanError::Other(Error::Failed(format!(
                "the scan died: {error}"
            ))))
        })
    }

    /// An interruption of the scan, by its true reason.
    fn as_stop(&self, error: Error) -> Error {
        match (error, self.stop.requested()) {
            (Error::Interrupted, Some(why)) => why.error(),
            (error, _) => error,
        }
    }

    async fn compare(
        &self,
        scanned: Scan,
        listing: Option<Listing>,
        settings: &LibrarySettings,
    ) -> Result<Plan> {
        let options = CompareOptions {
            sync: listing.is_some(),
            backup: self.backup.is_some() && self.which.backs_up(),
            mtime: settings.mtime,
            checksum: self.settings.run.checksum,
        };
        let mut listing = listing.unwrap_or_default();
        let foreign = self.resolve(&mut listing, &scanned).await?;
        let mut comparer = Comparer::new(scanned.entries, listing.objects, options)
            .with_placeholders(&scanned.placeholders);
        let mut rows = self.state.rows(View::Merged);
        while let Some(found) = rows.next().await? {
            comparer.remember(known(found));
        }
        let mut plan = comparer.finish();
        plan.extras.extend(foreign);
        Ok(plan)
    }

    /// Finds the paths behind long keys. What no path stands for would be deleted like any other
    /// object that the library does not have.
    async fn resolve(&self, listing: &mut Listing, scanned: &Scan) -> Result<Vec<Extra>> {
        let Some(sync) = &self.sync else {
            return Ok(Vec::new());
        };
        let base = KeyBase::new(sync.client().target.listing_prefix());
        let seen = scanned.entries.iter().map(|seen| &seen.path);
        listing.resolve_long(&base, seen.chain(&scanned.placeholders));
        if !listing.long.is_empty() {
            let mut rows = self.state.rows(View::Merged);
            let mut known: Vec<RelPath> = Vec::new();
            while let Some(found) = rows.next().await? {
                let path = found.row.entry.path;
                if listing.long.contains_key(&base.key_of(&path).key) {
                    known.push(path);
                }
            }
            listing.resolve_long(&base, known.iter());
        }
        let long = std::mem::take(&mut listing.long).into_values();
        let strangers = long.chain(std::mem::take(&mut listing.foreign));
        Ok(strangers
            .map(|object| Extra {
                object: stranger(&base, object),
                holds: None,
            })
            .collect())
    }

    /// What workers share.
    pub(super) fn transfer(&self, library: Arc<Library>) -> Arc<Transfer> {
        Arc::new(self.new_transfer(library))
    }

    /// The same without the mirror.
    pub(super) fn transfer_to_backup(&self, library: Arc<Library>) -> Arc<Transfer> {
        Arc::new(Transfer {
            sync: None,
            ..self.new_transfer(library)
        })
    }

    /// The same for the mirror's part of files that are on the backup already.
    pub(super) fn transfer_to_mirror(&self, library: Arc<Library>) -> Arc<Transfer> {
        Arc::new(Transfer {
            backup_counted: true,
            ..self.new_transfer(library)
        })
    }

    fn new_transfer(&self, library: Arc<Library>) -> Transfer {
        let run = &self.settings.run;
        let buffers = Buffers::new(run.memory);
        let parallel_parts = run.transfers.min(PARTS_AT_A_TIME);
        // Whatever is in flight when a run is killed is sent again: a few large parts are enough.
        let requests = if run.adapt_transfers {
            RunSettings::default().transfers
        } else {
            run.transfers
        };
        let settings = self.settings.library.as_ref();
        Transfer {
            library,
            memory: Arc::clone(&self.memory),
            buffers,
            sync: self.sync.clone(),
            backup: self
                .backup
                .as_ref()
                .filter(|_| self.which.backs_up())
                .map(|backup| Arc::clone(&backup.versions)),
            copies: self.copies.clone(),
            backup_counted: false,
            leftovers: self.leftovers,
            unfinished: Arc::clone(&self.unfinished),
            ignore_mtime: settings.is_some_and(|library| library.mtime == MtimePolicy::Ignore),
            parallel_parts,
            turns: large_files(requests, parallel_parts),
            tally: Arc::clone(&self.tally),
            events: self.events.clone(),
            stop: self.stop.clone(),
        }
    }

    /// The library's folder is not there: if it ever was, its disk is unplugged. Its locks were
    /// renewed before this look, so that they do not lapse meanwhile.
    async fn no_library(&mut self, problem: RootProblem) -> Error {
        let known = self
            .state
            .call(|state| state.base_count())
            .await
            .unwrap_or(0);
        if known == 0 {
            return Error::Usage(format!(
                "{problem} Name another folder, as in `tidelock run FOLDER`, or correct [library] \
                 path"
            ));
        }
        let renewed = words::count(self.tally.renewed.get(), "lock", "locks");
        let until = self
            .protected_until()
            .map(|until| format!(", protected until {until:.0}"));
        let remedy = match &problem {
            RootProblem::NotAFolder(_) | RootProblem::Unreadable { .. } => "Set that right",
            RootProblem::Missing(_) | RootProblem::WentAway(_) => "Plug it in",
        };
        let problem = problem.to_string();
        let stop = if problem.ends_with('?') { "" } else { "." };
        Error::Refused(format!(
            "{problem}{stop} Nothing was stored and nothing was deleted; {renewed} \
             renewed{}. {remedy} or correct [library] path, then run the same command again.",
            until.unwrap_or_default()
        ))
    }

    fn emptied(&self, path: &Path, known: u64) -> Error {
        Error::Refused(format!(
            "the library at {} has no files, and had {} before: is its disk unplugged? \
             Nothing was stored and nothing was deleted. If it is meant to be empty, run again \
             with --allow-empty --max-delete {known}",
            path.display(),
            words::digits(known)
        ))
    }
}

/// An object that no path of a library has the key of, under its own name.
fn stranger(base: &KeyBase, object: Object) -> MirrorObject {
    let name = object
        .key
        .strip_prefix(base.as_str())
        .unwrap_or(&object.key);
    let path = RelPath::new(name.as_bytes());
    MirrorObject {
        path,
        key: object.key,
        size: object.size,
        etag: object.etag,
    }
}
