//! The conversation on a terminal.

use crate::config::{self, Environment, Flags, Needs, Raw};
use crate::model::{Error, Result, Settings};
use std::io::{BufRead, Write};

/// Asks and reads answers, a line each.
pub(super) struct Questions {
    input: Box<dyn BufRead>,
    output: Box<dyn Write>,
    /// Whether typed letters can be hidden.
    is_terminal: bool,
}

/// Longer lines are hard to read.
const WIDEST: usize = 80;

/// Words on lines of at most so many columns.
fn wrapped(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        lines.push(String::new());
        for word in line.split(' ') {
            match lines.last_mut() {
                Some(last) if last.is_empty() => last.push_str(word),
                // The last column is left free: some terminals wrap there already.
                Some(last) if last.chars().count() + 1 + word.chars().count() < columns => {
                    last.push(' ');
                    last.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
    }
    lines.join("\n")
}

/// The settings that say where a bucket is.
struct Place {
    provider: Option<&'static str>,
    endpoint: &'static str,
    region: &'static str,
}

/// Of both targets.
const PLACE: Place = Place {
    provider: Some("provider"),
    endpoint: "endpoint",
    region: "region",
};

/// Of the vault alone.
const VAULT: Place = Place {
    provider: None,
    endpoint: "backup.endpoint",
    region: "backup.region",
};

/// A bucket for the vault that goes with the mirror's.
fn vault_beside(mirror: &str) -> String {
    if mirror.is_empty() {
        return String::new();
    }
    let (bucket, prefix) = match mirror
        .strip_prefix("s3://")
        .unwrap_or(mirror)
        .split_once('/')
    {
        Some((bucket, prefix)) => (bucket, format!("/{prefix}")),
        None => (mirror.trim_start_matches("s3://"), String::new()),
    };
    format!("s3://{bucket}-vault{prefix}")
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
        let (sync, backup) = (known.sync.is_some(), known.backup.is_some());
        let mut mirror = String::new();
        if known.library.is_some() && sync && backup {
            return Ok(());
        }
        self.say(
            "Two buckets: a mirror that looks like your folder, and a vault whose files nobody \
             can delete for a while.\nEnter takes what stands in [brackets]. Ctrl-C ends this; \
             nothing is made before the last answer.",
        );
        if !sync && !backup {
            let has = |name: &str| known.record[name].is_string();
            if !has("endpoint") && !has("provider") {
                self.place(&PLACE, flags)?;
            } else if !has("region") {
                self.setting("Region", "region", "us-east-1", flags)?;
            }
            self.keys(known, &["SYNC", "BACKUP"], environment)?;
        }
        if known.library.is_none() {
            self.library(flags, environment)?;
        }
        if !sync {
            self.say(
                "The mirror (sync target) is a copy of the folder as it is now, plain objects that any \
                 S3 tool reads; what you change or delete here changes or goes there.",
            );
            let question = "Bucket for the mirror, as s3://BUCKET/PREFIX";
            mirror = self.target(question, "sync.to", "", flags)?;
        }
        if !backup {
            self.backup(known, &mirror, flags, environment)?;
        }
        Ok(())
    }

    fn library(&mut self, flags: &mut Flags, environment: &Environment) -> Result<()> {
        self.say("The library is the folder to mirror and back up.");
        let mut default = "~/Pictures".to_owned();
        loop {
            let path = self.ask("Library", &default)?;
            let mut tried = flags.clone();
            tried.library = Some(path.clone().into());
            let loaded = config::load(&tried, environment, Needs::nothing("init"))?;
            let library = loaded.settings.library.map(|library| library.path);
            let library = library.unwrap_or_default();
            // An unplugged disk is no reason to choose another folder.
            if library.is_dir() || path == default && path != "~/Pictures" {
                *flags = tried;
                return Ok(());
            }
            self.say(&format!(
                "There is no folder {} now. Enter keeps it all the same.",
                library.display()
            ));
            default = path;
        }
    }

    fn backup(
        &mut self,
        known: &Settings,
        mirror: &str,
        flags: &mut Flags,
        environment: &mut Environment,
    ) -> Result<()> {
        self.say(
            "The vault (backup target) keeps every version, locked: until its time is over nobody \
             deletes one, not by accident and not with the nightly job's keys. It needs a bucket \
             of its own, at best of another account or provider.",
        );
        if known.sync.is_none() && !self.yes("Is the vault at the same provider? (yes, no)")? {
            self.place(&VAULT, flags)?;
            for name in ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY"] {
                environment
                    .variables
                    .remove(&format!("TIDELOCK_BACKUP_{name}"));
            }
            self.keys(known, &["BACKUP"], environment)?;
        }
        let default = vault_beside(mirror);
        let question = "Bucket for the vault, as s3://BUCKET/PREFIX";
        self.target(question, "backup.to", &default, flags)?;
        self.say(
            "Each version is locked for so long, and renewed by the nightly run for as long as \
             a snapshot names it.",
        );
        self.setting("Lock retention", "backup.retention", "60d", flags)?;
        self.say(
            "governance: the account's owner can lift a lock with a special permission.\n\
             compliance: nobody can, and you pay until it is over.",
        );
        self.setting("Lock mode", "backup.mode", "governance", flags)
    }

    /// Whose S3 it is, and where.
    fn place(&mut self, ids: &Place, flags: &mut Flags) -> Result<()> {
        loop {
            let answer = self.ask("Whose S3 is it? (aws, b2, minio, other)", "aws")?;
            match answer.to_ascii_lowercase().as_str() {
                "aws" => return self.setting("Region", ids.region, "us-east-1", flags),
                "b2" => return self.b2(ids, flags),
                "minio" => {
                    if let Some(id) = ids.provider {
                        flags.set(id, "Provider", Raw::Text("minio".to_owned()));
                    }
                    // It takes any; naming one spares the search for a cloud machine's.
                    let region = Raw::Text("us-east-1".to_owned());
                    flags.set(ids.region, "Region", region);
                    let question = "Endpoint, such as http://nas.local:9000";
                    return self.setting(question, ids.endpoint, "", flags);
                }
                "other" => {
                    let question = "Endpoint, such as https://s3.example.org";
                    self.setting(question, ids.endpoint, "", flags)?;
                    return self.setting("Region", ids.region, "us-east-1", flags);
                }
                _ => self.say("One of aws (Amazon), b2 (Backblaze), minio, and other, please."),
            }
        }
    }

    /// Backblaze names a bucket's endpoint by its region.
    fn b2(&mut self, ids: &Place, flags: &mut Flags) -> Result<()> {
        self.say("A bucket's page shows its endpoint, s3.REGION.backblazeb2.com.");
        loop {
            let region = self.ask("Region, such as us-west-004 or eu-central-003", "")?;
            let region = region
                .trim_start_matches("https://")
                .trim_start_matches("s3.");
            let region = region.trim_end_matches(".backblazeb2.com").to_owned();
            let endpoint = format!("https://s3.{region}.backblazeb2.com");
            let is_one = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if region.is_empty() || !region.chars().all(is_one) {
                self.say("That is no region.");
                continue;
            }
            flags.set(ids.endpoint, "Endpoint", Raw::Text(endpoint));
            flags.set(ids.region, "Region", Raw::Text(region));
            return Ok(());
        }
    }

    fn yes(&mut self, question: &str) -> Result<bool> {
        loop {
            match self.ask(question, "yes")?.to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => self.say("yes or no, please."),
            }
        }
    }

    /// Keys are used by this command alone, as if their variables had been set.
    fn keys(
        &mut self,
        known: &Settings,
        sides: &[&str],
        environment: &mut Environment,
    ) -> Result<()> {
        let given = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "TIDELOCK_PROFILE"];
        let is_given = |name: &&str| environment.get(name).is_some();
        // Those for another provider are hardly the AWS tools' own.
        let may_be_given = sides.len() > 1;
        if known.record["profile"].is_string() || may_be_given && given.iter().any(is_given) {
            return Ok(());
        }
        self.say("Keys are used now and written nowhere. Empty means: what the AWS tools use.");
        let id = self.ask("Access key ID", "")?;
        if id.is_empty() {
            return Ok(());
        }
        let secret = self.ask_hidden("Secret access key")?;
        for side in sides {
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

    /// A bucket's name alone will do.
    fn target(
        &mut self,
        question: &'static str,
        id: &'static str,
        default: &str,
        flags: &mut Flags,
    ) -> Result<String> {
        self.setting_of(question, id, default, flags, |answer| {
            match answer.contains("://") {
                true => answer,
                false => format!("s3://{answer}"),
            }
        })
    }

    /// Asks until the answer can be read as that setting.
    fn setting(
        &mut self,
        question: &'static str,
        id: &'static str,
        default: &str,
        flags: &mut Flags,
    ) -> Result<()> {
        self.setting_of(question, id, default, flags, |answer| answer)?;
        Ok(())
    }

    fn setting_of(
        &mut self,
        question: &'static str,
        id: &'static str,
        default: &str,
        flags: &mut Flags,
        meant: impl Fn(String) -> String,
    ) -> Result<String> {
        loop {
            let text = meant(self.ask(question, default)?);
            let answer = Raw::Text(text.clone());
            match config::check_setting(id, &answer) {
                Ok(()) => {
                    flags.set(id, question, answer);
                    return Ok(text);
                }
                Err(why) => self.say(&sentence(&why)),
            }
        }
    }

    fn say(&mut self, text: &str) {
        // Who can't read the question won't answer it either.
        let _ = writeln!(self.output, "\n{}", wrapped(text, self.columns()));
    }

    /// What lines are wrapped at.
    fn columns(&self) -> usize {
        let size = rustix::termios::tcgetwinsize(std::io::stderr());
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        match columns {
            1..WIDEST if self.is_terminal => columns,
            _ => WIDEST,
        }
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
            return Err(Error::Usage(format!(
                "no answer to \"{question}\": nothing was made, and nothing was written; give \
                 everything by flags instead, see `tidelock init --help`"
            )));
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

/// What is wrong with an answer; some reasons end with a question.
fn sentence(why: &str) -> String {
    let stop = if why.ends_with('?') { "" } else { "." };
    format!("That {why}{stop}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn answered(answers: &str) -> (Result<()>, Flags, Environment) {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("Pictures")).expect("a library");
        let mut environment = Environment {
            variables: [("HOME".to_owned(), home.path().display().to_string())].into(),
            folder: home.path().to_owned(),
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

    /// The settings that these answers make.
    fn settled(answers: &[&str]) -> Settings {
        let (ended, flags, environment) = answered(&(answers.join("\n") + "\n"));
        ended.expect("all answered");
        let loaded = config::load(&flags, &environment, super::super::NEEDS);
        loaded.expect("complete").settings
    }

    #[test]
    fn answers_become_settings_and_a_wrong_one_is_asked_again() {
        let settings = settled(&[
            "no",
            "minio",
            "localhost",
            "http://localhost:9000",
            "id",
            "canary",
            "",
            "s3://x",
            "photos/lib",
            "",
            "s3://vault/lib",
            "30",
            "30d",
            "",
        ]);
        assert!(
            settings
                .library
                .expect("library")
                .path
                .ends_with("Pictures")
        );
        let sync = settings.sync.expect("sync");
        assert_eq!(sync.target.to_string(), "s3://photos/lib");
        let backup = settings.backup.expect("backup");
        assert_eq!(backup.target.to_string(), "s3://vault/lib");
        assert_eq!(config::show_duration(backup.retention), "30d");
        assert_eq!(backup.connection.keys.expect("keys").access_key_id, "id");
        assert!(!settings.record.to_string().contains("canary"));
    }

    #[test]
    fn a_vault_elsewhere_has_its_own_place_and_keys() {
        let settings = settled(&[
            "other",
            "https://nas.example",
            "",
            "home",
            "s1",
            "",
            "photos/lib",
            "no",
            "b2",
            "s3.eu-central-003.backblazeb2.com",
            "away",
            "s2",
            "",
            "",
            "",
        ]);
        let (sync, backup) = (
            settings.sync.expect("sync"),
            settings.backup.expect("backup"),
        );
        assert_eq!(
            sync.connection.endpoint.as_deref(),
            Some("https://nas.example")
        );
        assert_eq!(sync.connection.keys.expect("keys").access_key_id, "home");
        assert_eq!(backup.target.to_string(), "s3://photos-vault/lib");
        let endpoint = backup.connection.endpoint.as_deref();
        assert_eq!(endpoint, Some("https://s3.eu-central-003.backblazeb2.com"));
        assert_eq!(backup.connection.keys.expect("keys").access_key_id, "away");
    }

    #[test]
    fn a_folder_that_is_not_there_is_asked_for_again_and_kept_if_it_is_meant() {
        let settings = settled(&["aws", "", "", "/no/such", "", "photos", "", "", "", ""]);
        let library = settings.library.expect("library");
        assert_eq!(library.path, std::path::Path::new("/no/such"));
        let backup = settings.backup.expect("backup").target;
        assert_eq!(backup.to_string(), "s3://photos-vault");
    }

    #[test]
    fn a_mistyped_word_is_answered_by_one_sentence() {
        let why = config::check_setting("backup.mode", &Raw::Text("gov".to_owned()));
        let said = sentence(&why.expect_err("no mode"));
        assert!(said.starts_with("That must be"), "{said}");
        assert!(said.ends_with("did you mean \"governance\"?"), "{said}");
        assert_eq!(sentence("is no region"), "That is no region.");
    }

    #[test]
    fn words_are_wrapped_before_the_last_column_and_never_cut() {
        let text = "one two three\nfour unbreakable";
        assert_eq!(wrapped(text, 80), text);
        assert_eq!(wrapped(text, 9), "one two\nthree\nfour\nunbreakable");
        assert_eq!(wrapped(text, 8), "one two\nthree\nfour\nunbreakable");
        assert_eq!(wrapped(text, 7), "one\ntwo\nthree\nfour\nunbreakable");
    }

    #[test]
    fn no_answer_is_no_endless_question() {
        for answers in ["", "aws\n", "no\nwrong\n", "b2\n\n", "other\nwrong\n"] {
            let (ended, ..) = answered(answers);
            match ended {
                Err(Error::Usage(message)) => {
                    assert!(message.contains("nothing was written"), "{message}");
                }
                other => panic!("{answers:?}: {other:?}"),
            }
        }
    }
}
