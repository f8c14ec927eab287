//! What comes out, line by line.

use super::testing::{Stream, screen};
use super::*;
use crate::model::{
    Action, BackupSummary, Events, Failure, LibrarySummary, RelPath, RestoreSummary, Side, Summary,
    SyncSummary,
};

fn file(path: impl Into<RelPath>, planned: bool) -> Event {
    Event::File {
        path: path.into(),
        action: Action::Upload,
        side: Some(Side::Backup),
        size: 2048,
        planned,
    }
}

fn summary() -> Summary {
    Summary {
        library: Some(LibrarySummary {
            files: 1_234,
            bytes: 34 << 20,
            hashed: 2,
            bytes_read: 5 << 20,
            ..LibrarySummary::default()
        }),
        sync: Some(SyncSummary {
            uploaded: 2,
            bytes_uploaded: 5 << 20,
            deleted: 1,
            unchanged: 1_232,
            requests: [("PutObject", 2)].into(),
            ..SyncSummary::default()
        }),
        backup: Some(BackupSummary {
            referenced: 2,
            unchanged: 1_232,
            snapshot: Some("20261123T021500Z-1a2b3c4d".to_owned()),
            protected_until: "2027-01-22T02:15:00Z".parse().ok(),
            ..BackupSummary::default()
        }),
        restore: None,
        pull: None,
        forecast: None,
        twice: None,
        errors: vec![Failure {
            path: "a/b".to_owned(),
            stage: "read",
            message: "permission denied".to_owned(),
        }],
    }
}

/// Shows events and a summary, and returns standard output and standard error.
fn show(mode: Mode, out: &Stream, events: Vec<Event>) -> (String, String) {
    let err = Stream::default();
    let (sender, receiver) = Events::channel();
    let screen = screen(out, &err);
    let reporter = start(mode, &screen, TimeZone::UTC, receiver);
    for event in events {
        sender.send(event);
    }
    // The sender is still there: a forgotten one must not keep the summary from coming.
    reporter.finish(&Ending {
        command: "run",
        exit: ExitCode::Partial,
        elapsed: Duration::from_millis(12_500),
        summary: &summary(),
        ..Ending::default()
    });
    drop(sender);
    (out.text(), err.text())
}

fn events() -> Vec<Event> {
    vec![
        Event::Phase("transfer"),
        Event::Total {
            files: 2,
            bytes: 4096,
        },
        file("a \u{1b}[31mred", false),
        file(RelPath::new(*b"\xff.jpg"), false),
        file("plan", true),
        Event::Note("a note".to_owned()),
        Event::Warning("a warning".to_owned()),
        Event::Failed(Failure {
            path: "a/b".to_owned(),
            stage: "read",
            message: "permission denied".to_owned(),
        }),
    ]
}

#[test]
fn people_get_lines_that_no_file_name_can_forge() {
    let verbose = Mode {
        verbose: 1,
        ..Mode::default()
    };
    let (out, err) = show(verbose, &Stream::default(), events());
    insta::assert_snapshot!(format!("{out}---\n{err}"));
}

#[test]
fn a_failure_names_its_path_once_whatever_words_its_message_has() {
    for (path, message, line) in [
        ("a", "a folder is there", "error: a: a folder is there"),
        ("a", "a: it is gone", "error: a: it is gone"),
        ("a", "/to/a: it is gone", "error: /to/a: it is gone"),
        ("a", "the object \"a\" is", "error: the object \"a\" is"),
        ("sub/a", "sub/a: it is", "error: sub/a: it is"),
        ("file", "a file is there", "error: file: a file is there"),
    ] {
        let failed = Event::Failed(Failure {
            path: path.to_owned(),
            stage: "pull",
            message: message.to_owned(),
        });
        let (_, err) = show(Mode::default(), &Stream::default(), vec![failed]);
        assert_eq!(err.trim_end(), line);
    }
}

#[test]
fn without_v_only_what_is_planned_is_named() {
    let (out, _) = show(Mode::default(), &Stream::default(), events());
    assert!(
        out.contains("would upload") && !out.contains(".jpg"),
        "{out}"
    );
}

#[test]
fn quiet_leaves_errors_and_warnings_alone() {
    let quiet = Mode {
        quiet: true,
        ..Mode::default()
    };
    let (out, err) = show(quiet, &Stream::default(), events());
    assert_eq!(out, "");
    assert_eq!(err, "warning: a warning\nerror: a/b: permission denied\n");
}

#[test]
fn programs_get_json_lines_with_the_summary_last() {
    let json = Mode {
        json: true,
        ..Mode::default()
    };
    let (out, err) = show(json, &Stream::default(), events());
    assert_eq!(err, "");
    for line in out.lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(value["event"].is_string(), "{line}");
    }
    insta::assert_snapshot!(out);
}

/// f26: a reader that went away (`| head`) ends the showing, and nothing else.
#[test]
fn f26_a_closed_output_is_no_reason_to_stop() {
    for json in [false, true] {
        let closed = Stream {
            closes: true,
            ..Stream::default()
        };
        let mode = Mode {
            json,
            verbose: 1,
            ..Mode::default()
        };
        let (out, _) = show(mode, &closed, events());
        assert_eq!(out, "");
        let rows = Rows::new(json, Look::default(), Out::new(closed).shared());
        let long = "x".repeat(100_000);
        assert!(
            !rows.row(&long, || long.clone()),
            "rows tell that nobody reads"
        );
    }
}

#[test]
fn a_target_that_was_only_looked_at_has_no_line() {
    let looked_at = Summary {
        sync: Some(SyncSummary::default()),
        backup: Some(BackupSummary::default()),
        restore: Some(RestoreSummary {
            files: 1,
            bytes_downloaded: 3,
            failed: 1,
            snapshot: Some("20261123T021500Z-1a2b3c4d".to_owned()),
            ..RestoreSummary::default()
        }),
        ..Summary::default()
    };
    let ending = Ending {
        exit: ExitCode::Refused,
        summary: &looked_at,
        ..Ending::default()
    };
    let lines = human::summary(&ending, Look::default(), &TimeZone::UTC);
    assert_eq!(
        lines,
        [
            "restored  1 file (3 B downloaded), 1 failed; from snapshot 20261123T021500Z-1a2b3c4d",
            "refused as told above, in 0.0 s"
        ]
    );
}

#[test]
fn an_error_that_ended_a_command_is_among_the_errors() {
    let line = json::summary(&Ending {
        command: "run",
        exit: ExitCode::Usage,
        error: Some(&Error::Usage("no library".to_owned())),
        ..Ending::default()
    });
    assert_eq!(
        line,
        "{\"event\":\"summary\",\"command\":\"run\",\"exit_code\":2,\"elapsed_ms\":0,\
         \"errors\":[{\"path\":\"\",\"stage\":\"configuration\",\"message\":\"no library\"}]}"
    );
}
