//! The conversation on a terminal.

use crate::config::{self, Environment, Flags, Raw};
use crate::model::{Error, Result, Settings};
use std::io::{BufRead, Write};

/// Asks and reads answers, a line each.
pub(super) struct Questions {
    input: Box<dyn BufRead>,
    output: Box<dyn Write>,
    /// Whether typed letters can be hidden.
    is_terminal: bool,
}

impl Questions {
    /// Asks on standard error, so that standard output stays for what was done.
    pub(super) fn on_terminal() -> Self {
        Self {
            input: Box::new(std::io::stdin().lock()),
            output: Box::new(std::io::stderr()),
            is_terminal: true,
        }
    }

    /// Asks for what the settings lack, and adds the answers to flags and variables.
    pub(super) fn complete(
        &mut self,
        known: &Settings,
        flags: &mut Flags,
        environment: &mut Environment,
    ) -> Result<()> {
        if known.library.is_some() && known.sync.is_some() && known.backup.is_some() {
            return Ok(());
        }
        if known.sync.is_none() && known.backup.is_none() {
            self.provider(known, flags, environment)?;
        }
        if known.library.is_none() {
            self.say("The library is the folder to mirror and back up.");
            let path = self.ask("Library", "~/Pictures")?;
            flags.library = Some(path.into());
        }
        if known.sync.is_none() {
            self.say("The sync target is a mirror of the library: plain objects, for any S3 tool.");
            self.setting("Sync target, as s3://BUCKET/PREFIX", "sync.to", "", flags)?;
        }
        if known.backup.is_none() {
            self.say(
                "The backup target keeps every version, locked. Use another bucket, at best of\n\
                 another account.",
            );
            self.setting(
                "Backup target, as s3://BUCKET/PREFIX",
                "backup.to",
                "",
                flags,
            )?;
            self.say("No version can be deleted before its lock retention is over.");
            self.setting("Lock retention", "backup.retention", "60d", flags)?;
            self.say(
                "Governance locks can be lifted with a special permission, compliance locks by\n\
                 nobody.",
            );
            self.setting("Lock mode", "backup.mode", "governance", flags)?;
        }
        Ok(())
    }

    fn provider(
        &mut self,
        known: &Settings,
        flags: &mut Flags,
        environment: &mut Environment,
    ) -> Result<()> {
        let has = |name: &str| known.record[name].is_string();
        if !has("endpoint") && !has("provider") {
            let answer = self.ask("Is it Amazon S3? (yes, no)", "yes")?;
            if !answer.to_ascii_lowercase().starts_with('y') {
                let question = "Endpoint, such as https://s3.example.org";
                self.setting(question, "endpoint", "", flags)?;
            }
        }
        if !has("region") {
            self.setting("Region", "region", "us-east-1", flags)?;
        }
        let given = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "TIDELOCK_PROFILE"];
        if !has("profile") && given.iter().all(|name| environment.get(name).is_none()) {
            self.keys(environment)?;
        }
        Ok(())
    }

    /// Keys are used by this command alone, as if their variables had been set.
    fn keys(&mut self, environment: &mut Environment) -> Result<()> {
        self.say("Keys are used now and written nowhere. Empty means: what the AWS tools use.");
        let id = self.ask("Access key ID", "")?;
        if id.is_empty() {
            return Ok(());
        }
        let secret = self.ask_hidden("Secret access key")?;
        for side in ["SYNC", "BACKUP"] {
            for (name, value) in [("ACCESS_KEY_ID", &id), ("SECRET_ACCESS_KEY", &secret)] {
                let name = format!("TIDELOCK_{side}_{name}");
                environment
                    .variables
                    .entry(name)
                    .or_insert_with(|| value.clone());
            }
        }
        Ok(())
    }

    /// Asks until the answer can be read as that setting.
    fn setting(
        &mut self,
        question: &'static str,
        id: &'static str,
        default: &str,
        flags: &mut Flags,
    ) -> Result<()> {
        loop {
            let answer = Raw::Text(self.ask(question, default)?);
            match config::check_setting(id, &answer) {
                Ok(()) => {
                    flags.set(id, question, answer);
                    return Ok(());
                }
                Err(why) => self.say(&format!("That {why}.")),
            }
        }
    }

    fn say(&mut self, text: &str) {
        // Who can't read the question won't answer it either.
        let _ = writeln!(self.output, "\n{text}");
    }

    fn ask(&mut self, question: &str, default: &str) -> Result<String> {
        let hint = match default {
            "" => String::new(),
            default => format!(" [{default}]"),
        };
        let _ = write!(self.output, "{question}{hint}: ");
        let _ = self.output.flush();
        let mut line = String::new();
        let read = self.input.read_line(&mut line);
        if read.map_err(Error::io("standard input"))? == 0 {
            return Err(Error::Usage(
                "no answer; give everything by flags instead, see tidelock init --help".to_owned(),
            ));
        }
        let answer = line.trim();
        Ok(if answer.is_empty() { default } else { answer }.to_owned())
    }

    /// As `ask`, with what is typed not shown.
    fn ask_hidden(&mut self, question: &str) -> Result<String> {
        if self.is_terminal {
            show_typing(false);
        }
        let answer = self.ask(question, "");
        if self.is_terminal {
            show_typing(true);
            let _ = writeln!(self.output);
        }
        answer
    }
}

/// Switches the terminal's echo; without a terminal there is none.
pub(super) fn show_typing(shown: bool) {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    if let Ok(mut modes) = tcgetattr(&stdin) {
        modes.local_modes.set(LocalModes::ECHO, shown);
        let _ = tcsetattr(&stdin, OptionalActions::Now, &modes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Needs;
    use std::io::Cursor;
    use std::path::PathBuf;

    fn answered(answers: &str) -> (Result<()>, Flags, Environment) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut environment = Environment {
            variables: [("HOME".to_owned(), "/home/ada".to_owned())].into(),
            folder: folder.path().to_owned(),
        };
        let mut flags = Flags::default();
        let known = config::load(&flags, &environment, Needs::nothing("init")).expect("nothing");
        let mut questions = Questions {
            input: Box::new(Cursor::new(answers.to_owned())),
            output: Box::new(std::io::sink()),
            is_terminal: false,
        };
        let ended = questions.complete(&known.settings, &mut flags, &mut environment);
        (ended, flags, environment)
    }

    #[test]
    fn answers_become_settings_and_a_wrong_one_is_asked_again() {
        let (ended, flags, environment) = answered(
            "no\nlocalhost\nhttp://localhost:9000\n\nid\ncanary\n\nphotos\n\
             s3://photos/lib\ns3://vault/lib\n30\n30d\n\n",
        );
        ended.expect("all answered");
        let settings = config::load(&flags, &environment, super::super::NEEDS)
            .expect("complete")
            .settings;
        assert_eq!(
            settings.library.expect("library").path,
            PathBuf::from("/home/ada/Pictures")
        );
        let backup = settings.backup.expect("backup");
        assert_eq!(backup.target.to_string(), "s3://vault/lib");
        assert_eq!(config::show_duration(backup.retention), "30d");
        assert_eq!(backup.connection.keys.expect("keys").access_key_id, "id");
        assert!(!settings.record.to_string().contains("canary"));
    }

    #[test]
    fn no_answer_is_no_endless_question() {
        for answers in ["", "yes\n", "no\nwrong\n"] {
            let (ended, ..) = answered(answers);
            assert!(matches!(ended, Err(Error::Usage(_))), "{answers:?}");
        }
    }
}
