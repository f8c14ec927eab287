//! Lines for people.

use super::Mode;
use super::ending::Ending;
use super::forecast::forecast_lines;
use super::look::{Look, Tone};
use super::preview;
use super::table::labelled;
use super::text::{paint, plain, plain_lines, show_bytes, show_day, show_elapsed};
use crate::model::{
    Action, BackupSummary, Event, ExitCode, Failure, LibrarySummary, PullSummary, RestoreSummary,
    Side, SyncSummary, words,
};
use jiff::tz::TimeZone;

/// Where a line goes.
pub(super) enum Line {
    Out(String),
    Err(String),
}

/// An event's line, as far as it has one.
pub(super) fn event(event: &Event, mode: &Mode) -> Option<Line> {
    let Mode {
        quiet,
        verbose,
        colour,
        look,
        ..
    } = *mode;
    match event {
        Event::File { planned, .. } if (verbose > 0 || *planned) && !quiet => {
            Some(Line::Out(file(event)))
        }
        Event::Note(message) if !quiet => Some(Line::Out(plain_lines(message).into_owned())),
        Event::Preview(found) if !quiet => Some(Line::Out(preview::lines(found, look).join("\n"))),
        Event::Warning(message) => Some(Line::Err(format!(
            "{} {}",
            paint("warning:", "33", colour),
            plain_lines(message)
        ))),
        Event::Failed(failure) => Some(Line::Err(error(&named(failure), colour))),
        _ => None,
    }
}

/// Where and what.
fn named(failure: &Failure) -> String {
    let place = plain(&failure.path);
    let message = plain_lines(&failure.message);
    if place.is_empty() || names(&message, &place) {
        message.into_owned()
    } else {
        format!("{place}: {message}")
    }
}

/// Many messages name the path themselves: at their beginning, behind the folder that it is in, or
/// in quotes. A file called `a` is not named by "a folder is there".
fn names(message: &str, path: &str) -> bool {
    message.match_indices(path).any(|(at, _)| {
        let (before, after) = (&message[..at], &message[at + path.len()..]);
        let begins = before.is_empty() || before.ends_with(['/', '"']);
        begins && (after.is_empty() || after.starts_with([':', '"', ',']))
    })
}

/// `error: …`
pub(super) fn error(message: &str, colour: bool) -> String {
    format!("{} {}", paint("error:", "31", colour), plain_lines(message))
}

fn file(event: &Event) -> String {
    let Event::File {
        path,
        action,
        side,
        size,
        planned,
    } = event
    else {
        return String::new();
    };
    let would = if *planned { "would " } else { "" };
    let place = side.map_or("", Side::as_str);
    let size = match action {
        Action::Upload
        | Action::Copy
        | Action::Rescue
        | Action::Restore
        | Action::Thaw
        | Action::Download => {
            format!("  ({})", show_bytes(*size))
        }
        _ => String::new(),
    };
    format!(
        "{would}{:<9} {place:<6} {}{size}",
        action.as_str(),
        plain(&path.display())
    )
}

/// So many failures are named once more at the end.
const NAMED: usize = 3;

/// The closing summary: what was done, what is protected, what needs attention. Lines that are
/// wider than the terminal go on below their text.
pub(super) fn summary(ending: &Ending<'_>, look: Look, zone: &TimeZone) -> Vec<String> {
    let Ending {
        summary,
        libraries,
        exit,
        ..
    } = *ending;
    if !libraries.is_empty() {
        return several(ending);
    }
    let mut parts: Vec<(&str, Option<String>)> = vec![
        ("library", summary.library.as_ref().map(library)),
        // A target that was only looked at (a dry run, a restore, a refusal) has nothing to tell.
        ("sync", summary.sync.as_ref().and_then(sync)),
    ];
    if let Some(part) = &summary.backup {
        let twice = summary.twice.as_deref();
        let twice = twice.map(|why| format!("sent to each target: {}", plain(why)));
        parts.extend([
            ("backup", backup(part)),
            ("", twice),
            ("snapshot", snapshot(part, zone)),
        ]);
    }
    parts.push(("restored", summary.restore.as_ref().map(restore)));
    parts.push(("pulled", summary.pull.as_ref().map(pull)));
    let said = |(label, text): (&str, Option<String>)| {
        text.map(|text| labelled(label, &text, Tone::Plain, look))
    };
    let mut lines: Vec<String> = parts.into_iter().filter_map(said).flatten().collect();
    let forecast = summary.forecast.iter();
    lines.extend(forecast.flat_map(|it| forecast_lines(it, look.columns)));
    if lines.is_empty() {
        return lines;
    }
    let attention = attention(&summary.errors).into_iter();
    lines.extend(attention.flat_map(|text| labelled("attention", &text, Tone::Bad, look)));
    let how = how(exit, summary.restore.is_some());
    let tone = if exit == ExitCode::Done {
        Tone::Good
    } else {
        Tone::Bad
    };
    lines.push(tone.paint(
        &format!("{how} in {}", show_elapsed(ending.elapsed)),
        look.colour,
    ));
    lines
}

/// The first failures by name; where many scrolled by, their number.
fn attention(errors: &[Failure]) -> Vec<String> {
    let mut lines: Vec<String> = errors.iter().take(NAMED).map(named).collect();
    let more = errors.len().saturating_sub(NAMED) as u64;
    if more > 0 {
        lines.push(format!("{} more, named above", words::digits(more)));
    }
    lines
}

/// The end of several libraries: a line for each.
fn several(ending: &Ending<'_>) -> Vec<String> {
    let width = ending
        .libraries
        .iter()
        .map(|(name, _)| name.chars().count());
    let width = width.max().unwrap_or_default();
    let mut lines = vec![String::new()];
    for (name, exit) in ending.libraries {
        let how = how(*exit, false).trim_end_matches([',', ';']);
        let code = match exit {
            ExitCode::Done => String::new(),
            exit => format!(" (exit {})", exit.code()),
        };
        lines.push(format!("{:width$}  {how}{code}", plain(name)));
    }
    lines.push(format!(
        "{} in {}",
        words::count(ending.libraries.len() as u64, "library", "libraries"),
        show_elapsed(ending.elapsed)
    ));
    lines
}

fn how(exit: ExitCode, restores: bool) -> &'static str {
    match exit {
        ExitCode::Refused if restores => "refused as told above,",
        ExitCode::Done => "done",
        ExitCode::Failed | ExitCode::Usage => "failed",
        ExitCode::Partial => "incomplete",
        ExitCode::Refused => "refused by a guard, nothing deleted,",
        ExitCode::Damage => "damage or risk found",
        ExitCode::Held => "another run is at work; stopped",
        ExitCode::Resumable => "stopped, run again to go on;",
        ExitCode::Interrupted => "interrupted, run again to go on;",
    }
}

/// Counts in words, those that are 0 left out; what `always` holds is shown in any case.
fn counts(always: &str, counts: &[(u64, &str)]) -> String {
    let mut parts: Vec<String> = Vec::new();
    if !always.is_empty() {
        parts.push(always.to_owned());
    }
    for (count, word) in counts {
        if *count > 0 {
            parts.push(format!("{} {word}", words::digits(*count)));
        }
    }
    parts.join(", ")
}

fn sent(files: u64, bytes: u64) -> String {
    if files == 0 {
        "nothing uploaded".to_owned()
    } else {
        format!("{} uploaded ({})", words::digits(files), show_bytes(bytes))
    }
}

fn library(part: &LibrarySummary) -> String {
    let seen = format!("{}, {}", words::files(part.files), show_bytes(part.bytes));
    let mut line = counts(
        &seen,
        &[(part.skipped, "skipped"), (part.failed, "not readable")],
    );
    if part.hashed > 0 {
        line.push_str(&format!(
            "; {} read ({})",
            words::digits(part.hashed),
            show_bytes(part.bytes_read)
        ));
    }
    line
}

fn sync(part: &SyncSummary) -> Option<String> {
    work(
        part.uploaded,
        part.bytes_uploaded,
        &[
            (part.copied, "copied"),
            (part.deleted, "deleted"),
            (part.unchanged, "unchanged"),
            (part.failed, "failed"),
        ],
    )
}

fn backup(part: &BackupSummary) -> Option<String> {
    work(
        part.uploaded,
        part.bytes_uploaded,
        &[
            (part.copied, "copied"),
            (part.referenced, "referenced"),
            (part.unchanged, "unchanged"),
            (
                part.renewed,
                if part.renewed == 1 {
                    "lock renewed"
                } else {
                    "locks renewed"
                },
            ),
            (part.failed, "failed"),
            (part.at_risk, "at risk: locked for too short a time"),
        ],
    )
}

/// What was done on a target; nothing where nothing was.
fn work(uploaded: u64, bytes: u64, rest: &[(u64, &str)]) -> Option<String> {
    (uploaded > 0 || rest.iter().any(|(count, _)| *count > 0))
        .then(|| counts(&sent(uploaded, bytes), rest))
}

fn snapshot(part: &BackupSummary, zone: &TimeZone) -> Option<String> {
    let id = part.snapshot.as_ref()?;
    let locked = match part.protected_until {
        Some(until) => format!(", protected until {}", show_day(until, zone)),
        None => String::new(),
    };
    let prunable = match part.prunable {
        0 => String::new(),
        1 => "; prune could drop 1 older one: see tidelock status".to_owned(),
        count => format!(
            "; prune could drop {} older ones: see tidelock status",
            words::digits(count)
        ),
    };
    Some(format!("{id}{locked}{prunable}"))
}

fn pull(part: &PullSummary) -> String {
    let fetched = format!(
        "{} ({} downloaded)",
        words::files(part.downloaded),
        show_bytes(part.bytes_downloaded)
    );
    counts(
        &fetched,
        &[
            (part.copied, "copied from an old name"),
            (part.adopted, "there already"),
            (part.unchanged, "unchanged"),
            (part.trashed, "moved to the trash"),
            (part.edited, "changed here and left alone"),
            (part.conflicts, "in conflict, both versions kept"),
            (part.failed, "failed"),
        ],
    )
}

fn restore(part: &RestoreSummary) -> String {
    let from = match &part.snapshot {
        Some(id) => format!("; from snapshot {}", plain(id)),
        None => String::new(),
    };
    let fetched = format!(
        "{} ({} downloaded)",
        words::files(part.files),
        show_bytes(part.bytes_downloaded)
    );
    let line = counts(
        &fetched,
        &[
            (part.unchanged, "right already"),
            (part.archived, "archived"),
            (part.failed, "failed"),
        ],
    );
    format!("{line}{from}")
}
