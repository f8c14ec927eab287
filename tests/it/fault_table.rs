//! The table of faults in `tests/README.md` names a test for each row, and the tests are there.
//!
//! `TIDELOCK_WRITE_FAULT_TABLE=1 cargo test fault_table` writes the two columns that follow from the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rows that must have a test by now, the others may wait for what they are about.
fn is_due(id: u32) -> bool {
    (1..=LAST).contains(&id) && !WAITING.contains(&id)
}

/// Rows of what is being built: these too may say "later" until their first test is there.
const WAITING: &[u32] = &[];

const LAST: u32 = 70;
const BEGIN: &str = "<!-- faults -->\n";
const END: &str = "<!-- /faults -->\n";
const LATER: &str = "later";

/// A test, and the stores that it runs against.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Proof {
    name: String,
    store: &'static str,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The ids that a test's name begins with: 47 and 48 of `f47_f48_…`.
fn ids(name: &str) -> Vec<u32> {
    name.split('_')
        .map_while(|word| word.strip_prefix('f').filter(|digits| digits.len() == 2))
        .map_while(|digits| digits.parse().ok())
        .collect()
}

/// The functions whose names begin with an id, in code alone.
fn named_in(text: &str) -> impl Iterator<Item = &str> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.filter_map(|line| {
        let (_, rest) = line.split_once("fn f")?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let start = line.len() - rest.len() - 1;
        Some(&line[start..start + 1 + end])
    })
    .filter(|name| !ids(name).is_empty())
}

/// By the macro that makes the tests, or else by the place.
fn store(path: &Path, text: &str, name: &str) -> &'static str {
    let given_to = |called: &str| {
        let calls = text.split(called).skip(1);
        let mut arguments = calls.filter_map(|rest| rest.split_once(')'));
        arguments.any(|(arguments, _)| arguments.split(',').any(|one| one.trim() == name))
    };
    if given_to("on_both!(") {
        "MinIO, LocalStack"
    } else if given_to("contract!(") {
        "MinIO, LocalStack, model"
    } else if given_to("on_minio!(") {
        "MinIO"
    } else if given_to("on_localstack!(") {
        "LocalStack"
    } else if path.starts_with(root().join("src")) {
        "unit"
    } else {
        "by itself"
    }
}

fn proofs() -> BTreeMap<u32, BTreeSet<Proof>> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    sources(&root().join("tests/it"), &mut files);
    let mut proofs = BTreeMap::<u32, BTreeSet<Proof>>::new();
    for path in files
        .iter()
        .filter(|path| !path.ends_with("fault_table.rs"))
    {
        let text = fs::read_to_string(path).unwrap();
        for name in named_in(&text) {
            let proof = Proof {
                name: name.to_owned(),
                store: store(path, &text, name),
            };
            for id in ids(name) {
                proofs.entry(id).or_default().insert(proof.clone());
            }
        }
    }
    proofs
}

/// One row, as it should be.
fn row(id: u32, fault: &str, proofs: Option<&BTreeSet<Proof>>) -> String {
    let Some(proofs) = proofs else {
        return format!("| f{id:02} | {fault} | {LATER} | |\n");
    };
    let names: Vec<String> = proofs.iter().map(|p| format!("`{}`", p.name)).collect();
    let stores: Vec<&str> = proofs.iter().map(|proof| proof.store).collect();
    let stores = stores.join("<br>");
    format!(
        "| f{id:02} | {fault} | {} | {stores} |\n",
        names.join("<br>")
    )
}

/// The faults' own words, by id, from the table as it is.
fn faults(table: &str) -> BTreeMap<u32, &str> {
    let mut faults = BTreeMap::new();
    for line in table.lines() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (Some(id), Some(fault)) = (cells.next(), cells.next()) else {
            continue;
        };
        if let [id] = ids(id)[..] {
            assert!(
                faults.insert(id, fault).is_none(),
                "f{id:02} is there twice"
            );
        }
    }
    faults
}

#[test]
fn every_fault_has_a_test_and_the_table_names_it() {
    let readme = root().join("tests/README.md");
    let text = fs::read_to_string(&readme).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the table's beginning");
    let (table, after) = rest.split_once(END).expect("the table's end");
    let (faults, proofs) = (faults(table), proofs());
    let stray: Vec<u32> = proofs
        .keys()
        .copied()
        .filter(|id| !(1..=LAST).contains(id))
        .collect();
    assert!(
        stray.is_empty(),
        "tests of faults that there are not: {stray:?}"
    );

    let mut wanted = String::from("| id | fault | tests | store |\n|---|---|---|---|\n");
    let mut missing = Vec::new();
    for id in 1..=LAST {
        let fault = faults
            .get(&id)
            .unwrap_or_else(|| panic!("f{id:02} has no row"));
        if is_due(id) && !proofs.contains_key(&id) {
            missing.push(format!("f{id:02} ({fault})"));
        }
        wanted.push_str(&row(id, fault, proofs.get(&id)));
    }
    if std::env::var_os("TIDELOCK_WRITE_FAULT_TABLE").is_some() {
        fs::write(&readme, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
    } else {
        let differing = wanted
            .lines()
            .find(|line| !table.lines().any(|have| have == *line));
        assert_eq!(
            differing, None,
            "the table does not say so: see this test's beginning"
        );
        let extra = table
            .lines()
            .find(|line| !wanted.lines().any(|want| want == *line));
        assert_eq!(
            extra, None,
            "the table says what is not so: see this test's beginning"
        );
    }
    assert!(missing.is_empty(), "faults without a test: {missing:#?}");
}

#[test]
fn ids_are_read_off_the_beginning_of_a_name() {
    assert_eq!(ids("f01_a_missing_root"), [1]);
    assert_eq!(ids("f47_f48_markers_and_f49_garbage"), [47, 48]);
    assert_eq!(ids("file_f01"), [] as [u32; 0]);
    let text =
        "    fn f01_one() {\n// fn f02_two()\nasync fn f03_three(store: X) {\nfn forget() {\n";
    let found: Vec<&str> = named_in(text).collect();
    assert_eq!(found, ["f01_one", "f03_three"]);
}
