//! One path: what the object is, what the file is, and the bytes where they differ.

use super::book::Book;
use super::look::{Task, local, read, still_is};
use super::naming::{Job, Ready};
use super::proof::{Proof, content_of};
use super::renamed::Renamed;
use super::tally::Tally;
use crate::engine::client::Client;
use crate::engine::download::blocking;
use crate::engine::download::fetch::{Fetcher, Origin};
use crate::engine::download::folder::Place;
use crate::engine::download::receive::receive;
use crate::engine::download::temp::{self, AS_USUAL, Temp};
use crate::engine::download::walker::Walker;
use crate::model::{Content, Error, Result, StoreErrorKind};
use crate::plan::pull::{Local, LocalFile, Remote, Step};
use crate::state::Pulled;
use crate::store::Head;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// An object that changes while it is fetched is asked for so often.
const TRIES: usize = 3;

/// What all files share.
pub(super) struct Files {
    pub(super) client: Client,
    pub(super) fetcher: Fetcher,
    pub(super) walker: Walker,
    /// What needs not be fetched.
    pub(super) renamed: Arc<Renamed>,
    pub(super) book: Arc<Book>,
    pub(super) tally: Arc<Tally>,
    /// Objects that nothing but their length could be checked by.
    pub(super) unproven: AtomicU64,
}

impl Files {
    /// Brings one file; the tally hears how it went, once it has its name.
    pub(super) async fn pull(&self, task: Task, publisher: &mpsc::Sender<Ready>) {
        let path = task.path.clone();
        if let Err(error) = self.attempt(task, publisher).await {
            self.tally.failed(&path, error);
        }
    }

    async fn attempt(&self, task: Task, publisher: &mpsc::Sender<Ready>) -> Result<()> {
        let Some(remote) = &task.remote else {
            return Ok(());
        };
        let place = self.walker.place(&task.path).await?;
        for _ in 0..TRIES {
            let key = &remote.key;
            let head = self.client.call(|store| store.head(key, None)).await?;
            let proof = Proof::of(&head);
            let remote = &as_it_is_now(remote, &head);
            if self.has_it_already(&task, remote, &proof, &place).await? {
                return Ok(());
            }
            match self
                .download(&task, remote, &proof, &place, publisher)
                .await
            {
                Err(Error::Store(error)) if error.kind == StoreErrorKind::PreconditionFailed => {}
                ended => return ended,
            }
        }
        Err(Error::Partial(format!(
            "{}: the object keeps changing; the next pull fetches it",
            task.path
        )))
    }

    /// Whether the file that is there has the object's content: then it gets its time.
    async fn has_it_already(
        &self,
        task: &Task,
        remote: &Remote,
        proof: &Proof,
        place: &Place,
    ) -> Result<bool> {
        let Some(seen) = task.seen else {
            return Ok(false);
        };
        let known = task.base.as_ref().map(|base| base.content);
        let (place, proof, step) = (place.clone(), proof.clone(), task.step);
        let remote = remote.clone();
        let same_etag = task
            .base
            .as_ref()
            .is_some_and(|base| base.etag == proof.etag && base.content.size == proof.size);
        let adopted = blocking(move || {
            let content = match (step, known) {
                // Nobody has edited it, so it is what the last pull brought.
                (Step::Refresh | Step::Replace, Some(known)) => {
                    if !proof.agrees(&known).unwrap_or(same_etag) {
                        return Ok(None);
                    }
                    known
                }
                _ => match compare(&place, &seen, &proof)? {
                    Some(content) => content,
                    None => return Ok(None),
                },
            };
            take_over(&place, &seen, &proof, &remote, content).map(Some)
        });
        match adopted.await? {
            None => Ok(false),
            Some(pulled) => {
                let size = pulled.content.size;
                self.note(pulled).await?;
                self.tally.adopted(&task.path, size);
                Ok(true)
            }
        }
    }

    async fn download(
        &self,
        task: &Task,
        remote: &Remote,
        proof: &Proof,
        place: &Place,
        publisher: &mpsc::Sender<Ready>,
    ) -> Result<()> {
        if let Some((temp, content)) = self.copy(proof, place).await? {
            let job = Job::new(task, remote, proof.mtime, content).copied();
            return hand_over(publisher, temp, place, job).await;
        }
        let temp = self.begin(place, proof.size).await?;
        let content = self.bring(remote, proof, &temp).await?;
        if self
            .was_no_edit(task, remote, proof, place, content)
            .await?
        {
            return Ok(());
        }
        let job = Job::new(task, remote, proof.mtime, content);
        hand_over(publisher, temp, place, job).await
    }

    /// The object's content out of a file that is here under the old name.
    async fn copy(&self, proof: &Proof, place: &Place) -> Result<Option<(Arc<Temp>, Content)>> {
        if !self.renamed.may_have(proof) {
            return Ok(None);
        }
        let temp = self.begin(place, proof.size).await?;
        let content = self.renamed.copy(proof, &temp, &self.tally).await;
        Ok(content.map(|content| (temp, content)))
    }

    /// Whether a file that no checksum could judge turns out to have just these bytes.
    async fn was_no_edit(
        &self,
        task: &Task,
        remote: &Remote,
        proof: &Proof,
        place: &Place,
        content: Content,
    ) -> Result<bool> {
        let (Step::Compare, Some(seen)) = (task.step, task.seen) else {
            return Ok(false);
        };
        let (remote, proof, place) = (remote.clone(), proof.clone(), place.clone());
        let adopted = blocking(move || {
            if !still_has(&place, &seen, &content)? {
                return Ok(None);
            }
            take_over(&place, &seen, &proof, &remote, content).map(Some)
        });
        let Some(pulled) = adopted.await? else {
            return Ok(false);
        };
        self.note(pulled).await?;
        self.tally.adopted(&task.path, content.size);
        Ok(true)
    }

    /// The object's bytes, proven; what does not agree is fetched once more.
    async fn bring(&self, remote: &Remote, proof: &Proof, temp: &Arc<Temp>) -> Result<Content> {
        let origin = Origin {
            key: &remote.key,
            version_id: None,
            etag: Some(&proof.etag),
        };
        let mut before = None;
        for _ in 0..2 {
            let content = receive(&self.fetcher, &origin, proof.size, temp).await?;
            let (held, file) = (proof.clone(), Arc::clone(temp));
            let agrees = blocking(move || {
                let agrees = held.agrees_with(&content, || file.open_again());
                agrees.map_err(Error::io(file.path()))
            });
            match agrees.await? {
                Some(true) => return Ok(content),
                // The same bytes twice were hardly damaged on the way: the guess was wrong.
                Some(false) if proof.is_guess() && before == Some(content) => {
                    self.unproven.fetch_add(1, Ordering::Relaxed);
                    return Ok(content);
                }
                None => {
                    self.unproven.fetch_add(1, Ordering::Relaxed);
                    return Ok(content);
                }
                Some(false) => tracing::warn!(
                    key = remote.key,
                    "the bytes that came are not the ones that the mirror's checksum tells"
                ),
            }
            before = Some(content);
        }
        Err(Error::Damage(format!(
            "{}: the bytes that come are not the ones that its checksum tells, twice: it is \
             damaged or forged in the mirror, and was not written here",
            remote.path
        )))
    }

    async fn begin(&self, place: &Place, size: u64) -> Result<Arc<Temp>> {
        let place = place.clone();
        // A small file is written in one piece as soon as it is there.
        let reserve = size > self.fetcher.range_length();
        let begun = move || {
            let temp = Temp::create(&place.folder, AS_USUAL).map_err(Error::io(place.path()))?;
            if reserve {
                temp.reserve(size).map_err(Error::io(place.path()))?;
            }
            Ok(Arc::new(temp))
        };
        self.fetcher.on_disk(size, begun).await
    }

    async fn note(&self, pulled: Pulled) -> Result<()> {
        let book = Arc::clone(&self.book);
        blocking(move || book.note(pulled)).await
    }
}

/// What is noted of an object is what its bytes were fetched by: it may have changed since the
/// listing, and change back. Where it has not, the listing tells its time more finely.
fn as_it_is_now(listed: &Remote, head: &Head) -> Remote {
    let mut remote = listed.clone();
    if head.etag != listed.etag {
        remote.etag.clone_from(&head.etag);
        (remote.size, remote.modified) = (head.size, head.last_modified);
    }
    remote
}

/// Lets the publisher name it.
async fn hand_over(
    publisher: &mpsc::Sender<Ready>,
    temp: Arc<Temp>,
    place: &Place,
    job: Job,
) -> Result<()> {
    let place = place.clone();
    let ended = |_| Error::Failed("the pull was given up".into());
    let ready = Ready { temp, place, job };
    publisher.send(ready).await.map_err(ended)
}

/// The file's content, if it is the object's.
fn compare(place: &Place, seen: &LocalFile, proof: &Proof) -> Result<Option<Content>> {
    if seen.size != proof.size {
        return Ok(None);
    }
    let content = read(place, seen)?;
    let agrees = proof.agrees_with(&content, || place.open());
    let agrees = agrees.map_err(Error::io(place.path()))?;
    Ok((agrees == Some(true)).then_some(content))
}

/// Gives a file that has the right content the object's time; an error where it is not the one that
/// was seen, whose content is no more known then.
fn take_over(
    place: &Place,
    seen: &LocalFile,
    proof: &Proof,
    remote: &Remote,
    content: Content,
) -> Result<Pulled> {
    still_is(place, seen)?;
    if seen.mtime != proof.mtime {
        let dressed = place
            .open()
            .and_then(|file| temp::dress(&file, None, Some(proof.mtime)));
        dressed.map_err(Error::io(place.path()))?;
    }
    match local(place).map_err(Error::io(place.path()))? {
        Local::File(file) => Ok(pulled(&file, remote, content)),
        _ => Err(went_away(place)),
    }
}

/// What is to be noted of a file that has this content.
pub(super) fn pulled(file: &LocalFile, remote: &Remote, content: Content) -> Pulled {
    Pulled {
        path: remote.path.clone(),
        key: remote.key.clone(),
        etag: remote.etag.clone(),
        modified: remote.modified,
        content,
        mtime: file.mtime,
        identity: file.identity,
    }
}

pub(super) fn went_away(place: &Place) -> Error {
    Error::Partial(format!(
        "{}: it went away as soon as it was written",
        place.path().display()
    ))
}

/// Whether the file at a place has this content.
pub(super) fn still_has(place: &Place, seen: &LocalFile, content: &Content) -> Result<bool> {
    if seen.size != content.size {
        return Ok(false);
    }
    let there = place.open().and_then(content_of);
    let there = there.map_err(Error::io(place.path()))?;
    Ok(there.blake3 == content.blake3)
}
