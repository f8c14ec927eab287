//! `tidelock recovery-card`: what is needed to restore from nothing, without any secret.
//!
//! Of keys it prints a name alone, not even an access key id: the card may be printed, copied and
//! left in a drawer, and an id tells an attacker which key to look for. Asks no store.

use super::Outcome;
use super::reading::{backup_settings, shell_word};
use crate::model::{BackupSettings, Result, Settings, Summary};
use crate::report::Rows;
use crate::store::{ConnectOptions, S3Store};
use serde::Serialize;

/// What `tidelock policy reader` is given to, unless it has another name.
const READER: &str = "tidelock-reader";

/// What the command line says beside the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Args {
    /// `--reader`: the name of the key that may read the backup.
    pub reader: Option<String>,
}

/// The card.
#[derive(Serialize)]
struct Card {
    endpoint: Option<String>,
    region: String,
    bucket: String,
    prefix: String,
    reader: String,
    /// Lists the libraries of the bucket.
    list: String,
    restore: String,
    init: String,
}

/// Prints it.
pub async fn run(settings: &Settings, args: &Args, rows: &Rows) -> Outcome {
    match card(settings, args).await {
        Ok(card) => {
            if rows.are_json() {
                rows.row(&card, String::new);
            } else {
                card.text().lines().for_each(|line| rows.text(line));
            }
            Outcome::done(Summary::default())
        }
        Err(error) => Outcome::not_begun(error),
    }
}

async fn card(settings: &Settings, args: &Args) -> Result<Card> {
    let backup = backup_settings(settings)?;
    let (target, connection) = (&backup.target, &backup.connection);
    let region = match &connection.region {
        Some(region) => region.clone(),
        // The AWS chain may name one, and the new machine has no such chain.
        None => {
            let store = S3Store::connect(target, connection, ConnectOptions::default()).await?;
            store.region().to_owned()
        }
    };
    let how = how(settings, backup, &region);
    let command = |rest: &str| format!("{}tidelock {rest}{}", how.before, how.behind);
    let to = shell_word(&target.to_string());
    Ok(Card {
        endpoint: connection.endpoint.clone(),
        bucket: target.bucket.clone(),
        prefix: target.prefix.clone(),
        reader: args.reader.clone().unwrap_or_else(|| READER.to_owned()),
        list: command(&format!(
            "restore --to ~/restored --backup-to s3://{}",
            target.bucket
        )),
        restore: command(&format!("restore --to ~/restored --backup-to {to}")),
        init: command(&format!("init --from {to}")),
        region,
    })
}

/// What a bare machine must be told beside the target.
struct How {
    before: String,
    behind: String,
}

fn how(settings: &Settings, backup: &BackupSettings, region: &str) -> How {
    let connection = &backup.connection;
    let (mut before, mut behind) = (String::new(), String::new());
    if connection.allow_http {
        before.push_str("TIDELOCK_ALLOW_HTTP=true ");
    }
    if let Some(path) = &connection.ca_cert {
        let path = shell_word(&path.to_string_lossy());
        before.push_str(&format!("TIDELOCK_CA_CERT={path} "));
    }
    if let Some(endpoint) = &connection.endpoint {
        behind.push_str(&format!(" --endpoint {}", shell_word(endpoint)));
    }
    behind.push_str(&format!(" --region {}", shell_word(region)));
    let record = &settings.record;
    let set = |table: &serde_json::Value| table["path_style"].as_bool();
    if let Some(value) = set(&record["backup"]).or_else(|| set(record)) {
        behind.push_str(&format!(" --path-style={value}"));
    }
    How { before, behind }
}

impl Card {
    fn text(&self) -> String {
        let endpoint = self
            .endpoint
            .as_deref()
            .unwrap_or("Amazon S3, none to give");
        let prefix = match self.prefix.as_str() {
            "" => "none: the whole bucket",
            prefix => prefix,
        };
        format!(
            "\
TIDELOCK RECOVERY CARD          keep it in the password manager, and on paper; it has no secret

  endpoint    {endpoint}
  region      {}
  bucket      {}
  prefix      {prefix}
  reader key  {}  (its id and secret belong into the password manager, under this name)

A key was stolen: first make it useless. docs/restore.md says how.
Then, on any machine, with Tidelock {} or later:

  1  the reader key:
     export AWS_ACCESS_KEY_ID=...
     export AWS_SECRET_ACCESS_KEY=...
  2  the files; the same command goes on where it was interrupted:
     {}
  3  the settings, for new nightly runs with new keys:
     {}

{}Without Tidelock: docs/restore.md, \"By hand\", with aws, jq, zstd and b3sum alone.",
            self.region,
            self.bucket,
            self.reader,
            env!("CARGO_PKG_VERSION"),
            self.restore,
            self.init,
            self.all_that_there_is(),
        )
    }

    /// Without a prefix it would be the restore itself.
    fn all_that_there_is(&self) -> String {
        if self.prefix.is_empty() {
            return String::new();
        }
        format!(
            "If the prefix is forgotten, this names all that the bucket holds:\n     {}\n",
            self.list
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_prefix_can_be_forgotten() {
        let card = |prefix: &str| Card {
            endpoint: None,
            region: "us-east-1".to_owned(),
            bucket: "my-photos-vault".to_owned(),
            prefix: prefix.to_owned(),
            reader: READER.to_owned(),
            restore: "restore".to_owned(),
            init: "init".to_owned(),
            list: "list".to_owned(),
        };
        assert!(card("library").text().contains("is forgotten"));
        assert!(!card("").text().contains("is forgotten"));
    }
}
