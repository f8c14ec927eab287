//! What the command line gave, free of how it was parsed.

use super::schema;
use super::value::Raw;
use super::values::{Origin, Values};
use crate::model::{Error, Result};
use std::ffi::OsString;
use std::path::PathBuf;

/// Settings from the command line.
#[derive(Clone, Default, Debug)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The library: a configured one's name, or a path.
    pub library: Option<OsString>,
    settings: Vec<(&'static str, &'static str, Raw)>,
}

impl Flags {
    /// Adds a setting by its id (`sync.to`) and the flag as it is typed (`--sync-to`).
    pub fn set(&mut self, id: &'static str, flag: &'static str, raw: Raw) {
        debug_assert!(schema::find(id).is_some(), "no setting is called {id}");
        self.settings.push((id, flag, raw));
    }

    pub(super) fn settings(&self) -> Result<Values> {
        let mut values = Values::default();
        for (id, flag, raw) in &self.settings {
            if let Some(key) = schema::find(id) {
                values
                    .add(key, raw.clone(), Origin::Flag(flag))
                    .map_err(Error::Usage)?;
            }
        }
        Ok(values)
    }
}

/// Whether a setting's text can be read; the error says what is wrong, without naming it.
///
/// # Errors
/// What is wrong with it and how to write it.
pub fn check_setting(id: &str, raw: &Raw) -> Result<(), String> {
    match schema::find(id) {
        Some(key) => key.kind.read(raw).map(|_| ()),
        None => Err("is not a setting".to_owned()),
    }
}

/// What a command can't do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Needs {
    /// The command's name, for the example in a message.
    pub command: &'static str,
    /// A library to read.
    pub library: bool,
    /// The sync target.
    pub sync: bool,
    /// The backup target.
    pub backup: bool,
}

impl Needs {
    /// A command that can do without all of it.
    pub fn nothing(command: &'static str) -> Self {
        Self {
            command,
            library: false,
            sync: false,
            backup: false,
        }
    }
}
