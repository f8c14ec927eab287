//! The three places together.

mod file;
mod libraries;
mod precedence;
mod targets;

use super::*;
use crate::model::{Error, Limit, Mode, Provider, Result, Settings};
use std::ffi::OsString;
use std::path::PathBuf;

const RUN: Needs = Needs {
    command: "run",
    library: true,
    sync: true,
    backup: true,
};

const LOOK: Needs = Needs {
    command: "snapshots",
    library: false,
    sync: false,
    backup: true,
};

const NOTHING: Needs = Needs {
    command: "doctor",
    library: false,
    sync: false,
    backup: false,
};

const FILE: &str = r#"
[library]
path = "Pictures"
exclude = [".DS_Store"]
[sync]
to = "s3://my-photos/library"
[backup]
to = "s3://my-photos-vault/library"
"#;

/// A folder with a file in it, and what the process sees of both.
struct Case {
    folder: tempfile::TempDir,
    environment: Environment,
    flags: Flags,
}

impl Case {
    fn new(file: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE_NAME), file).expect("written");
        let environment = Environment {
            variables: [("HOME".to_owned(), "/home/ada".to_owned())].into(),
            folder: folder.path().to_owned(),
        };
        Self {
            folder,
            environment,
            flags: Flags::default(),
        }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        let variables = &mut self.environment.variables;
        variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, id: &'static str, flag: &'static str, value: &str) -> Self {
        self.flags.set(id, flag, Raw::Text(value.to_owned()));
        self
    }

    fn library(mut self, library: &str) -> Self {
        self.flags.library = Some(OsString::from(library));
        self
    }

    fn load(&self, needs: Needs) -> Result<Loaded> {
        load(&self.flags, &self.environment, needs)
    }

    fn settings(&self) -> Settings {
        self.load(RUN).expect("good settings").settings
    }

    fn usage(&self, needs: Needs) -> String {
        match self.load(needs) {
            Err(Error::Usage(message)) => message,
            other => panic!("no usage error: {other:?}"),
        }
    }
}

fn targets(settings: &Settings) -> [String; 2] {
    [
        settings.sync.as_ref().expect("sync").target.to_string(),
        settings.backup.as_ref().expect("backup").target.to_string(),
    ]
}
