//! What to say when a setting that a command needs is missing.

use super::file::FILE_NAME;
use super::flags::Needs;
use crate::model::{Error, Settings};

/// Checks that all is there that the command can't do without.
pub(super) fn check(settings: &Settings, needs: Needs) -> Result<(), Error> {
    let mut missing = Vec::new();
    if needs.library && settings.library.is_none() {
        missing.push(
            "no library: name the folder as an argument, set TIDELOCK_LIBRARY, or write \
             path = \"~/Pictures\" under [library]"
                .to_owned(),
        );
    }
    if needs.sync && settings.sync.is_none() {
        missing.push(target("sync", "s3://my-photos/library"));
    }
    if needs.backup && settings.backup.is_none() {
        missing.push(target("backup", "s3://my-photos-vault/library"));
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{}\nFor example:\n    {}\n{}",
        missing.join("\n"),
        example(needs),
        if needs.command == "init" {
            "or run it on a terminal, where it asks for all of it.".to_owned()
        } else {
            format!("or let `tidelock init` write {FILE_NAME}.")
        }
    )))
}

fn target(side: &str, example: &str) -> String {
    format!(
        "no {side} target: give --{side}-to {example}, set TIDELOCK_{}_TO, or write \
         to = \"{example}\" under [{side}]",
        side.to_ascii_uppercase()
    )
}

fn example(needs: Needs) -> String {
    let mut command = format!("tidelock {}", needs.command);
    if needs.library {
        command.push_str(" ~/Pictures");
    }
    if needs.command == "restore" || needs.command == "pull" {
        command.push_str(" --to ~/restored");
    }
    if needs.sync {
        command.push_str(" --sync-to s3://my-photos/library");
    }
    if needs.backup {
        command.push_str(" --backup-to s3://my-photos-vault/library");
    }
    command
}
