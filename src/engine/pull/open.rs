//! The folder and what is known of it, each held against a second pull.

use super::Request;
use crate::engine::client::Client;
use crate::engine::download::blocking;
use crate::engine::download::folder::Walk;
use crate::engine::host::Process;
use crate::model::{Error, Event, Events, RelPath, Result, time, words};
use crate::state::{self, PullState, Pulled, pull_file};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What a pull begins with.
#[derive(Debug)]
pub(super) struct Opened {
    /// None in a dry run before the first pull.
    pub(super) state: Option<PullState>,
    /// What earlier pulls have brought, in the order of paths.
    pub(super) bases: Vec<Pulled>,
    /// A pull of this mirror into this folder has ended with 0.
    pub(super) settled: bool,
    /// The folder; none in a dry run where there is none.
    pub(super) walk: Option<Walk>,
}

/// Opens the notes of earlier pulls and the folder; a dry run makes neither.
///
/// # Errors
/// `Held` where another pull or restore is at work; `Refused` where the folder of earlier pulls is
/// missing; the disk's.
pub(super) async fn open(client: &Client, request: &Request, events: &Events) -> Result<Opened> {
    let (request, events, target) = (request.clone(), events.clone(), client.target.clone());
    blocking(move || {
        let to = absolute(&request.to)?;
        let file = pull_file(
            &request.state_dir,
            &to,
            &target,
            request.endpoint.as_deref(),
        );
        let mut opened = Opened {
            state: None,
            bases: Vec::new(),
            settled: false,
            walk: None,
        };
        if !request.dry_run || file.exists() {
            let state = open_state(&file, &events)?;
            opened.bases = state.all()?;
            opened.settled = state.is_settled()?;
            opened.state = Some(state);
        }
        if !opened.bases.is_empty() && !to.exists() && !request.allow_empty {
            return Err(emptied(&request.to, opened.bases.len() as u64));
        }
        opened.walk = if request.dry_run {
            Walk::to_look(&request.to)?
        } else {
            Some(Walk::to_write(&request.to)?)
        };
        Ok(opened)
    })
    .await
}

/// What earlier pulls have brought is not there any more, none of it.
pub(super) fn emptied(to: &Path, known: u64) -> Error {
    let to = to.display();
    Error::Refused(format!(
        "{to}: nothing of what earlier pulls have brought ({}) is there: is a disk not mounted? \
         Nothing was fetched. To fetch all of it again, run once more with --allow-empty",
        words::files(known)
    ))
}

impl Opened {
    /// Long keys and their paths, as earlier pulls have met them.
    pub(super) fn long_keys(&self) -> HashMap<String, RelPath> {
        let long = self.bases.iter().filter(|base| base.key.contains("/long/"));
        let pairs = long.map(|base| (base.key.clone(), base.path.clone()));
        pairs.collect()
    }

    /// A walk to look at the folder, if there is one.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn looking(&self) -> Result<Option<Walk>> {
        let walk = self.walk.as_ref();
        walk.map(|walk| walk.another(false)).transpose()
    }
}

fn open_state(file: &Path, events: &Events) -> Result<PullState> {
    let process = Process::current();
    let now = time::local_now();
    let holder = format!("pid {} on {} since {now:.0}", process.pid, process.host);
    let (state, opened) = PullState::open(file, &holder, now)?;
    if let state::Opened::SetAside { why, to } = opened {
        events.send(Event::Warning(format!(
            "what earlier pulls have noted {why}; it was set aside as {}, and files that are there \
             are compared with the mirror by checksum",
            to.display()
        )));
    }
    Ok(state)
}

/// The folder without symbolic links, as far as it exists: another spelling is the same folder.
fn absolute(to: &Path) -> Result<PathBuf> {
    let to = std::path::absolute(to).map_err(Error::io(to))?;
    for folder in to.ancestors() {
        if let Ok(real) = std::fs::canonicalize(folder) {
            let rest = to.strip_prefix(folder).unwrap_or(Path::new(""));
            // An empty rest would end the path with a slash.
            return Ok(real.components().chain(rest.components()).collect());
        }
    }
    Ok(to)
}
