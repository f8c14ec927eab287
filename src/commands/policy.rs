//! `tidelock policy ROLE`: the least that each task needs.

use super::Outcome;
use crate::config::{Raw, check_setting};
use crate::model::{Error, Event, Events, Provider, Result, Settings, Summary};
use crate::plan::{Role, Scope, b2_commands, policy};
use crate::report::Rows;
use std::time::Duration;

/// Locks are dated by the server's clock when the request is made up, and judged when it arrives.
const MARGIN: Duration = Duration::from_secs(86_400);

/// What the command line says beside the settings.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Args {
    /// `writer`, `reader`, `pruner` or `auditor`.
    pub role: String,
    /// `--provider`.
    pub provider: Option<String>,
}

/// Prints one document; what is to be said about it goes to the log.
pub fn run(settings: &Settings, args: &Args, rows: &Rows, events: &Events) -> Outcome {
    match print(settings, args, rows, events) {
        Ok(()) => Outcome::done(Summary::default()),
        Err(error) => Outcome::not_begun(error),
    }
}

fn print(settings: &Settings, args: &Args, rows: &Rows, events: &Events) -> Result<()> {
    let role = Role::parse(&args.role).ok_or_else(|| {
        let role = &args.role;
        Error::Usage(format!(
            "there is no role {role:?}: it is writer, reader, pruner or auditor, as in `tidelock \
                 policy writer`"
        ))
    })?;
    let backup = settings.backup.as_ref();
    let scope = Scope {
        sync: settings.sync.as_ref().map(|sync| &sync.target),
        backup: backup.map(|it| (&it.target, it.mode, it.retention + MARGIN)),
    };
    if scope.sync.is_none() && scope.backup.is_none() {
        return Err(Error::Usage(
            "no target: give --sync-to and --backup-to, or write them in tidelock.toml".to_owned(),
        ));
    }
    let of_settings = backup.map(|it| it.connection.provider) == Some(Provider::B2);
    let is_b2 = match args.provider.as_deref() {
        Some(name) => is_b2(name)?,
        None => of_settings,
    };
    if is_b2 {
        for command in b2_commands(role, &scope) {
            rows.row(&serde_json::json!({"command": command}), || command.clone());
        }
        if role == Role::Writer {
            let text = "a key without deleteFiles can still hide a file by its name; that harms no \
                        version, and restore goes by version";
            events.send(Event::Warning(text.to_owned()));
        }
        return Ok(());
    }
    let document = policy(role, &scope);
    if rows.are_json() {
        rows.row(&document, String::new);
    } else {
        format!("{document:#}")
            .lines()
            .for_each(|line| rows.text(line));
    }
    Ok(())
}

/// Whether `--provider` names the one whose keys have capabilities in the place of a policy.
fn is_b2(name: &str) -> Result<bool> {
    let wrong = |why| Error::Usage(format!("--provider: {name:?} {why}"));
    check_setting("provider", &Raw::Text(name.to_owned())).map_err(wrong)?;
    Ok(name.trim().eq_ignore_ascii_case("b2"))
}
