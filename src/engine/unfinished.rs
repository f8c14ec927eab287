//! Unfinished uploads as one run leaves them to the next on another machine, in the released lease.
//!
//! A store tells of each part that it has how long it is and its CRC64NVME. The BLAKE3 of a file
//! takes its parts' chaining values too: without them each machine would read again what others
//! have sent. They are believed as the parent snapshot is, of a file whose size and mtime are the
//! same, and of a part that the store has with the same checksum.

use crate::model::{Crc64, Time};
use crate::state::{UploadPart, UploadRow};
use crate::store::Part;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

/// Parts that a lease names, over all uploads: it stays a small object. What does not fit is read
/// again.
const MOST_PARTS: usize = 3_000;

/// A part's number, checksum and chaining value.
const PART_BYTES: usize = 4 + 8 + 32;

/// An upload and the parts that were sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unfinished {
    /// Full key.
    key: String,
    /// As the store gave it.
    upload_id: String,
    /// Bytes of each part but the last.
    part_size: u64,
    /// Of the file.
    size: u64,
    /// Of the file.
    mtime: Time,
    /// Base64 of 44 bytes a part: number and checksum, big-endian, and chaining value.
    parts: String,
}

/// What of these uploads fits into a lease. Of an upload that is in it twice the first one counts.
pub fn all_that_fits(uploads: impl IntoIterator<Item = Unfinished>) -> Vec<Unfinished> {
    let mut room = MOST_PARTS;
    let mut all: Vec<Unfinished> = Vec::new();
    for upload in uploads {
        let parts = upload.parts.len() * 3 / 4 / PART_BYTES;
        let twice = all.iter().any(|other| other.upload_id == upload.upload_id);
        if parts > 0 && parts <= room && !twice {
            room -= parts;
            all.push(upload);
        }
    }
    all
}

impl Unfinished {
    /// What the state knows of an upload.
    pub fn of(row: UploadRow, parts: &[UploadPart]) -> Self {
        let parts = &parts[..parts.len().min(MOST_PARTS)];
        let mut bytes = Vec::with_capacity(parts.len() * PART_BYTES);
        for part in parts {
            bytes.extend(part.number.to_be_bytes());
            bytes.extend(part.crc64nvme.0.to_be_bytes());
            bytes.extend(part.subtree);
        }
        Self {
            key: row.id.key,
            upload_id: row.id.upload_id,
            part_size: row.part_size,
            size: row.size,
            mtime: row.mtime,
            parts: BASE64.encode(&bytes),
        }
    }

    /// Of the parts that the store has of `row`'s upload, those that this is known of; none where
    /// it is of another upload, or of another state of the file.
    pub fn parts_of(&self, row: &UploadRow, there: &[Part]) -> Vec<UploadPart> {
        let same = self.key == row.id.key
            && self.upload_id == row.id.upload_id
            && (self.part_size, self.size, self.mtime) == (row.part_size, row.size, row.mtime);
        if !same {
            return Vec::new();
        }
        let bytes = BASE64.decode(self.parts.as_bytes()).unwrap_or_default();
        let (parts, _) = bytes.as_chunks::<PART_BYTES>();
        let known = parts.iter().filter_map(|part| {
            let (number, rest) = part.split_first_chunk()?;
            let (crc, subtree) = rest.split_first_chunk()?;
            let (number, crc) = (i32::from_be_bytes(*number), u64::from_be_bytes(*crc));
            let same =
                |found: &&Part| found.number == number && found.crc64nvme == Some(Crc64(crc));
            let found = there.iter().find(same)?;
            Some(UploadPart {
                number,
                etag: found.etag.clone(),
                crc64nvme: Crc64(crc),
                subtree: subtree.try_into().ok()?,
                size: found.size,
            })
        });
        known.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Identity, RelPath, Side};
    use crate::state::UploadId;

    fn row(mtime: i64) -> UploadRow {
        let (key, upload_id) = ("lib/a.mov".to_owned(), "u".to_owned());
        UploadRow {
            id: UploadId {
                side: Side::Backup,
                key,
                upload_id,
            },
            part_size: 8,
            path: RelPath::new(*b"a.mov"),
            size: 20,
            mtime: Time::from_second(mtime).expect("time"),
            identity: Identity::default(),
            device: 0,
            created: Time::UNIX_EPOCH,
        }
    }

    fn part(number: i32) -> UploadPart {
        UploadPart {
            number,
            etag: format!("etag {number}"),
            crc64nvme: Crc64(number as u64 * 7),
            subtree: [number as u8; 32],
            size: 8,
        }
    }

    fn there(part: UploadPart) -> Part {
        Part {
            number: part.number,
            etag: part.etag,
            crc64nvme: Some(part.crc64nvme),
            size: part.size,
        }
    }

    #[test]
    fn f64_what_another_machine_sent_is_known_again_as_far_as_the_store_has_it() {
        let left = [Unfinished::of(row(5), &[part(1), part(2), part(3)])];
        let json = serde_json::to_string(&left).expect("JSON");
        let left: Vec<Unfinished> = serde_json::from_str(&json).expect("JSON");
        let mut other = there(part(2));
        other.crc64nvme = Some(Crc64(99));
        let there = [there(part(1)), other];
        assert_eq!(left[0].parts_of(&row(5), &there), [part(1)]);
        assert_eq!(left[0].parts_of(&row(6), &there), [], "the file was edited");
    }

    #[test]
    fn a_lease_stays_small_and_hostile_parts_are_none() {
        let many: Vec<UploadPart> = (1..=2 * MOST_PARTS as i32).map(part).collect();
        let mut other = row(5);
        other.id.upload_id = "v".to_owned();
        let other = Unfinished::of(other, &[part(1)]);
        let few = Unfinished::of(row(5), &[part(1)]);
        let all = [few.clone(), few.clone(), other.clone()];
        assert_eq!(all_that_fits(all), [few, other.clone()]);
        let left = all_that_fits([Unfinished::of(row(5), &many), other]);
        assert_eq!(left.len(), 1);
        assert!(left[0].parts.len() < 180 << 10);
        for hostile in ["", "%", "AAAA", &"/".repeat(176)] {
            let left = Unfinished {
                parts: hostile.to_owned(),
                ..left[0].clone()
            };
            assert_eq!(left.parts_of(&row(5), &[there(part(1))]), []);
        }
    }
}
