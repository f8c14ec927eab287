//! `tidelock pull`: from the sync target into a folder, on another machine.

use super::Outcome;
use crate::engine::client::Client;
use crate::engine::pace::Pace;
use crate::engine::pull::{Ended, Request, pull};
use crate::engine::retry::{PATIENCE, PATIENCE_AT_FIRST, Retrier};
use crate::engine::stop::Stop;
use crate::model::{Error, Events, Result, Settings, Side, Summary, SyncSettings};
use crate::store::{ConnectOptions, ListRequest, S3Store};
use jiff::ZonedDateTime;
use std::path::PathBuf;
use std::sync::Arc;

/// What the command line says beside the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pull {
    /// `--to`.
    pub to: PathBuf,
}

/// Pulls.
pub async fn run(
    settings: &Settings,
    command: &Pull,
    now: &ZonedDateTime,
    events: &Events,
    stop: &Stop,
) -> Outcome {
    let ended = match attempt(settings, command, now, events, stop).await {
        Ok(ended) => ended,
        Err(error) => return Outcome::not_begun(error),
    };
    Outcome {
        exit: ended.exit,
        summary: Summary {
            pull: Some(ended.summary),
            errors: ended.errors,
            ..Summary::default()
        },
        error: ended.ended_by,
    }
}

async fn attempt(
    settings: &Settings,
    command: &Pull,
    now: &ZonedDateTime,
    events: &Events,
    stop: &Stop,
) -> Result<Ended> {
    let sync = settings.sync.as_ref().ok_or_else(|| {
        Error::Usage(
            "no sync target: give --sync-to s3://bucket/prefix, or [sync] to in tidelock.toml"
                .to_owned(),
        )
    })?;
    let client = connect(settings, sync, events, stop).await?;
    let request = Request {
        to: command.to.clone(),
        state_dir: settings.run.state_dir.clone(),
        endpoint: sync.connection.endpoint.clone(),
        max_delete: sync.max_delete,
        max_delete_override: sync.max_delete_override,
        allow_empty: settings.run.allow_empty,
        checksum: settings.run.checksum,
        dry_run: settings.run.dry_run,
        transfers: settings.run.transfers,
        memory: settings.run.memory,
        date: now.strftime("%Y-%m-%d").to_string(),
    };
    pull(&client, &request, events).await
}

async fn connect(
    settings: &Settings,
    sync: &SyncSettings,
    events: &Events,
    stop: &Stop,
) -> Result<Client> {
    let transfers = settings.run.transfers;
    let options = ConnectOptions { transfers };
    let store = S3Store::connect(&sync.target, &sync.connection, options).await?;
    let pace = Arc::new(Pace::new(transfers, settings.run.bwlimit));
    let client = Client {
        side: Side::Sync,
        target: sync.target.clone(),
        store: Arc::new(store),
        retrier: Retrier::new(pace, stop.clone(), PATIENCE_AT_FIRST),
        events: events.clone(),
    };
    // Wrong keys, buckets and networks that are gone show up with the first answer.
    let first = ListRequest {
        prefix: sync.target.listing_prefix(),
        max_keys: Some(1),
        ..ListRequest::default()
    };
    client.call(|store| store.list(&first)).await?;
    Ok(Client {
        retrier: client.retrier.with_patience(PATIENCE),
        ..client
    })
}
