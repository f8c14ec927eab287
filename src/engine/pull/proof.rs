//! What an object says of its content, and whether bytes agree.

use crate::engine::download::receive::read_all;
use crate::model::etag::{Expected, Matcher};
use crate::model::{Blake3, Content, Crc64, Time, time};
use crate::store::Head;
use std::fs::File;

/// The strongest that an object has: BLAKE3 that Tidelock wrote with it, else the store's own
/// whole-object checksum, else an ETag or rclone's `md5chksum`, which are MD5s.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Sum {
    Blake3(Blake3),
    Crc(Crc64),
    Md5(Expected),
    /// Encrypted by a key service, or of parts of unknown size: the length is all that there is.
    Nothing,
}

/// What is known of an object before its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Proof {
    /// Bytes.
    pub(super) size: u64,
    /// What to hold against the `GetObject` answers.
    pub(super) etag: String,
    /// The file's time; the object's own where no tool has noted it.
    pub(super) mtime: Time,
    sum: Sum,
}

impl Proof {
    pub(super) fn of(head: &Head) -> Self {
        let metadata = |name: &str| {
            let mut pairs = head.metadata.iter();
            let found = pairs.find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let blake3 = metadata("blake3").and_then(Blake3::from_hex);
        let md5 = || {
            let of_rclone = metadata("md5chksum").and_then(Expected::from_md5chksum);
            of_rclone.or_else(|| Expected::from_etag(&head.etag, head.size))
        };
        let sum = match (blake3, head.crc64nvme) {
            (Some(blake3), _) => Sum::Blake3(blake3),
            (None, Some(crc)) => Sum::Crc(crc),
            (None, None) => md5().map_or(Sum::Nothing, Sum::Md5),
        };
        let mtime = metadata("mtime").and_then(time::from_decimal_seconds);
        Self {
            size: head.size,
            etag: head.etag.clone(),
            mtime: mtime.unwrap_or(head.last_modified),
            sum,
        }
    }

    /// Whether a disagreement may lie in a guess: a multipart ETag's part size is written nowhere.
    pub(super) fn is_guess(&self) -> bool {
        matches!(self.sum, Sum::Md5(Expected::Parts { .. }))
    }

    /// Whether this content is the object's; none where only its bytes can tell, or nothing.
    pub(super) fn agrees(&self, content: &Content) -> Option<bool> {
        if content.size != self.size {
            return Some(false);
        }
        match &self.sum {
            Sum::Blake3(blake3) => Some(*blake3 == content.blake3),
            Sum::Crc(crc) => Some(*crc == content.crc64nvme),
            Sum::Md5(_) | Sum::Nothing => None,
        }
    }

    /// Whether these bytes, which have `content`, are the object's; none where nothing tells.
    pub(super) fn agrees_with(
        &self,
        content: &Content,
        file: impl FnOnce() -> std::io::Result<File>,
    ) -> std::io::Result<Option<bool>> {
        match (self.agrees(content), &self.sum) {
            (None, Sum::Md5(expected)) => {
                let mut matcher = Matcher::new(expected);
                read_all(file()?, |bytes| matcher.update(bytes))?;
                Ok(Some(matcher.matches()))
            }
            (told, _) => Ok(told),
        }
    }
}

/// Bytes on their way, hashed.
#[derive(Debug)]
pub(super) struct Summing {
    size: u64,
    blake3: Box<blake3::Hasher>,
    crc64nvme: Crc64,
}

impl Default for Summing {
    fn default() -> Self {
        Self {
            size: 0,
            blake3: Box::default(),
            crc64nvme: Crc64::of(b""),
        }
    }
}

impl Summing {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let len = bytes.len() as u64;
        self.blake3.update(bytes);
        self.crc64nvme = self.crc64nvme.followed_by(Crc64::of(bytes), len);
        self.size += len;
    }

    /// So many came.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// What came.
    pub(super) fn content(&self) -> Content {
        Content {
            size: self.size,
            blake3: Blake3(*self.blake3.finalize().as_bytes()),
            crc64nvme: self.crc64nvme,
        }
    }
}

/// What is in a file.
pub(super) fn content_of(file: File) -> std::io::Result<Content> {
    let mut sum = Summing::default();
    read_all(file, |bytes| sum.update(bytes))?;
    Ok(sum.content())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::etag;

    fn head(etag: &str, metadata: &[(&str, String)], crc: Option<Crc64>) -> Head {
        let pair = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
        Head {
            size: 4,
            etag: etag.to_owned(),
            version_id: None,
            crc64nvme: crc,
            last_modified: Time::UNIX_EPOCH,
            metadata: metadata.iter().map(pair).collect(),
            retention: None,
            storage_class: None,
            restore: None,
            archive_status: None,
        }
    }

    fn agrees(head: &Head, bytes: &[u8]) -> Option<bool> {
        let file = || {
            use std::io::{Seek, Write};
            let mut file = tempfile::tempfile()?;
            file.write_all(bytes)?;
            file.rewind()?;
            Ok(file)
        };
        Proof::of(head)
            .agrees_with(&Content::of(bytes), file)
            .unwrap()
    }

    #[test]
    fn each_kind_of_checksum_tells_the_right_bytes_from_others() {
        let content = Content::of(b"tide");
        let blake3 = [("blake3", content.blake3.to_hex())];
        let heads = [
            head("opaque", &blake3, None),
            head("opaque", &[], Some(content.crc64nvme)),
            head(&etag::of(b"tide"), &[], None),
        ];
        for head in &heads {
            assert_eq!(agrees(head, b"tide"), Some(true), "{head:?}");
            assert_eq!(agrees(head, b"ebb!"), Some(false), "{head:?}");
            assert_eq!(agrees(head, b"tides"), Some(false), "{head:?}");
        }
        let nothing = head("opaque", &[], None);
        assert_eq!(agrees(&nothing, b"tide"), None);
        assert_eq!(agrees(&nothing, b"tides"), Some(false), "the length tells");
    }

    #[test]
    fn a_multipart_etag_that_fits_no_part_size_is_a_guess_and_no_proof() {
        let parts = head("900150983cd24fb0d6963f7d28e17f72-1", &[], None);
        assert!(Proof::of(&parts).is_guess());
        assert_eq!(agrees(&parts, b"tide"), Some(false));
        assert!(!Proof::of(&head(&etag::of(b"tide"), &[], None)).is_guess());
    }

    #[test]
    fn the_time_is_the_one_that_was_noted_else_the_object_s() {
        let noted = head("e", &[("Mtime", "12.5".to_owned())], None);
        assert_eq!(Proof::of(&noted).mtime, time::from_unix(12, 500_000_000));
        assert_eq!(Proof::of(&head("e", &[], None)).mtime, Time::UNIX_EPOCH);
    }

    #[test]
    fn a_file_s_content_is_that_of_its_bytes() {
        use std::io::{Seek, Write};
        let bytes = vec![7; 600 << 10];
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        assert_eq!(content_of(file).unwrap(), Content::of(&bytes));
    }
}
