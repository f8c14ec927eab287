//! What surrounds the process, as plain data.

use super::schema;
use super::value::Raw;
use super::values::{Origin, Values};
use crate::model::{Error, Keys, Result, Secret};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Variables that are no settings in the table: where to find the file, what to log, which
/// library, and the keys of the targets.
const OTHERS: &[&str] = &[
    "TIDELOCK_CONFIG",
    "TIDELOCK_LOG",
    "TIDELOCK_CORE_DUMPS",
    "TIDELOCK_LIBRARY",
    "TIDELOCK_SYNC_ACCESS_KEY_ID",
    "TIDELOCK_SYNC_SECRET_ACCESS_KEY",
    "TIDELOCK_SYNC_SESSION_TOKEN",
    "TIDELOCK_BACKUP_ACCESS_KEY_ID",
    "TIDELOCK_BACKUP_SECRET_ACCESS_KEY",
    "TIDELOCK_BACKUP_SESSION_TOKEN",
    // What `[notify] command` is given; it may run this program again.
    "TIDELOCK_EXIT_CODE",
    "TIDELOCK_COMMAND",
    "TIDELOCK_SNAPSHOT",
];

/// Variables and the current folder. No `Debug`: variables hold secrets.
#[derive(Clone, Default)]
pub struct Environment {
    /// All variables whose names and values are UTF-8.
    pub variables: BTreeMap<String, String>,
    /// The current folder, absolute.
    pub folder: PathBuf,
}

impl Environment {
    /// This process's.
    ///
    /// # Errors
    /// Where the current folder is gone or can't be seen, or a variable of ours is not UTF-8.
    pub fn of_process() -> Result<Self> {
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => _ = variables.insert(name, value),
                Err(_) if name.starts_with("TIDELOCK_") => {
                    return Err(Error::Usage(format!("{name}: its value is not UTF-8")));
                }
                Err(_) => {}
            }
        }
        let folder = std::env::current_dir().map_err(Error::io("."))?;
        Ok(Self { variables, folder })
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A folder of the XDG base directories; relative ones are to be ignored, says their
    /// specification.
    pub(super) fn xdg(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        self.get(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(Path::new(self.get("HOME")?).join(below_home)))
    }

    /// `~` and `~/…` with the home folder in its place.
    pub(super) fn expand(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), self.get("HOME")) {
            (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => PathBuf::from(home),
            (Ok(rest), Some(home)) => Path::new(home).join(rest),
            _ => path.to_owned(),
        }
    }

    /// An absolute path: `~` expanded, else below the current folder.
    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        let path = self.expand(path);
        // `.` and `./x` are what people type; the plain form is what they should read.
        match path.strip_prefix(".") {
            Ok(rest) if rest.as_os_str().is_empty() => self.folder.clone(),
            Ok(rest) => self.folder.join(rest),
            Err(_) => self.folder.join(path),
        }
    }

    /// Settings from `TIDELOCK_` variables, and a warning for each that means nothing.
    pub(super) fn settings(&self, warnings: &mut Vec<String>) -> Result<Values> {
        let mut values = Values::default();
        let mut problems = Vec::new();
        let variables = self.variables.iter().filter(|(name, value)| {
            name.starts_with("TIDELOCK_") && !value.is_empty() && !is_ignored(name)
        });
        for (name, value) in variables {
            match schema::of_variable(name) {
                Some(key) => {
                    // The longer of two spellings says more clearly what it is for.
                    if *name != key.variables()[0] && self.get(&key.variables()[0]).is_some() {
                        continue;
                    }
                    let origin = Origin::Variable(name.clone());
                    if let Err(problem) = values.add(key, Raw::Text(value.clone()), origin) {
                        problems.push(problem);
                    }
                }
                None => warnings.push(unknown(name)),
            }
        }
        for path in values.paths() {
            *path = self.absolute(path);
        }
        if problems.is_empty() {
            Ok(values)
        } else {
            Err(Error::Usage(problems.join("\n")))
        }
    }

    /// Keys given for one target (`sync` or `backup`) alone.
    pub(super) fn keys(&self, side: &str) -> Result<Option<Keys>> {
        let name = |what: &str| schema::variable(&format!("{side}.{what}"));
        let get = |what: &str| self.get(&name(what)).map(str::to_owned);
        match (get("access_key_id"), get("secret_access_key")) {
            (Some(access_key_id), Some(secret)) => Ok(Some(Keys {
                access_key_id,
                secret_access_key: Secret(secret),
                session_token: get("session_token").map(Secret),
            })),
            (None, None) if get("session_token").is_none() => Ok(None),
            (id, _) => Err(Error::Usage(format!(
                "the {side} target's keys are incomplete: set {} too, or none of them",
                name(if id.is_none() {
                    "access_key_id"
                } else {
                    "secret_access_key"
                })
            ))),
        }
    }
}

/// Known, but not settings, or those of the project's own tests and scripts.
fn is_ignored(name: &str) -> bool {
    OTHERS.contains(&name) || name == "TIDELOCK_CACHE" || name.starts_with("TIDELOCK_TEST_")
}

fn unknown(name: &str) -> String {
    let known: Vec<String> = schema::KEYS
        .iter()
        .flat_map(|key| key.variables())
        .chain(OTHERS.iter().map(|&name| name.to_owned()))
        .collect();
    match super::suggest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("unknown variable {name}; did you mean {near}?"),
        None => format!("unknown variable {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            folder: PathBuf::from("/now"),
        }
    }

    #[test]
    fn paths_are_made_absolute() {
        let environment = environment(&[("HOME", "/home/ada")]);
        for (path, absolute) in [
            ("~", "/home/ada"),
            ("~/Pictures", "/home/ada/Pictures"),
            ("~other/x", "/now/~other/x"),
            (".", "/now"),
            ("./a", "/now/a"),
            ("../a", "/now/../a"),
            ("/a", "/a"),
        ] {
            assert_eq!(
                environment.absolute(Path::new(path)),
                PathBuf::from(absolute),
                "{path}"
            );
        }
    }

    #[test]
    fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
        let environment = environment(&[
            ("TIDELOCK_SYNC_TOO", "s3://photos"),
            ("TIDELOCK_TEST_MINIO", "x"),
            ("TIDELOCK_CACHE", "x"),
            ("TIDELOCK_LOG", "debug"),
            ("TIDELOCK_SYNC_REGION", ""),
        ]);
        let mut warnings = Vec::new();
        environment.settings(&mut warnings).expect("no error");
        assert_eq!(
            warnings,
            ["unknown variable TIDELOCK_SYNC_TOO; did you mean TIDELOCK_SYNC_TO?"]
        );
    }

    #[test]
    fn half_a_pair_of_keys_is_an_error_that_shows_no_secret() {
        let environment = environment(&[("TIDELOCK_BACKUP_SECRET_ACCESS_KEY", "canary")]);
        let error = environment.keys("backup").expect_err("half").to_string();
        assert!(
            error.contains("set TIDELOCK_BACKUP_ACCESS_KEY_ID too"),
            "{error}"
        );
        assert!(!error.contains("canary"), "{error}");
    }
}
