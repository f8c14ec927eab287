//! Where keys belong, since the file is no place for them.

use crate::model::{Connection, Settings};

/// What to do so that the next run finds its keys.
pub(super) fn advice(settings: &Settings) -> String {
    let sync = settings.sync.as_ref().map(|s| ("sync", &s.connection));
    let backup = settings.backup.as_ref().map(|b| ("backup", &b.connection));
    let sides: Vec<(&str, &Connection)> = [sync, backup].into_iter().flatten().collect();
    let lines: Vec<String> = sides.iter().map(|(side, how)| line(side, how)).collect();
    let mut text = format!(
        "keys    are never written to the file; the next run takes\n{}",
        lines.join("\n")
    );
    if sides.iter().any(|(_, how)| how.keys.is_some()) {
        text.push_str(
            "\n        Set these again before it, or put the keys into an AWS profile and name it:\n        \
             profile = \"NAME\" under [sync] and under [backup]",
        );
    }
    text
}

fn line(side: &str, connection: &Connection) -> String {
    let upper = side.to_ascii_uppercase();
    let from = match (&connection.keys, &connection.profile) {
        (Some(_), _) => {
            format!("TIDELOCK_{upper}_ACCESS_KEY_ID, TIDELOCK_{upper}_SECRET_ACCESS_KEY")
        }
        (None, Some(profile)) => format!("the AWS profile {profile}"),
        (None, None) => "what the AWS tools would take".to_owned(),
    };
    format!("        {side:<6}  {from}")
}
