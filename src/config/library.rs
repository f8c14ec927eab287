//! Which library a command is about.

use super::environment::Environment;
use super::file::Contents;
use super::values::Values;
use crate::model::{CloudFiles, Error, LibrarySettings, MtimePolicy, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The library that was chosen.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// What the file says about it; empty where it says nothing.
    pub(super) table: Values,
    /// A path that was given instead of a name.
    pub(super) path: Option<PathBuf>,
    /// Its name, where the file has a list of libraries: it ends both prefixes.
    pub(super) listed_as: Option<String>,
}

/// Chooses by a name or a path, else the only one that there is.
///
/// A word without `/` that is a configured library's name means that library; everything else is
/// a path.
pub(super) fn choose(
    selector: Option<&OsStr>,
    contents: &Contents,
    environment: &Environment,
) -> Result<Option<Chosen>> {
    let Some(selector) = selector else {
        return match contents.libraries.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(listed(only, contents))),
            _ => Err(Error::Usage(format!(
                "the configuration file has several libraries: name one of {}, for example with \
                 --library {}",
                names(contents).join(", "),
                names(contents).first().copied().unwrap_or_default()
            ))),
        };
    };
    let name = selector.to_str().filter(|text| is_name(text));
    let named = |library: &&Values| name.is_some() && library.text("library.name") == name;
    if let Some(library) = contents.libraries.iter().find(named) {
        return Ok(Some(listed(library, contents)));
    }
    let path = environment.absolute(Path::new(selector));
    // A word where libraries have names is a name that was mistyped, unless a folder has it.
    let has_names = contents.is_list || !names(contents).is_empty();
    let same = |library: &&Values| library.path("library.path").as_ref() == Some(&path);
    if let Some(library) = contents.libraries.iter().find(same) {
        return Ok(Some(listed(library, contents)));
    }
    let is_word = contents.is_list || name.is_some();
    if has_names && is_word && !path.is_dir() {
        return Err(no_such(selector, contents));
    }
    let table = match contents.libraries.as_slice() {
        [only] if !contents.is_list => only.clone(),
        _ => Values::default(),
    };
    Ok(Some(Chosen {
        table,
        path: Some(path),
        listed_as: None,
    }))
}

pub(super) fn listed(library: &Values, contents: &Contents) -> Chosen {
    Chosen {
        table: library.clone(),
        path: None,
        listed_as: library
            .text("library.name")
            .filter(|_| contents.is_list)
            .map(str::to_owned),
    }
}

/// Whether a word could be a library's name rather than a path.
fn is_name(text: &str) -> bool {
    !text.contains('/') && !text.starts_with(['.', '~'])
}

pub(super) fn names(contents: &Contents) -> Vec<&str> {
    let name = |library: &'_ Values| library.get("library.name").is_some();
    contents
        .libraries
        .iter()
        .filter(|library| name(library))
        .filter_map(|library| library.text("library.name"))
        .collect()
}

fn no_such(selector: &OsStr, contents: &Contents) -> Error {
    let shown = selector.to_string_lossy();
    let names = names(contents);
    let hint = match super::suggest(&shown, names.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if names.is_empty() => "name a folder that is there, or set [library] path".to_owned(),
        None => format!("the configuration file has {}", names.join(", ")),
    };
    Error::Usage(format!(
        "no library and no folder is called {shown:?}; {hint}"
    ))
}

/// The library's settings; none where no path is known.
pub(super) fn settings(values: &Values, chosen_path: Option<PathBuf>) -> Option<LibrarySettings> {
    let path = chosen_path.or_else(|| values.path("library.path"))?;
    let mtime = match values.text("library.mtime") {
        Some("ignore") => MtimePolicy::Ignore,
        _ => MtimePolicy::Keep,
    };
    let cloud_files = ["library.cloud_files", "cloud_files"]
        .iter()
        .find_map(|id| values.text(id));
    Some(LibrarySettings {
        path,
        name: values.text("library.name").map(str::to_owned),
        exclude: values.patterns("library.exclude"),
        include: values.patterns("library.include"),
        default_excludes: values.switch("library.default_excludes").unwrap_or(true),
        mtime,
        ignore_inode: values.switch("library.ignore_inode").unwrap_or(false),
        ignore_ctime: values.switch("library.ignore_ctime").unwrap_or(false),
        cloud_files: match cloud_files {
            Some("download") => CloudFiles::Download,
            _ => CloudFiles::Skip,
        },
    })
}
