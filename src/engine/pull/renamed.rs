//! Files that the mirror has under a new name: their bytes lie here already, under the name that is
//! about to go to the trash, and need not be fetched.
//!
//! The old file is only read. It goes its own way to the trash, or stays where a guard says so.

use super::look::{Task, local};
use super::proof::{Proof, Summing};
use super::tally::Tally;
use crate::engine::download::blocking;
use crate::engine::download::folder::{Place, Walk};
use crate::engine::download::receive::write;
use crate::engine::download::temp::Temp;
use crate::engine::download::walker::Walker;
use crate::model::{Blake3, Content, Error, RelPath, Result};
use crate::plan::pull::{Local, LocalFile};
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// So many files are copied at once: disks gain nothing from more.
const COPIED_AT_ONCE: usize = 2;

/// What is about to go to the trash, by size.
#[derive(Debug)]
pub(super) struct Renamed {
    by_size: HashMap<u64, Vec<Former>>,
    /// None in a dry run without a folder.
    walker: Option<Walker>,
    slots: Semaphore,
    /// Contents that are there under a new name by now.
    given: Mutex<HashSet<Blake3>>,
}

/// A file under its old name.
#[derive(Clone, Debug)]
struct Former {
    path: RelPath,
    etag: String,
    content: Content,
    seen: LocalFile,
}

impl Renamed {
    /// `looking` is a walk that makes no folders.
    pub(super) fn new(doomed: &[Task], looking: Option<Walk>) -> Self {
        let mut by_size: HashMap<u64, Vec<Former>> = HashMap::new();
        for task in doomed {
            if let (Some(base), Some(seen)) = (&task.base, task.seen) {
                by_size.entry(base.content.size).or_default().push(Former {
                    path: task.path.clone(),
                    etag: base.etag.clone(),
                    content: base.content,
                    seen,
                });
            }
        }
        Self {
            by_size,
            walker: looking.map(Walker::new),
            slots: Semaphore::new(COPIED_AT_ONCE),
            given: Mutex::default(),
        }
    }

    /// Whether this content has come to a new name: then a file that had it was renamed, whatever the
    /// ETags say.
    pub(super) fn has_given(&self, content: &Content) -> bool {
        self.given().contains(&content.blake3)
    }

    fn given(&self) -> MutexGuard<'_, HashSet<Blake3>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one of them has this size, so that asking for the object's checksum is worth it.
    pub(super) fn has_one_of(&self, size: u64) -> bool {
        self.by_size.contains_key(&size)
    }

    /// What [`Renamed::copy`] would do, for a dry run.
    pub(super) fn foresee(&self, proof: &Proof) -> bool {
        let former = self.find(proof);
        self.given()
            .extend(former.map(|former| former.content.blake3));
        former.is_some()
    }

    /// Fills `temp` with the object's content, proven, if a file here has it. Where anything speaks
    /// against that, it says none, and what is in `temp` by then is of no use.
    pub(super) async fn copy(
        &self,
        proof: &Proof,
        temp: &Arc<Temp>,
        tally: &Arc<Tally>,
    ) -> Option<Content> {
        let former = self.find(proof)?;
        match self.copy_from(former, proof, temp, tally).await {
            Ok(content) => {
                self.given().extend(content.map(|content| content.blake3));
                content
            }
            Err(error) => {
                tracing::debug!(file = %former.path, %error, "not copied, so it is fetched");
                None
            }
        }
    }

    /// Whether [`Renamed::copy`] may succeed.
    pub(super) fn may_have(&self, proof: &Proof) -> bool {
        self.find(proof).is_some()
    }

    fn find(&self, proof: &Proof) -> Option<&Former> {
        let formers = self.by_size.get(&proof.size)?;
        formers.iter().find(|former| {
            let told = proof.agrees(&former.content);
            told.unwrap_or(former.etag == proof.etag)
        })
    }

    async fn copy_from(
        &self,
        former: &Former,
        proof: &Proof,
        temp: &Arc<Temp>,
        tally: &Arc<Tally>,
    ) -> Result<Option<Content>> {
        let Some(walker) = &self.walker else {
            return Ok(None);
        };
        let closed = |_| Error::Failed("the pull was given up".into());
        let _slot = self.slots.acquire().await.map_err(closed)?;
        let place = walker.place(&former.path).await?;
        let (seen, proof) = (former.seen, proof.clone());
        let (temp, tally) = (Arc::clone(temp), Arc::clone(tally));
        blocking(move || {
            if local(&place).map_err(Error::io(place.path()))? != Local::File(seen) {
                return Ok(None);
            }
            let Some(content) = pour(&place, &temp, || tally.is_over())? else {
                return Ok(None);
            };
            let agrees = proof.agrees_with(&content, || temp.open_again());
            let agrees = agrees.map_err(Error::io(temp.path()))?;
            Ok((agrees == Some(true)).then_some(content))
        })
        .await
    }
}

/// Copies the file at a place, and tells what came; none where it was told to stop. What is hashed
/// are the bytes that were written, whatever the file had been thought to hold.
fn pour(place: &Place, temp: &Temp, stop: impl Fn() -> bool) -> Result<Option<Content>> {
    let mut file = place.open().map_err(Error::io(place.path()))?;
    let mut buffer = vec![0; 256 << 10];
    let mut sum = Summing::default();
    while !stop() {
        let count = file.read(&mut buffer).map_err(Error::io(place.path()))?;
        if count == 0 {
            return Ok(Some(sum.content()));
        }
        write(temp, &buffer[..count], sum.size())?;
        sum.update(&buffer[..count]);
    }
    Ok(None)
}
