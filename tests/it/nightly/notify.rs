//! Whoever is told: a monitor that is pinged, a command that is run.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Monitor, Night, TestStore, on_minio};

fn url(monitor: &Monitor) -> String {
    format!(
        "[notify]\nurl = \"{}\"\n",
        monitor.url("/ping/c0ffee?rid=1")
    )
}

async fn a_monitor_is_told_of_the_start_and_of_either_end(store: TestStore) {
    let monitor = Monitor::answering(200);
    let night = Night::new(store, "", &url(&monitor)).await;
    night.expect(0, &["run"]);
    let (start, success) = ("GET /ping/c0ffee/start?rid=1", "GET /ping/c0ffee?rid=1");
    assert_eq!(monitor.requests(), [start, success]);

    let away = night.in_home("away");
    fs::rename(night.photos.path(), &away).unwrap();
    let said = night.expect(4, &["run"]);
    fs::rename(&away, night.photos.path()).unwrap();
    let failure = "POST /ping/c0ffee/fail?rid=1";
    assert_eq!(monitor.requests()[2..], [start, failure]);
    let body = monitor.pings()[3].body.clone();
    let told: Vec<Value> = body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summaries = said.lines.iter().filter(|line| line["event"] == "summary");
    assert_eq!(told, summaries.cloned().collect::<Vec<_>>());

    // Whatever is no night's work tells of failures alone, and a dry run of nothing.
    for words in [
        &["verify"][..],
        &["renew"],
        &["prune"],
        &["status"],
        &["run", "-n"],
    ] {
        night.expect(0, words);
    }
    assert_eq!(monitor.requests().len(), 4);
    night.expect(
        2,
        &["verify", "--backup-to", "s3://there-is-no-such-bucket/x"],
    );
    assert_eq!(monitor.requests()[4..], [failure]);
}
on_minio!(a_monitor_is_told_of_the_start_and_of_either_end);

async fn a_monitor_that_fails_is_a_warning_and_no_more(store: TestStore) {
    let gone = Monitor::answering(404);
    let night = Night::new(store, "", &url(&gone)).await;
    let said = night.expect(0, &["run", "papers"]);
    let warnings: Vec<&Value> = said
        .lines
        .iter()
        .filter(|line| line["event"] == "warning")
        .collect();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let message = warnings[0]["message"].as_str().unwrap();
    assert!(
        message.contains("answered 404; is [notify] url right?"),
        "{message}"
    );
    assert!(!message.contains("c0ffee"), "{message}");

    let silent = Monitor::silent();
    night.configure("", &url(&silent));
    let begun = Instant::now();
    let said = night.expect(0, &["run", "papers"]);
    assert!(begun.elapsed() < Duration::from_secs(30));
    let text = said.lines.iter().map(Value::to_string).collect::<String>();
    assert!(text.contains("no answer within 10 s"), "{text}");
}
on_minio!(a_monitor_that_fails_is_a_warning_and_no_more);

async fn a_command_gets_the_code_and_the_summary(store: TestStore) {
    let command = "[notify]\ncommand = 'echo $TIDELOCK_EXIT_CODE $TIDELOCK_COMMAND \
                   $TIDELOCK_LIBRARY >> told; cat >> told; echo to stdout; exit 9'\n";
    let night = Night::new(store, "", command).await;
    let said = night.expect(0, &["run", "papers"]);
    let told = fs::read_to_string(night.in_home("told")).unwrap();
    let (first, summary) = told.split_once('\n').unwrap();
    assert_eq!(first, "0 run papers");
    let summary: Value = serde_json::from_str(summary).unwrap();
    assert_eq!(&summary, said.last());
    assert!(
        said.stderr.contains("to stdout"),
        "not among the JSON Lines"
    );
    let text = said.lines.iter().map(Value::to_string).collect::<String>();
    assert!(
        text.contains("[notify] command failed: exit status: 9"),
        "{text}"
    );
}
on_minio!(a_command_gets_the_code_and_the_summary);

/// f57: the address and the command may hold secrets.
async fn f57_notifications_leave_no_secret_anywhere(store: TestStore) {
    let monitor = Monitor::answering(500);
    let url = monitor.url("/canary-url");
    let notify = format!("[notify]\nurl = \"{url}\"\ncommand = \"exit 3 # canary-command\"\n");
    let night = Night::new(store, "metrics_file = \"m.prom\"", &notify).await;
    let output = night.output(&["run", "papers", "-vvv"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(monitor.requests().contains(&"GET /canary-url".to_owned()));
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        assert!(!text.contains("canary"), "{text}");
    }
    let metrics = fs::read_to_string(night.in_home("m.prom")).unwrap();
    assert!(!metrics.contains("canary"));
    for key in night.vault.keys().await {
        if key.contains("/snapshots/") {
            let body = String::from_utf8(night.vault.get(&key, None).await).unwrap();
            assert!(!body.contains("canary"), "{body}");
        }
    }
}
on_minio!(f57_notifications_leave_no_secret_anywhere);
