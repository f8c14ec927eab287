//! One library or several.

use super::*;

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
fn a_library_s_cloud_files_beat_those_of_all() {
    use crate::model::CloudFiles::{Download, Skip};
    let setting = |file: &str| {
        let case = Case::new(file);
        let loaded = case.load(LOOK).expect("a configuration");
        assert_eq!(loaded.warnings, Vec::<String>::new());
        case.settings().library.expect("library").cloud_files
    };
    let library =
        "[library]\npath = \"x\"\n[sync]\nto = \"s3://mirror\"\n[backup]\nto = \"s3://vault\"\n";
    let with = |above: &str, within: &str| {
        let within = format!("[library]\n{within}\n");
        setting(&format!(
            "{above}\n{}",
            library.replace("[library]\n", &within)
        ))
    };
    assert_eq!(with("", ""), Skip);
    let download = r#"cloud_files = "download""#;
    let skip = r#"cloud_files = "skip""#;
    assert_eq!(with(download, ""), Download);
    assert_eq!(with("", download), Download);
    assert_eq!(with(download, skip), Skip);
}
