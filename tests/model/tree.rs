//! What a folder holds, as the reference sees it: read plainly, without the product.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// One path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Node {
    File {
        body: Vec<u8>,
        /// Seconds and nanoseconds.
        mtime: (i64, i64),
        mode: u32,
        /// The first path of the same inode.
        first: Option<Vec<u8>>,
    },
    /// An empty folder.
    Dir,
    Symlink(Vec<u8>),
}

/// By the paths' bytes.
pub(crate) type Tree = BTreeMap<Vec<u8>, Node>;

pub(crate) fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    walk(root, root, &mut tree);
    let mut inodes: HashMap<u64, Vec<u8>> = HashMap::new();
    for (path, node) in &mut tree {
        let Node::File { first, .. } = node else {
            continue;
        };
        let inode = fs::metadata(root.join(std::ffi::OsStr::from_bytes(path)))
            .unwrap()
            .ino();
        *first = inodes.get(&inode).cloned();
        inodes.entry(inode).or_insert_with(|| path.clone());
    }
    tree
}

/// Returns whether the folder was empty.
fn walk(root: &Path, folder: &Path, tree: &mut Tree) -> bool {
    let mut empty = true;
    for item in fs::read_dir(folder).unwrap() {
        empty = false;
        let path = item.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
        let node = if metadata.is_symlink() {
            Node::Symlink(
                fs::read_link(&path)
                    .unwrap()
                    .as_os_str()
                    .as_bytes()
                    .to_vec(),
            )
        } else if metadata.is_dir() {
            if !walk(root, &path, tree) {
                continue;
            }
            Node::Dir
        } else {
            Node::File {
                body: fs::read(&path).unwrap(),
                mtime: (metadata.mtime(), metadata.mtime_nsec()),
                mode: metadata.mode() & 0o7777,
                first: None,
            }
        };
        tree.insert(name.to_vec(), node);
    }
    empty
}

/// The contents of the files.
pub(crate) fn bodies(tree: &Tree) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
    tree.iter().filter_map(|(path, node)| match node {
        Node::File { body, .. } => Some((path, body)),
        _ => None,
    })
}
