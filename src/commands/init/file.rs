//! Whether the file may be written, and writing it.

use super::template;
use crate::config::{self, Environment, FILE_NAME, Flags, Loaded, Needs};
use crate::model::{Error, Result};
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What will be done about the file.
#[derive(Debug)]
pub(super) struct Planned {
    path: PathBuf,
    /// None where the file says it all already.
    text: Option<String>,
}

/// Decides before anything is made.
///
/// # Errors
/// `Refused` where a file says something else and `--yes` was not given.
pub(super) fn plan(flags: &Flags, environment: &Environment, loaded: &Loaded) -> Result<Planned> {
    let path = match &loaded.file {
        Some(path) => path.clone(),
        None => environment.folder.join(FILE_NAME),
    };
    let record = &loaded.settings.record;
    if path.exists() {
        let chosen = flags.library.clone().filter(|_| loaded.is_list);
        if says(&path, chosen, environment)? == *record {
            return Ok(Planned { path, text: None });
        }
        let way_out = match (loaded.is_list, loaded.settings.run.yes) {
            (true, _) => "change it by hand, since it has several libraries",
            (false, false) => "change it by hand, or replace it with --yes",
            (false, true) => "",
        };
        if !way_out.is_empty() {
            return Err(Error::Refused(format!(
                "{} is there and says something else; {way_out}. It would say:\n{}",
                path.display(),
                template::render(record)
            )));
        }
    }
    let text = Some(template::render(record));
    Ok(Planned { path, text })
}

/// A file that is rebuilt: where it goes, before anything is read or made.
///
/// # Errors
/// `Refused` where there is one, and `--yes` was not given.
pub(super) fn place_to_rebuild(environment: &Environment, loaded: &Loaded) -> Result<PathBuf> {
    let path = match &loaded.file {
        Some(path) => path.clone(),
        None => environment.folder.join(FILE_NAME),
    };
    if path.exists() && !loaded.settings.run.yes {
        return Err(Error::Refused(format!(
            "{} is there, and is not overwritten: move it away, write another one with \
             --config FILE, or replace it with --yes",
            path.display()
        )));
    }
    Ok(path)
}

/// What the file says, with nothing laid over it but the choice of a library.
fn says(
    path: &Path,
    library: Option<OsString>,
    environment: &Environment,
) -> Result<serde_json::Value> {
    let mut alone = Flags::default();
    alone.config = Some(path.to_owned());
    alone.library = library;
    let bare = Environment {
        variables: environment
            .variables
            .iter()
            .filter(|(name, _)| !name.starts_with("TIDELOCK_") && !name.starts_with("AWS_"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        folder: environment.folder.clone(),
    };
    let loaded = config::load(&alone, &bare, Needs::nothing("init"))?;
    Ok(loaded.settings.record)
}

impl Planned {
    /// To be written as it is.
    pub(super) fn of(path: PathBuf, text: String) -> Self {
        let text = Some(text);
        Self { path, text }
    }

    /// Writes the file, whole or not at all, and says what was done.
    pub(super) fn write(&self, dry_run: bool) -> Result<String> {
        let shown = self.path.display();
        let Some(text) = &self.text else {
            return Ok(format!("file    {shown}: says so already"));
        };
        if dry_run {
            return Ok(format!("file    {shown}: would be written\n\n{text}"));
        }
        let io = |error| Error::io(&self.path)(error);
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let temporary = self.path.with_extension("toml.new");
        let mut file = File::create(&temporary).map_err(Error::io(&temporary))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(Error::io(&temporary))?;
        std::fs::rename(&temporary, &self.path).map_err(io)?;
        Ok(format!("file    {shown}: written"))
    }
}
