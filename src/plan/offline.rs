//! Paths that a cloud drive keeps a placeholder of: neither there nor gone, and no doubt.

use super::{Known, Plan};
use crate::model::RelPath;
use std::collections::{HashMap, HashSet};

/// The placeholders of one scan, and of which of them anything is remembered.
///
/// | at or below a placeholder | remembered | on the mirror | what becomes of it |
/// |---|---|---|---|
/// | yes | yes | any | carried; the object is left alone |
/// | yes | no | any | told as never stored; the object is left alone |
/// | no, but its name is that of one never stored | any | any | may have moved there: as above |
/// | no | any | any | gone |
#[derive(Debug, Default)]
pub(super) struct Placeholders(HashMap<Box<[u8]>, bool>);

impl Placeholders {
    pub(super) fn new(paths: &[RelPath]) -> Self {
        Self(
            paths
                .iter()
                .map(|path| (path.as_bytes().into(), false))
                .collect(),
        )
    }

    /// Whether a path that the scan did not find is, or lies below, one of them.
    pub(super) fn cover(&mut self, path: &RelPath, remembered: bool) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let bytes = path.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let ends = ends.map(|(at, _)| at).chain([bytes.len()]);
        for end in ends {
            if let Some(known) = self.0.get_mut(&bytes[..end]) {
                *known |= remembered;
                return true;
            }
        }
        false
    }

    /// Sets aside what is only seemingly gone: a file that is in the cloud alone and was moved
    /// can't be told by its content, so its old path stays for as long as the new one, of the same
    /// name, has not been stored.
    pub(super) fn settle(self, plan: &mut Plan) {
        let never_stored = self.0.into_iter().filter(|(_, known)| !known);
        plan.never_stored = never_stored.map(|(path, _)| RelPath::new(path)).collect();
        plan.never_stored.sort_unstable();
        let name = |path: &RelPath| path.segments().last().map(<[u8]>::to_vec);
        let names: HashSet<Vec<u8>> = plan.never_stored.iter().filter_map(name).collect();
        if names.is_empty() {
            return;
        }
        let may_be_there = |path: &RelPath| path.segments().any(|name| names.contains(name));
        let gone = std::mem::take(&mut plan.gone);
        let is_there = |known: &Known| may_be_there(&known.entry.path);
        let (moved, gone): (Vec<_>, Vec<_>) = gone.into_iter().partition(is_there);
        plan.gone = gone;
        plan.offline.extend(moved);
        plan.extras
            .retain(|extra| !may_be_there(&extra.object.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Entry, Identity, Kind, MtimePolicy};
    use crate::plan::{CompareOptions, Comparer, MirrorObject};

    fn known(path: &str) -> Known {
        Known {
            entry: Entry::new(path.into(), Kind::File),
            identity: Identity::default(),
            device: 0,
            locked_until: None,
            committed: true,
        }
    }

    /// All of `remembered`, and `foreign`, are objects of the mirror; no file is there.
    fn plan(placeholders: &[&str], remembered: &[&str], foreign: &[&str]) -> Plan {
        let mut paths: Vec<&str> = remembered.iter().chain(foreign).copied().collect();
        paths.sort_unstable();
        let object = |path: &str| MirrorObject {
            path: path.into(),
            key: path.into(),
            size: 0,
            etag: "e".into(),
        };
        let objects = paths.into_iter().map(object).collect();
        let options = CompareOptions {
            sync: true,
            backup: true,
            mtime: MtimePolicy::Keep,
            checksum: false,
        };
        let placeholders: Vec<RelPath> = placeholders.iter().map(|&path| path.into()).collect();
        let mut comparer =
            Comparer::new(Vec::new(), objects, options).with_placeholders(&placeholders);
        for path in remembered {
            comparer.remember(known(path));
        }
        comparer.finish()
    }

    #[test]
    fn f69_a_placeholder_and_all_below_it_is_neither_there_nor_gone() {
        let plan = plan(
            &["a", "album", "foreign", "new"],
            &["a", "a-b", "album/1", "album/x/2", "albums", "z"],
            &["foreign", "other"],
        );
        let paths = |known: &[Known]| -> Vec<String> {
            let path = |known: &Known| known.entry.path.to_string();
            known.iter().map(path).collect()
        };
        assert_eq!(paths(&plan.offline), ["a", "album/1", "album/x/2"]);
        assert_eq!(paths(&plan.gone), ["a-b", "albums", "z"]);
        let extras: Vec<&str> = plan.extras.iter().map(|e| &*e.object.key).collect();
        assert_eq!(extras, ["a-b", "albums", "other", "z"]);
        let never: Vec<RelPath> = ["foreign", "new"].map(RelPath::from).into();
        assert_eq!(plan.never_stored, never);
    }

    #[test]
    fn f69_what_may_have_moved_in_the_cloud_is_not_gone() {
        let plan = plan(
            &["2025/a.jpg", "trips/rome"],
            &["2024/a.jpg", "2024/b.jpg", "rome/1.jpg", "rome/2.jpg"],
            &["rome/3.jpg"],
        );
        assert_eq!(plan.offline.len(), 3);
        assert_eq!(plan.gone, [known("2024/b.jpg")]);
        assert_eq!(plan.extras.len(), 1);
        assert_eq!(plan.never_stored.len(), 2);
    }
}
