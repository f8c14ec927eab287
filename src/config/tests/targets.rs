//! How targets are reached, and what they may not be.

use super::*;

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
