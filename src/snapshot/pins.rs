//! Pins: `<prefix>/pins/<id>`, an empty object for each snapshot, written before it and without a
//! lock.
//!
//! Whoever can write can write a prune record. But only who may delete versions, the pruner, can
//! take a pin away. So a record counts where the snapshot's pin is gone: a stolen writer key hides
//! nothing and ends no renewal. Delete markers over a pin, and newer versions of it, change nothing.

use crate::model::{Crc64, Result, Time};
use crate::snapshot::transport::{self, pause};
use crate::snapshot::{SnapshotId, Vault, layout};
use crate::store::{Attributes, Condition, Put, Version, listing};
use bytes::Bytes;
use std::collections::HashMap;

/// The pins that are there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pins(HashMap<SnapshotId, Vec<Version>>);

impl Pins {
    /// Reads them from one listing.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(vault: &Vault) -> Result<Self> {
        let prefix = vault.target().key(layout::PINS);
        let mut pins = Self::default();
        let all = listing::list_all_versions(&**vault.store(), &prefix).await?;
        for version in all.into_iter().filter(|version| !version.delete_marker) {
            match layout::id_of(vault.target(), layout::PINS, "", &version.key) {
                Some(id) => pins.0.entry(id).or_default().push(version),
                None => tracing::warn!(key = version.key, "not a pin; ignored"),
            }
        }
        Ok(pins)
    }

    /// Whether a pin of the snapshot is there that was at `then`. What somebody puts there after a
    /// prune brings no snapshot back.
    pub fn hold(&self, id: &SnapshotId, then: Time) -> bool {
        let mut versions = self.0.get(id).into_iter().flatten();
        versions.any(|version| version.last_modified <= then)
    }

    /// All versions of all pins, by snapshot.
    pub fn into_versions(self) -> impl Iterator<Item = (SnapshotId, Version)> {
        let each = |(id, versions): (SnapshotId, Vec<Version>)| {
            let with_id = move |version| (id.clone(), version);
            versions.into_iter().map(with_id)
        };
        self.0.into_iter().flat_map(each)
    }
}

/// Writes the pin of a snapshot that is about to be written. Twice is no harm.
pub(super) async fn write_pin(vault: &Vault, id: &SnapshotId, sse: Option<&str>) -> Result<()> {
    let mut tried = 1;
    loop {
        let put = Put {
            key: layout::pin(vault.target(), id),
            body: Bytes::new(),
            crc64nvme: Crc64::of(b""),
            attributes: Attributes {
                sse: sse.map(str::to_owned),
                ..Attributes::default()
            },
            condition: Condition::Always,
        };
        match vault.store().put(put).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind.is_transient() && tried < transport::TRIES => {
                pause(tried).await;
                tried += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
