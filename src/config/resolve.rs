//! From all places to [`Settings`].

use super::environment::Environment;
use super::file::{self, Contents};
use super::flags::{Flags, Needs};
use super::library::{self, Chosen};
use super::schema;
use super::tell::{self, Tell};
use super::value::{Raw, Value};
use super::values::{Given, Origin, Values};
use super::{check, connection, missing, record};
use crate::model::{
    BackupSettings, Error, KeepPolicy, Limit, Mode, Result, RunSettings, Settings, SyncSettings,
    Target, Via,
};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_RETENTION: Duration = Duration::from_secs(60 * 86_400);

/// What was found.
#[derive(Debug)]
pub struct Loaded {
    /// What the command works with.
    pub settings: Settings,
    /// Whom to tell how it went.
    pub tell: Tell,
    /// The file, where there is one.
    pub file: Option<PathBuf>,
    /// Whether it has a list of libraries.
    pub is_list: bool,
    /// What people should know, short of an error.
    pub warnings: Vec<String>,
}

/// Reads the file, lays variables and flags over it, and checks the whole.
///
/// # Errors
/// `Usage`, naming file and line, variable or flag, and how to write it right. Nothing has been
/// touched.
pub fn load(flags: &Flags, environment: &Environment, needs: Needs) -> Result<Loaded> {
    let written = Written::read(flags, environment, needs)?;
    let chosen = written.choose(environment, needs)?;
    written.resolve(chosen, environment, needs)
}

/// As [`load`], for a command that goes through all libraries: of each that the file lists, in
/// its order, unless one was chosen or the targets were named otherwise.
///
/// # Errors
/// As [`load`], of any of them: nothing begins before all are found right.
pub fn load_each(flags: &Flags, environment: &Environment, needs: Needs) -> Result<Vec<Loaded>> {
    let written = Written::read(flags, environment, needs)?;
    let libraries = &written.contents.libraries;
    if libraries.len() < 2 || written.selector.is_some() || !written.needs_choice(needs) {
        let chosen = written.choose(environment, needs)?;
        return Ok(vec![written.resolve(chosen, environment, needs)?]);
    }
    written.check_shared_targets(needs)?;
    written.resolve_each(environment, needs)
}

/// As [`load_each`], to look at what is configured: nothing need be there.
///
/// # Errors
/// As [`load`].
pub fn load_known(flags: &Flags, environment: &Environment) -> Result<Vec<Loaded>> {
    let needs = Needs::nothing("overview");
    let written = Written::read(flags, environment, needs)?;
    if written.contents.libraries.len() > 1 && written.selector.is_none() {
        return written.resolve_each(environment, needs);
    }
    Ok(vec![load(flags, environment, needs)?])
}

/// What is written in all places, before a library is chosen.
struct Written {
    file: Option<PathBuf>,
    contents: Contents,
    variables: Values,
    typed: Values,
    selector: Option<OsString>,
    warnings: Vec<String>,
}

impl Written {
    fn read(flags: &Flags, environment: &Environment, needs: Needs) -> Result<Self> {
        let mut warnings = Vec::new();
        let path = file::locate(flags.config.as_deref(), environment);
        let contents = match &path {
            // A file that was named may be the one that is to be made.
            Some(path) if needs.command == "init" && !path.exists() => Contents::default(),
            Some(path) => file::read(path, environment)?,
            None => Contents::default(),
        };
        let variables = environment.settings(&mut warnings)?;
        let mut typed = flags.settings()?;
        for path in typed.paths() {
            *path = environment.absolute(path);
        }
        let selector = flags.library.clone();
        let selector = selector.or_else(|| environment.get("TIDELOCK_LIBRARY").map(Into::into));
        Ok(Self {
            file: path,
            contents,
            variables,
            typed,
            selector,
            warnings,
        })
    }

    fn given(&self, id: &str) -> Option<&Given> {
        self.typed.get(id).or_else(|| self.variables.get(id))
    }

    /// Whether the command can't do without knowing which library is meant.
    fn needs_choice(&self, needs: Needs) -> bool {
        needs.library
            || (needs.sync && self.given("sync.to").is_none())
            || (needs.backup && self.given("backup.to").is_none())
    }

    fn choose(&self, environment: &Environment, needs: Needs) -> Result<Chosen> {
        match library::choose(self.selector.as_deref(), &self.contents, environment) {
            Err(_) if !self.needs_choice(needs) => Ok(Chosen::default()),
            chosen => Ok(chosen?.unwrap_or_default()),
        }
    }

    fn resolve_each(&self, environment: &Environment, needs: Needs) -> Result<Vec<Loaded>> {
        let libraries = self.contents.libraries.iter();
        let mut all = libraries
            .map(|library| library::listed(library, &self.contents))
            .map(|chosen| self.resolve(chosen, environment, needs))
            .collect::<Result<Vec<_>>>()?;
        // What is said of the file and the variables is said once.
        for loaded in all.iter_mut().skip(1) {
            loaded.warnings.clear();
        }
        Ok(all)
    }

    /// One prefix holds one library: a target of all of them can come from the file alone, which
    /// has a place below it for each.
    fn check_shared_targets(&self, needs: Needs) -> Result<()> {
        for (needed, id) in [(needs.sync, "sync.to"), (needs.backup, "backup.to")] {
            if let Some(given) = self.given(id).filter(|_| needed) {
                let names = library::names(&self.contents);
                return Err(Error::Usage(format!(
                    "{} is one place, and one prefix holds one library: name one of {}, for \
                     example `tidelock {} {}`",
                    given.origin,
                    names.join(", "),
                    needs.command,
                    names.first().copied().unwrap_or_default()
                )));
            }
        }
        Ok(())
    }

    fn resolve(&self, chosen: Chosen, environment: &Environment, needs: Needs) -> Result<Loaded> {
        let mut values = aws_endpoint(environment)?;
        values.merge(&self.contents.values);
        values.merge(&chosen.table);
        values.merge(&self.variables);
        values.merge(&self.typed);
        place_library(&mut values, &chosen, self.contents.is_list)?;

        let settings = settings(&values, chosen.path, environment)?;
        check::check(&settings, &values)?;
        missing::check(&settings, needs)?;
        Ok(Loaded {
            settings,
            tell: tell::of(&values)?,
            file: self.file.clone(),
            is_list: self.contents.is_list,
            warnings: self.warnings.clone(),
        })
    }
}

/// The endpoint that the AWS variables name, lowest of all.
fn aws_endpoint(environment: &Environment) -> Result<Values> {
    let mut values = Values::default();
    let name = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .into_iter()
        .find(|name| environment.get(name).is_some());
    if let (Some(name), Some(key)) = (name, schema::find("endpoint")) {
        let text = environment.get(name).unwrap_or_default().to_owned();
        values
            .add(key, Raw::Text(text), Origin::Aws(name))
            .map_err(Error::Usage)?;
    }
    Ok(values)
}

/// One prefix holds one library: the name of a listed library ends the prefixes that the file
/// gives for all of them.
fn place_library(values: &mut Values, chosen: &Chosen, is_list: bool) -> Result<()> {
    if !is_list {
        return Ok(());
    }
    for id in ["sync.to", "backup.to"] {
        let from_file = values.get(id).is_some_and(Given::is_from_file);
        let Some(target) = values.target(id).filter(|_| from_file) else {
            continue;
        };
        match (&chosen.listed_as, &chosen.path) {
            (Some(name), _) => {
                let placed = format!("{target}/{name}");
                let placed = Target::parse(&placed).map_err(Error::Usage)?;
                values.replace(id, Value::Target(placed));
            }
            (None, Some(path)) => {
                return Err(Error::Usage(format!(
                    "{} is none of the configured libraries, so it has no place in {target}: add \
                     it to the file as a [[library]] with a name, or give --sync-to and \
                     --backup-to",
                    path.display()
                )));
            }
            (None, None) => {}
        }
    }
    Ok(())
}

fn settings(
    values: &Values,
    library_path: Option<PathBuf>,
    environment: &Environment,
) -> Result<Settings> {
    let library = library::settings(values, library_path);
    let mut record = record::of(values);
    if let Some(library) = &library {
        record["library"]["path"] = library.path.to_string_lossy().into();
    }
    Ok(Settings {
        sync: sync(values, environment)?,
        backup: backup(values, environment)?,
        run: run(values, environment)?,
        library,
        record,
    })
}

fn sync(values: &Values, environment: &Environment) -> Result<Option<SyncSettings>> {
    let Some(target) = values.target("sync.to") else {
        return Ok(None);
    };
    let overridden = |id: &str| values.get(id).is_some_and(Given::is_from_flag);
    Ok(Some(SyncSettings {
        target: target.clone(),
        connection: connection::resolve(values, "sync", environment)?,
        max_delete: values
            .limit("sync.max_delete")
            .unwrap_or(Limit::Percent(10.0)),
        max_change: values
            .limit("sync.max_change")
            .unwrap_or(Limit::Percent(50.0)),
        max_delete_override: overridden("sync.max_delete"),
        max_change_override: overridden("sync.max_change"),
        storage_class: values.text("sync.storage_class").map(str::to_owned),
        sse: values.text("sync.sse").map(str::to_owned),
    }))
}

fn backup(values: &Values, environment: &Environment) -> Result<Option<BackupSettings>> {
    let Some(target) = values.target("backup.to") else {
        return Ok(None);
    };
    let retention = values
        .duration("backup.retention")
        .unwrap_or(DEFAULT_RETENTION);
    let mode = values.text("backup.mode").and_then(Mode::parse);
    let via = match values.text("backup.via") {
        Some("upload") => Via::Upload,
        Some("copy") => Via::Copy,
        _ => Via::Auto,
    };
    Ok(Some(BackupSettings {
        target: target.clone(),
        connection: connection::resolve(values, "backup", environment)?,
        mode: mode.unwrap_or(Mode::Governance),
        retention,
        renew_below: values
            .duration("backup.renew_below")
            .unwrap_or(retention / 2),
        accept_irrevocable: values.switch("backup.accept_irrevocable").unwrap_or(false),
        via,
        storage_class: values.text("backup.storage_class").map(str::to_owned),
        sse: values.text("backup.sse").map(str::to_owned),
        keep: keep(values),
    }))
}

/// The keep policy: what is given, and nothing else; the default where nothing is.
fn keep(values: &Values) -> KeepPolicy {
    let count = |name: &str| {
        let number = values.number(&format!("backup.keep.{name}"));
        number.map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX))
    };
    let given = KeepPolicy {
        last: count("last"),
        hourly: count("hourly"),
        daily: count("daily"),
        weekly: count("weekly"),
        monthly: count("monthly"),
        yearly: count("yearly"),
        within: values.text("backup.keep.within").map(str::to_owned),
    };
    if given == KeepPolicy::default() {
        return KeepPolicy {
            last: 7,
            daily: 14,
            weekly: 8,
            monthly: 24,
            yearly: 10,
            ..KeepPolicy::default()
        };
    }
    given
}

/// Requests in flight, at most, where their number finds its own level.
const MOST_TRANSFERS: usize = 64;

fn run(values: &Values, environment: &Environment) -> Result<RunSettings> {
    let defaults = RunSettings::default();
    let switch = |id: &str| values.switch(id).unwrap_or(false);
    let state_dir = values.path("state_dir").or_else(|| {
        environment
            .xdg("XDG_STATE_HOME", ".local/state")
            .map(|folder| folder.join("tidelock"))
    });
    let transfers = values
        .number("transfers")
        .and_then(|number| usize::try_from(number).ok());
    Ok(RunSettings {
        state_dir: state_dir.ok_or_else(|| {
            Error::Usage(
                "there is no home folder to keep the state in: give --state-dir or set \
                 TIDELOCK_STATE_DIR"
                    .to_owned(),
            )
        })?,
        dry_run: switch("dry_run"),
        transfers: transfers.unwrap_or(MOST_TRANSFERS),
        adapt_transfers: transfers.is_none(),
        memory: values.number("memory").unwrap_or(defaults.memory),
        bwlimit: values.number("bwlimit").filter(|&rate| rate > 0),
        allow_empty: switch("allow_empty"),
        checksum: switch("checksum"),
        time_budget: values.duration("time_budget"),
        without_backup: switch("without_backup"),
        max_age: values
            .duration("backup.max_age")
            .or_else(|| values.duration("max_age"))
            .unwrap_or(defaults.max_age),
        yes: switch("yes"),
    })
}
