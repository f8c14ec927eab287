//! What a run would do: for people, and as JSON.

use super::look::{Look, Tone};
use super::table::labelled;
use super::text::{show_bytes, show_elapsed};
use crate::model::{Cost, Expected, Forecast, Locks, Mode, Requests, Time, words};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// So that what is printed or mailed can be read too.
const WIDEST: usize = 80;

/// A dry run's closing lines, for an output of so many columns, but never wider than 80.
pub fn forecast_lines(forecast: &Forecast, columns: Option<usize>) -> Vec<String> {
    let columns = columns.map_or(WIDEST, |columns| columns.min(WIDEST));
    let parts = [("sync", &forecast.sync), ("backup", &forecast.backup)];
    let parts: Vec<(&str, &Expected)> = parts
        .into_iter()
        .filter_map(|(side, part)| Some((side, part.as_ref()?)))
        .collect();
    let look = Look {
        columns: Some(columns),
        ..Look::default()
    };
    let labelled = |label: &str, text: &str| labelled(label, text, Tone::Plain, look);
    let mut lines = Vec::new();
    for (side, part) in &parts {
        lines.extend(labelled(side, &amount(part)));
        lines.extend(requests(part, columns));
    }
    for text in forecast.locks.iter().map(locks) {
        lines.extend(labelled("locks", &text));
    }
    lines.extend(labelled("cost", &cost(&parts, forecast.locks.is_some())));
    lines.extend(labelled("time", &time(forecast)));
    lines
}

fn amount(part: &Expected) -> String {
    let files = words::files(part.files);
    let bytes = match (part.bytes_stored, part.bytes_sent) {
        (0, _) => "nothing to store".to_owned(),
        (stored, 0) => format!("{}, all copied by the store", show_bytes(stored)),
        (stored, sent) if stored == sent => format!("{} to send", show_bytes(sent)),
        (stored, sent) => format!("{}, {} of it to send", show_bytes(stored), show_bytes(sent)),
    };
    format!("{files}, {bytes}")
}

fn requests(part: &Expected, columns: usize) -> Vec<String> {
    let mut kinds: Vec<(&str, u64)> = part.requests.iter().map(|(name, n)| (*name, *n)).collect();
    kinds.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let all: u64 = kinds.iter().map(|(_, count)| count).sum();
    let kinds = kinds
        .iter()
        .map(|(name, count)| format!("{} {name}", words::digits(*count)));
    let about = format!("about {}:", words::count(all, "request", "requests"));
    folded([about].into_iter().chain(kinds), columns)
}

/// Words of a list on as many lines as they need, below the first column.
fn folded(words: impl Iterator<Item = String>, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && line.len() + word.len() + 2 > columns {
            let comma = if line.ends_with(':') { "" } else { "," };
            lines.push(std::mem::take(&mut line) + comma);
        }
        match line.as_str() {
            "" => line = format!("          {word}"),
            whole if whole.ends_with(':') => line = format!("{line} {word}"),
            _ => line = format!("{line}, {word}"),
        }
    }
    lines.push(line);
    lines
}

fn locks(locks: &Locks) -> String {
    let until = locks.until.strftime("%Y-%m-%d");
    let renewals = words::digits(locks.renewals_a_year);
    let stored = match locks.mode {
        Mode::Governance => format!(
            "what the backup stores can't be deleted before {until} without the permission to \
             bypass governance"
        ),
        Mode::Compliance => {
            format!("what the backup stores can be deleted by nobody before {until}")
        }
    };
    format!("{stored}; about {renewals} renewals a year")
}

/// Several lines.
fn cost(parts: &[(&str, &Expected)], has_locks: bool) -> String {
    let known: Vec<&Cost> = parts
        .iter()
        .filter_map(|(_, part)| part.cost.as_ref())
        .collect();
    if known.is_empty() {
        return "unknown prices: take your provider's for what stands above".to_owned();
    }
    let sum = |of: fn(&Cost) -> f64| dollars(known.iter().map(|cost| of(cost)).sum());
    let mut lines = vec![format!(
        "{} for these requests, {} a month to store it",
        sum(|cost| cost.requests),
        sum(|cost| cost.storage_a_month)
    )];
    if has_locks {
        let renewals = sum(|cost| cost.renewals_a_year);
        lines.push(format!("{renewals} a year for renewals"));
    }
    lines.extend(parts.iter().map(|(side, part)| match &part.cost {
        Some(cost) => format!("{side}: {}", cost.prices),
        None => format!("{side}: unknown prices, not counted"),
    }));
    lines.join("\n")
}

/// Cents, or that it is less than one.
fn dollars(amount: f64) -> String {
    match amount {
        0.0 => "$0".to_owned(),
        amount if amount < 0.01 => "less than $0.01".to_owned(),
        amount => {
            let cents = (amount * 100.0).round() as u64;
            format!("${}.{:02}", words::digits(cents / 100), cents % 100)
        }
    }
}

fn time(forecast: &Forecast) -> String {
    match forecast.seconds {
        _ if forecast.bytes_sent() == 0 => "nothing has to be sent".to_owned(),
        Some(seconds) => format!(
            "at least {} at the rate of bwlimit",
            show_elapsed(Duration::from_secs(seconds))
        ),
        None => "unknown: it depends on your line; the run shows what is left".to_owned(),
    }
}

/// `forecast` of the summary.
#[derive(Serialize)]
pub(super) struct ForecastPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sync: Option<ExpectedPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<ExpectedPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locks: Option<LocksPart>,
    seconds: Option<u64>,
}

#[derive(Serialize)]
struct ExpectedPart<'a> {
    files: u64,
    bytes_sent: u64,
    bytes_stored: u64,
    requests: &'a BTreeMap<&'static str, u64>,
    cost: Option<CostPart<'a>>,
}

#[derive(Serialize)]
struct CostPart<'a> {
    currency: &'static str,
    prices: &'a str,
    requests: f64,
    storage_a_month: f64,
    renewals_a_year: f64,
}

#[derive(Serialize)]
struct LocksPart {
    mode: &'static str,
    until: Time,
    renewals_a_year: u64,
}

impl<'a> ForecastPart<'a> {
    pub(super) fn of(forecast: &'a Forecast) -> Self {
        Self {
            sync: forecast.sync.as_ref().map(ExpectedPart::of),
            backup: forecast.backup.as_ref().map(ExpectedPart::of),
            locks: forecast.locks.as_ref().map(|locks| LocksPart {
                mode: match locks.mode {
                    Mode::Governance => "governance",
                    Mode::Compliance => "compliance",
                },
                until: locks.until,
                renewals_a_year: locks.renewals_a_year,
            }),
            seconds: forecast.seconds,
        }
    }
}

impl<'a> ExpectedPart<'a> {
    fn of(part: &'a Expected) -> Self {
        let requests: &Requests = &part.requests;
        Self {
            files: part.files,
            bytes_sent: part.bytes_sent,
            bytes_stored: part.bytes_stored,
            requests,
            cost: part.cost.as_ref().map(|cost| CostPart {
                currency: "USD",
                prices: &cost.prices,
                requests: cost.requests,
                storage_a_month: cost.storage_a_month,
                renewals_a_year: cost.renewals_a_year,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast() -> Forecast {
        let part = |bytes_sent| Expected {
            files: 12_000,
            bytes_sent,
            bytes_stored: 48 << 30,
            requests: [
                ("PutObject", 12_013),
                ("GetObject", 4),
                ("ListObjectsV2", 2),
                ("GetObjectRetention", 389),
                ("GetObjectLockConfiguration", 1),
            ]
            .into(),
            cost: None,
        };
        let cost = Cost {
            prices: "Backblaze B2, list prices of November 2025".to_owned(),
            requests: 0.001,
            storage_a_month: 1234.5,
            renewals_a_year: 0.0,
        };
        Forecast {
            sync: Some(Expected {
                cost: Some(cost),
                ..part(48 << 30)
            }),
            backup: Some(part(0)),
            locks: Some(Locks {
                mode: Mode::Governance,
                until: "2027-01-22T02:15:00Z".parse().expect("a time"),
                renewals_a_year: 178_999,
            }),
            seconds: Some(7_450),
        }
    }

    #[test]
    fn a_forecast_is_read_in_80_columns() {
        let lines = forecast_lines(&forecast(), None);
        insta::assert_snapshot!(lines.join("\n"));
        assert!(lines.iter().all(|line| line.len() <= 80), "{lines:#?}");
        assert_eq!(lines, forecast_lines(&forecast(), Some(200)));
    }

    #[test]
    fn a_forecast_fits_into_40_columns() {
        let mut forecast = forecast();
        for mode in [Mode::Governance, Mode::Compliance] {
            if let Some(locks) = &mut forecast.locks {
                locks.mode = mode;
            }
            let lines = forecast_lines(&forecast, Some(40));
            assert!(lines.iter().all(|line| line.len() <= 40), "{lines:#?}");
            let label = |line: &String| line[..10].trim().to_owned();
            let labels: Vec<String> = lines.iter().map(label).collect();
            assert!(labels.concat().starts_with("syncbackuplockscosttime"));
            assert!(lines.iter().all(|line| !line.contains(":,")), "{lines:#?}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_to_be_unknown() {
        let mut unknown = forecast();
        (unknown.sync, unknown.seconds) = (unknown.backup.clone(), None);
        let text = forecast_lines(&unknown, None).join("\n");
        assert!(text.contains("cost      unknown prices"), "{text}");
        assert!(text.contains("time      nothing has to be sent"), "{text}");
        unknown.sync = forecast().sync;
        let text = forecast_lines(&unknown, None).join("\n");
        assert!(text.contains("time      unknown"), "{text}");
    }
}
