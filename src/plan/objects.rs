//! The mirror's objects, as many as a library has files.

use crate::model::RelPath;

/// An object below the sync target's prefix, in the order of paths.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MirrorObject {
    /// The path that its key stands for.
    pub path: RelPath,
    /// Its full key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
}

/// Bytes of a block; a record that is longer has a block of its own.
const BLOCK: usize = 1 << 20;
/// Of an ETag that is an MD5 in lower-case hexadecimal, which most are.
const MD5_DIGITS: usize = 32;

/// Many [`MirrorObject`]s, packed: a third of the memory, and no allocation for each.
///
/// A record is its path, what its key has before the path (most often the target's prefix), its
/// size and its ETag, each with its length in LEB128.
#[derive(Default)]
pub struct MirrorObjects {
    blocks: Vec<Vec<u8>>,
    /// Block and offset of each record.
    at: Vec<(u32, u32)>,
    /// Set once a path was not behind the one before it.
    out_of_order: bool,
}

impl MirrorObjects {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Adds one at the end.
    pub fn push(&mut self, object: &MirrorObject) {
        let path = object.path.as_bytes();
        let last = self.len().checked_sub(1);
        self.out_of_order |= last.is_some_and(|last| self.path(last) >= path);
        let mut record = Vec::with_capacity(path.len() + 64);
        pack(object, &mut record);
        let full = |block: &Vec<u8>| block.len() + record.len() > BLOCK;
        if self.blocks.last().is_none_or(full) {
            self.blocks
                .push(Vec::with_capacity(BLOCK.max(record.len())));
        }
        let number = self.blocks.len() as u32 - 1;
        if let Some(block) = self.blocks.last_mut() {
            self.at.push((number, block.len() as u32));
            block.extend_from_slice(&record);
        }
    }

    /// Adds all of another list at the end.
    pub fn append(&mut self, mut other: Self) {
        if other.is_empty() {
            return;
        }
        let last = self.len().checked_sub(1);
        self.out_of_order |=
            other.out_of_order || last.is_some_and(|last| self.path(last) >= other.path(0));
        // The list that goes on has its last block cut to what it holds.
        other.blocks.iter_mut().for_each(Vec::shrink_to_fit);
        let before = self.blocks.len() as u32;
        self.blocks.append(&mut other.blocks);
        let moved = other.at.into_iter();
        self.at
            .extend(moved.map(|(block, offset)| (before + block, offset)));
    }

    /// Puts them in the order of paths.
    pub fn sort(&mut self) {
        if std::mem::take(&mut self.out_of_order) {
            let blocks = &self.blocks;
            self.at
                .sort_by(|&a, &b| path_at(blocks, a).cmp(path_at(blocks, b)));
        }
    }

    /// Their paths' bytes.
    pub fn paths(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.path(index))
    }

    fn path(&self, index: usize) -> &[u8] {
        path_at(&self.blocks, self.at[index])
    }

    fn get(&self, index: usize) -> MirrorObject {
        unpack(record(&self.blocks, self.at[index]))
    }
}

impl FromIterator<MirrorObject> for MirrorObjects {
    fn from_iter<I: IntoIterator<Item = MirrorObject>>(objects: I) -> Self {
        let mut all = Self::default();
        objects.into_iter().for_each(|object| all.push(&object));
        all
    }
}

impl IntoIterator for MirrorObjects {
    type Item = MirrorObject;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter {
            objects: self,
            next: 0,
        }
    }
}

impl std::fmt::Debug for MirrorObjects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = (0..self.len()).map(|index| self.get(index));
        f.debug_list().entries(all).finish()
    }
}

/// All of a list, in its order.
#[derive(Debug)]
pub struct IntoIter {
    objects: MirrorObjects,
    next: usize,
}

impl Iterator for IntoIter {
    type Item = MirrorObject;

    fn next(&mut self) -> Option<MirrorObject> {
        let object = (self.next < self.objects.len()).then(|| self.objects.get(self.next))?;
        self.next += 1;
        Some(object)
    }
}

fn record(blocks: &[Vec<u8>], (block, offset): (u32, u32)) -> &[u8] {
    &blocks[block as usize][offset as usize..]
}

fn path_at(blocks: &[Vec<u8>], at: (u32, u32)) -> &[u8] {
    take(&mut record(blocks, at))
}

fn pack(object: &MirrorObject, to: &mut Vec<u8>) {
    let (path, key) = (object.path.as_bytes(), object.key.as_bytes());
    let tail = path.iter().rev().zip(key.iter().rev());
    let shared = tail.take_while(|(a, b)| a == b).count();
    put(path, to);
    put_number(shared as u64, to);
    put(&key[..key.len() - shared], to);
    put_number(object.size, to);
    match md5(&object.etag) {
        Some(digest) => put(&digest, to),
        // An empty one stands for "as text": no MD5 is empty.
        None => {
            put(b"", to);
            put(object.etag.as_bytes(), to);
        }
    }
}

fn unpack(mut from: &[u8]) -> MirrorObject {
    let from = &mut from;
    let path = take(from);
    let shared = take_number(from) as usize;
    let mut key = take(from).to_vec();
    key.extend_from_slice(&path[path.len() - shared..]);
    let size = take_number(from);
    let etag = match take(from) {
        b"" => String::from_utf8_lossy(take(from)).into_owned(),
        digest => data_encoding::HEXLOWER.encode(digest),
    };
    MirrorObject {
        path: RelPath::new(path),
        // It was text before it was cut.
        key: String::from_utf8_lossy(&key).into_owned(),
        size,
        etag,
    }
}

fn md5(etag: &str) -> Option<Vec<u8>> {
    let decode = || data_encoding::HEXLOWER.decode(etag.as_bytes()).ok();
    (etag.len() == MD5_DIGITS).then(decode)?
}

fn put(bytes: &[u8], to: &mut Vec<u8>) {
    put_number(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

fn take<'a>(from: &mut &'a [u8]) -> &'a [u8] {
    let len = take_number(from) as usize;
    let (bytes, rest) = from.split_at(len);
    *from = rest;
    bytes
}

fn put_number(mut number: u64, to: &mut Vec<u8>) {
    while number >= 0x80 {
        to.push(number as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn take_number(from: &mut &[u8]) -> u64 {
    let mut number = 0;
    let len = from
        .iter()
        .position(|byte| byte & 0x80 == 0)
        .map_or(0, |last| last + 1);
    let (bytes, rest) = from.split_at(len);
    for byte in bytes.iter().rev() {
        number = number << 7 | u64::from(byte & 0x7f);
    }
    *from = rest;
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object() -> impl Strategy<Value = MirrorObject> {
        let etag = prop_oneof!["[0-9a-f]{32}", "[0-9a-f]{32}-[0-9]{1,4}", ".{0,40}"];
        let path = proptest::collection::vec(any::<u8>(), 0..300);
        let key = prop_oneof![Just(None), ".{0,20}".prop_map(Some)];
        (path, key, any::<u64>(), etag).prop_map(|(path, key, size, etag)| MirrorObject {
            key: key.unwrap_or_else(|| format!("lib/{}", String::from_utf8_lossy(&path))),
            path: RelPath::new(path),
            size,
            etag,
        })
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_sorted_and_whole(
            one in proptest::collection::vec(object(), 0..50),
            two in proptest::collection::vec(object(), 0..50),
        ) {
            let mut packed: MirrorObjects = one.iter().cloned().collect();
            packed.append(two.iter().cloned().collect());
            prop_assert_eq!(packed.len(), one.len() + two.len());
            packed.sort();
            let mut all = [one, two].concat();
            all.sort_by(|a, b| a.path.cmp(&b.path));
            let paths: Vec<&[u8]> = packed.paths().collect();
            prop_assert_eq!(paths, all.iter().map(|it| it.path.as_bytes()).collect::<Vec<_>>());
            prop_assert_eq!(packed.into_iter().collect::<Vec<_>>(), all);
        }
    }

    #[test]
    fn a_record_may_be_longer_than_a_block() {
        let long = MirrorObject {
            path: "a".into(),
            key: "k".repeat(3 * BLOCK),
            size: 1,
            etag: String::new(),
        };
        let mut packed = MirrorObjects::default();
        packed.push(&long);
        packed.push(&long);
        assert_eq!(packed.into_iter().collect::<Vec<_>>(), [long.clone(), long]);
    }

    #[test]
    fn an_object_takes_little() {
        let mut packed = MirrorObjects::default();
        for number in 0..10_000 {
            packed.push(&MirrorObject {
                path: format!("2026/08/IMG_{number:06}.jpg").as_str().into(),
                key: format!("lib/2026/08/IMG_{number:06}.jpg"),
                size: 5 << 20,
                etag: format!("{number:032x}"),
            });
        }
        let bytes: usize = packed.blocks.iter().map(Vec::len).sum();
        assert!(bytes / 10_000 < 60, "{bytes}");
    }
}
