//! `tidelock.toml`: finding it, and reading it with the line of each setting.

use super::environment::Environment;
use super::schema;
use super::value::Raw;
use super::values::{Origin, Values};
use crate::model::{Error, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The file's name.
pub const FILE_NAME: &str = "tidelock.toml";

/// What a file says.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// Everything but the libraries.
    pub(super) values: Values,
    /// The libraries in their order.
    pub(super) libraries: Vec<Values>,
    /// Whether they are a list (`[[library]]`), so that each is chosen by its name.
    pub(super) is_list: bool,
}

/// Where the file is: the one that was named, which must exist, else `./tidelock.toml`, else the
/// user's own. None where there is none.
pub(super) fn locate(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(environment.absolute(path));
    }
    if let Some(path) = environment.get("TIDELOCK_CONFIG") {
        return Some(environment.absolute(Path::new(path)));
    }
    let local = environment.folder.join(FILE_NAME);
    let own = environment
        .xdg("XDG_CONFIG_HOME", ".config")
        .map(|folder| folder.join("tidelock").join(FILE_NAME));
    std::iter::once(local)
        .chain(own)
        .find(|path| path.is_file())
}

/// Reads the file.
pub(super) fn read(path: &Path, environment: &Environment) -> Result<Contents> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::Usage(format!(
            "the configuration file {} can't be read: {error}; correct it, or name another with \
                 --config FILE",
            path.display()
        ))
    })?;
    let shown = path.strip_prefix(&environment.folder).unwrap_or(path);
    let mut contents = parse(&text, &shown.display().to_string())?;
    let base = path.parent().unwrap_or(Path::new("/"));
    for values in std::iter::once(&mut contents.values).chain(&mut contents.libraries) {
        for path in values.paths() {
            *path = base.join(environment.expand(path));
        }
    }
    Ok(contents)
}

/// Reads the file's text; all that is wrong with it is told at once.
pub(super) fn parse(text: &str, name: &str) -> Result<Contents> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        text,
        name,
        problems: Vec::new(),
    };
    let table = DeTable::parse(text).map_err(|error| {
        let line = reader.line(error.span().unwrap_or(0..0));
        Error::Usage(format!("{name}:{line}: {}", error.message()))
    })?;
    let contents = reader.document(table.get_ref());
    if reader.problems.is_empty() {
        Ok(contents)
    } else {
        Err(Error::Usage(reader.problems.join("\n")))
    }
}

struct Reader<'t> {
    text: &'t str,
    name: &'t str,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn line(&self, span: Range<usize>) -> usize {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        1 + before.iter().filter(|&&byte| byte == b'\n').count()
    }

    fn problem(&mut self, span: Range<usize>, what: &str) {
        let line = self.line(span);
        self.problems.push(format!("{}:{line}: {what}", self.name));
    }

    fn document(&mut self, table: &DeTable<'_>) -> Contents {
        let mut contents = Contents::default();
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("library", DeValue::Table(library)) => {
                    let mut values = Values::default();
                    self.table("library", library, &mut values);
                    contents.libraries.push(values);
                }
                ("library", DeValue::Array(list)) => {
                    contents.is_list = true;
                    for item in list {
                        contents.libraries.push(self.listed_library(item));
                    }
                    self.check_names(value.span(), &contents.libraries);
                }
                _ => self.entry("", key, value, &mut contents.values),
            }
        }
        contents
    }

    fn listed_library(&mut self, item: &Spanned<DeValue<'_>>) -> Values {
        let mut values = Values::default();
        match item.get_ref() {
            DeValue::Table(library) => {
                self.table("library", library, &mut values);
                if values.get("library.name").is_none() {
                    self.problem(
                        item.span(),
                        "a [[library]] needs a name, such as \"photos\"",
                    );
                }
            }
            _ => self.problem(item.span(), "library must be a table: write [library]"),
        }
        values
    }

    /// A listed library's name becomes a part of its prefixes.
    fn check_names(&mut self, list: Range<usize>, libraries: &[Values]) {
        let mut seen = Vec::new();
        for given in libraries.iter().filter_map(|l| l.get("library.name")) {
            let line = match &given.origin {
                Origin::File { line, .. } => *line,
                _ => self.line(list.clone()),
            };
            let name = given.text().unwrap_or_default();
            let why = if seen.contains(&name) {
                "is the name of another library too"
            } else if name.contains('/') || name.starts_with(['.', '~']) {
                "can't be told from a path: a name has no `/` and begins with neither `.` nor `~`"
            } else {
                seen.push(name);
                continue;
            };
            self.problems.push(format!(
                "{}:{line}: library.name = {name:?} {why}",
                self.name
            ));
        }
    }

    fn table(&mut self, section: &str, table: &DeTable<'_>, values: &mut Values) {
        for (key, value) in table {
            self.entry(section, key, value, values);
        }
    }

    fn entry(
        &mut self,
        section: &str,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        values: &mut Values,
    ) {
        let name = key.get_ref().as_ref();
        let id = match section {
            "" => name.to_owned(),
            section => format!("{section}.{name}"),
        };
        if schema::SECTIONS.contains(&id.as_str()) && !id.is_empty() {
            match value.get_ref() {
                DeValue::Table(table) => self.table(&id, table, values),
                _ => self.problem(key.span(), &format!("{id} must be a table: write [{id}]")),
            }
            return;
        }
        let known = schema::of_section(section).find(|known| known.id == id);
        let Some(known) = known else {
            let what = unknown(section, name, matches!(value.get_ref(), DeValue::Table(_)));
            self.problem(key.span(), &what);
            return;
        };
        let origin = Origin::File {
            name: self.name.to_owned(),
            line: self.line(key.span()),
        };
        if let Err(problem) = values.add(known, raw(value.get_ref()), origin) {
            self.problems.push(problem);
        }
    }
}

/// What to say about a key that no section, or another one, has.
fn unknown(section: &str, name: &str, is_table: bool) -> String {
    if is_table {
        let sections = schema::SECTIONS.iter().copied().filter(|s| !s.is_empty());
        return match super::suggest(name, sections) {
            Some(near) => format!("unknown section [{name}]; did you mean [{near}]?"),
            None => format!("unknown section [{name}]"),
        };
    }
    let place = match section {
        "" => "above the first section".to_owned(),
        section => format!("in [{section}]"),
    };
    if schema::find(name).is_some_and(|key| key.scope == schema::Scope::OneRun) {
        let flag = name.replace('_', "-");
        return format!("{name:?} is for one run: give --{flag} on the command line instead");
    }
    let homes: Vec<String> = schema::SECTIONS
        .iter()
        .filter(|home| schema::of_section(home).any(|key| key.name() == name))
        .map(|home| match *home {
            "" => "above the first section".to_owned(),
            home => format!("in [{home}]"),
        })
        .collect();
    if !homes.is_empty() {
        return format!("key {name:?} {place} belongs {}", homes.join(" or "));
    }
    let known = schema::of_section(section).map(|key| key.name());
    match super::suggest(name, known) {
        Some(near) => format!("unknown key {name:?} {place}; did you mean {near:?}?"),
        None => format!("unknown key {name:?} {place}"),
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Raw::Integer(number),
            Err(_) => Raw::Other("a number that is too large"),
        },
        DeValue::Boolean(value) => Raw::Boolean(*value),
        DeValue::Array(list) => {
            let texts: Option<Vec<String>> = list
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect();
            texts.map_or(Raw::Other("a list of other things"), Raw::List)
        }
        DeValue::Float(_) => Raw::Other("a fraction"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}
