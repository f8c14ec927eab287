//! The merge of three sorted lists: the scan, what is remembered, and the mirror's listing.

use super::drain::Drain;
use super::objects::{IntoIter as Objects, MirrorObject, MirrorObjects};
use super::offline::Placeholders;
use super::task::{Extra, Known, Mirror, Plan, Task};
use crate::model::{Entry, Identity, Kind, MtimePolicy, RelPath, Seen};
use std::collections::HashMap;
use std::iter::Peekable;

/// What the comparison goes by.
#[derive(Clone, Copy, Debug)]
pub struct CompareOptions {
    /// The sync target takes part.
    pub sync: bool,
    /// The backup target takes part.
    pub backup: bool,
    /// Whether times mean anything.
    pub mtime: MtimePolicy,
    /// Hash every file.
    pub checksum: bool,
}

/// Merges the three lists. Feed what is remembered in path order, then [`finish`](Self::finish).
pub struct Comparer {
    seen: Peekable<Drain<Seen>>,
    objects: Peekable<Objects>,
    options: CompareOptions,
    inodes: HashMap<(u64, u64), RelPath>,
    placeholders: Placeholders,
    plan: Plan,
}

impl Comparer {
    /// Both lists in path order, each path once.
    pub fn new(seen: Vec<Seen>, objects: MirrorObjects, options: CompareOptions) -> Self {
        Self {
            seen: Drain::new(seen).peekable(),
            objects: objects.into_iter().peekable(),
            options,
            inodes: HashMap::new(),
            placeholders: Placeholders::default(),
            plan: Plan::default(),
        }
    }

    /// These paths, and all below them, are there but can't be read: their files are in the cloud
    /// alone. To be told before anything is remembered.
    #[must_use]
    pub fn with_placeholders(mut self, paths: &[RelPath]) -> Self {
        self.placeholders = Placeholders::new(paths);
        self
    }

    /// The next remembered path.
    pub fn remember(&mut self, known: Known) {
        self.run_up_to(Some(&known.entry.path));
        let path = known.entry.path.clone();
        let seen = self.seen.next_if(|seen| seen.path == path);
        let object = self.objects.next_if(|object| object.path == path);
        self.path(seen, Some(known), object);
    }

    /// No more is remembered.
    pub fn finish(mut self) -> Plan {
        self.run_up_to(None);
        self.placeholders.settle(&mut self.plan);
        self.plan
    }

    /// Handles the paths before `end` that nothing is remembered of.
    fn run_up_to(&mut self, end: Option<&RelPath>) {
        loop {
            let seen = self.seen.peek().map(|seen| &seen.path);
            let object = self.objects.peek().map(|object| &object.path);
            let Some(first) = seen.into_iter().chain(object).min().cloned() else {
                return;
            };
            if end.is_some_and(|end| first >= *end) {
                return;
            }
            let seen = self.seen.next_if(|seen| seen.path == first);
            let object = self.objects.next_if(|object| object.path == first);
            self.path(seen, None, object);
        }
    }

    fn path(&mut self, seen: Option<Seen>, known: Option<Known>, object: Option<MirrorObject>) {
        if known
            .as_ref()
            .is_some_and(|known| known.entry.kind == Kind::File)
        {
            self.plan.known_files += 1;
        }
        match seen {
            Some(seen) if seen.kind == Kind::File => self.file(seen, known, object),
            Some(seen) => {
                self.extra(object, known.as_ref());
                self.other(seen, known);
            }
            None => self.missing(known, object),
        }
    }

    fn missing(&mut self, known: Option<Known>, object: Option<MirrorObject>) {
        let path = known.as_ref().map(|known| &known.entry.path);
        let path = path.or(object.as_ref().map(|object| &object.path));
        if path.is_some_and(|path| self.placeholders.cover(path, known.is_some())) {
            self.plan.offline.extend(known);
            return;
        }
        self.extra(object, known.as_ref());
        self.plan.gone.extend(known);
    }

    fn file(&mut self, seen: Seen, known: Option<Known>, object: Option<MirrorObject>) {
        self.plan.files += 1;
        self.plan.bytes += seen.size;
        let hardlink = self.hardlink(&seen);
        let mirror = self.mirror(known.as_ref(), object);
        let same = known
            .as_ref()
            .is_some_and(|known| self.is_same(&seen, known));
        if let (true, Some(known)) = (same, &known) {
            let stored = !self.options.backup || known.entry.stored.is_some();
            let mirrored = matches!(mirror, Mirror::Off | Mirror::Holds { .. });
            if stored && mirrored {
                self.unchanged(seen, known, hardlink);
                return;
            }
        }
        self.plan.tasks.push(Task {
            seen,
            known: known.map(Box::new),
            same,
            mirror,
            hardlink,
        });
    }

    fn unchanged(&mut self, seen: Seen, known: &Known, hardlink: Option<RelPath>) {
        self.plan.unchanged += 1;
        let entry = &known.entry;
        if entry.mode != Some(seen.mode) || entry.hardlink != hardlink || entry.carried {
            let entry = Entry {
                mode: Some(seen.mode),
                hardlink,
                carried: false,
                ..entry.clone()
            };
            let (identity, device) = (seen.identity, seen.device);
            self.plan.entries.push(Known {
                entry,
                identity,
                device,
                ..known.clone()
            });
        } else if known.identity != seen.identity || known.device != seen.device {
            self.plan
                .identities
                .push((seen.path, seen.identity, seen.device));
        }
    }

    /// Links, empty folders and special files live in the manifest alone.
    fn other(&mut self, seen: Seen, known: Option<Known>) {
        if seen.kind == Kind::Special {
            self.plan.special.push(seen.path.clone());
        }
        let mut entry = Entry::new(seen.path, seen.kind);
        entry.mtime = Some(seen.mtime);
        entry.mode = Some(seen.mode);
        entry.target = seen.target;
        if known.as_ref().is_some_and(|known| known.entry == entry) {
            return;
        }
        let (identity, device) = (seen.identity, seen.device);
        let committed = false;
        self.plan.entries.push(Known {
            entry,
            identity,
            device,
            locked_until: None,
            committed,
        });
    }

    fn extra(&mut self, object: Option<MirrorObject>, known: Option<&Known>) {
        if let Some(object) = object {
            let holds = known.filter(|known| holds(known, &object)).cloned();
            self.plan.extras.push(Extra { object, holds });
        }
    }

    fn mirror(&self, known: Option<&Known>, object: Option<MirrorObject>) -> Mirror {
        if !self.options.sync {
            return Mirror::Off;
        }
        match object {
            None => Mirror::Absent,
            Some(object) if known.is_some_and(|known| holds(known, &object)) => {
                Mirror::Holds { etag: object.etag }
            }
            Some(object) => Mirror::Unknown {
                etag: object.etag,
                size: object.size,
            },
        }
    }

    fn hardlink(&mut self, seen: &Seen) -> Option<RelPath> {
        if seen.links < 2 || seen.identity.inode == 0 {
            return None;
        }
        let inode = (seen.device, seen.identity.inode);
        if let Some(first) = self.inodes.get(&inode) {
            return Some(first.clone());
        }
        self.inodes.insert(inode, seen.path.clone());
        None
    }

    /// Size and mtime decide; inode and ctime too, where this machine noted them on the same disk.
    fn is_same(&self, seen: &Seen, known: &Known) -> bool {
        let entry = &known.entry;
        entry.kind == Kind::File
            && !self.options.checksum
            && self.options.mtime == MtimePolicy::Keep
            && entry
                .content
                .is_some_and(|content| content.size == seen.size)
            && entry.mtime == Some(seen.mtime)
            && (known.device != seen.device || same_identity(known.identity, seen.identity))
    }
}

/// Zero means "not known" or "means nothing here".
fn same_identity(known: Identity, seen: Identity) -> bool {
    let agrees = |a: u64, b: u64| a == 0 || b == 0 || a == b;
    agrees(known.inode, seen.inode) && agrees(known.ctime as u64, seen.ctime as u64)
}

/// Whether the object still has the content that is remembered: the noted ETag, the right size.
fn holds(known: &Known, object: &MirrorObject) -> bool {
    known.entry.sync_etag.as_deref() == Some(object.etag.as_str())
        && known.entry.size() == object.size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, Stored, time};

    const ON: CompareOptions = CompareOptions {
        sync: true,
        backup: true,
        mtime: MtimePolicy::Keep,
        checksum: false,
    };

    fn seen(path: &str, bytes: &[u8], mtime: i64) -> Seen {
        Seen {
            path: path.into(),
            kind: Kind::File,
            size: bytes.len() as u64,
            mtime: time::from_unix(mtime, 0),
            mode: 0o644,
            identity: Identity { inode: 7, ctime: 9 },
            device: 1,
            links: 1,
            target: None,
        }
    }

    fn known(path: &str, bytes: &[u8], mtime: i64) -> Known {
        let mut entry = Entry::new(path.into(), Kind::File);
        entry.content = Some(Content::of(bytes));
        entry.mtime = Some(time::from_unix(mtime, 0));
        entry.mode = Some(0o644);
        entry.sync_etag = Some("e".into());
        entry.stored = Some(Stored {
            key: format!("files/{path}"),
            version_id: "v".into(),
            etag: "b".into(),
        });
        let identity = Identity { inode: 7, ctime: 9 };
        Known {
            entry,
            identity,
            device: 1,
            locked_until: None,
            committed: true,
        }
    }

    fn object(path: &str, bytes: &[u8], etag: &str) -> MirrorObject {
        let size = bytes.len() as u64;
        MirrorObject {
            path: path.into(),
            key: path.into(),
            size,
            etag: etag.into(),
        }
    }

    fn plan(seen: Vec<Seen>, known: Vec<Known>, objects: Vec<MirrorObject>) -> Plan {
        let mut comparer = Comparer::new(seen, objects.into_iter().collect(), ON);
        known.into_iter().for_each(|known| comparer.remember(known));
        comparer.finish()
    }

    #[test]
    fn a_file_as_remembered_and_mirrored_needs_nothing() {
        let plan = plan(
            vec![seen("a", b"x", 1)],
            vec![known("a", b"x", 1)],
            vec![object("a", b"x", "e")],
        );
        assert_eq!(
            (plan.unchanged, plan.tasks.len(), plan.extras.len()),
            (1, 0, 0)
        );
    }

    #[test]
    fn every_kind_of_doubt_makes_a_task() {
        type Case = (
            &'static str,
            Seen,
            Option<Known>,
            Option<MirrorObject>,
            bool,
            Mirror,
        );
        let unknown = |etag: &str, size| Mirror::Unknown {
            etag: etag.into(),
            size,
        };
        let holds = || Mirror::Holds { etag: "e".into() };
        let mut moved_inode = seen("a", b"x", 1);
        moved_inode.identity.inode = 8;
        let mut not_stored = known("a", b"x", 1);
        not_stored.entry.stored = None;
        let o = |etag| Some(object("a", b"x", etag));
        let k = || Some(known("a", b"x", 1));
        let cases: Vec<Case> = vec![
            ("new", seen("a", b"x", 1), None, None, false, Mirror::Absent),
            (
                "new, object there",
                seen("a", b"x", 1),
                None,
                o("e"),
                false,
                unknown("e", 1),
            ),
            (
                "mirror lost it",
                seen("a", b"x", 1),
                k(),
                None,
                true,
                Mirror::Absent,
            ),
            (
                "foreign edit",
                seen("a", b"x", 1),
                k(),
                o("f"),
                true,
                unknown("f", 1),
            ),
            ("touched", seen("a", b"x", 2), k(), o("e"), false, holds()),
            ("grown", seen("a", b"xy", 1), k(), o("e"), false, holds()),
            (
                "replaced by another inode",
                moved_inode,
                k(),
                o("e"),
                false,
                holds(),
            ),
            (
                "never backed up",
                seen("a", b"x", 1),
                Some(not_stored),
                o("e"),
                true,
                holds(),
            ),
        ];
        for (name, seen, known, object, same, mirror) in cases {
            let plan = plan(
                vec![seen],
                known.into_iter().collect(),
                object.into_iter().collect(),
            );
            assert_eq!(plan.tasks.len(), 1, "{name}");
            assert_eq!(
                (plan.tasks[0].same, &plan.tasks[0].mirror),
                (same, &mirror),
                "{name}"
            );
        }
    }

    #[test]
    fn inode_means_nothing_on_another_disk() {
        let mut elsewhere = seen("a", b"x", 1);
        elsewhere.device = 2;
        elsewhere.identity.inode = 8;
        let plan = plan(
            vec![elsewhere],
            vec![known("a", b"x", 1)],
            vec![object("a", b"x", "e")],
        );
        assert_eq!((plan.unchanged, plan.identities.len()), (1, 1));
    }

    #[test]
    fn what_no_file_stands_behind_is_extra_and_gone() {
        let plan = plan(
            vec![seen("b", b"x", 1)],
            vec![
                known("a", b"x", 1),
                known("b", b"x", 1),
                known("c", b"x", 1),
            ],
            vec![
                object("a", b"x", "e"),
                object("b", b"x", "e"),
                object("z", b"x", "e"),
            ],
        );
        let extras: Vec<_> = plan
            .extras
            .iter()
            .map(|e| (e.object.key.as_str(), e.holds.is_some()))
            .collect();
        assert_eq!(extras, [("a", true), ("z", false)]);
        let gone: Vec<_> = plan
            .gone
            .iter()
            .map(|known| known.entry.path.to_string())
            .collect();
        assert_eq!(gone, ["a", "c"]);
        assert_eq!(plan.unchanged, 1);
    }

    #[test]
    fn the_second_path_of_an_inode_names_the_first() {
        let mut first = seen("a", b"x", 1);
        first.links = 2;
        let second = Seen {
            path: "b".into(),
            ..first.clone()
        };
        let plan = plan(vec![first, second], vec![], vec![]);
        assert_eq!(plan.tasks[0].hardlink, None);
        assert_eq!(plan.tasks[1].hardlink, Some("a".into()));
    }

    #[test]
    fn a_file_seen_again_is_no_longer_carried() {
        let mut carried = known("a", b"x", 1);
        carried.entry.carried = true;
        let plan = plan(
            vec![seen("a", b"x", 1)],
            vec![carried],
            vec![object("a", b"x", "e")],
        );
        assert_eq!(plan.entries.len(), 1);
        assert!(!plan.entries[0].entry.carried);
    }
}
