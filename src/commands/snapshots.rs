//! `tidelock snapshots`: what there is to restore.

use super::Outcome;
use super::reading::Backup;
use crate::engine::stop::Stop;
use crate::model::{Error, Event, Events, ExitCode, Failure, Result, Settings, Summary};
use crate::report::Rows;
use crate::report::tables::Snapshots;
use crate::snapshot::{Loaded, Snapshot, SnapshotRef};
use futures::stream::{self, StreamExt};
use jiff::ZonedDateTime;
use serde::Serialize;
use std::pin::pin;

/// Snapshot objects fetched ahead; with a million files one is some hundred KB.
const AHEAD: usize = 8;

/// A snapshot object's fields, without the long ones.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    time: String,
    host: &'a str,
    library: &'a str,
    tidelock: &'a str,
    complete: bool,
    suspect: Option<&'a str>,
    parent: Option<&'a str>,
    sync_target: Option<&'a str>,
    files: u64,
    bytes: u64,
    protected_until: String,
    /// A prune record names it, and it was not pruned.
    prune_pending: bool,
}

/// Prints a row for every snapshot, the oldest first.
pub async fn run(
    settings: &Settings,
    now: &ZonedDateTime,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    match print(settings, now, rows, events, stop).await {
        Ok(errors) => Outcome {
            exit: if errors.is_empty() {
                ExitCode::Done
            } else {
                ExitCode::Damage
            },
            summary: Summary {
                errors,
                ..Summary::default()
            },
            error: None,
        },
        Err(error) => Outcome::not_begun(error),
    }
}

/// Gives back what could not be read.
async fn print(
    settings: &Settings,
    now: &ZonedDateTime,
    rows: &Rows,
    events: &Events,
    stop: &Stop,
) -> Result<Vec<Failure>> {
    let backup = Backup::open(settings, stop).await?;
    let vault = &backup.vault;
    let (all, named) = vault.list_marked().await?;
    let table = Snapshots::new(rows.look(), now.time_zone().clone());
    if all.is_empty() {
        backup.look_deeper().await?;
        events.send(Event::Note(format!("{}: no snapshots", vault.target())));
    } else {
        rows.head(table.head());
    }
    let load = |at: SnapshotRef| async move { (at.id.clone(), vault.load(&at).await) };
    let mut loaded = pin!(stream::iter(all).map(load).buffered(AHEAD));
    let mut errors = Vec::new();
    while let Some((id, loaded)) = loaded.next().await {
        if stop.requested().is_some() {
            return Err(Error::Interrupted);
        }
        match loaded {
            Ok(Loaded {
                snapshot, blake3, ..
            }) => {
                let pending = named.contains(&(snapshot.id.clone(), blake3));
                if !rows.lines(&row(&snapshot, pending), || table.row(&snapshot, pending)) {
                    break;
                }
            }
            Err(Error::Store(error)) => return Err(Error::Store(error)),
            Err(error) => {
                let failure = Failure {
                    path: id.to_string(),
                    stage: "snapshot",
                    message: error.to_string(),
                };
                events.send(Event::Failed(failure.clone()));
                errors.push(failure);
            }
        }
    }
    Ok(errors)
}

fn row(snapshot: &Snapshot, prune_pending: bool) -> Row<'_> {
    Row {
        id: snapshot.id.as_str(),
        time: snapshot.time.to_string(),
        host: &snapshot.host,
        library: &snapshot.library,
        tidelock: &snapshot.tidelock,
        complete: snapshot.complete,
        suspect: snapshot.suspect.as_deref(),
        parent: snapshot.parent.as_ref().map(|parent| parent.as_str()),
        sync_target: snapshot.sync_target.as_deref(),
        files: snapshot.files,
        bytes: snapshot.bytes,
        protected_until: snapshot.protected_until.to_string(),
        prune_pending,
    }
}
