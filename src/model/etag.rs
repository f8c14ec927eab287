//! ETags that other tools' uploads have, computed from the local file to adopt what is there.
//!
//! A plain upload's ETag is the MD5 of its bytes; a multipart upload's is the MD5 of its parts'
//! MD5s, a hyphen and the number of parts ("Checking object integrity" in S3's user guide).
//! Servers with KMS encryption give other ETags; those never match and cost nothing but a HEAD.

use data_encoding::{BASE64, HEXLOWER};
use md5::{Digest, Md5};

const MIB: u64 = 1 << 20;

/// Part sizes in MiB that tools use by default or people choose, likeliest first: aws 8, rclone 5,
/// mc and s3cmd 16 and 15, s5cmd 50, then powers of two and round numbers.
const USUAL: [u64; 22] = [
    8, 5, 16, 50, 64, 15, 10, 128, 32, 20, 25, 100, 256, 512, 1024, 6, 7, 12, 40, 80, 160, 200,
];

/// Part sizes tried for one object; each costs an MD5 over the whole file.
const MOST_CANDIDATES: usize = 4;

/// What the content must have to be equal to an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// MD5 of all bytes.
    Md5([u8; 16]),
    /// A multipart ETag: MD5 of the part MD5s, and the part sizes that are possible.
    Parts {
        /// MD5 of the parts' MD5s.
        digest: [u8; 16],
        /// In bytes.
        sizes: Vec<u64>,
    },
}

impl Expected {
    /// What an ETag of an object of `size` bytes tells; none where it is neither form.
    pub fn from_etag(etag: &str, size: u64) -> Option<Self> {
        let (hex, count) = match etag.split_once('-') {
            Some((hex, count)) => (hex, Some(count.parse::<u64>().ok()?)),
            None => (etag, None),
        };
        let digest = HEXLOWER
            .decode(hex.to_ascii_lowercase().as_bytes())
            .ok()?
            .try_into()
            .ok()?;
        match count {
            None => Some(Self::Md5(digest)),
            Some(count) => {
                let sizes = part_sizes(size, count);
                (!sizes.is_empty()).then_some(Self::Parts { digest, sizes })
            }
        }
    }

    /// What rclone's `md5chksum` metadata (base64 of the MD5) tells.
    pub fn from_md5chksum(text: &str) -> Option<Self> {
        Some(Self::Md5(
            BASE64
                .decode(text.trim().as_bytes())
                .ok()?
                .try_into()
                .ok()?,
        ))
    }
}

/// The ETag of an object made of parts that have these, in this order; none where one of them is no
/// MD5.
pub fn of_parts<'a>(etags: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut sums = Md5::new();
    let mut count = 0;
    for etag in etags {
        let digest: [u8; 16] = HEXLOWER.decode(etag.as_bytes()).ok()?.try_into().ok()?;
        sums.update(digest);
        count += 1;
    }
    Some(format!("{}-{count}", HEXLOWER.encode(&sums.finalize())))
}

/// Whether an object with `etag`, copied in parts of the length that its own have, is one with
/// `copied`: the same, or where it was no multipart upload the ETag of its single part.
pub fn is_of_copy(copied: &str, etag: &str) -> bool {
    let single = || of_parts(std::iter::once(etag));
    !etag.is_empty() && (copied == etag || single().is_some_and(|single| single == copied))
}

/// The part sizes that would give an object of `size` bytes exactly `count` parts.
fn part_sizes(size: u64, count: u64) -> Vec<u64> {
    if count == 0 || size == 0 {
        return Vec::new();
    }
    let fits = |part: &u64| size.div_ceil(*part) == count;
    let usual = USUAL.iter().map(|mib| mib * MIB).filter(fits);
    let whole = size.div_ceil(count).div_ceil(MIB) * MIB;
    let others = [whole, whole + MIB].into_iter().filter(fits);
    let mut sizes: Vec<u64> = Vec::new();
    for part in usual.chain(others) {
        if !sizes.contains(&part) && sizes.len() < MOST_CANDIDATES {
            sizes.push(part);
        }
    }
    sizes
}

/// Compares a content with what is expected, while its bytes go by in order.
pub struct Matcher {
    digest: [u8; 16],
    /// One per possible part size; a plain MD5 is one part without end.
    candidates: Vec<Candidate>,
}

struct Candidate {
    part: Option<u64>,
    filled: u64,
    current: Md5,
    parts: Md5,
}

impl Matcher {
    /// Begins a comparison.
    pub fn new(expected: &Expected) -> Self {
        let candidate = |part| Candidate {
            part,
            filled: 0,
            current: Md5::new(),
            parts: Md5::new(),
        };
        let (digest, candidates) = match expected {
            Expected::Md5(digest) => (*digest, vec![candidate(None)]),
            Expected::Parts { digest, sizes } => (
                *digest,
                sizes.iter().map(|&size| candidate(Some(size))).collect(),
            ),
        };
        Self { digest, candidates }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for candidate in &mut self.candidates {
            candidate.update(bytes);
        }
    }

    /// Whether the content, now whole, is what was expected.
    pub fn matches(self) -> bool {
        let digest = self.digest;
        self.candidates
            .into_iter()
            .any(|candidate| candidate.finish() == digest)
    }
}

impl Candidate {
    fn update(&mut self, mut bytes: &[u8]) {
        let Some(part) = self.part else {
            self.current.update(bytes);
            return;
        };
        while !bytes.is_empty() {
            let room = usize::try_from(part - self.filled).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.current.update(now);
            self.filled += now.len() as u64;
            if self.filled == part {
                self.close_part();
            }
            bytes = later;
        }
    }

    fn close_part(&mut self) {
        let digest = std::mem::replace(&mut self.current, Md5::new()).finalize();
        self.parts.update(digest);
        self.filled = 0;
    }

    fn finish(mut self) -> [u8; 16] {
        if self.part.is_none() {
            return self.current.finalize().into();
        }
        if self.filled > 0 {
            self.close_part();
        }
        self.parts.finalize().into()
    }
}

/// The MD5 of bytes held in memory, as an ETag.
pub fn of(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Md5::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(expected: &Expected, bytes: &[u8]) -> bool {
        let mut matcher = Matcher::new(expected);
        bytes.chunks(1000).for_each(|piece| matcher.update(piece));
        matcher.matches()
    }

    #[test]
    fn plain_etags_and_md5chksum_match_the_same_bytes_alone() {
        let expected = Expected::from_etag("900150983cd24fb0d6963f7d28e17f72", 3).expect("an MD5");
        assert!(matches(&expected, b"abc"));
        assert!(!matches(&expected, b"abd"));
        assert_eq!(
            Expected::from_md5chksum("kAFQmDzST7DWlj99KOF/cg=="),
            Some(expected)
        );
    }

    #[test]
    fn multipart_etags_match_for_the_part_size_that_their_count_implies() {
        let bytes: Vec<u8> = (0..12 * MIB).map(|n| (n * 7 % 253) as u8).collect();
        for part in [5 * MIB, 8 * MIB] {
            let mut digests = Md5::new();
            bytes
                .chunks(part as usize)
                .for_each(|piece| digests.update(Md5::digest(piece)));
            let count = (bytes.len() as u64).div_ceil(part);
            let etag = format!("{}-{count}", HEXLOWER.encode(&digests.finalize()));
            let expected = Expected::from_etag(&etag, bytes.len() as u64).expect("multipart");
            assert!(matches(&expected, &bytes), "{part}");
            assert!(!matches(&expected, &bytes[1..]), "{part}");
        }
    }

    #[test]
    fn a_copy_in_parts_is_known_by_the_etags_of_its_parts() {
        let (abc, abd) = (
            "900150983cd24fb0d6963f7d28e17f72",
            "4911e516e5aa21d327512e0c8b197616",
        );
        let one = of_parts([abc].into_iter()).expect("an ETag");
        let two = of_parts([abc, abd].into_iter()).expect("an ETag");
        assert!(one.ends_with("-1") && two.ends_with("-2"), "{one} {two}");
        assert_ne!(Some(&two), of_parts([abd, abc].into_iter()).as_ref());
        assert_eq!(of_parts(["no MD5"].into_iter()), None);
        assert!(is_of_copy(&two, &two) && is_of_copy(&one, abc) && is_of_copy(abc, abc));
        assert!(!is_of_copy(&one, abd) && !is_of_copy(&two, abc) && !is_of_copy("", ""));
    }

    #[test]
    fn other_etags_tell_nothing() {
        for etag in ["", "xyz", "0123", "900150983cd24fb0d6963f7d28e17f72-x"] {
            assert_eq!(Expected::from_etag(etag, 5), None, "{etag}");
        }
    }
}
