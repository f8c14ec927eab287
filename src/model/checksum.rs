//! The checksums that content is known by.

use data_encoding::{BASE64, HEXLOWER};
use std::fmt;

/// BLAKE3 of a whole content: its identity everywhere in this crate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blake3(pub [u8; 32]);

impl Blake3 {
    /// Hashes bytes held in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Lower-case hex, as manifests have it.
    pub fn to_hex(self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for Blake3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// CRC64NVME of a whole content or of a part: what stores check on arrival.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Crc64(pub u64);

impl Crc64 {
    /// Checksums bytes held in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes))
    }

    /// The checksum of `self`'s bytes followed by `next`, which has `next_len` bytes.
    #[must_use]
    pub fn followed_by(self, next: Self, next_len: u64) -> Self {
        let algorithm = crc_fast::CrcAlgorithm::Crc64Nvme;
        Self(crc_fast::checksum_combine(
            algorithm, self.0, next.0, next_len,
        ))
    }

    /// Base64 of the big-endian bytes, as S3's headers have it.
    pub fn to_base64(self) -> String {
        BASE64.encode(&self.0.to_be_bytes())
    }

    /// Reads S3's form.
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.as_bytes()).ok()?;
        Some(Self(u64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

/// What is known of a content once it has been read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Content {
    /// Length in bytes.
    pub size: u64,
    /// Identity.
    pub blake3: Blake3,
    /// What stores compare.
    pub crc64nvme: Crc64,
}

impl Content {
    /// Describes bytes held in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            size: bytes.len() as u64,
            blake3: Blake3::of(bytes),
            crc64nvme: Crc64::of(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc64nvme_matches_the_published_check_value() {
        // "123456789" -> 0xAE8B14860A799888, from the NVMe specification's test vector.
        assert_eq!(Crc64::of(b"123456789").0, 0xAE8B_1486_0A79_9888);
        assert_eq!(
            Crc64::of(b"1234").followed_by(Crc64::of(b"56789"), 5),
            Crc64::of(b"123456789")
        );
    }

    #[test]
    fn text_forms_are_reversible() {
        let content = Content::of(b"tide");
        assert_eq!(
            Blake3::from_hex(&content.blake3.to_hex()),
            Some(content.blake3)
        );
        assert_eq!(
            Crc64::from_base64(&content.crc64nvme.to_base64()),
            Some(content.crc64nvme)
        );
    }
}
