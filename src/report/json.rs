//! Events and the summary as JSON Lines. Scripts rely on these names for good.

use super::ending::Ending;
use super::forecast::ForecastPart;
use super::progress::Progress;
use crate::model::{
    Archived, BackupSummary, Event, ExitCode, Failure, InArchive, LibrarySummary, Preview,
    PullSummary, RelPath, RestoreSummary, SyncSummary, Time,
};
use data_encoding::BASE64;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// An event's line; none for those that only move counters.
pub(super) fn event(event: &Event) -> Option<String> {
    let line = match event {
        Event::Phase(phase) => Line::Phase { phase },
        Event::File {
            path,
            action,
            side,
            size,
            planned,
        } => Line::File {
            path: path.display().into_owned(),
            path_base64: base64_unless_text(path),
            action: action.as_str(),
            target: side.map(crate::model::Side::as_str),
            size: *size,
            planned: *planned,
        },
        Event::Preview(preview) => Line::Preview(PreviewLine::of(preview)),
        Event::Note(message) => Line::Note { message },
        Event::Warning(message) => Line::Warning { message },
        Event::Failed(failure) => Line::Error(FailureLine::of(failure)),
        Event::Total { .. }
        | Event::Bytes { .. }
        | Event::Begun { .. }
        | Event::Ended { .. }
        | Event::FileDone => return None,
    };
    Some(to_line(&line))
}

/// What the following lines are about.
pub(super) fn heading(name: &str, path: &str) -> String {
    to_line(&Line::Library { name, path })
}

/// How far the command is.
pub(super) fn progress(progress: &Progress, elapsed: Duration) -> String {
    to_line(&Line::Progress {
        phase: progress.phase,
        elapsed_ms: milliseconds(elapsed),
        files_done: progress.files_done,
        files_total: progress.files_total,
        bytes_done: progress.bytes_done,
        bytes_total: progress.bytes_total,
        sync_bytes_done: progress.sync_bytes,
        backup_bytes_done: progress.backup_bytes,
        in_flight: progress.largest().map(InFlight::of).collect(),
    })
}

/// The last line.
pub(super) fn summary(ending: &Ending<'_>) -> String {
    let summary = ending.summary;
    let failures = ending.failures();
    let libraries = ending.libraries.iter();
    to_line(&SummaryLine {
        event: "summary",
        command: ending.command,
        library_name: ending.library,
        exit_code: ending.exit.code(),
        elapsed_ms: milliseconds(ending.elapsed),
        libraries: libraries.map(LibraryCode::of).collect(),
        library: summary.library.as_ref().map(LibraryPart::of),
        sync: summary.sync.as_ref().map(SyncPart::of),
        backup: summary.backup.as_ref().map(BackupPart::of),
        restore: summary.restore.as_ref().map(RestorePart::of),
        pull: summary.pull.as_ref().map(PullPart::of),
        forecast: summary.forecast.as_ref().map(ForecastPart::of),
        errors: failures.iter().map(FailureLine::of).collect(),
    })
}

fn to_line(value: &impl Serialize) -> String {
    // Strings and numbers alone: nothing in these types can fail.
    serde_json::to_string(value).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn base64_unless_text(path: &RelPath) -> Option<String> {
    match path.as_utf8() {
        Some(_) => None,
        None => Some(BASE64.encode(path.as_bytes())),
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Library {
        name: &'a str,
        path: &'a str,
    },
    Phase {
        phase: &'a str,
    },
    File {
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        path_base64: Option<String>,
        action: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        target: Option<&'a str>,
        size: u64,
        planned: bool,
    },
    Progress {
        phase: &'a str,
        elapsed_ms: u64,
        files_done: u64,
        files_total: u64,
        bytes_done: u64,
        bytes_total: u64,
        sync_bytes_done: u64,
        backup_bytes_done: u64,
        in_flight: Vec<InFlight>,
    },
    Preview(PreviewLine<'a>),
    Note {
        message: &'a str,
    },
    Warning {
        message: &'a str,
    },
    Error(FailureLine<'a>),
}

#[derive(Serialize)]
struct PreviewLine<'a> {
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<&'a str>,
    files: u64,
    others: u64,
    fetch_files: u64,
    fetch_bytes: u64,
    replaced: u64,
    right: u64,
    compared: u64,
    refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    /// Absent where nobody looked, or the store did not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<Vec<ArchivedLine>>,
}

#[derive(Serialize)]
struct ArchivedLine {
    class: &'static str,
    coming: bool,
    versions: u64,
    bytes: u64,
}

impl<'a> PreviewLine<'a> {
    fn of(preview: &'a Preview) -> Self {
        let archived = match &preview.archive {
            InArchive::Known(groups) => Some(groups.iter().map(ArchivedLine::of).collect()),
            InArchive::NotAsked | InArchive::Unknown(_) => None,
        };
        Self {
            to: preview.to.to_string_lossy().into_owned(),
            snapshot: preview.snapshot.as_deref(),
            files: preview.files,
            others: preview.others,
            fetch_files: preview.fetch_files,
            fetch_bytes: preview.fetch_bytes,
            replaced: preview.replaced,
            right: preview.right,
            compared: preview.compared,
            refused: preview.refused,
            free_bytes: preview.free_bytes,
            archived,
        }
    }
}

impl ArchivedLine {
    fn of(group: &Archived) -> Self {
        Self {
            class: group.archive.name(),
            coming: group.coming,
            versions: group.versions,
            bytes: group.bytes,
        }
    }
}

#[derive(Serialize)]
struct InFlight {
    path: String,
    size: u64,
}

impl InFlight {
    fn of((path, size): &(RelPath, u64)) -> Self {
        Self {
            path: path.display().into_owned(),
            size: *size,
        }
    }
}

#[derive(Serialize)]
struct FailureLine<'a> {
    path: &'a str,
    stage: &'a str,
    message: &'a str,
}

impl<'a> FailureLine<'a> {
    fn of(failure: &'a Failure) -> Self {
        Self {
            path: &failure.path,
            stage: failure.stage,
            message: &failure.message,
        }
    }
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    event: &'a str,
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    library_name: Option<&'a str>,
    exit_code: u8,
    elapsed_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    libraries: Vec<LibraryCode<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    library: Option<LibraryPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync: Option<SyncPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<BackupPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<RestorePart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull: Option<PullPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<ForecastPart<'a>>,
    errors: Vec<FailureLine<'a>>,
}

#[derive(Serialize)]
struct LibraryCode<'a> {
    name: &'a str,
    exit_code: u8,
}

impl<'a> LibraryCode<'a> {
    fn of((name, exit): &'a (String, ExitCode)) -> Self {
        Self {
            name,
            exit_code: exit.code(),
        }
    }
}

#[derive(Serialize)]
struct LibraryPart {
    files: u64,
    bytes: u64,
    hashed: u64,
    bytes_read: u64,
    skipped: u64,
    failed: u64,
}

impl LibraryPart {
    fn of(part: &LibrarySummary) -> Self {
        Self {
            files: part.files,
            bytes: part.bytes,
            hashed: part.hashed,
            bytes_read: part.bytes_read,
            skipped: part.skipped,
            failed: part.failed,
        }
    }
}

#[derive(Serialize)]
struct SyncPart<'a> {
    uploaded: u64,
    bytes_uploaded: u64,
    copied: u64,
    deleted: u64,
    unchanged: u64,
    failed: u64,
    requests: &'a BTreeMap<&'static str, u64>,
}

impl<'a> SyncPart<'a> {
    fn of(part: &'a SyncSummary) -> Self {
        Self {
            uploaded: part.uploaded,
            bytes_uploaded: part.bytes_uploaded,
            copied: part.copied,
            deleted: part.deleted,
            unchanged: part.unchanged,
            failed: part.failed,
            requests: &part.requests,
        }
    }
}

#[derive(Serialize)]
struct BackupPart<'a> {
    uploaded: u64,
    bytes_uploaded: u64,
    copied: u64,
    referenced: u64,
    unchanged: u64,
    renewed: u64,
    failed: u64,
    snapshot: Option<&'a str>,
    protected_until: Option<Time>,
    at_risk: u64,
    #[serde(skip_serializing_if = "is_none")]
    prunable: u64,
    requests: &'a BTreeMap<&'static str, u64>,
}

impl<'a> BackupPart<'a> {
    fn of(part: &'a BackupSummary) -> Self {
        Self {
            uploaded: part.uploaded,
            bytes_uploaded: part.bytes_uploaded,
            copied: part.copied,
            referenced: part.referenced,
            unchanged: part.unchanged,
            renewed: part.renewed,
            failed: part.failed,
            snapshot: part.snapshot.as_deref(),
            protected_until: part.protected_until,
            at_risk: part.at_risk,
            prunable: part.prunable,
            requests: &part.requests,
        }
    }
}

#[derive(Serialize)]
struct RestorePart<'a> {
    snapshot: Option<&'a str>,
    files: u64,
    bytes_downloaded: u64,
    unchanged: u64,
    archived: u64,
    failed: u64,
}

impl<'a> RestorePart<'a> {
    fn of(part: &'a RestoreSummary) -> Self {
        Self {
            snapshot: part.snapshot.as_deref(),
            files: part.files,
            bytes_downloaded: part.bytes_downloaded,
            unchanged: part.unchanged,
            archived: part.archived,
            failed: part.failed,
        }
    }
}

#[derive(Serialize)]
struct PullPart<'a> {
    downloaded: u64,
    bytes_downloaded: u64,
    copied: u64,
    adopted: u64,
    unchanged: u64,
    trashed: u64,
    edited: u64,
    conflicts: u64,
    failed: u64,
    requests: &'a BTreeMap<&'static str, u64>,
}

impl<'a> PullPart<'a> {
    fn of(part: &'a PullSummary) -> Self {
        Self {
            downloaded: part.downloaded,
            bytes_downloaded: part.bytes_downloaded,
            copied: part.copied,
            adopted: part.adopted,
            unchanged: part.unchanged,
            trashed: part.trashed,
            edited: part.edited,
            conflicts: part.conflicts,
            failed: part.failed,
            requests: &part.requests,
        }
    }
}

/// Nothing to tell.
fn is_none(count: &u64) -> bool {
    *count == 0
}
