//! What the file says, night after night.

use super::*;
use crate::model::{ExitCode, Failure, LibrarySummary, Summary, SyncSummary};
use std::time::Duration;

const MONDAY: &str = "2026-11-23T02:15:00Z";
const TUESDAY: &str = "2026-11-24T02:15:00Z";

fn summary() -> Summary {
    Summary {
        library: Some(LibrarySummary {
            files: 12,
            bytes: 345,
            ..LibrarySummary::default()
        }),
        sync: Some(SyncSummary {
            uploaded: 2,
            bytes_uploaded: 99,
            requests: [("PutObject", 2)].into(),
            ..SyncSummary::default()
        }),
        backup: Some(crate::model::BackupSummary {
            protected_until: "2027-01-22T02:15:00Z".parse().ok(),
            requests: [("PutObject", 5)].into(),
            ..Default::default()
        }),
        ..Summary::default()
    }
}

fn ended(exit: ExitCode, summary: &Summary) -> Ending<'_> {
    Ending {
        command: "run",
        exit,
        elapsed: Duration::from_millis(12_500),
        summary,
        ..Ending::default()
    }
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn write(&self, library: &str, ending: &Ending<'_>, now: &str) -> String {
        let file = self.folder.path().join("tidelock.prom");
        let metrics = Metrics::new(Some(file.clone()));
        let now = now.parse().expect("a time");
        metrics.write(library, ending, now).expect("written");
        let names = fs::read_dir(self.folder.path()).expect("the folder");
        assert_eq!(names.count(), 1, "nothing is left beside it");
        fs::read_to_string(file).expect("there")
    }
}

#[test]
fn a_night_in_numbers() {
    let text = Case::new().write("photos", &ended(ExitCode::Done, &summary()), MONDAY);
    insta::assert_snapshot!(text);
}

#[test]
fn a_failed_night_keeps_the_last_success_and_what_is_protected() {
    let case = Case::new();
    case.write("photos", &ended(ExitCode::Done, &summary()), MONDAY);
    let failed = Summary {
        errors: vec![Failure {
            path: "a".to_owned(),
            stage: "read",
            message: "no".to_owned(),
        }],
        ..Summary::default()
    };
    let text = case.write("photos", &ended(ExitCode::Partial, &failed), TUESDAY);
    let both = r#"{library="photos",command="run"}"#;
    for line in [
        format!("tidelock_last_success_timestamp_seconds{both} 1795400100"),
        format!("tidelock_last_run_timestamp_seconds{both} 1795486500"),
        format!("tidelock_exit_code{both} 3"),
        format!("tidelock_failures{both} 1"),
        r#"tidelock_protected_until_timestamp_seconds{library="photos"} 1800584100"#.to_owned(),
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert!(!text.contains("PutObject"), "of another night: {text}");
}

#[test]
fn other_libraries_and_commands_keep_their_numbers() {
    let case = Case::new();
    let summary = summary();
    let ending = ended(ExitCode::Done, &summary);
    case.write("photos", &ending, MONDAY);
    let verify = Ending {
        command: "verify",
        ..ending
    };
    case.write("photos", &verify, MONDAY);
    // A name that another begins with, and one that needs every escape there is.
    case.write("photo", &ending, MONDAY);
    let text = case.write("a\"b\\c\nd}", &ended(ExitCode::Done, &summary), TUESDAY);
    for labels in [
        r#"{library="photos",command="run"}"#,
        r#"{library="photos",command="verify"}"#,
        r#"{library="photo",command="run"}"#,
        r#"{library="a\"b\\c\nd}",command="run"}"#,
    ] {
        let line = format!("tidelock_exit_code{labels} 0");
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert_eq!(Series::read(&text).render(), text);
}

#[test]
fn a_file_of_something_else_is_replaced_and_a_folder_that_is_not_there_is_told() {
    let case = Case::new();
    let file = case.folder.path().join("tidelock.prom");
    fs::write(&file, b"\xff not ours {} 1\nup 1\n").expect("written");
    let text = case.write("photos", &ended(ExitCode::Done, &summary()), MONDAY);
    assert!(!text.contains("not ours") && text.starts_with("# HELP tidelock_"));
    let nowhere = Metrics::new(Some(case.folder.path().join("no/tidelock.prom")));
    let now = MONDAY.parse().expect("a time");
    let error = nowhere.write("photos", &Ending::default(), now);
    let error = error.expect_err("no folder").to_string();
    assert!(error.contains("no/tidelock.prom"), "{error}");
}
