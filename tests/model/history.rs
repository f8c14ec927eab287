//! Steps of a history, and how random ones are made.

use crate::hooked::Trouble;
use proptest::prelude::*;
use tidelock::engine::run::Which;
use tidelock::model::Via;

/// Paths that histories use, awkward ones among them.
pub(crate) const PATHS: &[&[u8]] = &[
    b"a.jpg",
    b"b",
    b"d/x",
    b"d/y",
    b"d/e/z",
    b"d.x/1",
    "é.txt".as_bytes(),
    "e\u{301}.txt".as_bytes(),
    b"\xff\xfe",
    b" sp ace ",
    b"p%2F+#?&'\"",
    b"A.JPG",
    "‛／\u{1}".as_bytes(),
    b".hidden/.git",
];

/// Contents: equal lengths so that only bytes tell some apart, and an empty one.
pub(crate) const BODIES: &[&[u8]] = &[
    b"",
    b"1",
    b"2",
    b"hello",
    b"HELLO",
    b"0123456789abcdef",
    b"fedcba9876543210",
];

/// Objects on the mirror that no path of a library stands for, or no path that histories use.
pub(crate) const STRANGERS: &[&str] = &["lib/x//y", "lib/zz/stranger", "lib/d/", "lib/a/./b"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathNo(pub(crate) usize);

impl PathNo {
    pub(crate) fn bytes(self) -> &'static [u8] {
        PATHS[self.0 % PATHS.len()]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyNo(pub(crate) usize);

impl BodyNo {
    pub(crate) fn bytes(self) -> &'static [u8] {
        BODIES[self.0 % BODIES.len()]
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Creates or rewrites in place.
    Write(PathNo, BodyNo),
    /// Writes a copy of a file with its times, as `cp -p` does.
    Duplicate(PathNo, PathNo),
    Touch(PathNo),
    Mode(PathNo, bool),
    Rename(PathNo, PathNo),
    /// Swaps two files.
    Swap(PathNo, PathNo),
    RenameFolder,
    Remove(PathNo),
    RemoveAll,
    Symlink(PathNo, PathNo),
    HardLink(PathNo, PathNo),
    Folder(PathNo),
    Run(Job, Trouble),
    /// The state is gone, as on a fresh machine.
    LoseState,
    /// A copy of the state is kept.
    KeepState,
    /// That copy is put back.
    OldState,
    /// Somebody writes to the mirror.
    Foreign(PathNo, BodyNo),
    ForeignDelete(PathNo),
    Stranger(usize, BodyNo),
    /// The servers' clock goes on, in hours.
    Advance(u16),
    /// The library's disk is unplugged for one run.
    Unplugged(Job),
}

/// A command and its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) which: Which,
    /// `--max-delete` is given, enough for all.
    pub(crate) max_delete: bool,
    pub(crate) allow_empty: bool,
    pub(crate) checksum: bool,
    /// `sync --without-backup`
    pub(crate) without_backup: bool,
    pub(crate) transfers: usize,
    pub(crate) via: Via,
    /// Objects of more bytes are copied in parts.
    pub(crate) in_parts_above: u64,
}

impl Job {
    pub(crate) fn plain(which: Which) -> Self {
        Self {
            which,
            max_delete: false,
            allow_empty: false,
            checksum: false,
            without_backup: false,
            transfers: 1,
            via: Via::Auto,
            in_parts_above: u64::MAX,
        }
    }

    /// Everything is allowed.
    pub(crate) fn permitted(which: Which) -> Self {
        Self {
            max_delete: true,
            allow_empty: true,
            ..Self::plain(which)
        }
    }
}

fn path() -> impl Strategy<Value = PathNo> + Clone {
    (0..PATHS.len()).prop_map(PathNo)
}

fn body() -> impl Strategy<Value = BodyNo> + Clone {
    (0..BODIES.len()).prop_map(BodyNo)
}

fn job() -> impl Strategy<Value = Job> {
    let which = prop_oneof![
        6 => Just(Which::Run),
        2 => Just(Which::Sync),
        2 => Just(Which::Backup),
    ];
    let flags = (
        prop::bool::weighted(0.4),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.05),
        prop_oneof![Just(1_usize), Just(3)],
    );
    let via = (
        prop_oneof![2 => Just(Via::Auto), 1 => Just(Via::Upload), 1 => Just(Via::Copy)],
        prop_oneof![Just(u64::MAX), Just(1_u64), Just(0)],
    );
    (which, flags, via).prop_map(|(which, flags, (via, in_parts_above))| {
        let (max_delete, allow_empty, checksum, without_backup, transfers) = flags;
        Job {
            which,
            max_delete,
            allow_empty,
            checksum,
            without_backup: without_backup && which == Which::Sync,
            transfers,
            via,
            in_parts_above,
        }
    })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    // Most runs send between 10 and 60 requests.
    let at = || prop_oneof![3 => 1_u64..25, 2 => 25_u64..70];
    prop_oneof![
        8 => Just(Trouble::None),
        3 => (at(), any::<bool>()).prop_map(|(at, done)| Trouble::Die { at, done }),
        1 => (at(), any::<bool>()).prop_map(|(from, expired)| Trouble::Refuse { from, expired }),
        2 => (at(), any::<bool>(), any::<bool>())
            .prop_map(|(at, answered, done)| Trouble::Fail { at, answered, done }),
        2 => (at(), path(), body()).prop_map(|(at, path, body)| Trouble::Meddle {
            at,
            key: crate::world::mirror_key(path.bytes()),
            body: body.bytes().to_vec(),
        }),
        1 => at().prop_map(|at| Trouble::Interrupt { at }),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (path(), body()).prop_map(|(path, body)| Step::Write(path, body)),
        2 => (path(), path()).prop_map(|(from, to)| Step::Duplicate(from, to)),
        2 => path().prop_map(Step::Touch),
        1 => (path(), any::<bool>()).prop_map(|(path, wide)| Step::Mode(path, wide)),
        2 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => (path(), path()).prop_map(|(a, b)| Step::Swap(a, b)),
        1 => Just(Step::RenameFolder),
        3 => path().prop_map(Step::Remove),
        1 => Just(Step::RemoveAll),
        1 => (path(), path()).prop_map(|(path, to)| Step::Symlink(path, to)),
        1 => (path(), path()).prop_map(|(path, first)| Step::HardLink(path, first)),
        1 => path().prop_map(Step::Folder),
        16 => (job(), trouble()).prop_map(|(job, trouble)| Step::Run(job, trouble)),
        2 => Just(Step::LoseState),
        1 => Just(Step::KeepState),
        1 => Just(Step::OldState),
        3 => (path(), body()).prop_map(|(path, body)| Step::Foreign(path, body)),
        1 => path().prop_map(Step::ForeignDelete),
        1 => (0..STRANGERS.len(), body()).prop_map(|(no, body)| Step::Stranger(no, body)),
        3 => (1_u16..1_100).prop_map(Step::Advance),
        1 => job().prop_map(Step::Unplugged),
    ]
}
