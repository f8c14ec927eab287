//! Which numbers there are, and where they come from.

use super::series::Series;
use crate::model::{BackupSummary, ExitCode, Requests, SyncSummary, Time};
use crate::report::Ending;

/// One metric with all its samples.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
}

const fn family(name: &'static str, help: &'static str) -> Family {
    Family { name, help }
}

const BUILD: &str = "tidelock_build_info";
const SUCCESS: &str = "tidelock_last_success_timestamp_seconds";
const RUN: &str = "tidelock_last_run_timestamp_seconds";
const EXIT: &str = "tidelock_exit_code";
const DURATION: &str = "tidelock_duration_seconds";
const FAILURES: &str = "tidelock_failures";
const LIBRARY_FILES: &str = "tidelock_library_files";
const LIBRARY_BYTES: &str = "tidelock_library_bytes";
const READ_BYTES: &str = "tidelock_read_bytes";
const FILES: &str = "tidelock_files";
const SENT: &str = "tidelock_sent_bytes";
const RENEWED: &str = "tidelock_locks_renewed";
const REQUESTS: &str = "tidelock_requests";
const PROTECTED: &str = "tidelock_protected_until_timestamp_seconds";
const AT_RISK: &str = "tidelock_at_risk";

/// All of them, in the order of the file.
pub(super) const FAMILIES: &[Family] = &[
    family(BUILD, "The version that wrote this file last."),
    family(SUCCESS, "When the command ended with 0 for the last time."),
    family(RUN, "When the command ended for the last time."),
    family(EXIT, "Its exit code; 0 where all is well."),
    family(DURATION, "How long it took."),
    family(FAILURES, "Files and steps that failed."),
    family(LIBRARY_FILES, "Files of the library."),
    family(LIBRARY_BYTES, "Bytes of the library."),
    family(READ_BYTES, "Bytes read from the disk."),
    family(FILES, "Files by target and what was done for them."),
    family(SENT, "Bytes of the files sent to a target."),
    family(RENEWED, "Locks that were extended."),
    family(REQUESTS, "Requests by target and operation."),
    family(
        PROTECTED,
        "The earliest lock that the latest snapshot names.",
    ),
    family(
        AT_RISK,
        "Versions that are named but not locked for long enough.",
    ),
];

/// Puts the numbers of a command in the place of those of its last run.
pub(super) fn update(series: &mut Series, library: &str, ending: &Ending<'_>, now: Time) {
    let command = [("library", library), ("command", ending.command)];
    for family in FAMILIES.iter().filter(|family| family.name != SUCCESS) {
        series.drop_of(family.name, &command);
    }
    series.drop_of(BUILD, &[]);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    series.set(BUILD, &version, "1".to_owned());
    if ending.exit == ExitCode::Done {
        series.set(SUCCESS, &command, seconds(now));
    }
    series.set(RUN, &command, seconds(now));
    series.set(EXIT, &command, ending.exit.code().to_string());
    let elapsed = ending.elapsed.as_secs_f64();
    series.set(DURATION, &command, format!("{elapsed:.3}"));
    let failures = ending.failures().len();
    series.set(FAILURES, &command, failures.to_string());
    if let Some(part) = &ending.summary.library {
        series.set(LIBRARY_FILES, &command, part.files.to_string());
        series.set(LIBRARY_BYTES, &command, part.bytes.to_string());
        series.set(READ_BYTES, &command, part.bytes_read.to_string());
    }
    if let Some(part) = &ending.summary.sync {
        sync(series, &command, part);
    }
    if let Some(part) = &ending.summary.backup {
        backup(series, &command, part);
        protection(series, library, ending.exit, part);
    }
}

fn sync(series: &mut Series, command: &[(&str, &str); 2], part: &SyncSummary) {
    let counts = [
        ("uploaded", part.uploaded),
        ("copied", part.copied),
        ("deleted", part.deleted),
        ("unchanged", part.unchanged),
        ("failed", part.failed),
    ];
    target(series, command, "sync", part.bytes_uploaded, &counts);
    requests(series, command, "sync", &part.requests);
}

fn backup(series: &mut Series, command: &[(&str, &str); 2], part: &BackupSummary) {
    let counts = [
        ("uploaded", part.uploaded),
        ("copied", part.copied),
        ("referenced", part.referenced),
        ("unchanged", part.unchanged),
        ("failed", part.failed),
    ];
    target(series, command, "backup", part.bytes_uploaded, &counts);
    requests(series, command, "backup", &part.requests);
    series.set(RENEWED, command, part.renewed.to_string());
}

/// What holds until it is looked at again. A command that came to nothing did not look.
fn protection(series: &mut Series, library: &str, exit: ExitCode, part: &BackupSummary) {
    let labels = [("library", library)];
    if let Some(until) = part.protected_until {
        series.set(PROTECTED, &labels, seconds(until));
    }
    let looked = part.protected_until.is_some() || exit == ExitCode::Done || part.at_risk > 0;
    if looked {
        series.set(AT_RISK, &labels, part.at_risk.to_string());
    }
}

fn target(
    series: &mut Series,
    [library, command]: &[(&str, &str); 2],
    target: &str,
    bytes: u64,
    counts: &[(&str, u64)],
) {
    let target = ("target", target);
    series.set(SENT, &[*library, *command, target], bytes.to_string());
    for (action, count) in counts {
        let labels = [*library, *command, target, ("action", action)];
        series.set(FILES, &labels, count.to_string());
    }
}

fn requests(
    series: &mut Series,
    [library, command]: &[(&str, &str); 2],
    target: &str,
    requests: &Requests,
) {
    for (operation, count) in requests {
        let labels = [
            *library,
            *command,
            ("target", target),
            ("operation", operation),
        ];
        series.set(REQUESTS, &labels, count.to_string());
    }
}

fn seconds(time: Time) -> String {
    time.as_second().to_string()
}
