//! Connecting to both targets, and what is refused before a byte is written.

use super::Backup;
use super::stages::{Stores, Which};
use crate::engine::client::Client;
use crate::engine::mirror::MirrorWriter;
use crate::engine::pace::Pace;
use crate::engine::remembered::Remembered;
use crate::engine::retry::{PATIENCE, PATIENCE_AT_FIRST, Retrier};
use crate::engine::steady::Steady;
use crate::engine::stop::Stop;
use crate::engine::versions::Versions;
use crate::model::{
    BackupSettings, Connection, Error, Events, Mode, Result, Settings, Side, SyncSettings, Target,
};
use crate::snapshot::{Claims, Vault};
use crate::state::StateHandle;
use crate::store::{ConnectOptions, ListRequest, S3Store, Store};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Locks of more than a year need consent, as compliance mode does.
const LONG_RETENTION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Connects to targets, which share one pace.
pub(super) struct Connector<'a> {
    pub(super) settings: &'a Settings,
    pub(super) stores: &'a Stores,
    pub(super) pace: Arc<Pace>,
    pub(super) events: Events,
    pub(super) stop: Stop,
}

impl Connector<'_> {
    async fn client(&self, side: Side, target: &Target, how: &Connection) -> Result<Client> {
        let given = match side {
            Side::Sync => &self.stores.sync,
            Side::Backup => &self.stores.backup,
        };
        let store: Arc<dyn Store> = match given {
            Some(store) => Arc::clone(store),
            None => {
                let transfers = self.settings.run.transfers;
                Arc::new(S3Store::connect(target, how, ConnectOptions { transfers }).await?)
            }
        };
        let retrier = Retrier::new(Arc::clone(&self.pace), self.stop.clone(), PATIENCE_AT_FIRST);
        Ok(Client {
            side,
            target: target.clone(),
            store,
            retrier,
            events: self.events.clone(),
        })
    }

    /// The same client with the patience of a run that has begun.
    fn patient(client: Client) -> Client {
        Client {
            retrier: client.retrier.with_patience(PATIENCE),
            ..client
        }
    }

    pub(super) async fn sync(&self, sync: &SyncSettings) -> Result<Arc<MirrorWriter>> {
        let client = self
            .client(Side::Sync, &sync.target, &sync.connection)
            .await?;
        // Shows whether endpoint, bucket and keys are right before anything is written elsewhere.
        // Not by a HEAD: its refusals do not say why.
        let first = ListRequest {
            prefix: sync.target.listing_prefix(),
            max_keys: Some(1),
            ..ListRequest::default()
        };
        client.call(|store| store.list(&first)).await?;
        let client = Self::patient(client);
        let (class, sse) = (sync.storage_class.clone(), sync.sse.clone());
        Ok(Arc::new(MirrorWriter::new(client, class, sse)))
    }

    pub(super) async fn backup(&self, backup: &BackupSettings, which: Which) -> Result<Backup> {
        let client = self
            .client(Side::Backup, &backup.target, &backup.connection)
            .await?;
        let info = client.call(|store| store.bucket_info()).await;
        let info = info.map_err(|error| unreachable_backup(error.into(), which))?;
        let name = &backup.target.bucket;
        if !info.versioned || !info.lock {
            let lacks = if info.versioned {
                "object lock"
            } else {
                "versioning and object lock"
            };
            return Err(Error::Refused(format!(
                "the backup bucket {name} has no {lacks}: nothing in it would be protected, so \
                 nothing was written. `tidelock init` makes a bucket that has both; on AWS they \
                 can be enabled on an existing one{}",
                without_backup(which)
            )));
        }
        consent(backup, self.settings.run.yes)?;
        let client = Self::patient(client);
        let steady = Steady::new(Arc::clone(&client.store), client.retrier.clone());
        let vault = Vault::new(Arc::new(steady), backup.target.clone());
        let versions = Versions::new(
            client,
            backup.mode,
            backup.retention,
            backup.storage_class.clone(),
            backup.sse.clone(),
        );
        Ok(Backup {
            versions: Arc::new(versions),
            vault,
            remembered: None,
            listed: None,
            latest: None,
            claims: Claims::new(backup.retention),
            committed: Instant::now(),
        })
    }
}

impl Backup {
    /// From now on the vault's small objects that never change are fetched once for all runs.
    pub(super) fn remember(&mut self, state: &StateHandle) {
        let (store, target) = (Arc::clone(self.vault.store()), self.vault.target().clone());
        let remembered = Arc::new(Remembered::new(store, state.clone(), &target));
        self.vault = Vault::new(Arc::clone(&remembered) as Arc<dyn Store>, target);
        self.remembered = Some(remembered);
    }
}

fn unreachable_backup(error: Error, which: Which) -> Error {
    if which != Which::Sync {
        return error;
    }
    Error::Refused(format!(
        "{error}. Without the backup target nothing shows whether what the mirror holds is backed \
         up{}",
        without_backup(which)
    ))
}

fn without_backup(which: Which) -> &'static str {
    match which {
        Which::Sync => "; `--without-backup` syncs all the same, and its deletes are final",
        Which::Run | Which::Backup => "",
    }
}

/// The backup target, to be written without a library: proven to have versioning and lock.
///
/// # Errors
/// As when a run opens it.
pub async fn connect_backup(
    settings: &Settings,
    events: &Events,
    stop: &Stop,
) -> Result<(Arc<Versions>, Vault)> {
    let backup = settings.backup.as_ref().ok_or_else(|| {
        Error::Usage("no backup target: give --backup-to s3://bucket/prefix, or [backup] to in tidelock.toml".to_owned())
    })?;
    let stores = Stores::default();
    let connector = Connector {
        settings,
        stores: &stores,
        pace: Arc::new(Pace::of(&settings.run)),
        events: events.clone(),
        stop: stop.clone(),
    };
    let backup = connector.backup(backup, Which::Backup).await?;
    Ok((backup.versions, backup.vault))
}

/// What can't be undone needs to be agreed to first.
///
/// # Errors
/// `Refused`, saying what it is and how to agree.
pub fn consent(backup: &BackupSettings, yes: bool) -> Result<()> {
    if yes || backup.accept_irrevocable {
        return Ok(());
    }
    let days = backup.retention.as_secs() / 86_400;
    let what = match backup.mode {
        Mode::Compliance => format!(
            "mode = \"compliance\" locks every version for {days} days so that nobody, you and the \
             provider included, can delete it or stop paying for it before"
        ),
        Mode::Governance if backup.retention > LONG_RETENTION => format!(
            "a retention of {days} days locks every version for more than a year; until then you \
             pay for it"
        ),
        Mode::Governance => return Ok(()),
    };
    Err(Error::Refused(format!(
        "{what}. Nothing was written. If that is meant, run again with --yes, or set \
         accept_irrevocable = true in [backup]"
    )))
}
