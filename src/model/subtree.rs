//! BLAKE3 of a file whose parts are hashed on their own, in any order.
//!
//! A part of a power-of-two length is a whole subtree of the file's BLAKE3 tree, so its chaining
//! value can be kept (for a resumed upload) and merged later into the plain hash of the file: the
//! tree that the BLAKE3 paper, section 2.1, lays down. Parts must be of one length, a power of two
//! of at least 1 KiB; only the last may be shorter.

use crate::model::Blake3;
use blake3::Hasher;
use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

/// The chaining value of one part, for files of two parts or more.
pub type PartHash = ChainingValue;

/// Hashes the part that begins at `offset`, which must be a multiple of the part length.
///
/// For files of a single part use [`Blake3::of`]: their hash is a root, not a subtree.
pub fn hash_part(bytes: &[u8], offset: u64) -> PartHash {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(offset);
    hasher.update(bytes);
    hasher.finalize_non_root()
}

/// The hash of a file from the hashes of its two or more parts, in order; none for fewer.
pub fn merge_parts(parts: &[PartHash]) -> Option<Blake3> {
    if parts.len() < 2 {
        return None;
    }
    let (left, right) = parts.split_at(left_len(parts.len()));
    let root = merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash);
    Some(Blake3(*root.as_bytes()))
}

/// The left subtree holds the largest power of two of parts that leaves at least one to the right.
fn left_len(parts: usize) -> usize {
    parts.next_power_of_two() / 2
}

fn subtree(parts: &[PartHash]) -> PartHash {
    if let [only] = parts {
        return *only;
    }
    let (left, right) = parts.split_at(left_len(parts.len()));
    merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_parts_give_the_plain_hash() {
        let bytes: Vec<u8> = (0..40_000u32).map(|n| (n * 31 % 251) as u8).collect();
        for part in [1024usize, 2048, 8192] {
            for len in [part + 1, 2 * part, 3 * part, 4 * part + 7, bytes.len()] {
                let content = &bytes[..len];
                let hashes: Vec<_> = content
                    .chunks(part)
                    .enumerate()
                    .map(|(n, piece)| hash_part(piece, (n * part) as u64))
                    .collect();
                assert_eq!(
                    merge_parts(&hashes),
                    Some(Blake3::of(content)),
                    "{part} {len}"
                );
            }
        }
    }

    #[test]
    fn fewer_than_two_parts_have_no_merge() {
        assert_eq!(merge_parts(&[]), None);
        assert_eq!(merge_parts(&[hash_part(b"x", 0)]), None);
    }
}
