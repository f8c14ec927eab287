//! What to do for one file once its content is known.

use crate::model::Stored;
use crate::plan::{Known, Mirror};
use crate::store::Condition;

/// What the backup target needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BackupStep {
    /// Nothing: the path's own version has this content.
    Keep(Stored),
    /// Nothing: another path's version, or one that a crashed run left, has this content.
    Reference(Stored),
    /// A new version.
    Upload,
}

/// Where the content is on the backup target already, best place first.
///
/// | the path's version has it | another version has it | step |
/// |---|---|---|
/// | yes | – | keep |
/// | no | yes | reference |
/// | no | no | upload |
pub fn backup_step(own: Option<&Stored>, elsewhere: Option<&Stored>) -> BackupStep {
    match (own, elsewhere) {
        (Some(stored), _) => BackupStep::Keep(stored.clone()),
        (None, Some(stored)) => BackupStep::Reference(stored.clone()),
        (None, None) => BackupStep::Upload,
    }
}

/// An object of the sync target that holds the content under another key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copyable {
    /// Its full key.
    pub key: String,
    /// Copy only while it has this ETag.
    pub etag: String,
}

/// What the sync target needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SyncStep {
    /// The sync target takes no part.
    Off,
    /// Nothing: the object holds the content and its times.
    Keep,
    /// The object holds the content; only its times are old.
    Touch {
        /// The object's ETag.
        etag: String,
    },
    /// The object was there before and holds the content.
    Adopt {
        /// The object's ETag.
        etag: String,
    },
    /// The store copies from another key.
    Copy {
        /// From where.
        source: Copyable,
        /// When.
        condition: Condition,
    },
    /// The bytes are sent.
    Upload {
        /// When.
        condition: Condition,
    },
    /// The object's content is in no committed snapshot: it must be kept first.
    Rescue,
}

/// What is known of the file's content with regard to the sync target.
#[derive(Clone, Debug)]
pub struct SyncView<'a> {
    /// What is at the path.
    pub mirror: &'a Mirror,
    /// What is remembered of the path.
    pub known: Option<&'a Known>,
    /// The file has the remembered content.
    pub same_content: bool,
    /// The file has the remembered mtime, or times mean nothing.
    pub same_time: bool,
    /// An object of unknown content was compared with the file: whether they are equal.
    pub equal: bool,
    /// Another key holds the content.
    pub copyable: Option<Copyable>,
}

/// | mirror | content | step |
/// |---|---|---|
/// | absent | – | copy or upload, if still absent |
/// | holds remembered content | same, same time | keep |
/// | holds remembered content | same, other time | touch |
/// | holds remembered, committed | other | copy or upload over exactly that object |
/// | holds remembered, uncommitted | other | rescue |
/// | unknown | equal | adopt |
/// | unknown | other | rescue |
/// | foreign | – | rescue |
/// | cleared | – | copy or upload over exactly that object |
pub fn sync_step(view: SyncView<'_>) -> SyncStep {
    let SyncView {
        mirror,
        known,
        same_content,
        same_time,
        equal,
        copyable,
    } = view;
    let send = |condition: Condition| match copyable {
        Some(source) => SyncStep::Copy { source, condition },
        None => SyncStep::Upload { condition },
    };
    match mirror {
        Mirror::Off => SyncStep::Off,
        Mirror::Absent => send(Condition::IfAbsent),
        Mirror::Holds { .. } if same_content && same_time => SyncStep::Keep,
        Mirror::Holds { etag } if same_content => SyncStep::Touch { etag: etag.clone() },
        Mirror::Holds { etag } if known.is_some_and(|known| known.committed) => {
            send(Condition::IfMatch(etag.clone()))
        }
        Mirror::Holds { .. } | Mirror::Foreign { .. } => SyncStep::Rescue,
        Mirror::Unknown { etag, .. } if equal => SyncStep::Adopt { etag: etag.clone() },
        Mirror::Unknown { .. } => SyncStep::Rescue,
        Mirror::Cleared { etag } => send(Condition::IfMatch(etag.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Entry, Identity, Kind};

    fn known(committed: bool) -> Known {
        let entry = Entry::new("a".into(), Kind::File);
        let identity = Identity::default();
        Known {
            entry,
            identity,
            device: 0,
            locked_until: None,
            committed,
        }
    }

    #[test]
    fn sync_steps_follow_the_table() {
        let holds = Mirror::Holds { etag: "e".into() };
        let unknown = Mirror::Unknown {
            etag: "e".into(),
            size: 3,
        };
        let cleared = Mirror::Cleared { etag: "e".into() };
        let over = SyncStep::Upload {
            condition: Condition::IfMatch("e".into()),
        };
        let fresh = SyncStep::Upload {
            condition: Condition::IfAbsent,
        };
        let touch = SyncStep::Touch { etag: "e".into() };
        let adopt = SyncStep::Adopt { etag: "e".into() };
        // mirror, committed, same content, same time, equal -> step
        let table = [
            (&Mirror::Off, true, false, false, false, SyncStep::Off),
            (&Mirror::Absent, true, true, true, false, fresh.clone()),
            (&Mirror::Absent, false, false, false, false, fresh),
            (&holds, true, true, true, false, SyncStep::Keep),
            (&holds, false, true, true, false, SyncStep::Keep),
            (&holds, true, true, false, false, touch),
            (&holds, true, false, false, false, over.clone()),
            (&holds, false, false, false, false, SyncStep::Rescue),
            (&unknown, true, true, true, true, adopt),
            (&unknown, true, true, true, false, SyncStep::Rescue),
            (&cleared, false, false, false, false, over),
        ];
        for (row, (mirror, committed, same_content, same_time, equal, step)) in
            table.into_iter().enumerate()
        {
            let known = known(committed);
            let view = SyncView {
                mirror,
                known: Some(&known),
                same_content,
                same_time,
                equal,
                copyable: None,
            };
            assert_eq!(sync_step(view), step, "row {row}");
        }
    }

    #[test]
    fn a_copy_is_sent_instead_of_bytes_where_another_key_has_them() {
        let source = Copyable {
            key: "old".into(),
            etag: "o".into(),
        };
        let view = SyncView {
            mirror: &Mirror::Absent,
            known: None,
            same_content: false,
            same_time: false,
            equal: false,
            copyable: Some(source.clone()),
        };
        let condition = Condition::IfAbsent;
        assert_eq!(sync_step(view), SyncStep::Copy { source, condition });
    }

    #[test]
    fn a_stored_content_is_never_stored_again() {
        let stored = |key: &str| Stored {
            key: key.into(),
            version_id: "v".into(),
            etag: "e".into(),
        };
        let (own, other) = (stored("own"), stored("other"));
        assert_eq!(backup_step(Some(&own), Some(&other)), BackupStep::Keep(own));
        assert_eq!(
            backup_step(None, Some(&other)),
            BackupStep::Reference(other)
        );
        assert_eq!(backup_step(None, None), BackupStep::Upload);
    }
}
