//! What a run has done so far, counted by everyone who works.

use crate::model::{BackupSummary, Failure, LibrarySummary, SyncSummary};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// A counter.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counters in the summary's words.
#[derive(Debug, Default)]
pub struct Tally {
    /// Files whose content was read.
    pub hashed: Count,
    /// Bytes read from disk.
    pub bytes_read: Count,
    /// Special files.
    pub skipped: Count,
    /// Files or folders that could not be read.
    pub unread: Count,
    /// Sync target: objects sent, and their bytes.
    pub sync_uploaded: Count,
    /// Bytes of them.
    pub sync_bytes: Count,
    /// Sync target: objects copied by the store.
    pub sync_copied: Count,
    /// Sync target: objects deleted.
    pub sync_deleted: Count,
    /// Sync target: objects that were right already.
    pub sync_unchanged: Count,
    /// Sync target: objects that could not be written or deleted.
    pub sync_failed: Count,
    /// Backup target: versions written, and their bytes.
    pub backup_uploaded: Count,
    /// Bytes of them.
    pub backup_bytes: Count,
    /// Backup target: versions copied from the sync target.
    pub backup_copied: Count,
    /// Backup target: files whose content another version holds.
    pub backup_referenced: Count,
    /// Backup target: files whose own version is right.
    pub backup_unchanged: Count,
    /// Backup target: locks extended.
    pub renewed: Count,
    /// Backup target: files that could not be stored.
    pub backup_failed: Count,
    failures: Mutex<Vec<Failure>>,
}

impl Tally {
    /// Notes a failure.
    pub fn fail(&self, failure: Failure) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(failure);
    }

    /// All failures so far.
    pub fn failures(&self) -> Vec<Failure> {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether anything failed.
    pub fn any_failure(&self) -> bool {
        !self
            .failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
    }

    /// The library's part of the summary.
    pub fn library(&self, files: u64, bytes: u64) -> LibrarySummary {
        LibrarySummary {
            files,
            bytes,
            hashed: self.hashed.get(),
            bytes_read: self.bytes_read.get(),
            skipped: self.skipped.get(),
            failed: self.unread.get(),
        }
    }

    /// The sync target's part, requests aside.
    pub fn sync(&self) -> SyncSummary {
        SyncSummary {
            uploaded: self.sync_uploaded.get(),
            bytes_uploaded: self.sync_bytes.get(),
            copied: self.sync_copied.get(),
            deleted: self.sync_deleted.get(),
            unchanged: self.sync_unchanged.get(),
            failed: self.sync_failed.get(),
            ..SyncSummary::default()
        }
    }

    /// The backup target's part, snapshot and requests aside.
    pub fn backup(&self) -> BackupSummary {
        BackupSummary {
            uploaded: self.backup_uploaded.get(),
            bytes_uploaded: self.backup_bytes.get(),
            copied: self.backup_copied.get(),
            referenced: self.backup_referenced.get(),
            unchanged: self.backup_unchanged.get(),
            renewed: self.renewed.get(),
            failed: self.backup_failed.get(),
            ..BackupSummary::default()
        }
    }
}
