//! What happens during a command, for whoever shows it.

use crate::model::{Preview, RelPath};
use std::collections::BTreeMap;

/// One of the two targets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The mirror.
    Sync,
    /// The locked copies.
    Backup,
}

impl Side {
    /// As it is spelled in JSON and in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Backup => "backup",
        }
    }
}

/// What is done for one path, in the words of the plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Bytes are sent.
    Upload,
    /// The store copies from one of its own keys; in a pull, a file here is copied to its new name.
    Copy,
    /// The content is stored already under another path or version.
    Reference,
    /// The object was there before, equal to the file.
    Adopt,
    /// Foreign content of the sync target is kept as a locked version.
    Rescue,
    /// The parent's entry is taken over, because the file can't be seen.
    Carry,
    /// The sync target's object is deleted.
    Delete,
    /// A special file is listed, not stored; a file that is in the cloud only is left there.
    Skip,
    /// A guard refused it.
    Refuse,
    /// A lock is extended.
    Renew,
    /// A file is written by a restore.
    Restore,
    /// A file is written by a pull.
    Download,
    /// A file that the mirror does not have any more is moved to the trash.
    Trash,
    /// A file was edited here and stays as it is.
    Keep,
    /// A file that was edited here is moved beside the mirror's new version.
    Conflict,
    /// An archived version is being retrieved.
    Thaw,
}

impl Action {
    /// As it is spelled in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Copy => "copy",
            Self::Reference => "reference",
            Self::Adopt => "adopt",
            Self::Rescue => "rescue",
            Self::Carry => "carry",
            Self::Delete => "delete",
            Self::Skip => "skip",
            Self::Refuse => "refuse",
            Self::Renew => "renew",
            Self::Restore => "restore",
            Self::Download => "download",
            Self::Trash => "trash",
            Self::Keep => "keep",
            Self::Conflict => "conflict",
            Self::Thaw => "thaw",
        }
    }
}

/// One thing that went wrong, named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The path, or the bucket or setting where no path is at fault.
    pub path: String,
    /// Where it happened: `scan`, `read`, `sync`, `backup`, `snapshot`, `delete`, `restore`, …
    pub stage: &'static str,
    /// What happened and what to do.
    pub message: String,
}

/// Something to show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A new phase begins: `scan`, `list`, `transfer`, `snapshot`, `delete`, `restore`, …
    Phase(&'static str),
    /// How much the phase has to do, as far as it is known.
    Total {
        /// Files to handle.
        files: u64,
        /// Bytes to send or fetch, over both targets.
        bytes: u64,
    },
    /// One action on one path; `planned` in a dry run, else done.
    File {
        /// The path.
        path: RelPath,
        /// What.
        action: Action,
        /// On which target; none where it is the library's or the snapshot's matter.
        side: Option<Side>,
        /// Bytes of the file.
        size: u64,
        /// Only planned (`--dry-run`).
        planned: bool,
    },
    /// Bytes have been sent to or fetched from a target.
    Bytes {
        /// The target.
        side: Side,
        /// How many since the last such event.
        count: u64,
    },
    /// A large file is on its way.
    Begun {
        /// The path.
        path: RelPath,
        /// Its bytes.
        size: u64,
    },
    /// A large file is on its way no more, wherever that led.
    Ended {
        /// The path.
        path: RelPath,
    },
    /// A file is finished for both targets.
    FileDone,
    /// What a restore would come to.
    Preview(Box<Preview>),
    /// Something that people should know, short of an error.
    Note(String),
    /// Something that may need attention.
    Warning(String),
    /// Something failed; it is in the summary too.
    Failed(Failure),
}

/// Where events go; cheap to clone, never blocks, and no error when nobody listens.
#[derive(Clone, Debug)]
pub struct Events(Option<tokio::sync::mpsc::UnboundedSender<Event>>);

impl Events {
    /// A channel to whoever shows events.
    pub fn channel() -> (Self, tokio::sync::mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// Nobody listens.
    pub fn none() -> Self {
        Self(None)
    }

    /// Tells of an event.
    pub fn send(&self, event: Event) {
        if let Some(sender) = &self.0 {
            // A listener that went away (closed stdout) must not stop a backup.
            let _ = sender.send(event);
        }
    }
}

/// Counts of requests by API name.
pub type Requests = BTreeMap<&'static str, u64>;
