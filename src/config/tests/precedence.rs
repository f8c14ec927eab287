//! Which place wins, what is missing, what is recorded.

use super::*;

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
            .starts_with("TIDELOCK_BACKUP_RETENTION: \"soon\" is not a duration"),
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
