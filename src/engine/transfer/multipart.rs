//! Sending a large file in parts to one or both targets: each part is read once and both targets
//! get the same bytes; what a target has already is not sent again.

use super::source::{ReadPart, Source};
use super::{Problem, Transfer};
use crate::engine::client::Client;
use crate::model::subtree::{self, PartHash};
use crate::model::{Blake3, Content, Crc64, Error, StoreError, StoreResult, killpoint};
use crate::store::{Complete, Condition, Part};
use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An unfinished upload to one target.
///
/// Dropping it changes nothing on the store: the parts stay there and can be found again. Only
/// [`Session::abandon`] gives them up.
pub(super) struct Session {
    /// The target.
    pub client: Client,
    /// Full key.
    pub key: String,
    /// The upload's id.
    pub upload_id: String,
    /// Parts that the store had when the session was opened.
    pub there: HashMap<i32, Part>,
    /// Begun by a run that nothing is known of, so for another state of the file maybe.
    pub adopted: bool,
    sent: Mutex<Sent>,
}

#[derive(Default)]
struct Sent {
    parts: Vec<Part>,
    /// Once a target has failed for good, it gets no more parts of this file.
    failed: Option<StoreError>,
}

/// A part that both a former process has sent and the state knows: it needn't be read again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KnownPart {
    /// Chaining value.
    pub hash: PartHash,
    /// Checksum.
    pub crc: Crc64,
}

/// Where a file's bytes come from.
#[derive(Clone, Copy)]
pub(super) enum Bytesource<'a> {
    /// From disk.
    File(&'a Source),
    /// From memory, read before.
    Held(&'a [Bytes]),
}

impl Session {
    /// A session on an upload that exists.
    pub(super) fn new(client: Client, key: String, upload_id: String, there: Vec<Part>) -> Self {
        let there = there.into_iter().map(|part| (part.number, part)).collect();
        Self {
            client,
            key,
            upload_id,
            there,
            adopted: false,
            sent: Mutex::default(),
        }
    }

    /// The same, begun by an unknown run.
    pub(super) fn adopted(self, adopted: bool) -> Self {
        Self { adopted, ..self }
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the target has failed, if it has.
    pub(super) fn failure(&self) -> Option<StoreError> {
        self.sent().failed.clone()
    }

    /// What ends the upload; parts in order.
    pub(super) fn completion(&self, content: Content, condition: Condition) -> Complete {
        let mut parts = self.sent().parts.clone();
        parts.sort_by_key(|part| part.number);
        Complete {
            key: self.key.clone(),
            upload_id: self.upload_id.clone(),
            parts,
            crc64nvme: Some(content.crc64nvme),
            size: content.size,
            condition,
        }
    }

    /// Gives the upload up.
    pub(super) async fn abandon(&self) {
        self.client.abandon(&self.key, &self.upload_id).await;
    }

    /// Whether the store has exactly this part already.
    fn has(&self, number: i32, crc: Crc64, size: u64) -> Option<Part> {
        let there = self.there.get(&number)?;
        (there.size == size && there.crc64nvme == Some(crc)).then(|| there.clone())
    }

    /// Sends a part unless the store has it.
    async fn send(&self, part: &ReadPart) -> Option<Part> {
        if self.failure().is_some() {
            return None;
        }
        let size = part.bytes.len() as u64;
        let answer: StoreResult<Part> = match self.has(part.number, part.crc, size) {
            Some(there) => Ok(there),
            None => {
                let body = part.bytes.clone();
                self.client
                    .send_part(&self.key, &self.upload_id, part.number, body, part.crc)
                    .await
            }
        };
        match answer {
            Ok(sent) => {
                killpoint::reach("part-sent");
                self.sent().parts.push(sent.clone());
                Some(sent)
            }
            Err(error) => {
                self.sent().failed.get_or_insert(error);
                None
            }
        }
    }
}

/// Everything about one file's way through [`send_all`](Sending::send_all).
pub(super) struct Sending<'a> {
    /// What workers share.
    pub transfer: &'a Transfer,
    /// Where the bytes come from.
    pub bytes: Bytesource<'a>,
    /// The file's length.
    pub size: u64,
    /// The length of all parts but the last.
    pub part_len: u64,
    /// One or two targets.
    pub sessions: &'a [Session],
    /// Parts that a former process has sent to all of these targets.
    pub known: &'a HashMap<i32, KnownPart>,
}

impl Sending<'_> {
    /// Sends all parts and returns what the content is. A target that fails is noted in its
    /// session; the other goes on. Nothing is completed here. Once the run is to stop, no further
    /// part is begun, and those in flight may arrive.
    pub(super) async fn send_all(&self) -> Result<Content, Problem> {
        let count = i32::try_from(self.size.div_ceil(self.part_len)).unwrap_or(i32::MAX);
        let going_on = |_: &i32| std::future::ready(self.transfer.stop.requested().is_none());
        let mut parts: Vec<(i32, KnownPart)> = stream::iter(self.order(count))
            .take_while(going_on)
            .map(|number| async move { Ok::<_, Problem>((number, self.part(number).await?)) })
            .buffer_unordered(self.transfer.parallel_parts.max(1))
            .try_collect()
            .await?;
        if parts.len() as u64 != u64::from(count.unsigned_abs()) {
            return Err(Problem::Failed {
                stage: "read",
                error: Error::Interrupted,
            });
        }
        parts.sort_by_key(|(number, _)| *number);
        Ok(self.content(&parts))
    }

    /// What a target lacks comes first. Parts that an unknown run has sent to all of them are read
    /// only to be compared and hashed: each time that an upload is cut short before that, their
    /// reading is saved.
    fn order(&self, count: i32) -> Vec<i32> {
        let is_there = |number: &i32| {
            let mut sessions = self.sessions.iter();
            sessions.all(|session| session.there.contains_key(number))
        };
        let (there, lacking): (Vec<i32>, Vec<i32>) = (1..=count).partition(is_there);
        lacking.into_iter().chain(there).collect()
    }

    async fn part(&self, number: i32) -> Result<KnownPart, Problem> {
        let len = self.len_of(number);
        if let Some(known) = self.known.get(&number)
            && self.take_known(number, *known, len)
        {
            return Ok(*known);
        }
        if let Some(error) = self.all_failed() {
            let stage = self.sessions[0].client.side.as_str();
            return Err(Problem::Failed {
                stage,
                error: error.into(),
            });
        }
        let _share = match self.bytes {
            Bytesource::File(_) => Some(self.transfer.buffers.take(len).await),
            Bytesource::Held(_) => None,
        };
        let part = self.read(number).await?;
        let known = KnownPart {
            hash: part.hash,
            crc: part.crc,
        };
        let sends = self
            .sessions
            .iter()
            .map(|session| self.send(session, &part, known));
        futures::future::try_join_all(sends).await?;
        Ok(known)
    }

    async fn send(
        &self,
        session: &Session,
        part: &ReadPart,
        known: KnownPart,
    ) -> Result<(), Problem> {
        match session.send(part).await {
            Some(sent) => self
                .transfer
                .note_part(session, &sent, known)
                .await
                .map_err(Problem::state),
            None => Ok(()),
        }
    }

    fn all_failed(&self) -> Option<StoreError> {
        let failures = self.sessions.iter().map(Session::failure);
        failures.collect::<Option<Vec<_>>>()?.into_iter().next()
    }

    /// Takes a part over that every target has and whose hash the state kept.
    fn take_known(&self, number: i32, known: KnownPart, len: u64) -> bool {
        let there: Option<Vec<Part>> = self
            .sessions
            .iter()
            .map(|session| session.has(number, known.crc, len))
            .collect();
        let Some(there) = there else { return false };
        for (session, part) in self.sessions.iter().zip(there) {
            session.sent().parts.push(part);
        }
        true
    }

    async fn read(&self, number: i32) -> Result<ReadPart, Problem> {
        match self.bytes {
            Bytesource::File(source) => {
                let buffers = &self.transfer.buffers;
                let part = source.part(buffers, number, self.part_len).await?;
                self.transfer.tally.bytes_read.add(part.bytes.len() as u64);
                Ok(part)
            }
            Bytesource::Held(parts) => {
                let bytes = parts[number as usize - 1].clone();
                let offset = (number as u64 - 1) * self.part_len;
                let hash = subtree::hash_part(&bytes, offset);
                let crc = Crc64::of(&bytes);
                Ok(ReadPart {
                    number,
                    bytes,
                    hash,
                    crc,
                })
            }
        }
    }

    fn len_of(&self, number: i32) -> u64 {
        let offset = (number as u64 - 1) * self.part_len;
        self.part_len.min(self.size - offset)
    }

    fn content(&self, parts: &[(i32, KnownPart)]) -> Content {
        let hashes: Vec<PartHash> = parts.iter().map(|(_, part)| part.hash).collect();
        let crc64nvme = parts
            .iter()
            .map(|(number, part)| (part.crc, self.len_of(*number)))
            .reduce(|(left, left_len), (right, len)| (left.followed_by(right, len), left_len + len))
            .map_or(Crc64(0), |(crc, _)| crc);
        // Files of fewer than two parts never come here: they are sent in one request.
        let blake3 = subtree::merge_parts(&hashes).unwrap_or(Blake3([0; 32]));
        Content {
            size: self.size,
            blake3,
            crc64nvme,
        }
    }
}
