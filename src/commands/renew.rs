//! `tidelock renew`: longer locks for what is still referenced.

use super::Outcome;
use super::noting::note_lost;
use super::reading::backup_settings;
use crate::engine::lease::{Before, Holder, Lease};
use crate::engine::renewal::{By, Renewal, Request, renew};
use crate::engine::run::{connect_backup, consent};
use crate::engine::stop::Stop;
use crate::model::{
    BackupSummary, Error, Event, Events, ExitCode, Failure, Result, Settings, Summary, words,
};

/// Renews what is due, under the lease.
pub async fn run(settings: &Settings, events: &Events, stop: &Stop) -> Outcome {
    match attempt(settings, events, stop).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::not_begun(error),
    }
}

async fn attempt(settings: &Settings, events: &Events, stop: &Stop) -> Result<Outcome> {
    let how = backup_settings(settings)?;
    consent(how, settings.run.yes)?;
    let (versions, vault) = connect_backup(settings, events, stop).await?;
    let holder = Holder::new("tidelock renew")?;
    let lease = Lease::take(versions.client().clone(), &holder).await?;
    events.send(Event::Phase("renew"));
    let request = Request {
        vault: &vault,
        listed: None,
        settings: how,
        by: By::Locks,
        transfers: settings.run.transfers,
        events,
    };
    let renewed = renew(&versions, request, async || lease.check().await).await;
    // Whatever was extended, nothing was left behind that nobody names; a run before may have.
    let clean = lease.before() != Before::Unclean;
    let released = lease.release(None, clean).await;
    let renewed = renewed?;
    released?;
    note_lost(settings, &renewed.lost, events).await;
    let requests = versions.client().store.requests();
    Ok(conclude(renewed, requests, events))
}

pub(super) fn conclude(
    renewal: Renewal,
    requests: crate::model::Requests,
    events: &Events,
) -> Outcome {
    events.send(Event::Note(format!(
        "{} looked at, {} extended",
        words::versions(renewal.versions),
        words::count(renewal.renewed, "lock", "locks")
    )));
    let healed = renewal.lost.iter().filter(|it| it.healed_by.is_some());
    for mention in healed {
        events.send(Event::Note(format!(
            "{}: {}; another kept snapshot has the same content",
            mention.entry.path, mention.lost
        )));
    }
    let mut errors: Vec<Failure> = renewal.unhealed().collect();
    for failure in &errors {
        events.send(Event::Failed(failure.clone()));
    }
    errors.extend(renewal.failures);
    let newest = renewal.kept.snapshots.last();
    let failed = errors.len() as u64;
    let error = (failed > 0).then(|| {
        Error::Damage(format!(
            "{} lost or not locked for long enough; all others are renewed",
            words::count(failed, "thing is", "things are")
        ))
    });
    Outcome {
        exit: if failed > 0 {
            ExitCode::Damage
        } else {
            ExitCode::Done
        },
        summary: Summary {
            backup: Some(BackupSummary {
                renewed: renewal.renewed,
                at_risk: renewal.at_risk,
                failed,
                snapshot: newest.map(|loaded| loaded.snapshot.id.to_string()),
                protected_until: renewal.protected_until,
                requests,
                ..BackupSummary::default()
            }),
            errors,
            ..Summary::default()
        },
        error,
    }
}
