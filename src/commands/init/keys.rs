//! Where keys belong, since the file is no place for them.

use crate::model::{Connection, Settings};

/// What to do so that the next run finds its keys.
pub(super) fn advice(settings: &Settings) -> String {
    let sync = settings.sync.as_ref().map(|s| ("sync", &s.connection));
    let backup = settings.backup.as_ref().map(|b| ("backup", &b.connection));
    let lines: Vec<String> = [sync, backup]
        .into_iter()
        .flatten()
        .map(|(side, connection)| line(side, connection))
        .collect();
    format!(
        "keys are never written to the file; the next run takes\n{}",
        lines.join("\n")
    )
}

fn line(side: &str, connection: &Connection) -> String {
    let upper = side.to_ascii_uppercase();
    match (&connection.keys, &connection.profile) {
        (Some(_), _) => format!(
            "  {side}: the variables TIDELOCK_{upper}_ACCESS_KEY_ID and \
             TIDELOCK_{upper}_SECRET_ACCESS_KEY, which must be set again; or make an AWS profile \
             and name it by profile = \"NAME\" under [{side}]"
        ),
        (None, Some(profile)) => format!("  {side}: the AWS profile {profile}"),
        (None, None) => format!("  {side}: what the AWS tools would take"),
    }
}
