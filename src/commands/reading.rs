//! What commands share that look into the backup target.

use crate::engine::client::Client;
use crate::engine::kept::Kept;
use crate::engine::libraries::libraries;
use crate::engine::pace::Pace;
use crate::engine::retry::{PATIENCE, PATIENCE_AT_FIRST, Retrier};
use crate::engine::steady::Steady;
use crate::engine::stop::Stop;
use crate::engine::thaw::Thaw;
use crate::model::{BackupSettings, Error, Events, Result, Settings, Side, SyncSettings, when};
use crate::snapshot::{Found, Select, Vault};
use crate::store::{ConnectOptions, S3Store, Store};
use jiff::ZonedDateTime;
use std::sync::Arc;
use std::time::Duration;

/// The words of a user that say which snapshot is meant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Which {
    /// `--at TIME`.
    pub at: Option<String>,
    /// `--snapshot ID`, or `latest`.
    pub snapshot: Option<String>,
}

impl Which {
    pub(super) fn select(&self, now: &ZonedDateTime) -> Result<Select> {
        match (&self.at, &self.snapshot) {
            (None, None) => Ok(Select::Latest),
            (None, Some(id)) => Ok(Select::id(id)),
            (Some(at), None) => {
                let time = when::parse(at, now);
                let wrong = |why| Error::Usage(format!("--at {why}"));
                time.map(Select::At).map_err(wrong)
            }
            (Some(_), Some(_)) => Err(Error::Usage(
                "--at and --snapshot exclude each other: give one of them".to_owned(),
            )),
        }
    }
}

/// The backup target's settings.
pub(super) fn backup_settings(settings: &Settings) -> Result<&BackupSettings> {
    settings.backup.as_ref().ok_or_else(|| {
        Error::Usage("no backup target: give --backup-to s3://bucket/prefix, or [backup] to in tidelock.toml".to_owned())
    })
}

/// The backup target, to read from.
pub(super) struct Backup {
    pub(super) vault: Vault,
    pub(super) retrier: Retrier,
    /// The flag that names the target, for messages.
    pub(super) flag: &'static str,
}

impl Backup {
    pub(super) async fn open(settings: &Settings, stop: &Stop) -> Result<Self> {
        Self::open_thawing(settings, stop, None).await
    }

    /// As [`Backup::open`]; what is read and turns out to be archived is met by `thaw`.
    pub(super) async fn open_thawing(
        settings: &Settings,
        stop: &Stop,
        thaw: Option<&Arc<Thaw>>,
    ) -> Result<Self> {
        let backup = backup_settings(settings)?;
        let transfers = settings.run.transfers;
        let options = ConnectOptions { transfers };
        let store = S3Store::connect(&backup.target, &backup.connection, options).await?;
        let pace = Arc::new(Pace::of(&settings.run));
        let retrier = Retrier::new(pace, stop.clone(), PATIENCE_AT_FIRST);
        // Wrong keys and networks that are gone show up with the first answer.
        retrier.run(|| store.now()).await?;
        let retrier = retrier.with_patience(PATIENCE);
        let mut steady = Steady::new(Arc::new(store), retrier.clone());
        if let Some(thaw) = thaw {
            steady = steady.with_thaw(Arc::clone(thaw));
        }
        Ok(Self {
            vault: Vault::new(Arc::new(steady), backup.target.clone()),
            retrier,
            flag: "--backup-to",
        })
    }

    /// The snapshot that is asked for.
    pub(super) async fn find(&self, select: &Select) -> Result<Found> {
        match self.vault.find(select).await {
            Err(error @ Error::Usage(_)) => {
                if self.vault.list().await?.is_empty() {
                    self.look_deeper().await?;
                }
                Err(error)
            }
            found => found,
        }
    }

    /// All that the kept snapshots name.
    pub(super) async fn kept(&self, settings: &Settings) -> Result<Kept> {
        let how = backup_settings(settings)?;
        let time = self.retrier.run(|| self.vault.store().now()).await?;
        let kept = Kept::read(&self.vault, time, how.retention).await?;
        if kept.snapshots.is_empty() && kept.unreadable.is_empty() {
            self.look_deeper().await?;
        }
        Ok(kept)
    }

    /// Of a target without snapshots: `Usage` naming the libraries below it, where there are any.
    pub(super) async fn look_deeper(&self) -> Result<()> {
        let found = libraries(&self.vault).await?;
        if found.is_empty() {
            return Ok(());
        }
        let flags: Vec<_> = found
            .iter()
            .map(|target| format!("\n  {} {}", self.flag, shell_word(&target.to_string())))
            .collect();
        Err(Error::Usage(format!(
            "{}: there is no snapshot here, but in these libraries below it; name one of \
             them:{}",
            self.vault.target(),
            flags.concat()
        )))
    }

    /// The mirror, to look at only.
    pub(super) async fn mirror(
        &self,
        settings: &Settings,
        sync: &SyncSettings,
        events: &Events,
    ) -> Result<Client> {
        let transfers = settings.run.transfers;
        let options = ConnectOptions { transfers };
        let store = S3Store::connect(&sync.target, &sync.connection, options).await?;
        Ok(Client {
            side: Side::Sync,
            target: sync.target.clone(),
            store: Arc::new(store),
            retrier: self.retrier.clone(),
            events: events.clone(),
        })
    }

    /// The backup target as a writer has it. What is asked through it is asked again by the vault's
    /// own patience alone.
    pub(super) fn client(&self) -> Client {
        Client {
            side: Side::Backup,
            target: self.vault.target().clone(),
            store: Arc::clone(self.vault.store()),
            retrier: self.retrier.clone().with_patience(Duration::ZERO),
            events: Events::none(),
        }
    }

    pub(super) fn requests(&self) -> crate::model::Requests {
        self.vault.store().requests()
    }
}

/// As a shell takes it for one word.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/:._-+=@%,".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_can_be_pasted_into_a_shell() {
        assert_eq!(shell_word("s3://a/b-c.d_é"), "s3://a/b-c.d_é");
        assert_eq!(shell_word("s3://a/b c"), "'s3://a/b c'");
        assert_eq!(shell_word("s3://a/it's"), r"'s3://a/it'\''s'");
    }

    #[test]
    fn a_snapshot_is_named_by_time_or_id_but_not_both() {
        let now: ZonedDateTime = "2026-11-23T10:00:00[UTC]".parse().unwrap();
        let which = |at: Option<&str>, snapshot: Option<&str>| {
            let which = Which {
                at: at.map(str::to_owned),
                snapshot: snapshot.map(str::to_owned),
            };
            which.select(&now)
        };
        assert_eq!(which(None, None).unwrap(), Select::Latest);
        assert_eq!(which(None, Some("latest")).unwrap(), Select::Latest);
        let time = "2026-11-22T10:00:00Z".parse().unwrap();
        assert_eq!(which(Some("1d"), None).unwrap(), Select::At(time));
        assert!(matches!(which(Some("soon"), None), Err(Error::Usage(_))));
        assert!(matches!(which(Some("1d"), Some("1")), Err(Error::Usage(_))));
    }
}
