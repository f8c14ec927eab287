//! `tidelock` alone: what is set up, and what to do next. Nothing is asked of any store.

use super::Outcome;
use crate::config::{self, Environment, Flags, Loaded, show_duration};
use crate::engine::run::has_state;
use crate::model::{Mode, Result, Summary};
use crate::report::{Rows, hung};
use serde::Serialize;

/// What the command line says.
#[derive(Clone)]
pub struct Args {
    /// The settings so far.
    pub flags: Flags,
    /// What surrounds the process.
    pub environment: Environment,
}

/// Columns before what is said of a library.
const SUBJECT: usize = 11;

/// With less room than that behind the commands, what they do stands below them.
const LEAST: usize = 30;

/// One library and its targets, as far as they are known.
#[derive(Serialize)]
struct Row {
    name: Option<String>,
    path: Option<String>,
    /// The folder is there now.
    present: bool,
    sync: Option<String>,
    backup: Option<String>,
    mode: Option<&'static str>,
    retention: Option<String>,
    /// A run on this machine has begun before.
    has_run: bool,
}

/// Prints it.
pub fn run(args: &Args, rows: &Rows) -> Outcome {
    match show(args, rows) {
        Ok(()) => Outcome::done(Summary::default()),
        Err(error) => Outcome::not_begun(error),
    }
}

fn show(args: &Args, rows: &Rows) -> Result<()> {
    let all = config::load_known(&args.flags, &args.environment)?;
    let libraries: Vec<Row> = all.iter().map(row).collect();
    let is_anything = |row: &Row| row.path.is_some() || row.sync.is_some() || row.backup.is_some();
    if !libraries.iter().any(is_anything) {
        for line in NOTHING.lines() {
            rows.text(line);
        }
        return Ok(());
    }
    match all.first().and_then(|loaded| loaded.file.as_ref()) {
        Some(file) => rows.text(&format!("set up in {}", file.display())),
        None => rows.text("set up by flags and variables"),
    }
    for row in &libraries {
        rows.text("");
        for line in describe(row) {
            hang(SUBJECT, &line, rows);
        }
        if rows.are_json() {
            rows.row(row, String::new);
        }
    }
    rows.text("");
    let steps = next(&libraries);
    let width = steps.iter().map(|(command, _)| command.len()).max();
    let width = width.unwrap_or_default();
    rows.text("next");
    let is_narrow = |columns: usize| columns < width + 4 + LEAST;
    let is_narrow = rows.look().columns.is_some_and(is_narrow);
    for (command, what) in steps {
        if is_narrow {
            hang(2, &format!("  {command}"), rows);
            hang(4, &format!("    {what}"), rows);
        } else {
            hang(width + 4, &format!("  {command:width$}  {what}"), rows);
        }
    }
    Ok(())
}

/// Prints a line whose text goes on below itself on a narrow terminal.
fn hang(indent: usize, line: &str, rows: &Rows) {
    for line in hung(indent, line, rows.look()) {
        rows.text(&line);
    }
}

fn row(loaded: &Loaded) -> Row {
    let settings = &loaded.settings;
    let library = settings.library.as_ref();
    let backup = settings.backup.as_ref();
    Row {
        name: library.and_then(|library| library.name.clone()),
        path: library.map(|library| library.path.to_string_lossy().into_owned()),
        present: library.is_some_and(|library| library.path.is_dir()),
        sync: settings.sync.as_ref().map(|sync| sync.target.to_string()),
        backup: backup.map(|backup| backup.target.to_string()),
        mode: backup.map(|backup| match backup.mode {
            Mode::Governance => "governance",
            Mode::Compliance => "compliance",
        }),
        retention: backup.map(|backup| show_duration(backup.retention)),
        has_run: library.is_some() && has_state(settings),
    }
}

fn describe(row: &Row) -> Vec<String> {
    let name = row.name.as_ref().map(|name| format!("  {name}"));
    let library = match &row.path {
        None => {
            "none yet: path = \"~/Pictures\" under [library], or `tidelock run ~/Pictures`".into()
        }
        Some(path) if row.present => path.clone(),
        Some(path) => format!("{path}  (not there now: is its disk unplugged?)"),
    };
    let sync = row
        .sync
        .clone()
        .unwrap_or_else(|| missing("sync", "s3://my-photos/library"));
    let backup = match (&row.backup, row.mode, &row.retention) {
        (Some(target), Some(mode), Some(retention)) => {
            format!("{target}  (each version locked for {retention}, {mode} mode)")
        }
        _ => missing("backup", "s3://my-photos-vault/library"),
    };
    let lines = [
        format!("library  {library}"),
        format!("sync     {sync}"),
        format!("backup   {backup}"),
    ];
    name.into_iter()
        .chain(lines.map(|line| format!("  {line}")))
        .collect()
}

fn missing(side: &str, example: &str) -> String {
    format!("none yet: to = \"{example}\" under [{side}]")
}

/// What to type next.
fn next(libraries: &[Row]) -> Vec<(&'static str, &'static str)> {
    let incomplete = |row: &Row| row.path.is_none() || row.sync.is_none() || row.backup.is_none();
    let are_several = libraries.len() > 1 && libraries.iter().any(|row| row.name.is_some());
    let for_one = |alone, of_several| if are_several { of_several } else { alone };
    let mut steps = Vec::new();
    if libraries.iter().any(incomplete) {
        steps.push(("tidelock init", "asks for what is missing"));
    } else if !libraries.iter().any(|row| row.has_run) {
        let init = for_one("tidelock init", "tidelock init --library NAME");
        steps.push((init, "makes the buckets where they are missing"));
        steps.push(("tidelock run -n", "what the first run would do"));
    }
    if !libraries.iter().any(incomplete) {
        steps.push(("tidelock run", "tonight's run"));
    }
    if libraries.iter().any(|row| row.backup.is_some()) {
        steps.push(("tidelock status", "what is in sync, protected, at risk"));
        let restore = for_one(
            "tidelock restore --to DIR",
            "tidelock restore --library NAME --to DIR",
        );
        steps.push((restore, "bring files back"));
    }
    steps.push(("tidelock --help", "all commands"));
    steps
}

const NOTHING: &str = concat!(
    "Nothing is set up yet: there is no ./tidelock.toml, and no\n",
    "~/.config/tidelock/tidelock.toml.\n",
    "\n",
    "next\n",
    "  tidelock init    asks for the library and two buckets, makes them, and writes\n",
    "                   tidelock.toml\n",
    "  tidelock restore --to DIR --backup-to s3://BUCKET/PREFIX\n",
    "                   on a new machine, from a backup\n",
    "  tidelock --help  all commands"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FILE_NAME;

    fn row(present: bool, has_run: bool) -> Row {
        Row {
            name: None,
            path: Some("/home/ada/Pictures".to_owned()),
            present,
            sync: Some("s3://my-photos/library".to_owned()),
            backup: Some("s3://my-photos-vault/library".to_owned()),
            mode: Some("governance"),
            retention: Some("60d".to_owned()),
            has_run,
        }
    }

    #[test]
    fn the_file_that_is_looked_for_is_named() {
        assert!(NOTHING.contains(FILE_NAME));
    }

    fn commands(libraries: &[Row]) -> String {
        let commands: Vec<_> = next(libraries).into_iter().map(|step| step.0).collect();
        commands.join("\n")
    }

    #[test]
    fn what_is_missing_is_said_with_the_line_that_adds_it() {
        let mut lacking = row(false, false);
        lacking.sync = None;
        let text = describe(&lacking).join("\n");
        assert!(text.contains("is its disk unplugged?"), "{text}");
        assert!(
            text.contains("to = \"s3://my-photos/library\" under [sync]"),
            "{text}"
        );
        let steps = commands(&[lacking]);
        assert!(
            steps.contains("tidelock init") && !steps.contains("tidelock run"),
            "{steps}"
        );
    }

    #[test]
    fn of_several_libraries_one_is_named_where_only_one_can_be_meant() {
        let named = |name: &str| Row {
            name: Some(name.to_owned()),
            ..row(true, false)
        };
        let steps = commands(&[named("photos"), named("papers")]);
        assert!(steps.contains("tidelock init --library NAME"), "{steps}");
        assert!(steps.contains("tidelock restore --library NAME"), "{steps}");
        assert!(!commands(&[named("photos")]).contains("NAME"));
    }

    #[test]
    fn the_first_step_is_another_one_before_the_first_run() {
        let steps = |has_run| commands(&[row(true, has_run)]);
        assert!(steps(false).contains("tidelock run -n"));
        assert!(!steps(true).contains("init"));
    }
}
