//! What a store turned out not to know, remembered for the process, and the way around it.

use super::S3Store;
use super::convert::Md5Sum;
use crate::model::{Crc64, StoreError, StoreErrorKind, StoreResult};
use crate::store::Condition;
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything is taken to work until the store says otherwise.
#[derive(Debug, Default)]
pub(super) struct Abilities {
    no_conditions: AtomicBool,
    no_crc64: AtomicBool,
    no_conditional_delete: AtomicBool,
    no_copied_checksums: AtomicBool,
}

/// How a write is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Way {
    /// Conditions go with the request; else a HEAD goes before it.
    pub conditions: bool,
    /// CRC64NVME goes with the bytes; else Content-MD5.
    pub crc64: bool,
}

impl Abilities {
    pub(super) fn way(&self) -> Way {
        Way {
            conditions: !self.no_conditions.load(Ordering::Relaxed),
            crc64: !self.no_crc64.load(Ordering::Relaxed),
        }
    }

    pub(super) fn conditional_delete(&self) -> bool {
        !self.no_conditional_delete.load(Ordering::Relaxed)
    }

    pub(super) fn forget_conditional_delete(&self) {
        self.no_conditional_delete.store(true, Ordering::Relaxed);
    }

    pub(super) fn copied_checksums(&self) -> bool {
        self.way().crc64 && !self.no_copied_checksums.load(Ordering::Relaxed)
    }

    /// Whether the refusal of a copied part says that no checksum is computed for such; remembers
    /// that.
    pub(super) fn learn_copied(&self, refusal: &StoreError) -> bool {
        let refused = matches!(
            refusal.kind,
            StoreErrorKind::Unsupported | StoreErrorKind::Invalid
        );
        let learns = self.copied_checksums() && refused && names_checksum(&refusal.message);
        if learns {
            let place = &refusal.place;
            tracing::info!(place, "no checksums of copied parts here: going by ETag");
            self.no_copied_checksums.store(true, Ordering::Relaxed);
        }
        learns
    }

    /// Whether a refusal can be got around by sending the write another way; remembers that. True
    /// at most once for each ability that `way` had, so that callers may loop on it.
    pub(super) fn learn(&self, way: Way, condition: &Condition, refusal: &StoreError) -> bool {
        let about_checksum = names_checksum(&refusal.message);
        let unsupported = refusal.kind == StoreErrorKind::Unsupported;
        let refused = unsupported || refusal.kind == StoreErrorKind::Invalid;
        if way.crc64 && refused && about_checksum {
            return self.without_crc64(&refusal.place);
        }
        if way.conditions && unsupported && *condition != Condition::Always {
            tracing::info!(
                place = refusal.place,
                "no conditional writes here: asking before"
            );
            self.no_conditions.store(true, Ordering::Relaxed);
            return true;
        }
        way.crc64 && unsupported && self.without_crc64(&refusal.place)
    }

    /// From now on Content-MD5 goes with the bytes.
    pub(super) fn without_crc64(&self, place: &str) -> bool {
        tracing::info!(place, "no CRC64NVME here: sending Content-MD5");
        self.no_crc64.store(true, Ordering::Relaxed);
        true
    }
}

fn names_checksum(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("checksum") || message.contains("crc64")
}

impl S3Store {
    /// Checks a condition by a HEAD, for stores that can't in the same request.
    pub(super) async fn ask_before(&self, key: &str, condition: &Condition) -> StoreResult<()> {
        let found = match condition {
            Condition::Always => return Ok(()),
            _ => match self.head_object(key, None).await {
                Ok(head) => Some(head.etag),
                Err(error) if error.kind == StoreErrorKind::NotFound => None,
                Err(error) => return Err(error),
            },
        };
        let why = match (condition, found) {
            (Condition::IfAbsent, Some(_)) => "an object has the key already",
            (Condition::IfMatch(wanted), Some(etag)) if *wanted != etag => "the object has changed",
            (Condition::IfMatch(_), None) => "the object is gone",
            _ => return Ok(()),
        };
        Err(self.error("HeadObject", key, StoreErrorKind::PreconditionFailed, why))
    }

    /// Holds what the store says of received bytes against what was sent. A store that accepts
    /// the checksum's header without a word has not looked at it: then the ETag must prove the
    /// bytes, and later ones go with Content-MD5.
    pub(super) fn confirm(
        &self,
        operation: &'static str,
        key: &str,
        bytes: &[u8],
        sent: Crc64,
        answered: Option<Crc64>,
        etag: &str,
    ) -> StoreResult<()> {
        if answered == Some(sent) {
            return Ok(());
        }
        if answered.is_none() {
            self.abilities.without_crc64(&self.bucket);
            if Md5Sum::of(bytes).to_hex() == etag {
                return Ok(());
            }
        }
        let why = "the store took the bytes without confirming their checksum";
        Err(self.error(operation, key, StoreErrorKind::UnknownOutcome, why))
    }
}
