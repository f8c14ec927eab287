//! Completing uploads, on one target or both.

use super::multipart::Session;
use super::place::{Places, Placing};
use super::sessions::Opened;
use super::{Problem, Transfer};
use crate::engine::mirror::Placed;
use crate::engine::versions::Locked;
use crate::model::{Action, Error, Result, Side, StoreErrorKind, killpoint};
use crate::plan::{Known, Mirror};
use crate::store::Condition;

impl Transfer {
    /// Completes the uploads. Where the content turns out to be stored already, the backup's
    /// upload is given up instead: nothing is locked twice.
    pub(super) async fn complete(
        &self,
        placing: &Placing<'_>,
        opened: &Opened,
        condition: Option<Condition>,
        stored: Option<Known>,
    ) -> Result<Places, Problem> {
        let sessions = &opened.sessions;
        let session = |side| sessions.iter().find(|session| session.client.side == side);
        let backup = async {
            match (session(Side::Backup), &stored) {
                (Some(session), _) => Some(
                    self.complete_version(placing, session, stored.clone())
                        .await,
                ),
                // It was to be copied, and is there.
                (None, Some(known)) => self.reference(placing, known).map(Ok),
                (None, None) => None,
            }
        };
        let sync = async {
            let (session, condition) = (session(Side::Sync)?, condition?);
            Some(self.complete_object(placing, session, condition).await)
        };
        let (backup, sync) = tokio::join!(backup, sync);
        if backup.as_ref().is_some_and(purged) || sync.as_ref().is_some_and(purged) {
            return Err(self.start_over(placing, sessions, backup, sync).await);
        }
        self.settle(placing, backup, sync).await
    }

    /// One target has dropped its upload or parts of it. What the other has is not sent to it
    /// again: a version is remembered, an object may be overwritten as long as it is this one.
    pub(super) async fn start_over(
        &self,
        placing: &Placing<'_>,
        sessions: &[Session],
        backup: Option<Result<Locked>>,
        sync: Option<Result<Placed>>,
    ) -> Problem {
        if let Err(error) = self.give_up(sessions).await {
            return Problem::state(error);
        }
        if let Some(Ok(locked)) = backup {
            let known = self.known(placing, Some(locked), None);
            if let Err(error) = self.memory.remember(known).await {
                return Problem::state(error);
            }
        }
        Problem::Restart(match sync {
            Some(Ok(Placed::Done(etag))) => Mirror::Cleared { etag },
            _ => placing.task.mirror.clone(),
        })
    }

    async fn complete_version(
        &self,
        placing: &Placing<'_>,
        session: &Session,
        stored: Option<Known>,
    ) -> Result<Locked> {
        if let Some(error) = session.failure() {
            return Err(error.into());
        }
        let Some(backup) = &self.backup else {
            return Err(Error::Failed("no backup target".to_owned()));
        };
        if let Some(locked) = stored.and_then(|known| self.reference(placing, &known)) {
            session.abandon().await;
            self.forget(session).await?;
            return Ok(locked);
        }
        let content = placing.content;
        let complete = session.completion(content, Condition::Always);
        let locked = backup.complete(complete, content).await?;
        killpoint::reach("version-completed");
        self.version_sent(placing);
        self.forget(session).await?;
        Ok(locked)
    }

    /// The version that another path, or a run before, has stored.
    fn reference(&self, placing: &Placing<'_>, known: &Known) -> Option<Locked> {
        let stored = known.entry.stored.clone()?;
        self.tally.backup_referenced.one();
        self.tell(placing.task, Action::Reference, Side::Backup);
        let until = known.locked_until.unwrap_or(crate::model::Time::UNIX_EPOCH);
        Some(Locked { stored, until })
    }

    pub(super) async fn complete_object(
        &self,
        placing: &Placing<'_>,
        session: &Session,
        condition: Condition,
    ) -> Result<Placed> {
        if let Some(error) = session.failure() {
            return Err(error.into());
        }
        let Some(sync) = &self.sync else {
            return Err(Error::Failed("no sync target".to_owned()));
        };
        let complete = session.completion(placing.content, condition);
        let placed = sync.complete(complete, placing.content.crc64nvme).await?;
        killpoint::reach("object-completed");
        if placed == Placed::Mismatch {
            session.abandon().await;
        }
        self.object_sent(placing, &placed);
        self.forget(session).await?;
        match placed {
            // Its times were given when it was begun; the file may have been touched since.
            Placed::Done(etag) if session.adopted => {
                let seen = &placing.task.seen;
                let kept = sync.keep_time(&seen.path, seen.mtime, placing.content, &etag);
                Ok(kept.await?)
            }
            placed => Ok(placed),
        }
    }
}

/// Whether a Complete failed because the store has dropped the upload or parts of it.
pub(super) fn purged<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(Error::Store(error))
        if matches!(error.kind, StoreErrorKind::NoSuchUpload | StoreErrorKind::Invalid))
}
