//! What the command line accepts.

use super::*;
use clap::CommandFactory;
use tidelock::config::Needs;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn invoke(line: &str) -> Invocation {
    match parse(&words(line), &Environment::default(), false) {
        Ok(Parsed::Command(invocation)) => *invocation,
        Ok(Parsed::Text(_)) => panic!("{line}: prints a text"),
        Err(error) => panic!("{line}: {error}"),
    }
}

#[test]
fn clap_finds_no_fault_with_the_definition() {
    Cli::command().debug_assert();
}

#[test]
fn every_common_flag_is_accepted_by_every_command() {
    let common = "--config x --state-dir x -n --json -q -v --transfers 1 --memory 64M --bwlimit \
                  1M --max-delete 1 --max-change 1 --allow-empty --checksum --time-budget 5h \
                  --metrics-file x --endpoint x --path-style --sync-to x --sync-endpoint x \
                  --sync-profile x --sync-region x --backup-to x --backup-endpoint x \
                  --backup-profile x --backup-region x --retention 1d --mode x --exclude x \
                  --include x --yes --library x --color never --no-pager";
    for command in [
        "run",
        "sync",
        "backup",
        "restore --to x",
        "pull --to x",
        "snapshots",
        "ls",
        "history x",
        "diff a b",
        "status",
        "verify",
        "renew",
        "prune",
        "init",
        "doctor",
        "policy writer",
        "recovery-card",
    ] {
        let name = command.split(' ').next().expect("a word");
        for line in [
            format!("tidelock {command} {common}"),
            format!("tidelock {common} {command}"),
        ] {
            let invocation = invoke(&line);
            assert_eq!(invocation.command.name(), name);
            assert!(invocation.json && invocation.quiet && invocation.verbose == 1);
        }
    }
    for command in ["completions bash", "man"] {
        let line = format!("tidelock {command} {common}");
        assert!(parse(&words(&line), &Environment::default(), false).is_ok());
    }
}

#[test]
fn other_tools_words_are_understood() {
    for (line, name) in [
        ("tidelock check", "verify"),
        ("tidelock forget -n", "prune"),
        ("tidelock restore --target x", "restore"),
        ("tidelock restore --to x --snapshot latest", "restore"),
        ("tidelock verify --read-data=10", "verify"),
        ("tidelock verify --read-data", "verify"),
    ] {
        assert_eq!(invoke(line).command.name(), name, "{line}");
    }
}

#[test]
fn an_argument_beats_the_flag_for_the_library() {
    let library = |line: &str| invoke(line).flags.library;
    assert_eq!(library("tidelock run a --library b"), Some("a".into()));
    assert_eq!(library("tidelock run --library b"), Some("b".into()));
    assert_eq!(library("tidelock snapshots --library b"), Some("b".into()));
}

#[test]
fn commands_say_what_they_need() {
    let needs = |line: &str| {
        let Needs {
            library,
            sync,
            backup,
            ..
        } = invoke(line).command.needs();
        (library, sync, backup)
    };
    assert_eq!(needs("tidelock run"), (true, true, true));
    assert_eq!(needs("tidelock sync"), (true, true, false));
    assert_eq!(needs("tidelock backup"), (true, false, true));
    assert_eq!(needs("tidelock restore --to x"), (false, false, true));
    assert_eq!(needs("tidelock init"), (false, false, false));
}

#[test]
fn the_command_is_named_even_where_the_rest_makes_no_sense() {
    assert_eq!(command_name(&words("tidelock --json run --what")), "run");
    assert_eq!(command_name(&words("tidelock what")), "");
}

/// Every command's help ends with examples; commands that are still to come are hidden.
#[test]
fn help_has_examples_and_keeps_quiet_about_what_is_to_come() {
    // As wide on every terminal that the tests are run on.
    let mut command = print::command().term_width(100);
    let whole = command.render_long_help().to_string();
    for sub in command
        .get_subcommands_mut()
        .filter(|sub| sub.get_name() != "help")
    {
        let help = sub.render_long_help().to_string();
        assert!(help.contains("Examples:\n  tidelock"), "{}", sub.get_name());
        assert_eq!(
            whole.contains(&format!("\n  {} ", sub.get_name())),
            !sub.is_hide_set(),
            "{}",
            sub.get_name()
        );
    }
    insta::assert_snapshot!("help", whole);
    let restore = command.find_subcommand_mut("restore").expect("there");
    insta::assert_snapshot!("help_restore", restore.render_help().to_string());
}

#[test]
fn completions_are_made() {
    assert!(print::completions(clap_complete::Shell::Bash).contains("tidelock"));
}

/// What a command prints is kept at 80 and 40 columns; only what is another program's to read is not.
#[test]
fn each_command_has_its_looks_kept() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/snapshots");
    for sub in print::command().get_subcommands() {
        let name = sub.get_name();
        if ["completions", "man", "help"].contains(&name) {
            continue;
        }
        for columns in [80, 40] {
            let file = format!("{folder}/tidelock__commands__looks__{name}_{columns}.snap");
            assert!(std::path::Path::new(&file).exists(), "{file}");
        }
    }
}
