//! The metrics file, as a collector reads it.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{Night, Samples, TestStore, on_both, on_minio, parse_strictly, tool};

/// What our own reader finds in a file, which must be what Prometheus' own finds.
#[track_caller]
fn read(night: &Night, name: &str) -> Samples {
    let text = fs::read_to_string(night.in_home(name)).expect("a metrics file");
    let samples = parse_strictly(&text);
    let mut python = Command::new(tool("prometheus-python"))
        .args(["-c", COUNT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python");
    let mut stdin = python.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success());
    let count = String::from_utf8(output.stdout).expect("a number");
    assert_eq!(count.trim(), samples.len().to_string());
    samples
}

const COUNT: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families as parse
print(sum(len(family.samples) for family in parse(sys.stdin.read())))
";

fn of(samples: &Samples, name: &str, labels: &str) -> f64 {
    let series = format!("tidelock_{name}{{{labels}}}");
    let value = samples.get(&series);
    *value.unwrap_or_else(|| panic!("no {series} in {samples:#?}"))
}

async fn metrics_say_what_the_summary_says(store: TestStore) {
    let night = Night::new(store, "metrics_file = \"t.prom\"", "").await;
    let said = night.expect(0, &["run"]);
    let samples = read(&night, "t.prom");
    let photos = r#"library="photos",command="run""#;
    assert_eq!(of(&samples, "library_bytes", photos), 3_000.0);
    let on_sync = format!(r#"{photos},target="sync""#);
    assert_eq!(of(&samples, "sent_bytes", &on_sync), 3_000.0);
    let uploaded = format!(r#"{on_sync},action="uploaded""#);
    assert_eq!(of(&samples, "files", &uploaded), 1.0);
    let summary = said
        .lines
        .iter()
        .find(|line| line["library_name"] == "photos");
    let summary = summary.expect("its summary");
    let puts = summary["backup"]["requests"]["PutObject"].as_f64();
    let labels = format!(r#"{photos},target="backup",operation="PutObject""#);
    assert_eq!(Some(of(&samples, "requests", &labels)), puts);
    let until = of(
        &samples,
        "protected_until_timestamp_seconds",
        r#"library="photos""#,
    );
    let told = summary["backup"]["protected_until"]
        .as_str()
        .expect("a time");
    let told: jiff::Timestamp = told.parse().expect("a time");
    assert_eq!(until as i64, told.as_second());
    assert_eq!(of(&samples, "at_risk", r#"library="papers""#), 0.0);
}
on_both!(metrics_say_what_the_summary_says);

async fn a_failed_run_keeps_the_time_of_the_last_success(store: TestStore) {
    let night = Night::new(store, "", "").await;
    let file = ["--metrics-file", "m.prom"];
    night.expect(0, &["run", "photos", file[0], file[1]]);
    let photos = r#"library="photos",command="run""#;
    let success = of(
        &read(&night, "m.prom"),
        "last_success_timestamp_seconds",
        photos,
    );

    // A dry run measures nothing.
    let before = fs::read(night.in_home("m.prom")).unwrap();
    night.expect(0, &["run", "photos", "-n", file[0], file[1]]);
    assert_eq!(fs::read(night.in_home("m.prom")).unwrap(), before);

    let away = night.in_home("away");
    fs::rename(night.photos.path(), &away).unwrap();
    night.expect(4, &["run", "photos", file[0], file[1]]);
    fs::rename(&away, night.photos.path()).unwrap();
    let samples = read(&night, "m.prom");
    assert_eq!(of(&samples, "exit_code", photos), 4.0);
    assert_eq!(of(&samples, "failures", photos), 1.0);
    assert_eq!(
        of(&samples, "last_success_timestamp_seconds", photos),
        success
    );
    assert!(of(&samples, "last_run_timestamp_seconds", photos) >= success);

    // Nowhere to write to is no reason to fail.
    let said = night.expect(0, &["run", "photos", "--metrics-file", "no/such/m.prom"]);
    let warned = said.lines.iter().any(|line| {
        line["event"] == "warning" && line["message"].to_string().contains("no/such/m.prom")
    });
    assert!(warned, "{said:#?}");
}
on_minio!(a_failed_run_keeps_the_time_of_the_last_success);
