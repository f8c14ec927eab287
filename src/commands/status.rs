//! `tidelock status`: what is in sync, what is protected until when, what is at risk.

use super::Outcome;
use super::prunable::prunable;
use super::reading::{Backup, backup_settings};
use crate::engine::kept::Kept;
use crate::engine::status::{Mirrored, Protection, mirrored, protection};
use crate::engine::stop::Stop;
use crate::model::{
    BackupSummary, Error, Event, Events, ExitCode, Failure, Result, Settings, StoreErrorKind,
    Summary, Time, words,
};
use crate::plan::harm_to_backup;
use crate::report::tables::{BackupRow, SyncRow};
use crate::report::{Rows, show_elapsed};
use jiff::ZonedDateTime;
use std::time::Duration;

/// Looks at both targets; writes nothing.
pub async fn run(
    settings: &Settings,
    now: &ZonedDateTime,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    match attempt(settings, now, rows, events, stop).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::not_begun(error),
    }
}

async fn attempt(
    settings: &Settings,
    now: &ZonedDateTime,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Result<Outcome> {
    let how = backup_settings(settings)?;
    let backup = Backup::open(settings, stop).await?;
    let time = backup.retrier.run(|| backup.vault.store().now()).await?;
    let kept = Kept::read(&backup.vault, time, how.retention).await?;
    if kept.snapshots.is_empty() && kept.unreadable.is_empty() {
        backup.look_deeper().await?;
    }
    let protection = protection(&kept, how, time);
    let prunable = match kept.snapshots.is_empty() {
        true => None,
        false => prunable(&backup, settings, now, events).await?,
    };
    let row = backup_row(&kept, &protection, &backup.vault.target().to_string(), time);
    let (look, zone) = (rows.look(), now.time_zone());
    rows.lines(&row, || row.text(look, zone));
    if let Some(prunable) = &prunable {
        rows.lines(prunable, || prunable.text(look, zone));
    }
    let mut errors = risks(&kept, &protection, time, settings.run.max_age);
    errors.extend(lifecycle(&backup, events).await?);
    for finding in kept.findings().iter().filter(|it| it.is_warning()) {
        events.send(Event::Warning(crate::engine::verify::describe(finding)));
    }
    if let (Some(sync), Some(latest)) = (&settings.sync, kept.snapshots.last()) {
        let client = backup.mirror(settings, sync, events).await?;
        let found = mirrored(&client, &backup.vault, latest).await?;
        let row = sync_row(found, sync.target.to_string());
        rows.lines(&row, || row.text(look));
    }
    for failure in &errors {
        events.send(Event::Failed(failure.clone()));
    }
    let summary = BackupSummary {
        snapshot: row.id,
        protected_until: protection.protected_until,
        at_risk: protection.at_risk,
        requests: backup.requests(),
        ..BackupSummary::default()
    };
    Ok(conclude(errors, summary))
}

pub(super) fn conclude(errors: Vec<Failure>, backup: BackupSummary) -> Outcome {
    let risky = !errors.is_empty();
    Outcome {
        exit: if risky {
            ExitCode::Damage
        } else {
            ExitCode::Done
        },
        error: risky.then(|| Error::Damage("the backup needs attention: see above".to_owned())),
        summary: Summary {
            backup: Some(backup),
            errors,
            ..Summary::default()
        },
    }
}

fn age(kept: &Kept, now: Time) -> Option<Duration> {
    let newest = kept.snapshots.last()?;
    let age = now.duration_since(newest.snapshot.time);
    Some(Duration::try_from(age).unwrap_or_default())
}

fn backup_row(kept: &Kept, protection: &Protection, place: &str, now: Time) -> BackupRow {
    let newest = kept.snapshots.last().map(|loaded| &loaded.snapshot);
    BackupRow {
        target: "backup",
        place: place.to_owned(),
        snapshots: (kept.snapshots.len() + kept.unreadable.len()) as u64,
        id: newest.map(|it| it.id.to_string()),
        time: newest.map(|it| it.time),
        age_seconds: age(kept, now).map(|age| age.as_secs()),
        complete: newest.map(|it| it.complete),
        suspect: newest.and_then(|it| it.suspect.clone()),
        files: newest.map_or(0, |it| it.files),
        bytes: newest.map_or(0, |it| it.bytes),
        protected_until: protection.protected_until,
        at_risk: protection.at_risk,
        renewal_requests: protection.renewal_requests,
        round_requests: protection.round_requests,
    }
}

fn sync_row(found: Mirrored, place: String) -> SyncRow {
    SyncRow {
        target: "sync",
        place,
        in_sync: found.in_sync,
        differing: found.differing,
        missing: found.missing,
        extra: found.extra,
    }
}

/// Rules by which the bucket itself would expire or archive what snapshots need. Not every key may
/// read them, and not every store has them.
async fn lifecycle(backup: &Backup, events: &Events) -> Result<Vec<Failure>> {
    let rules = match backup.vault.store().lifecycle().await {
        Ok(rules) => rules,
        Err(error) if error.kind.is_transient() => return Err(error.into()),
        Err(error) => {
            let why = if error.kind == StoreErrorKind::Denied {
                "these keys may not read them (s3:GetLifecycleConfiguration)".to_owned()
            } else {
                error.to_string()
            };
            let text = format!("lifecycle rules of the vault were not looked at: {why}");
            events.send(Event::Note(text));
            return Ok(Vec::new());
        }
    };
    let harm = harm_to_backup(&rules, backup.vault.target()).into_iter();
    Ok(harm
        .map(|harm| Failure {
            path: backup.vault.store().place(),
            stage: "status",
            message: format!("{}; {}", harm.text, harm.advice),
        })
        .collect())
}

/// Whatever needs a person.
fn risks(kept: &Kept, protection: &Protection, now: Time, max_age: Duration) -> Vec<Failure> {
    let mut risks = Vec::new();
    let mut risk = |path: String, message: String| {
        risks.push(Failure {
            path,
            stage: "status",
            message,
        });
    };
    for (id, error) in &kept.unreadable {
        risk(format!("snapshot {id}"), error.to_string());
    }
    for finding in kept.findings().iter().filter(|it| !it.is_warning()) {
        let message = crate::engine::verify::describe(finding);
        risk("chain".to_owned(), message);
    }
    if let Some((path, message)) = too_old(kept, now, max_age) {
        risk(path, message);
    }
    if let Some(newest) = kept.snapshots.last()
        && let Some(why) = &newest.snapshot.suspect
    {
        let id = &newest.snapshot.id;
        risk(format!("snapshot {id}"), format!("suspect: {why}"));
    }
    if protection.at_risk > 0 {
        let count = words::count(protection.at_risk, "entry", "entries");
        let message = format!("locks of up to {count} have run out: run `tidelock renew`");
        risk("locks".to_owned(), message);
    }
    risks
}

/// Whether the newest snapshot that has everything is older than it may be; what to do then.
fn too_old(kept: &Kept, now: Time, max_age: Duration) -> Option<(String, String)> {
    let what_to_do = "run `tidelock run`, and see that it runs every night";
    let mut newest = kept.snapshots.iter().rev().map(|loaded| &loaded.snapshot);
    let Some(complete) = newest.find(|snapshot| snapshot.complete) else {
        let message = if kept.snapshots.is_empty() {
            "there is no snapshot yet, so nothing is backed up"
        } else {
            "no snapshot is complete yet"
        };
        // A first backup may take days; its checkpoints are young.
        let first = kept.snapshots.first().map(|loaded| loaded.snapshot.time);
        let since = first.map(|time| Duration::try_from(now.duration_since(time)));
        let is_young = since.is_some_and(|since| since.unwrap_or_default() <= max_age);
        let told = (!is_young).then(|| format!("{message}: {what_to_do}"));
        return told.map(|message| ("snapshots".to_owned(), message));
    };
    let age = Duration::try_from(now.duration_since(complete.time)).unwrap_or_default();
    if age <= max_age {
        return None;
    }
    let (age, most) = (show_elapsed(age), show_elapsed(max_age));
    let message = format!(
        "the newest complete snapshot is {age} old, more than max_age ({most}): {what_to_do}"
    );
    Some((format!("snapshot {}", complete.id), message))
}
