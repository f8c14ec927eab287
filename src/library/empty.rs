//! Empty folders: those that a restore would not make on the way to anything else.

use crate::model::{Kind, RelPath, Seen};

/// The folders of `dirs` below which nothing is that a restore makes: no file, no link, no
/// further folder. What was left out and special files count as nothing; what could not be seen
/// counts as something.
///
/// All three must be sorted by path.
pub(crate) fn empty_folders(dirs: Vec<Seen>, entries: &[Seen], unseen: &[&RelPath]) -> Vec<Seen> {
    let is_empty: Vec<bool> = {
        let mut prefix = Vec::new();
        dirs.iter()
            .map(|dir| {
                prefix.clear();
                prefix.extend_from_slice(dir.path.as_bytes());
                let unseen_itself = unseen.binary_search_by(|u| (*u).cmp(&dir.path)).is_ok();
                prefix.push(b'/');
                !unseen_itself
                    && below(&dirs, &prefix, seen_path).next().is_none()
                    && below(unseen, &prefix, unseen_path).next().is_none()
                    && below(entries, &prefix, seen_path).all(|e| e.kind == Kind::Special)
            })
            .collect()
    };
    let mut flags = is_empty.into_iter();
    let mut kept = dirs;
    kept.retain(|_| flags.next() == Some(true));
    kept
}

fn seen_path(seen: &Seen) -> &[u8] {
    seen.path.as_bytes()
}

fn unseen_path<'a>(unseen: &'a &RelPath) -> &'a [u8] {
    unseen.as_bytes()
}

/// The items whose path begins with `prefix`; they lie together, since the slice is sorted.
fn below<'a, T>(
    items: &'a [T],
    prefix: &'a [u8],
    path: impl Fn(&T) -> &[u8] + Copy + 'a,
) -> impl Iterator<Item = &'a T> {
    let first = items.partition_point(|item| path(item) < prefix);
    items[first..]
        .iter()
        .take_while(move |item| path(item).starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::stat::{self, Trust};

    #[test]
    fn a_folder_that_could_not_be_seen_is_not_taken_for_empty() {
        let metadata = std::fs::metadata("/").expect("stat");
        let dir = |path: &str| stat::seen(path.into(), &metadata, Trust::default());
        let unseen: [RelPath; 2] = ["b", "c/d"].map(RelPath::from);
        let dirs = ["a", "b", "c", "c-d"].map(dir).to_vec();
        let empty = empty_folders(dirs, &[], &unseen.each_ref());
        assert_eq!(empty, ["a", "c-d"].map(dir));
    }
}
