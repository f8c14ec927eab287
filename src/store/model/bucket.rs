//! One bucket: versions, delete markers, locks.

use super::uploads::Pending;
use crate::model::archive::{Archive, Tier};
use crate::model::{Crc64, Mode, Retention, StoreErrorKind, Time};
use crate::store::{
    Attributes, BucketInfo, ByteRange, Condition, CopySource, Fetched, Head, Written,
};
use bytes::Bytes;
use md5::{Digest, Md5};
use std::collections::BTreeMap;

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub kind: StoreErrorKind,
    pub why: &'static str,
}

impl Refusal {
    pub(super) fn of(kind: StoreErrorKind, why: &'static str) -> Self {
        Self { kind, why }
    }
}

pub(super) fn refuse<T>(kind: StoreErrorKind, why: &'static str) -> Result<T, Refusal> {
    Err(Refusal::of(kind, why))
}

pub(super) fn md5_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Md5::digest(bytes))
}

/// A version or delete marker.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub id: String,
    pub at: Time,
    pub marker: bool,
    pub body: Bytes,
    pub etag: String,
    pub attributes: Attributes,
    /// The store has no checksum of it.
    pub unsummed: bool,
    /// From when to when an archived version can be read.
    pub thawed: Option<(Time, Time)>,
}

impl Kept {
    pub(super) fn new(
        id: String,
        at: Time,
        body: Bytes,
        etag: String,
        attributes: Attributes,
    ) -> Self {
        Self {
            id,
            at,
            marker: false,
            body,
            etag,
            attributes,
            unsummed: false,
            thawed: None,
        }
    }

    /// What the store says of its checksum.
    fn crc64nvme(&self) -> Option<Crc64> {
        (!self.unsummed).then(|| Crc64::of(&self.body))
    }

    fn archive(&self) -> Option<Archive> {
        Archive::of(self.attributes.storage_class.as_deref(), None)
    }

    fn is_locked(&self, now: Time) -> bool {
        self.attributes
            .retention
            .is_some_and(|lock| lock.until > now)
    }
}

#[derive(Debug)]
pub(super) struct Bucket {
    pub info: BucketInfo,
    /// Versions of a key, the newest last. An unversioned bucket has at most one, named `null`.
    pub keys: BTreeMap<String, Vec<Kept>>,
    pub uploads: BTreeMap<String, Pending>,
    /// It takes locks and keeps none, without a word.
    pub drops_locks: bool,
}

impl Bucket {
    pub(super) fn new(info: BucketInfo) -> Self {
        Self {
            info,
            keys: BTreeMap::new(),
            uploads: BTreeMap::new(),
            drops_locks: false,
        }
    }

    /// The current object, or a certain version; delete markers are not found.
    pub(super) fn find(&self, key: &str, version_id: Option<&str>) -> Result<&Kept, Refusal> {
        let versions = self.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        let found = match version_id {
            None => versions.last(),
            Some(id) => versions.iter().find(|kept| kept.id == id),
        };
        found
            .filter(|kept| !kept.marker)
            .ok_or(Refusal::of(StoreErrorKind::NotFound, "no such key"))
    }

    /// The source of a copy, on its condition.
    pub(super) fn find_source(&self, source: &CopySource) -> Result<&Kept, Refusal> {
        let kept = self.find(&source.key, source.version_id.as_deref())?;
        match &source.if_match {
            Some(etag) if *etag != kept.etag => {
                refuse(StoreErrorKind::PreconditionFailed, "the source has changed")
            }
            _ => Ok(kept),
        }
    }

    pub(super) fn check(&self, key: &str, condition: &Condition) -> Result<(), Refusal> {
        let current = self.find(key, None).ok().map(|kept| &kept.etag);
        let holds = match condition {
            Condition::Always => true,
            Condition::IfAbsent => current.is_none(),
            Condition::IfMatch(etag) => current == Some(etag),
        };
        if holds {
            return Ok(());
        }
        refuse(StoreErrorKind::PreconditionFailed, "the condition fails")
    }

    pub(super) fn needs_lock(&self) -> Result<(), Refusal> {
        if self.info.lock {
            return Ok(());
        }
        refuse(StoreErrorKind::NoLock, "the bucket has no object lock")
    }

    /// Whether a lock may be given at `now`.
    pub(super) fn accepts(&self, attributes: &Attributes, now: Time) -> Result<(), Refusal> {
        match attributes.retention {
            None => Ok(()),
            Some(_) if !self.info.lock => self.needs_lock(),
            Some(lock) if lock.until <= now => {
                refuse(StoreErrorKind::Invalid, "the lock would end in the past")
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn write(&mut self, key: &str, mut kept: Kept) -> Result<Written, Refusal> {
        if key.is_empty() || key.len() > 1024 {
            return refuse(StoreErrorKind::Invalid, "keys have 1 to 1,024 bytes");
        }
        self.accepts(&kept.attributes, kept.at)?;
        let lock = kept.attributes.retention.filter(|_| !self.drops_locks);
        kept.attributes.retention = lock.map(whole_seconds);
        let written = Written {
            etag: kept.etag.clone(),
            version_id: self.info.versioned.then(|| kept.id.clone()),
            crc64nvme: kept.crc64nvme(),
        };
        self.add(key, kept);
        Ok(written)
    }

    fn add(&mut self, key: &str, mut kept: Kept) {
        let versions = self.keys.entry(key.to_owned()).or_default();
        if !self.info.versioned {
            kept.id = "null".to_owned();
            versions.retain(|other| other.id != "null");
        }
        versions.push(kept);
    }

    pub(super) fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        range: Option<ByteRange>,
        now: Time,
    ) -> Result<Fetched, Refusal> {
        let kept = self.find(key, version_id)?;
        let readable = |(from, to)| from <= now && now < to;
        if kept.archive().is_some() && !kept.thawed.is_some_and(readable) {
            return refuse(StoreErrorKind::Archived, "it is archived");
        }
        let size = kept.body.len() as u64;
        let body = match range {
            None => kept.body.clone(),
            Some(range) if range.first >= size || range.last < range.first => {
                return refuse(StoreErrorKind::Invalid, "the range lies outside");
            }
            Some(range) => {
                let end = range.last.min(size - 1) + 1;
                kept.body.slice(range.first as usize..end as usize)
            }
        };
        Ok(Fetched {
            body,
            etag: kept.etag.clone(),
            version_id: self.info.versioned.then(|| kept.id.clone()),
            last_modified: kept.at,
        })
    }

    /// Begins a retrieval that takes as long as Amazon says that it takes at most.
    pub(super) fn thaw(
        &mut self,
        key: &str,
        version_id: Option<&str>,
        how: (Tier, Option<i32>),
        now: Time,
    ) -> Result<(), Refusal> {
        let id = self.find(key, version_id)?.id.clone();
        let versions = self.keys.get_mut(key).into_iter().flatten();
        let Some(kept) = versions.into_iter().find(|kept| kept.id == id) else {
            return refuse(StoreErrorKind::NotFound, "no such key");
        };
        let (Some(archive), Some(days)) = (kept.archive(), how.1) else {
            return refuse(StoreErrorKind::Archived, "there is nothing to retrieve");
        };
        let hours = |hours: u64| std::time::Duration::from_secs(hours * 3_600);
        let ready = now + hours(u64::from(archive.hours(how.0)));
        if kept.thawed.is_none_or(|(_, to)| to <= now) {
            kept.thawed = Some((ready, ready + hours(24 * u64::from(days.unsigned_abs()))));
        }
        Ok(())
    }

    pub(super) fn head(
        &self,
        key: &str,
        version_id: Option<&str>,
        now: Time,
    ) -> Result<Head, Refusal> {
        let kept = self.find(key, version_id)?;
        let mut metadata = kept.attributes.metadata.clone();
        metadata.sort();
        Ok(Head {
            size: kept.body.len() as u64,
            etag: kept.etag.clone(),
            version_id: self.info.versioned.then(|| kept.id.clone()),
            crc64nvme: kept.crc64nvme(),
            last_modified: kept.at,
            metadata,
            retention: kept.attributes.retention,
            storage_class: kept.attributes.storage_class.clone(),
            restore: kept
                .thawed
                .filter(|(_, to)| now < *to)
                .map(|(from, _)| format!("ongoing-request=\"{}\"", now < from)),
            archive_status: None,
        })
    }

    /// A plain delete: a marker where there are versions.
    pub(super) fn delete(&mut self, key: &str, id: String, now: Time) {
        if !self.info.versioned {
            self.keys.remove(key);
            return;
        }
        let nothing = Attributes::default();
        let mut marker = Kept::new(id, now, Bytes::new(), String::new(), nothing);
        marker.marker = true;
        self.add(key, marker);
    }

    pub(super) fn delete_version(
        &mut self,
        key: &str,
        version_id: &str,
        now: Time,
    ) -> Result<(), Refusal> {
        let Some(versions) = self.keys.get_mut(key) else {
            return Ok(());
        };
        let mut hit = versions.iter().filter(|kept| kept.id == version_id);
        if hit.any(|kept| kept.is_locked(now)) {
            return refuse(StoreErrorKind::Denied, "a lock holds the version");
        }
        versions.retain(|kept| kept.id != version_id);
        if versions.is_empty() {
            self.keys.remove(key);
        }
        Ok(())
    }

    pub(super) fn set_retention(
        &mut self,
        key: &str,
        version_id: &str,
        retention: Retention,
        now: Time,
    ) -> Result<(), Refusal> {
        self.needs_lock()?;
        let old = self.find(key, Some(version_id))?.attributes.retention;
        let new = whole_seconds(retention);
        if new.until <= now {
            return refuse(StoreErrorKind::Invalid, "the lock would end in the past");
        }
        let weaker = |old: Retention| {
            new.until < old.until || (old.mode == Mode::Compliance && new.mode != old.mode)
        };
        if old.is_some_and(|old| old.until > now && weaker(old)) {
            return refuse(StoreErrorKind::Denied, "locks only grow");
        }
        let versions = self.keys.get_mut(key).into_iter().flatten();
        let takes = !self.drops_locks;
        for kept in versions.filter(|kept| takes && kept.id == version_id) {
            kept.attributes.retention = Some(new);
        }
        Ok(())
    }
}

/// Stores keep a lock's end in whole seconds; ours is rounded up on its way.
fn whole_seconds(retention: Retention) -> Retention {
    let up = i64::from(retention.until.subsec_nanosecond() > 0);
    let seconds = retention.until.as_second().saturating_add(up);
    Retention {
        until: Time::from_second(seconds).unwrap_or(retention.until),
        ..retention
    }
}
