//! `tidelock doctor`: what stores and keys really do, one line a check.

use super::Outcome;
use crate::engine::doctor::{Check, Mark, examine};
use crate::engine::stop::Stop;
use crate::model::{Error, Event, Events, ExitCode, Failure, Result, Settings, Summary, words};
use crate::report::{Rows, hung};
use serde::Serialize;

/// Columns before a line's text.
const LABELS: usize = 14;

#[derive(Serialize)]
struct CheckRow<'a> {
    event: &'static str,
    target: &'static str,
    check: &'static str,
    result: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
}

/// Examines both targets with objects of its own; with `--dry-run`, without any.
pub async fn run(settings: &Settings, rows: &Rows, events: &Events, stop: &Stop) -> Outcome {
    if settings.sync.is_none() && settings.backup.is_none() {
        return Outcome::not_begun(Error::Usage(
            "no target: give --sync-to and --backup-to, or write them in tidelock.toml".to_owned(),
        ));
    }
    let writes = !settings.run.dry_run;
    let tell = |check: &Check| show(check, rows);
    match examine(settings, writes, &tell, stop).await {
        Ok(checks) => {
            if !writes {
                let text = "a dry run: what can only be seen by writing was not looked at";
                events.send(Event::Note(text.to_owned()));
            }
            conclude(&checks, rows)
        }
        Err(error) => Outcome::not_begun(error),
    }
}

/// The same without its lines, for `init`: warnings of what should be known, and how much was
/// tested.
///
/// # Errors
/// What is needed and does not hold.
pub(super) async fn after_init(settings: &Settings, events: &Events, stop: &Stop) -> Result<()> {
    let checks = examine(settings, true, &|_| (), stop).await?;
    let (failed, fine): (Vec<_>, Vec<_>) = checks.iter().partition(|it| it.mark == Mark::Fail);
    for check in fine.iter().filter(|it| it.mark == Mark::Warn) {
        events.send(Event::Warning(told(check)));
    }
    if failed.is_empty() {
        let count = words::count(checks.len() as u64, "check", "checks");
        events.send(Event::Note(format!(
            "tested  {count}, as `tidelock doctor` lists them: all that is needed works"
        )));
        return Ok(());
    }
    let told: Vec<String> = failed.into_iter().map(told).collect();
    Err(Error::Refused(format!(
        "what was set up does not do what is needed:\n{}",
        told.join("\n")
    )))
}

pub(super) fn show(check: &Check, rows: &Rows) {
    rows.lines(&row(check), || hung(LABELS, &line(check), rows.look()));
}

fn row(check: &Check) -> CheckRow<'_> {
    CheckRow {
        event: "check",
        target: check.side.as_str(),
        check: check.name,
        result: check.mark.as_str(),
        message: &check.text,
        advice: check.advice.as_deref(),
    }
}

fn line(check: &Check) -> String {
    let mark = match check.mark {
        Mark::Ok => "ok",
        Mark::Warn => "warn",
        Mark::Fail => "FAIL",
    };
    format!("{mark:<4}  {}", told(check))
}

fn told(check: &Check) -> String {
    let advice = match &check.advice {
        Some(advice) => format!("; {advice}"),
        None => String::new(),
    };
    format!("{:<6}  {}{advice}", check.side.as_str(), check.text)
}

fn counted(checks: &[Check]) -> String {
    let count = |mark| checks.iter().filter(|check| check.mark == mark).count();
    let (warnings, failures) = (count(Mark::Warn), count(Mark::Fail));
    format!(
        "{}: {} ok, {warnings} to be looked at, {failures} failed",
        words::count(checks.len() as u64, "check", "checks"),
        count(Mark::Ok)
    )
}

pub(super) fn conclude(checks: &[Check], rows: &Rows) -> Outcome {
    for line in hung(0, &counted(checks), rows.look()) {
        rows.text(&line);
    }
    let worst = |exit: ExitCode, check: &Check| exit.and(check.exit);
    let exit = checks.iter().fold(ExitCode::Done, worst);
    let grave = checks.iter().filter(|check| check.exit != ExitCode::Done);
    let errors = grave.map(|check| Failure {
        path: format!("{} {}", check.side.as_str(), check.name),
        stage: "doctor",
        message: told(check)
            .trim_start_matches(check.side.as_str())
            .trim_start()
            .to_owned(),
    });
    let error = match exit {
        ExitCode::Done => None,
        ExitCode::Damage => Some("the backup is at risk: see the lines marked warn"),
        _ => Some("not all that is needed works: see the lines marked FAIL"),
    };
    Outcome {
        exit,
        error: error.map(|text| Error::Failed(text.to_owned())),
        summary: Summary {
            errors: errors.collect(),
            ..Summary::default()
        },
    }
}
