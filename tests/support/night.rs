//! A machine with a `tidelock.toml` and two libraries, as a timer runs it every night.

use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use super::bucket::Bucket;
use super::library::Library;
use super::store::{Lock, TestStore};

/// Two libraries, `photos` and `papers`, below one prefix of each target.
pub(crate) struct Night {
    pub(crate) store: TestStore,
    pub(crate) photos: Library,
    pub(crate) papers: Library,
    pub(crate) mirror: Bucket,
    pub(crate) vault: Bucket,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: Option<i32>,
    /// Standard output, each line as JSON.
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
}

impl Night {
    /// With a file that holds `above` (keys above all tables) and `below` (tables of its own).
    pub(crate) async fn new(store: TestStore, above: &str, below: &str) -> Self {
        let (mirror, vault) = (store.bucket(Lock::Off).await, store.bucket(Lock::On).await);
        let night = Self {
            photos: Library::new(),
            papers: Library::new(),
            mirror: Bucket::new(&store, &mirror),
            vault: Bucket::new(&store, &vault),
            store,
        };
        night.photos.file("2024/a.jpg", 3_000);
        night.papers.file("tax.pdf", 2_000);
        night.configure(above, below);
        night
    }

    pub(crate) fn configure(&self, above: &str, below: &str) {
        let library = |name: &str, library: &Library| {
            let path = library.path().display();
            format!("[[library]]\nname = \"{name}\"\npath = \"{path}\"\n")
        };
        let text = format!(
            "path_style = true\n{above}\n{}{}[sync]\nto = \"s3://{}/all\"\n[backup]\nto = \
             \"s3://{}/all\"\n{below}\n",
            library("photos", &self.photos),
            library("papers", &self.papers),
            self.mirror.name,
            self.vault.name,
        );
        std::fs::write(self.in_home("tidelock.toml"), text).expect("written");
    }

    pub(crate) fn in_home(&self, name: &str) -> PathBuf {
        self.store.home().join(name)
    }

    /// `tidelock WORDS` as a person types it.
    pub(crate) fn output(&self, words: &[&str]) -> Output {
        let (verb, rest) = words.split_first().expect("a verb");
        let mut command = self.store.std_tidelock(verb);
        command.args(rest).output().expect("the binary runs")
    }

    /// The same with `--json`.
    pub(crate) fn say(&self, words: &[&str]) -> Said {
        Said::of(&self.output(&[words, &["--json"]].concat()))
    }

    /// The same, which must end with this exit code.
    #[track_caller]
    pub(crate) fn expect(&self, exit: i32, words: &[&str]) -> Said {
        let said = self.say(words);
        assert_eq!(said.exit, Some(exit), "{words:?}: {said:#?}");
        said
    }
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
        let line = |line: &str| serde_json::from_str(line).expect("JSON Lines");
        Self {
            exit: output.status.code(),
            lines: text.lines().map(line).collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Name and exit code of each summary, in their order; the whole's has no name.
    pub(crate) fn summaries(&self) -> Vec<(&str, i64)> {
        let lines = self.lines.iter().filter(|line| line["event"] == "summary");
        lines
            .map(|line| {
                let name = line["library_name"].as_str().unwrap_or_default();
                (name, line["exit_code"].as_i64().expect("a code"))
            })
            .collect()
    }

    /// All that went wrong, as the last summary has it.
    pub(crate) fn errors(&self) -> String {
        let errors = self.last()["errors"].as_array();
        let message = |error: &Value| format!("{} {}\n", error["path"], error["message"]);
        errors.into_iter().flatten().map(message).collect()
    }

    pub(crate) fn last(&self) -> &Value {
        self.lines.last().expect("a line")
    }
}
