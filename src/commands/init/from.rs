//! `init --from`: the file again, from what the newest snapshot keeps of it.
//!
//! Reads with the reader's keys and writes nothing but the file.

use super::file::{self, Planned};
use super::template;
use super::{Args, template::toml_of};
use crate::commands::reading::Backup;
use crate::config::{self, Loaded, Needs, Rebuilt};
use crate::engine::stop::Stop;
use crate::model::{Connection, Error, Event, Events, Result};
use crate::snapshot::{Select, Snapshot};
use serde_json::{Value as Json, json};
use std::path::Path;

/// Rebuilds the file.
///
/// # Errors
/// `Refused` where there is a file, `Usage` where there is no snapshot or none with a
/// configuration; the store's.
pub(super) async fn rebuild(args: &Args, events: &Events, stop: &Stop) -> Result<()> {
    let needs = Needs {
        backup: true,
        ..Needs::nothing("init")
    };
    let loaded = config::load(&args.flags, &args.environment, needs)?;
    let path = file::place_to_rebuild(&args.environment, &loaded)?;
    let mut backup = Backup::open(&loaded.settings, stop).await?;
    backup.flag = "--from";
    let found = backup.find(&Select::Latest).await?;
    let snapshot = &found.loaded.snapshot;
    let mut rebuilt = config::rebuild(&snapshot.config);
    if rebuilt.record == json!({}) {
        return Err(Error::Usage(format!(
            "snapshot {} keeps no configuration: write the file with `tidelock init`",
            snapshot.id
        )));
    }
    adapt(&mut rebuilt, &loaded);
    let text = text(&rebuilt, snapshot);
    let planned = Planned::of(path, text);
    events.send(Event::Note(planned.write(loaded.settings.run.dry_run)?));
    for line in advice(&rebuilt) {
        events.send(Event::Note(line));
    }
    Ok(())
}

/// What was said now beats what was recorded then: where the backup was found, and the library.
fn adapt(rebuilt: &mut Rebuilt, loaded: &Loaded) {
    let settings = &loaded.settings;
    if let Some(backup) = &settings.backup {
        rebuilt.record["backup"]["to"] = json!(backup.target.to_string());
        for (name, now) in found_by(&backup.connection) {
            let then = [&rebuilt.record["backup"][name], &rebuilt.record[name]];
            let then = then.into_iter().find(|it| !it.is_null());
            if !now.is_null() && then != Some(&now) {
                rebuilt.record["backup"][name] = now;
            }
        }
    }
    if let Some(library) = &settings.library {
        rebuilt.record["library"]["path"] = json!(library.path.to_string_lossy());
        rebuilt.check.retain(|id| *id != "library.path");
    }
}

fn found_by(connection: &Connection) -> [(&'static str, Json); 2] {
    [
        ("endpoint", json!(connection.endpoint)),
        ("region", json!(connection.region)),
    ]
}

fn text(rebuilt: &Rebuilt, snapshot: &Snapshot) -> String {
    let mut text = format!(
        "# Rebuilt from snapshot {}, made on {}.\n# Look at each line below a CHECK before the \
         first run.\n",
        snapshot.id,
        toml_of(&json!(snapshot.host)),
    );
    for (id, value) in &rebuilt.left_out {
        text.push_str(&format!(
            "# Of that machine alone, and left out: {id} = {}\n",
            toml_of(value)
        ));
    }
    text + "\n" + &template::render_marked(&rebuilt.record, &rebuilt.check)
}

fn advice(rebuilt: &Rebuilt) -> Vec<String> {
    let at = |id: &str| {
        rebuilt
            .record
            .pointer(&format!("/{}", id.replace('.', "/")))
    };
    let lines: Vec<String> = rebuilt
        .check
        .iter()
        .filter_map(|id| {
            let value = at(id)?;
            let missing = *id == "library.path"
                && value.as_str().is_some_and(|path| !Path::new(path).is_dir());
            let missing = if missing {
                "  (not on this machine)"
            } else {
                ""
            };
            Some(format!("  {id} = {}{missing}", toml_of(value)))
        })
        .collect();
    let mut said = Vec::new();
    if !lines.is_empty() {
        let lines = lines.join("\n");
        said.push(format!("check what may be otherwise here:\n{lines}"));
    }
    said.push(
        "the file has no keys: give the nightly job new ones (`tidelock policy writer`), look at \
         what it would do with `tidelock run -n`, then: tidelock run"
            .to_owned(),
    );
    said
}
