//! The house keeps its floors: imports run downward only, and two crates stay behind their doors.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// From the top down; a layer may use those of later lines alone.
const FLOORS: &[&[&str]] = &[
    &["commands"],
    &["report"],
    &["engine"],
    &["plan"],
    &["library", "snapshot", "state", "store", "config"],
    &["model"],
];

/// On one floor, and all the same allowed: snapshots are stored by the store's trait.
const NEIGHBOURS: &[(&str, &str)] = &[("snapshot", "store")];

fn floor(layer: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&layer))
}

fn may_use(user: &str, used: &str) -> bool {
    user == used || floor(user) < floor(used) || NEIGHBOURS.contains(&(user, used))
}

/// The layers that a source text names, for a file at `depth` modules below the crate's root.
fn layers_named(text: &str, depth: usize) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut named = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        named.extend(first_segments(&code[at + "crate::".len()..]));
    }
    // As many `super`s as there are modules lead to the crate's root.
    let root = "super::".repeat(depth);
    for (at, _) in code.match_indices(root.as_str()) {
        let rest = code[at + root.len()..].trim_start_matches("super::");
        named.extend(first_segments(rest));
    }
    named.retain(|name| floor(name).is_some());
    named
}

/// `model` of `model::{Error, Path}`, `model` and `plan` of `{model::Error, plan}`.
fn first_segments(path: &str) -> Vec<String> {
    let Some(group) = path.strip_prefix('{') else {
        return vec![identifier(path)];
    };
    let mut depth = 0;
    let mut segments = vec![identifier(group)];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => segments.push(identifier(&group[at + 1..])),
            _ => {}
        }
    }
    segments
}

fn identifier(text: &str) -> String {
    let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
    text.trim_start().chars().take_while(is_part).collect()
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Each file below `src`, relative to it, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    source_files(&root)
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_owned(), text)
        })
        .collect()
}

fn depth(file: &Path) -> usize {
    let modules = file.components().count();
    if file.file_name().is_some_and(|name| name == "mod.rs") {
        modules - 1
    } else {
        modules
    }
}

#[test]
fn imports_run_downward_only() {
    let mut upward = Vec::new();
    for (file, text) in sources() {
        let layer = file.components().next().unwrap().as_os_str();
        let layer = layer.to_str().unwrap();
        if floor(layer).is_none() {
            continue;
        }
        for used in layers_named(&text, depth(&file)) {
            if !may_use(layer, &used) {
                upward.push(format!("{} uses {used}", file.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn every_folder_of_the_source_has_its_floor() {
    let known = |name: &str| floor(name).is_some() || name == "cli";
    for (file, _) in sources() {
        let mut parts = file.components();
        let first = parts
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .to_owned();
        if parts.next().is_some() {
            assert!(known(&first), "{} is on no floor", file.display());
        }
    }
}

#[test]
fn clap_and_backoff_stay_behind_their_doors() {
    for (file, text) in sources() {
        let may_use_clap = file.starts_with("cli") || file == Path::new("main.rs");
        let may_use_backoff = file == Path::new("engine/retry.rs");
        for (name, allowed) in [("clap", may_use_clap), ("backoff", may_use_backoff)] {
            let used =
                text.contains(&format!("{name}::")) || text.contains(&format!("use {name};"));
            assert!(allowed || !used, "{} uses {name}", file.display());
        }
    }
}

#[test]
fn an_upward_import_is_seen_in_every_spelling() {
    for (text, depth) in [
        ("use crate::engine::Stop;", 1),
        ("use crate::{model, engine};", 2),
        ("use crate::{model::{Error, Result}, engine::stop};", 2),
        ("fn f() { crate::engine::go() }", 2),
        ("use super::engine;", 1),
        ("use super::super::engine;", 2),
        ("use super::super::{model, engine};", 2),
    ] {
        assert!(layers_named(text, depth).contains("engine"), "{text}");
    }
    for (text, depth) in [
        ("// crate::engine", 1),
        ("use super::engine;", 2),
        ("use crate::model::engine;", 1),
    ] {
        assert!(!layers_named(text, depth).contains("engine"), "{text}");
    }
    assert!(may_use("commands", "model") && may_use("snapshot", "store"));
    assert!(!may_use("store", "snapshot") && !may_use("model", "plan"));
}
