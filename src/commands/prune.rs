//! `tidelock prune`: fewer snapshots, and nothing that nobody needs.

use super::Outcome;
use super::reading::backup_settings;
use crate::engine::lease::{Before, Holder, Lease};
use crate::engine::prune::{Freed, Prune, Pruned};
use crate::engine::run::connect_backup;
use crate::engine::stop::Stop;
use crate::model::{
    BackupSummary, Error, Event, Events, ExitCode, Failure, Result, Settings, Summary, Time, words,
};
use crate::report::show_bytes;
use jiff::ZonedDateTime;

/// Prunes, under the lease; a dry run goes without.
pub async fn run(
    settings: &Settings,
    now: &ZonedDateTime,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    match attempt(settings, now, events, stop).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::not_begun(error),
    }
}

async fn attempt(
    settings: &Settings,
    now: &ZonedDateTime,
    events: &Events,
    stop: &Stop,
) -> Result<Outcome> {
    let how = backup_settings(settings)?;
    let (versions, vault) = connect_backup(settings, events, stop).await?;
    let client = versions.client();
    let dry_run = settings.run.dry_run;
    events.send(Event::Phase("prune"));
    let prune = Prune {
        client,
        vault: &vault,
        settings: how,
        zone: now.time_zone(),
        dry_run,
        transfers: settings.run.transfers,
        events,
    };
    let pruned = if dry_run {
        prune.run(async || Ok(())).await?
    } else {
        let holder = Holder::new("tidelock prune")?;
        let lease = Lease::take(client.clone(), &holder).await?;
        let pruned = prune.run(async || lease.check().await).await;
        let clean = lease.before() != Before::Unclean;
        let released = lease.release(None, clean).await;
        let pruned = pruned?;
        released?;
        pruned
    };
    tell(&pruned, now, dry_run, events);
    Ok(conclude(pruned, client.store.requests()))
}

pub(super) fn tell(pruned: &Pruned, now: &ZonedDateTime, dry_run: bool, events: &Events) {
    let note = |text: String| events.send(Event::Note(text));
    let would = if dry_run { "would be " } else { "" };
    for id in &pruned.dropped {
        note(format!("snapshot {id} {would}dropped"));
    }
    let Freed { versions, bytes } = pruned.freed;
    note(format!(
        "{} {would}dropped, {} kept; {} with {} {would}freed now",
        words::snapshots(pruned.dropped.len() as u64),
        words::digits(pruned.kept as u64),
        words::versions(versions),
        show_bytes(bytes),
    ));
    if pruned.markers > 0 {
        note(format!(
            "{} {would}taken away",
            words::count(pruned.markers, "delete marker", "delete markers")
        ));
    }
    if let Some((first, last)) = pruned.between {
        let day = |time: Time| {
            let local = time.to_zoned_datetime(now.time_zone().clone());
            local.strftime("%Y-%m-%d").to_string()
        };
        note(format!(
            "{} more with {} can go later, when no lock is left and seven days of grace are \
             over: the first on {}, the last on {}, each by the next prune",
            words::digits(pruned.later.versions),
            show_bytes(pruned.later.bytes),
            day(first),
            day(last)
        ));
    }
}

pub(super) fn conclude(pruned: Pruned, requests: crate::model::Requests) -> Outcome {
    let errors: Vec<Failure> = pruned
        .refused
        .into_iter()
        .map(|(path, message)| Failure {
            path,
            stage: "prune",
            message,
        })
        .collect();
    let count = errors.len() as u64;
    let error = (count > 0).then(|| {
        Error::Partial(format!(
            "the store refused to delete {}; do these credentials have what `tidelock policy \
             pruner` prints?",
            words::versions(count)
        ))
    });
    Outcome {
        exit: if count > 0 {
            ExitCode::Partial
        } else {
            ExitCode::Done
        },
        summary: Summary {
            backup: Some(BackupSummary {
                failed: count,
                requests,
                ..BackupSummary::default()
            }),
            errors,
            ..Summary::default()
        },
        error,
    }
}
