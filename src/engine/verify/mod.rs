//! Proves that every kept snapshot can be restored.
//!
//! Each snapshot object and each chunk of a manifest is read and checked; each version that any of
//! them names is asked for once, by one HEAD on its version id: presence, size, ETag, CRC64NVME and
//! lock. A listing could answer a thousand at a time, but not the locks, and some servers leave
//! keys out of listings that lie below another object's key. `--read-data` fetches the bytes too.
//!
//! Memory is bounded by 16 bytes a version beside a few chunks.

mod bytes;
mod covered;
mod mentions;
mod probe;

pub use mentions::{Bad, Mention, mentions};
pub use probe::{Expected, Problem, Seen, look_at};

use crate::engine::kept::{Kept, NamedChunk, VersionName};
use crate::engine::retry::Retrier;
use crate::engine::stop::Why;
use crate::model::key::{KeyBase, KeyPath};
use crate::model::{Entry, Error, Event, Events, Result, Stored, Time};
use crate::plan::share_of_night;
use crate::snapshot::{Finding, Loaded, SnapshotId, Vault, layout};
use bytes::Reading;
use futures::stream::{self, StreamExt};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Chunks fetched ahead; each is up to 16,384 entries in memory.
const AHEAD: usize = 3;

/// How thoroughly, and by what measure.
#[derive(Clone, Debug)]
pub struct Request {
    /// Percent of the versions whose bytes are read tonight.
    pub read_data: Option<f64>,
    /// Requests in flight.
    pub transfers: usize,
    /// Bytes of file contents in memory.
    pub memory: u64,
    /// Length of a full lock.
    pub retention: Duration,
    /// Locks with less left are due for renewal.
    pub renew_below: Duration,
}

/// Something that can't be restored as it was, or that is less protected than it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The path, or the object where no path is at fault.
    pub path: String,
    /// The entry, where it is about one.
    pub entry: Option<Box<Entry>>,
    /// What is wrong, in one word: `gone`, `size`, `checksum`, `bytes`, `lock`, `manifest`,
    /// `refused`, `snapshot`, `chain`, `delete_marker`, `foreign_version`.
    pub problem: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// Which snapshots name it.
    pub snapshots: Vec<SnapshotId>,
    /// A version with the same content that another snapshot names: no damage then.
    pub healed_by: Option<Stored>,
}

/// What was found.
#[derive(Debug)]
pub struct Verified {
    /// The snapshots that could be read.
    pub kept: Kept,
    /// Everything that is wrong, healed things too.
    pub damage: Vec<Damage>,
    /// Short of damage: forks of the chain, second roots.
    pub warnings: Vec<String>,
    /// Versions of files that are gone or have other content than was stored.
    pub lost: Vec<Mention>,
    /// Distinct versions looked at, chunks and snapshots among them.
    pub versions: u64,
    /// Versions whose bytes were read, and how many bytes.
    pub read: (u64, u64),
    /// Versions that are in an archive class and were not read for it.
    pub archived: u64,
    /// Locks that are as recorded but have less than `renew_below` left.
    pub due: u64,
}

impl Verified {
    /// Damage that nothing heals.
    pub fn unhealed(&self) -> impl Iterator<Item = &Damage> {
        self.damage.iter().filter(|it| it.healed_by.is_none())
    }
}

/// Verifies a whole vault.
///
/// # Errors
/// The store's; `Interrupted` or `Resumable` on a stop. Damage is no error: it is in the answer.
pub async fn verify(
    vault: &Vault,
    request: &Request,
    retrier: &Retrier,
    events: &Events,
) -> Result<Verified> {
    events.send(Event::Phase("verify"));
    let now = retrier.run(|| vault.store().now()).await?;
    let kept = Kept::read(vault, now, request.retention).await?;
    let reading = request.read_data.map(|percent| Reading {
        share: share_of_night(percent, now),
        range: bytes::range(request.memory, request.transfers),
    });
    let mut verifier = Verifier {
        vault,
        retrier,
        events,
        now,
        renew_below: request.renew_below,
        reading,
        found: Found::default(),
    };
    verifier.chain(&kept);
    verifier.snapshots(&kept.snapshots).await?;
    let named = verifier.versions(&kept, request.transfers).await?;
    verifier.covered(named, &kept).await?;
    verifier.finish(kept).await
}

#[derive(Default)]
struct Found {
    damage: Vec<Damage>,
    warnings: Vec<String>,
    /// Versions of files that have something wrong.
    bad: HashMap<VersionName, Bad>,
    versions: u64,
    read: (u64, u64),
    archived: u64,
    due: u64,
}

struct Verifier<'a> {
    vault: &'a Vault,
    retrier: &'a Retrier,
    events: &'a Events,
    now: Time,
    renew_below: Duration,
    reading: Option<Reading>,
    found: Found,
}

/// One thing to look at.
enum Job<'a> {
    /// A chunk object's own version.
    Chunk(&'a NamedChunk),
    /// A version of a file.
    File(Box<Entry>, Time),
}

impl Verifier<'_> {
    fn chain(&mut self, kept: &Kept) {
        for (id, error) in &kept.unreadable {
            self.damage(
                "snapshot",
                format!("snapshot {id}"),
                error.to_string(),
                vec![id.clone()],
            );
        }
        for finding in kept.findings() {
            let message = describe(&finding);
            if finding.is_warning() {
                self.found.warnings.push(message);
                continue;
            }
            let (Finding::Gap { child, .. }
            | Finding::Forged { child, .. }
            | Finding::Backwards { child, .. }) = finding
            else {
                continue;
            };
            self.damage("chain", format!("snapshot {child}"), message, vec![child]);
        }
    }

    fn damage(
        &mut self,
        problem: &'static str,
        path: String,
        message: String,
        snapshots: Vec<SnapshotId>,
    ) {
        self.found.damage.push(Damage {
            path,
            entry: None,
            problem,
            message,
            snapshots,
            healed_by: None,
        });
    }

    /// The snapshot objects' own locks; their content was checked when they were read.
    async fn snapshots(&mut self, snapshots: &[Loaded]) -> Result<()> {
        for loaded in snapshots {
            let stored = snapshot_version(loaded);
            let expected = Expected::of_object(&stored, Time::UNIX_EPOCH);
            let seen = look_at(self.vault, self.retrier, &expected).await?;
            self.found.versions += 1;
            if let Some(problem) = self.judge(&seen, Time::UNIX_EPOCH) {
                let id = loaded.snapshot.id.clone();
                self.damage(
                    problem.word(),
                    format!("snapshot {id}"),
                    problem.to_string(),
                    vec![id],
                );
            }
        }
        Ok(())
    }

    /// Returns the names of all versions of files.
    async fn versions(&mut self, kept: &Kept, transfers: usize) -> Result<HashSet<VersionName>> {
        let mut seen: HashSet<VersionName> = HashSet::new();
        let mut broken: Vec<Damage> = Vec::new();
        let chunks = self.vault.entries(kept.chunk_refs(), AHEAD);
        let (vault, retrier, reading) = (self.vault, self.retrier, self.reading);
        let jobs = chunks
            .zip(stream::iter(&kept.chunks))
            .flat_map(|(read, named)| {
                stream::iter(jobs_of(kept, read, named, &mut seen, &mut broken))
            });
        let mut looks = Box::pin(
            jobs.map(|job| async move {
                let job = job?;
                let looked = look(vault, retrier, reading, &job).await?;
                Ok::<_, Error>((job, looked))
            })
            .buffer_unordered(transfers.max(1)),
        );
        let mut outcomes = Vec::new();
        while let Some(looked) = looks.next().await {
            self.go_on()?;
            let (job, looked) = looked?;
            if let Some(problem) = self.count(&job, &looked) {
                outcomes.push((job, problem));
            }
        }
        drop(looks);
        self.found.damage.extend(broken);
        for (job, problem) in outcomes {
            self.note(kept, job, problem);
        }
        Ok(seen)
    }

    /// What hides what snapshots name from tools that do not know versions.
    async fn covered(&mut self, mut named: HashSet<VersionName>, kept: &Kept) -> Result<()> {
        let chunks = kept.chunks.iter().map(NamedChunk::stored);
        let snapshots = kept.snapshots.iter().map(snapshot_version);
        named.extend(chunks.chain(snapshots).map(|it| VersionName::of(&it)));
        let base = KeyBase::new(self.vault.target().key(layout::FILES));
        for covered in covered::covered(self.vault, self.retrier, &named).await? {
            let id = covered.version_id;
            let path = match base.path_of(&covered.key) {
                Some(KeyPath::Path(path)) => path.display().into_owned(),
                _ => covered.key,
            };
            let (problem, what) = if covered.marker {
                (
                    "delete_marker",
                    "a delete marker hides it: somebody deleted it",
                )
            } else {
                let what = "a newer version, which no snapshot names and Tidelock did not write, \
                            covers it";
                ("foreign_version", what)
            };
            let message = format!(
                "{what} (version {id}). Its own versions are there, and restore gives them"
            );
            self.damage(problem, path, message, Vec::new());
        }
        Ok(())
    }

    /// Ends the work on a stop.
    fn go_on(&self) -> Result<()> {
        match self.retrier.stop().requested() {
            None => Ok(()),
            Some(Why::Interrupted) => Err(Error::Interrupted),
            Some(Why::TimeBudget) => Err(Error::Resumable(
                "the time budget ran out before everything was verified".to_owned(),
            )),
        }
    }

    fn count(&mut self, job: &Job<'_>, looked: &Seen) -> Option<Problem> {
        self.found.versions += 1;
        self.found.archived += u64::from(looked.archived);
        if let Some(count) = looked.read {
            self.found.read.0 += 1;
            self.found.read.1 += count;
        }
        self.events.send(Event::FileDone);
        let claimed = match job {
            Job::Chunk(named) => named.chunk.locked_until,
            Job::File(_, claimed) => *claimed,
        };
        self.judge(looked, claimed)
    }

    fn note(&mut self, kept: &Kept, job: Job<'_>, problem: Problem) {
        match job {
            Job::Chunk(named) => {
                let ids = kept.ids(named);
                self.damage(problem.word(), chunk_name(named), problem.to_string(), ids);
            }
            Job::File(entry, _) => {
                if let Some(stored) = &entry.stored {
                    let blake3 = entry.content.map(|content| content.blake3);
                    let bad = Bad { problem, blake3 };
                    self.found.bad.insert(VersionName::of(stored), bad);
                }
            }
        }
    }

    /// What is wrong with a version, if anything is.
    fn judge(&mut self, seen: &Seen, claimed: Time) -> Option<Problem> {
        if let Some(problem) = &seen.problem {
            return Some(problem.clone());
        }
        let problem = seen.lock_problem(claimed, self.now);
        let soon = self.now.checked_add(self.renew_below).unwrap_or(Time::MAX);
        if problem.is_none() && seen.until().is_some_and(|until| until < soon) {
            self.found.due += 1;
        }
        problem
    }

    /// Names every path that a bad version hits.
    async fn finish(mut self, kept: Kept) -> Result<Verified> {
        let bad = std::mem::take(&mut self.found.bad);
        let mentioned = mentions(self.vault, &kept, &bad).await?;
        let lost = mentioned
            .iter()
            .filter(|mention| mention.lost.is_content())
            .cloned()
            .collect();
        self.found
            .damage
            .extend(mentioned.into_iter().map(|mention| mention.damage(&kept)));
        let found = self.found;
        Ok(Verified {
            kept,
            damage: found.damage,
            warnings: found.warnings,
            lost,
            versions: found.versions,
            read: found.read,
            archived: found.archived,
            due: found.due,
        })
    }
}

/// A snapshot object as a version.
pub fn snapshot_version(loaded: &Loaded) -> Stored {
    Stored {
        key: loaded.at.key.clone(),
        version_id: loaded.at.version_id.clone(),
        etag: String::new(),
    }
}

/// What one chunk gives to look at: itself, and every version that was not met before.
fn jobs_of<'a>(
    kept: &Kept,
    read: Result<crate::snapshot::ChunkEntries>,
    named: &'a NamedChunk,
    seen: &mut HashSet<VersionName>,
    broken: &mut Vec<Damage>,
) -> Vec<Result<Job<'a>>> {
    let mut note = |problem, path: String, message, healed_by| {
        broken.push(Damage {
            path,
            entry: None,
            problem,
            message,
            snapshots: kept.ids(named),
            healed_by,
        });
    };
    let read = match read {
        Ok(read) => read,
        Err(Error::Store(error)) => return vec![Err(Error::Store(error))],
        Err(error) => {
            note("manifest", chunk_name(named), error.to_string(), None);
            return Vec::new();
        }
    };
    for refused in read.refused {
        note("refused", refused.path, refused.message, None);
    }
    let mut jobs = Vec::new();
    if read.healed {
        let message = "its own version is gone or damaged; another version of the key has it";
        note(
            "manifest",
            chunk_name(named),
            message.to_owned(),
            Some(named.stored()),
        );
    } else {
        jobs.push(Ok(Job::Chunk(named)));
    }
    for entry in read.entries {
        if let Some(stored) = &entry.stored
            && seen.insert(VersionName::of(stored))
        {
            jobs.push(Ok(Job::File(Box::new(entry), named.chunk.locked_until)));
        }
    }
    jobs
}

async fn look(
    vault: &Vault,
    retrier: &Retrier,
    reading: Option<Reading>,
    job: &Job<'_>,
) -> Result<Seen> {
    let entry = match job {
        Job::Chunk(named) => {
            let stored = named.stored();
            let expected = Expected::of_object(&stored, named.chunk.locked_until);
            return look_at(vault, retrier, &expected).await;
        }
        Job::File(entry, _) => entry,
    };
    let Some(expected) = Expected::of_entry(entry) else {
        return Ok(Seen::default());
    };
    let mut seen = look_at(vault, retrier, &expected).await?;
    if let (Some(reading), None) = (reading, &seen.problem)
        && reading.is_due(expected.stored)
    {
        bytes::check(vault, retrier, reading, &expected, &mut seen).await?;
    }
    Ok(seen)
}

fn chunk_name(named: &NamedChunk) -> String {
    format!("manifest chunk {}", named.chunk.key)
}

/// A finding in words.
pub fn describe(finding: &Finding) -> String {
    match finding {
        Finding::Gap { child, missing } => format!(
            "snapshot {child} was made after {missing}, which is neither there nor in a prune \
             record: someone has removed it"
        ),
        Finding::Forged { child, parent } => format!(
            "snapshot {child} was made from another {parent} than the one stored: one of the two \
             is forged"
        ),
        Finding::Backwards { child, parent } => {
            format!("snapshot {child} is not later than its parent {parent}: it is forged")
        }
        Finding::Fork { parent, children } => {
            let ids: Vec<_> = children.iter().map(SnapshotId::as_str).collect();
            format!(
                "snapshots {} were all made after {parent}: two machines at once?",
                ids.join(", ")
            )
        }
        Finding::Overruled { id } => format!(
            "a prune record names snapshot {id}, which was not pruned: a prune was interrupted, \
             and the next one ends it, or the record is forged. It is ignored: the snapshot is \
             kept and its locks are renewed"
        ),
        Finding::Backdated { id } => format!(
            "snapshot {id} was written more than a day after the time that it says: by a machine \
             that slept, or it is forged"
        ),
        Finding::SecondRoot { id } => {
            format!("snapshot {id} has no parent although there were earlier ones")
        }
    }
}
