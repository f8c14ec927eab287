//! Is what came back what went in?

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How much must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    /// What a restore brings back: files with bytes, mtimes to the nanosecond, modes and hard links; symlinks; empty
    /// folders with mode and mtime. Folders that hold something follow from what they hold.
    Everything,
    /// What a mirror of plain objects keeps: the bytes and mtimes of files.
    Files,
}

/// Panics, naming each difference, unless `found` holds all that `expected` does and nothing else.
#[track_caller]
pub(crate) fn assert_same_tree(expected: &Path, found: &Path) {
    assert_same(expected, found, Compare::Everything);
}

/// As [`assert_same_tree`], for files alone.
#[track_caller]
pub(crate) fn assert_same_files(expected: &Path, found: &Path) {
    assert_same(expected, found, Compare::Files);
}

#[track_caller]
fn assert_same(expected: &Path, found: &Path, compare: Compare) {
    let all = differences(expected, found, compare);
    assert!(
        all.is_empty(),
        "{} differs from {}:\n  {}",
        found.display(),
        expected.display(),
        all.join("\n  ")
    );
}

/// One line a difference, by path; empty where the trees agree.
pub(crate) fn differences(expected: &Path, found: &Path, compare: Compare) -> Vec<String> {
    let (expected, found) = (read_tree(expected, compare), read_tree(found, compare));
    let missing = expected
        .iter()
        .filter(|(path, _)| !found.contains_key(*path))
        .map(|(path, node)| format!("{path:?} is missing: {node}"));
    let extra = found
        .iter()
        .filter(|(path, _)| !expected.contains_key(*path))
        .map(|(path, node)| format!("{path:?} is extra: {node}"));
    let changed = expected.iter().filter_map(|(path, node)| {
        let other = found.get(path).filter(|other| *other != node)?;
        Some(format!("{path:?} is {other}, not {node}"))
    });
    missing.chain(extra).chain(changed).collect()
}

/// What is compared of one path.
#[derive(PartialEq, Eq)]
enum Node {
    File {
        size: u64,
        blake3: blake3::Hash,
        mtime: (i64, i64),
        mode: Option<u32>,
        hard_link: Option<PathBuf>,
    },
    EmptyFolder {
        mtime: (i64, i64),
        mode: u32,
    },
    Symlink(PathBuf),
    Special,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File {
                size,
                blake3,
                mtime,
                mode,
                hard_link,
            } => {
                write!(
                    f,
                    "a file of {size} bytes, blake3 {}…, mtime {}.{:09}",
                    &blake3.to_hex()[..12],
                    mtime.0,
                    mtime.1
                )?;
                mode.map_or(Ok(()), |mode| write!(f, ", mode {mode:04o}"))?;
                hard_link
                    .as_ref()
                    .map_or(Ok(()), |first| write!(f, ", hard link to {first:?}"))
            }
            Self::EmptyFolder { mtime, mode } => write!(
                f,
                "an empty folder, mtime {}.{:09}, mode {mode:04o}",
                mtime.0, mtime.1
            ),
            Self::Symlink(target) => write!(f, "a symlink to {target:?}"),
            Self::Special => write!(f, "a special file"),
        }
    }
}

type Tree = BTreeMap<PathBuf, Node>;

fn read_tree(root: &Path, compare: Compare) -> Tree {
    let mut reader = Reader {
        root,
        compare,
        tree: Tree::new(),
        first_of: HashMap::new(),
    };
    reader
        .folder(root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    reader.tree
}

struct Reader<'a> {
    root: &'a Path,
    compare: Compare,
    tree: Tree,
    /// The first path of each inode that has several.
    first_of: HashMap<(u64, u64), PathBuf>,
}

impl Reader<'_> {
    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        // In order, so that the first name of a hard-linked file is the same in both trees.
        let mut paths = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in &paths {
            self.entry(path)?;
        }
        if paths.is_empty() && folder != self.root {
            let metadata = fs::metadata(folder)?;
            self.insert(
                folder,
                Node::EmptyFolder {
                    mtime: mtime(&metadata),
                    mode: mode(&metadata),
                },
            );
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path) -> io::Result<()> {
        let metadata = fs::symlink_metadata(path)?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            return self.folder(path);
        }
        let node = if kind.is_symlink() {
            Node::Symlink(fs::read_link(path)?)
        } else if kind.is_fifo()
            || kind.is_socket()
            || kind.is_char_device()
            || kind.is_block_device()
        {
            Node::Special
        } else {
            self.file(path, &metadata)?
        };
        self.insert(path, node);
        Ok(())
    }

    fn file(&mut self, path: &Path, metadata: &Metadata) -> io::Result<Node> {
        let everything = self.compare == Compare::Everything;
        Ok(Node::File {
            size: metadata.len(),
            blake3: blake3::Hasher::new()
                .update_reader(fs::File::open(path)?)?
                .finalize(),
            mtime: mtime(metadata),
            mode: everything.then(|| mode(metadata)),
            hard_link: if everything {
                self.first_name(path, metadata)
            } else {
                None
            },
        })
    }

    /// The earlier path of the same file, if there is one.
    fn first_name(&mut self, path: &Path, metadata: &Metadata) -> Option<PathBuf> {
        if metadata.nlink() < 2 {
            return None;
        }
        let path = self.relative(path);
        let first = self
            .first_of
            .entry((metadata.dev(), metadata.ino()))
            .or_insert_with(|| path.clone());
        (*first != path).then(|| first.clone())
    }

    fn insert(&mut self, path: &Path, node: Node) {
        if self.compare == Compare::Everything || matches!(node, Node::File { .. }) {
            self.tree.insert(self.relative(path), node);
        }
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.root)
            .expect("below the root")
            .to_owned()
    }
}

fn mtime(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}
