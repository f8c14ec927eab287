//! The three places together.

use super::*;
use crate::model::{Error, Limit, Mode, Provider, Result, Settings};
use std::ffi::OsString;
use std::path::PathBuf;

const RUN: Needs = Needs {
    command: "run",
    library: true,
    sync: true,
    backup: true,
};

const LOOK: Needs = Needs {
    command: "snapshots",
    library: false,
    sync: false,
    backup: true,
};

const NOTHING: Needs = Needs {
    command: "doctor",
    library: false,
    sync: false,
    backup: false,
};

const FILE: &str = r#"
[library]
path = "Pictures"
exclude = [".DS_Store"]
[sync]
to = "s3://my-photos/library"
[backup]
to = "s3://my-photos-vault/library"
"#;

/// A folder with a file in it, and what the process sees of both.
struct Case {
    folder: tempfile::TempDir,
    environment: Environment,
    flags: Flags,
}

impl Case {
    fn new(file: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE_NAME), file).expect("written");
        let environment = Environment {
            variables: [("HOME".to_owned(), "/home/ada".to_owned())].into(),
            folder: folder.path().to_owned(),
        };
        Self {
            folder,
            environment,
            flags: Flags::default(),
        }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        let variables = &mut self.environment.variables;
        variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, id: &'static str, flag: &'static str, value: &str) -> Self {
        self.flags.set(id, flag, Raw::Text(value.to_owned()));
        self
    }

    fn library(mut self, library: &str) -> Self {
        self.flags.library = Some(OsString::from(library));
        self
    }

    fn load(&self, needs: Needs) -> Result<Loaded> {
        load(&self.flags, &self.environment, needs)
    }

    fn settings(&self) -> Settings {
        self.load(RUN).expect("good settings").settings
    }

    fn usage(&self, needs: Needs) -> String {
        match self.load(needs) {
            Err(Error::Usage(message)) => message,
            other => panic!("no usage error: {other:?}"),
        }
    }
}

fn targets(settings: &Settings) -> [String; 2] {
    [
        settings.sync.as_ref().expect("sync").target.to_string(),
        settings.backup.as_ref().expect("backup").target.to_string(),
    ]
}

/// f58: what is wrong with the file is named with line and key, and a way out.
#[test]
fn f58_what_is_wrong_in_the_file_is_named_by_line_and_key() {
    for (file, message) in [
        (
            "[backup]\nretension = \"60d\"\n",
            "tidelock.toml:2: unknown key \"retension\" in [backup]; did you mean \"retention\"?",
        ),
        (
            "[sync]\nretention = \"60d\"\n",
            "tidelock.toml:2: key \"retention\" in [sync] belongs in [backup]",
        ),
        (
            "transfers = 8\n[backpu]\nto = \"s3://vault\"\n",
            "tidelock.toml:2: unknown section [backpu]; did you mean [backup]?",
        ),
        (
            "[sync]\nallow_empty = true\n",
            "tidelock.toml:2: \"allow_empty\" is for one run: give --allow-empty on the command \
             line instead",
        ),
        (
            "[backup]\n\nretention = 60\n",
            "tidelock.toml:3: backup.retention = 60 needs quotes and a unit, such as \"60d\", \
             \"1y\", \"5h\" or \"30m\"",
        ),
        (
            "[backup]\nretention = \"60 dayz\"\n",
            "tidelock.toml:2: backup.retention = \"60 dayz\" is no duration; write a number with \
             a unit, such as 60d, 1y, 5h or 30m",
        ),
        (
            "[sync]\nmax_delete = \"110%\"\n",
            "tidelock.toml:2: sync.max_delete = \"110%\" must lie between 0% and 100%",
        ),
        (
            "memory = \"lots\"\n",
            "tidelock.toml:1: memory = \"lots\" is no size; write a size such as 64M or 8MiB",
        ),
        (
            "[sync]\nendpoint = \"https://user:canary@host\"\n",
            "tidelock.toml:2: sync.endpoint holds credentials; take them out and give keys by a \
             profile or by TIDELOCK_SYNC_ACCESS_KEY_ID, TIDELOCK_BACKUP_ACCESS_KEY_ID and their \
             like",
        ),
        (
            "[sync]\nto = \"s3://My_Bucket/x\"\n",
            "tidelock.toml:2: sync.to = \"s3://My_Bucket/x\" is no target: the bucket's name may only \
             have lower-case letters, digits, dots and hyphens",
        ),
        (
            "[library]\nexclude = \"*.tmp\"\nmtime = true\n",
            "tidelock.toml:3: library.mtime = true must be \"keep\" or \"ignore\", not true or \
             false",
        ),
        (
            "[backup]\nkeep = { last = 7, dialy = 3 }\n",
            "tidelock.toml:2: unknown key \"dialy\" in [backup.keep]; did you mean \"daily\"?",
        ),
        (
            "sync = 3\n",
            "tidelock.toml:1: sync must be a table: write [sync]",
        ),
        (
            "[[library]]\npath = \"a\"\n",
            "tidelock.toml:1: a [[library]] needs a name, such as \"photos\"",
        ),
    ] {
        assert_eq!(Case::new(file).usage(NOTHING), message, "{file}");
    }
}

#[test]
fn f58_everything_wrong_is_told_at_once() {
    let file = "transferz = 1\n[sync]\nto = 5\n[backup]\nmode = \"strict\"\n";
    let message = Case::new(file).usage(NOTHING);
    let mut lines: Vec<&str> = message
        .lines()
        .map(|line| line.split(' ').next().unwrap_or_default())
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["tidelock.toml:1:", "tidelock.toml:3:", "tidelock.toml:5:"],
        "{message}"
    );
}

#[test]
fn f58_a_file_that_is_no_toml_is_refused_with_the_line() {
    let message = Case::new("[sync]\nto = s3://x\n").usage(NOTHING);
    assert!(message.starts_with("tidelock.toml:2: "), "{message}");
}

#[test]
fn flags_beat_variables_and_variables_beat_the_file() {
    let case = Case::new(FILE);
    assert_eq!(
        targets(&case.settings()),
        ["s3://my-photos/library", "s3://my-photos-vault/library"]
    );
    let case = case.variable("TIDELOCK_SYNC_TO", "s3://variable");
    assert_eq!(targets(&case.settings())[0], "s3://variable");
    let case = case.flag("sync.to", "--sync-to", "s3://flag");
    assert_eq!(targets(&case.settings())[0], "s3://flag");
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let case = Case::new(FILE).variable("TIDELOCK_BACKUP_RETENTION", "soon");
    assert!(
        case.usage(RUN)
            .starts_with("TIDELOCK_BACKUP_RETENTION: \"soon\" is no duration"),
        "{}",
        case.usage(RUN)
    );
    let case = Case::new(FILE).flag("memory", "--memory", "1");
    assert_eq!(
        case.usage(RUN),
        "--memory: \"1\" is too small; at least 32M"
    );
}

#[test]
fn a_short_variable_is_the_flag_and_the_long_one_beats_it() {
    let case = Case::new(FILE).variable("TIDELOCK_MAX_DELETE", "5");
    let limit = |case: &Case| case.settings().sync.expect("sync").max_delete;
    assert_eq!(limit(&case), Limit::Count(5));
    let case = case.variable("TIDELOCK_SYNC_MAX_DELETE", "7");
    assert_eq!(limit(&case), Limit::Count(7));
}

#[test]
fn only_a_flag_overrides_the_guards() {
    let case = Case::new(FILE).variable("TIDELOCK_SYNC_MAX_DELETE", "5");
    assert!(!case.settings().sync.expect("sync").max_delete_override);
    let case = case.flag("sync.max_delete", "--max-delete", "100%");
    assert!(case.settings().sync.expect("sync").max_delete_override);
}

#[test]
fn patterns_of_all_places_add_up() {
    let case = Case::new(FILE)
        .variable("TIDELOCK_EXCLUDE", "*.tmp\n*.bak")
        .flag("library.exclude", "--exclude", "*.mov");
    let library = case.settings().library.expect("library");
    assert_eq!(library.exclude, [".DS_Store", "*.tmp", "*.bak", "*.mov"]);
}

#[test]
fn one_endpoint_serves_both_targets_unless_one_has_its_own() {
    let connections = |case: &Case| {
        let settings = case.settings();
        let sync = settings.sync.expect("sync").connection;
        let backup = settings.backup.expect("backup").connection;
        (
            (
                sync.endpoint.unwrap_or_default(),
                sync.path_style,
                sync.provider,
            ),
            (
                backup.endpoint.unwrap_or_default(),
                backup.path_style,
                backup.provider,
            ),
        )
    };
    let aws = (String::new(), false, Provider::Aws);
    let local = ("http://localhost:9000".to_owned(), true, Provider::Other);
    let b2 = (
        "https://s3.eu-central-003.backblazeb2.com".to_owned(),
        false,
        Provider::B2,
    );

    let case = Case::new(FILE);
    assert_eq!(connections(&case), (aws.clone(), aws));
    let case = case.variable("TIDELOCK_ENDPOINT", &local.0);
    assert_eq!(connections(&case), (local.clone(), local.clone()));
    let case = case.variable("TIDELOCK_BACKUP_ENDPOINT", &b2.0);
    assert_eq!(connections(&case), (local.clone(), b2));
    // A flag for both stands above a variable for one.
    let case = case.flag("endpoint", "--endpoint", "https://s3.example.org");
    let own = ("https://s3.example.org".to_owned(), true, Provider::Other);
    assert_eq!(connections(&case), (own.clone(), own));
}

#[test]
fn plain_http_leaves_the_machine_only_when_allowed() {
    let case = Case::new(FILE).flag("endpoint", "--endpoint", "http://nas:9000");
    assert!(
        case.usage(RUN).contains("is plain HTTP"),
        "{}",
        case.usage(RUN)
    );
    let case = case.variable("TIDELOCK_ALLOW_HTTP", "true");
    assert!(case.settings().sync.expect("sync").connection.allow_http);
}

#[test]
fn overlapping_targets_are_refused_unless_the_stores_surely_differ() {
    let case = |sync: &str, backup: &str| {
        Case::new("[library]\npath = \".\"\n")
            .flag("sync.to", "--sync-to", sync)
            .flag("backup.to", "--backup-to", backup)
    };
    for (sync, backup) in [
        ("s3://one", "s3://one"),
        ("s3://one/a", "s3://one/a/b"),
        ("s3://one/a/b", "s3://one/a"),
        ("s3://one", "s3://one/a"),
    ] {
        assert!(
            case(sync, backup).usage(RUN).contains("overlap"),
            "{sync} {backup}"
        );
    }
    case("s3://one/a", "s3://one/b").settings();
    let one = case("s3://one/a", "s3://one/a").flag(
        "sync.endpoint",
        "--sync-endpoint",
        "http://localhost:9000",
    );
    assert!(
        one.usage(RUN).contains("overlap"),
        "the other endpoint is unknown"
    );
    one.flag(
        "backup.endpoint",
        "--backup-endpoint",
        "https://s3.example.org",
    )
    .settings();
}

#[test]
fn locks_that_could_never_be_kept_are_refused() {
    let case = Case::new(FILE)
        .flag("backup.retention", "--retention", "10d")
        .variable("TIDELOCK_BACKUP_RENEW_BELOW", "11d");
    assert!(
        case.usage(RUN)
            .contains("TIDELOCK_BACKUP_RENEW_BELOW = 11d is over")
    );
    for bad in ["0d", "101y"] {
        Case::new(FILE)
            .flag("backup.retention", "--retention", bad)
            .usage(RUN);
    }
    let backup = Case::new(FILE)
        .flag("backup.retention", "--retention", "10d")
        .flag("backup.mode", "--mode", "compliance")
        .settings()
        .backup
        .expect("backup");
    assert_eq!(backup.mode, Mode::Compliance);
    assert_eq!(show_duration(backup.renew_below), "5d");
}

#[test]
fn what_is_missing_is_named_with_all_ways_to_give_it() {
    let message = Case::new("[library]\npath = \".\"\n").usage(RUN);
    for part in [
        "--sync-to s3://my-photos/library",
        "TIDELOCK_SYNC_TO",
        "under [sync]",
        "TIDELOCK_BACKUP_TO",
        "tidelock run ~/Pictures --sync-to s3://my-photos/library --backup-to s3://my-photos-vault/library",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let message = Case::new("").usage(LOOK);
    assert!(!message.contains("sync"), "{message}");
}

#[test]
fn paths_of_the_file_are_relative_to_it_and_arguments_to_the_current_folder() {
    let case = Case::new(FILE);
    let path = |case: &Case| case.settings().library.expect("library").path;
    assert_eq!(path(&case), case.folder.path().join("Pictures"));
    let mut case = case;
    case.flags.config = Some(case.folder.path().join(FILE_NAME));
    case.environment.folder = PathBuf::from("/elsewhere");
    assert_eq!(path(&case), case.folder.path().join("Pictures"));
    assert_eq!(path(&case.library("x")), PathBuf::from("/elsewhere/x"));
}

const SEVERAL: &str = r#"
[[library]]
name = "photos"
path = "~/Pictures"
[[library]]
name = "papers"
path = "~/Documents"
mtime = "ignore"
[sync]
to = "s3://mirror/all"
[backup]
to = "s3://vault"
"#;

#[test]
fn a_library_of_several_is_chosen_by_name_or_path_and_gets_its_own_prefix() {
    for selector in ["papers", "/home/ada/Documents", "~/Documents"] {
        let settings = Case::new(SEVERAL).library(selector).settings();
        assert_eq!(
            targets(&settings),
            ["s3://mirror/all/papers", "s3://vault/papers"],
            "{selector}"
        );
        assert_eq!(
            settings.library.expect("library").path,
            PathBuf::from("/home/ada/Documents")
        );
    }
    let by_variable = Case::new(SEVERAL).variable("TIDELOCK_LIBRARY", "photos");
    assert_eq!(targets(&by_variable.settings())[1], "s3://vault/photos");
    let own = by_variable.flag("backup.to", "--backup-to", "s3://other");
    assert_eq!(targets(&own.settings())[1], "s3://other");
}

#[test]
fn a_library_that_is_not_configured_has_no_place_among_several() {
    assert!(
        Case::new(SEVERAL)
            .usage(RUN)
            .contains("name one of photos, papers")
    );
    assert!(Case::new(SEVERAL).usage(LOOK).contains("--library photos"));
    let message = Case::new(SEVERAL).library("paper").usage(RUN);
    assert!(message.contains("did you mean \"papers\"?"), "{message}");
    let message = Case::new(SEVERAL).library(".").usage(RUN);
    assert!(
        message.contains("none of the configured libraries"),
        "{message}"
    );
    Case::new(SEVERAL)
        .flag("backup.to", "--backup-to", "s3://vault/photos")
        .load(LOOK)
        .expect("the target says it all");
}

#[test]
fn each_target_has_its_own_keys_and_no_output_shows_them() {
    let case = Case::new(FILE)
        .variable("TIDELOCK_SYNC_ACCESS_KEY_ID", "syncer")
        .variable("TIDELOCK_SYNC_SECRET_ACCESS_KEY", "canary-1")
        .variable("TIDELOCK_BACKUP_ACCESS_KEY_ID", "writer")
        .variable("TIDELOCK_BACKUP_SECRET_ACCESS_KEY", "canary-2")
        .variable("TIDELOCK_BACKUP_SESSION_TOKEN", "canary-3");
    let settings = case.settings();
    let keys = settings
        .backup
        .as_ref()
        .expect("backup")
        .connection
        .keys
        .as_ref();
    assert_eq!(keys.expect("keys").access_key_id, "writer");
    assert!(!format!("{settings:?}").contains("canary"));
    assert!(!settings.record.to_string().contains("canary"));
}

#[test]
fn the_record_is_the_file_again_without_secrets_and_one_run_wishes() {
    let file = format!(
        "{FILE}retention = \"90d\"\nkeep = {{ last = 3 }}\n[notify]\nurl = \"https://hc/canary\"\n"
    );
    let case = Case::new(&file)
        .flag("sync.max_delete", "--max-delete", "100%")
        .flag("yes", "--yes", "true")
        .flag(
            "sync.endpoint",
            "--sync-endpoint",
            "https://s3.example.org/",
        )
        .library("/photos");
    assert_eq!(
        case.settings().record,
        serde_json::json!({
            "library": {"path": "/photos", "exclude": [".DS_Store"]},
            "sync": {"to": "s3://my-photos/library", "endpoint": "https://s3.example.org"},
            "backup": {
                "to": "s3://my-photos-vault/library",
                "retention": "90d",
                "keep": {"last": 3},
            },
        })
    );
}

#[test]
fn every_key_of_the_file_is_read() {
    let file = r#"
transfers = 8
memory = "64M"
bwlimit = "25M"
state_dir = "state"
time_budget = "5h"
metrics_file = "metrics.prom"
[library]
path = "~/Pictures"
exclude = [".DS_Store", "*.tmp"]
include = ["!keep.tmp"]
default_excludes = false
mtime = "ignore"
ignore_inode = true
ignore_ctime = true
cloud_files = "skip"
[sync]
to = "s3://my-photos/library"
endpoint = "https://s3.example.org"
region = "eu-west-1"
profile = "photos"
role_arn = "arn:aws:iam::1:role/x"
path_style = false
provider = "minio"
storage_class = "STANDARD_IA"
sse = "aws:kms"
allow_http = true
max_delete = 25
max_change = "50%"
[backup]
to = "s3://my-photos-vault/library"
mode = "compliance"
retention = "1y"
renew_below = "30d"
accept_irrevocable = true
via = "copy"
max_age = "3d"
keep = { last = 7, hourly = 1, daily = 14, weekly = 8, monthly = 24, yearly = 10, within = "1y" }
[notify]
url = "https://example.org/ping"
command = "notify-send"
"#;
    let case = Case::new(file);
    let settings = case.settings();
    let shown = format!(
        "{:#?}",
        (
            settings.library,
            settings.sync,
            settings.backup,
            settings.run
        )
    );
    // The snapshot must not depend on where the test's folder is.
    let folder = case.folder.path().display().to_string();
    insta::assert_snapshot!(shown.replace(&folder, "FOLDER"));
}
