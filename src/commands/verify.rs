//! `tidelock verify`: whether every kept snapshot can be restored.

use super::Outcome;
use super::noting::note_lost;
use super::reading::{Backup, backup_settings};
use crate::engine::stop::Stop;
use crate::engine::verify::{Damage, Request, Verified, verify};
use crate::model::{
    BackupSummary, Error, Event, Events, ExitCode, Failure, Result, Settings, Summary, words,
};
use crate::report::tables::Verdicts;
use crate::report::{Rows, show_bytes};
use crate::snapshot::{Loaded, as_line};
use serde::Serialize;

/// What the command line says beside the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verify {
    /// `--read-data[=PCT]`, as typed.
    pub read_data: Option<String>,
}

/// A snapshot's row.
#[derive(Serialize)]
struct SnapshotRow<'a> {
    id: &'a str,
    time: String,
    complete: bool,
    suspect: Option<&'a str>,
    files: u64,
    bytes: u64,
    problems: usize,
    healed: usize,
}

/// A row for a thing that is wrong: the entry's own fields, where it is about one, and these.
#[derive(Serialize)]
struct DamageRow<'a, E: Serialize> {
    #[serde(flatten)]
    entry: Option<E>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    problem: &'a str,
    message: &'a str,
    snapshots: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healed_by: Option<&'a str>,
}

/// Verifies, prints a row for each thing that is wrong, then one for each snapshot.
pub async fn run(
    settings: &Settings,
    command: &Verify,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    match attempt(settings, command, rows, events, stop).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::not_begun(error),
    }
}

async fn attempt(
    settings: &Settings,
    command: &Verify,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Result<Outcome> {
    let how = backup_settings(settings)?;
    let request = Request {
        read_data: command.read_data.as_deref().map(percent).transpose()?,
        transfers: settings.run.transfers,
        memory: settings.run.memory,
        retention: how.retention,
        renew_below: how.renew_below,
    };
    let backup = Backup::open(settings, stop).await?;
    let verified = verify(&backup.vault, &request, &backup.retrier, events).await?;
    print(&verified, rows);
    for warning in &verified.warnings {
        events.send(Event::Warning(warning.clone()));
    }
    tell(&verified, events);
    note_lost(settings, &verified.lost, events).await;
    Ok(conclude(&verified, backup.requests()))
}

/// `10`, `10%`, `2.5`.
fn percent(text: &str) -> Result<f64> {
    let number = text.trim().trim_end_matches('%').parse::<f64>().ok();
    number
        .filter(|percent| *percent > 0.0 && *percent <= 100.0)
        .ok_or_else(|| {
            Error::Usage(format!(
                "--read-data={text:?}: give a share of the versions in percent, above 0 and up to 100"
            ))
        })
}

pub(super) fn print(verified: &Verified, rows: &Rows) {
    for damage in &verified.damage {
        let row = DamageRow {
            entry: damage.entry.as_deref().map(as_line),
            path: damage.entry.is_none().then_some(&damage.path),
            problem: damage.problem,
            message: &damage.message,
            snapshots: damage.snapshots.iter().map(|id| id.as_str()).collect(),
            healed_by: damage.healed_by.as_ref().map(|it| it.version_id.as_str()),
        };
        if !rows.row(&row, || text(damage)) {
            return;
        }
    }
    let table = Verdicts::new(rows.look());
    for loaded in &verified.kept.snapshots {
        let row = snapshot_row(verified, loaded);
        let (problems, healed) = (row.problems as u64, row.healed as u64);
        let text = || table.row(row.id, (row.files, row.bytes), problems, healed);
        if !rows.lines(&row, text) {
            return;
        }
    }
}

fn text(damage: &Damage) -> String {
    let ids: Vec<_> = damage.snapshots.iter().map(|id| id.as_str()).collect();
    let named = match ids.as_slice() {
        [] => String::new(),
        [one] => format!(" (snapshot {one})"),
        [first, .., last] => format!(
            " ({}, {first} to {last})",
            words::snapshots(ids.len() as u64)
        ),
    };
    let (word, healed) = match &damage.healed_by {
        None => ("DAMAGE", String::new()),
        Some(by) => (
            "healed",
            format!(
                "; version {} of {} has the same content",
                by.version_id, by.key
            ),
        ),
    };
    format!("{word}  {}: {}{named}{healed}", damage.path, damage.message)
}

fn snapshot_row<'a>(verified: &Verified, loaded: &'a Loaded) -> SnapshotRow<'a> {
    let snapshot = &loaded.snapshot;
    let of = |healed: bool| {
        let mine = verified.damage.iter();
        mine.filter(|it| it.healed_by.is_some() == healed && it.snapshots.contains(&snapshot.id))
            .count()
    };
    SnapshotRow {
        id: snapshot.id.as_str(),
        time: snapshot.time.to_string(),
        complete: snapshot.complete,
        suspect: snapshot.suspect.as_deref(),
        files: snapshot.files,
        bytes: snapshot.bytes,
        problems: of(false),
        healed: of(true),
    }
}

pub(super) fn tell(verified: &Verified, events: &Events) {
    let mut said = format!(
        "{}, {} looked at",
        words::snapshots(verified.kept.snapshots.len() as u64),
        words::versions(verified.versions)
    );
    let (count, bytes) = verified.read;
    if count > 0 {
        let (count, bytes) = (words::digits(count), show_bytes(bytes));
        said.push_str(&format!(", {count} of them read ({bytes})"));
    }
    events.send(Event::Note(said));
    if verified.archived > 0 {
        events.send(Event::Note(format!(
            "{} in an archive class: there, locked and of the right size, but the bytes can only \
             be read after a retrieval",
            words::count(verified.archived, "version is", "versions are")
        )));
    }
    if verified.due > 0 {
        events.send(Event::Note(format!(
            "{} due for renewal: the next run sees to it",
            words::count(verified.due, "lock is", "locks are")
        )));
    }
}

pub(super) fn conclude(verified: &Verified, requests: crate::model::Requests) -> Outcome {
    let failure = |damage: &Damage| Failure {
        path: damage.path.clone(),
        stage: "verify",
        message: damage.message.clone(),
    };
    let errors: Vec<Failure> = verified.unhealed().map(failure).collect();
    let locks = verified.unhealed().filter(|it| it.problem == "lock");
    let newest = verified.kept.snapshots.last();
    let summary = Summary {
        backup: Some(BackupSummary {
            snapshot: newest.map(|loaded| loaded.snapshot.id.to_string()),
            protected_until: newest.and_then(|loaded| verified.kept.protected_until(loaded)),
            at_risk: locks.count() as u64,
            failed: errors.len() as u64,
            requests,
            ..BackupSummary::default()
        }),
        errors,
        ..Summary::default()
    };
    let damaged = summary.errors.len() as u64;
    let error = (damaged > 0).then(|| {
        Error::Damage(format!(
            "{} damaged or at risk{}",
            words::count(damaged, "thing is", "things are"),
            advice(verified)
        ))
    });
    Outcome {
        exit: if damaged > 0 {
            ExitCode::Damage
        } else {
            ExitCode::Done
        },
        summary,
        error,
    }
}

/// What mends what was found.
fn advice(verified: &Verified) -> String {
    let mut said = String::new();
    for (problems, what) in [
        (
            &["gone", "size", "checksum", "bytes", "manifest"][..],
            "the next run stores again what the library still has",
        ),
        (&["lock"], "`tidelock renew` brings locks back"),
        (
            &["delete_marker", "foreign_version"],
            "`tidelock prune`, with the pruner's key, takes away what covers a key once it is a \
             week old and no lock holds it, an administrator at once",
        ),
        (
            &["snapshot", "chain", "refused"],
            "nobody can make good a snapshot that is missing or forged; an administrator can \
             delete a forged one",
        ),
    ] {
        if verified.unhealed().any(|it| problems.contains(&it.problem)) {
            said.push_str("; ");
            said.push_str(what);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages_above_nothing() {
        for (text, expected) in [("100", 100.0), ("10%", 10.0), ("3.5", 3.5)] {
            assert!((percent(text).unwrap() - expected).abs() < 1e-9);
        }
        for text in ["0", "-1", "101", "a", "", "NaN"] {
            assert!(matches!(percent(text), Err(Error::Usage(_))), "{text}");
        }
    }
}
