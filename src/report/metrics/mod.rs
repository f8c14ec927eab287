//! What a command did, as a file for the textfile collector of Prometheus' node exporter.
//!
//! The file holds gauges of the last run of each command on each library, in the text format of
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>. It is replaced by a rename, so
//! that nobody reads half of one; a crash leaves the old one and at most a file beside it whose
//! name no collector reads. What the old file says of other libraries and commands is kept, and so
//! is the time of the last success when there was none this time.

mod families;
mod series;

use super::ending::Ending;
use crate::model::{Error, Result, Time};
use series::Series;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where the metrics go.
#[derive(Clone, Debug)]
pub struct Metrics(Option<PathBuf>);

impl Metrics {
    /// Into this file; nowhere without one.
    pub fn new(file: Option<PathBuf>) -> Self {
        Self(file)
    }

    /// Writes what a command came to for one library.
    ///
    /// # Errors
    /// The disk's. The old file, if there was one, is untouched then.
    pub fn write(&self, library: &str, ending: &Ending<'_>, now: Time) -> Result<()> {
        let Some(path) = &self.0 else {
            return Ok(());
        };
        // What can't be read is replaced: there is nothing in it that can't be measured again.
        let old = fs::read_to_string(path).unwrap_or_default();
        let mut series = Series::read(&old);
        families::update(&mut series, library, ending, now);
        replace(path, &series.render())
    }
}

/// Puts a file in another's place.
fn replace(path: &Path, text: &str) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // The collector reads `*.prom`.
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    placed.map_err(Error::io(path))
}

#[cfg(test)]
mod tests;
