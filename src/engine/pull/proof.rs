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
                let matches = matcher.matches();
                // The part size of a multipart upload is a guess: that none fits tells nothing.
                let certain = matches!(expected, Expected::Md5(_));
                Ok((matches || certain).then_some(matches))
            }
            (told, _) => Ok(told),
        }
    }
}

/// What is in a file.
pub(super) fn content_of(file: File) -> std::io::Result<Content> {
    let mut hasher = blake3::Hasher::new();
    let mut crc = Crc64::of(b"");
    let mut size = 0;
    read_all(file, |bytes| {
        hasher.update(bytes);
        crc = crc.followed_by(Crc64::of(bytes), bytes.len() as u64);
        size += bytes.len() as u64;
    })?;
    Ok(Content {
        size,
        blake3: Blake3(*hasher.finalize().as_bytes()),
        crc64nvme: crc,
    })
}
