//! Where everything stands: `tidelock status`.

use crate::model::{Time, words};
use crate::report::look::{Look, Tone};
use crate::report::table::labelled;
use crate::report::text::{plain, show_bytes, show_day, show_elapsed, show_minute};
use jiff::tz::TimeZone;
use serde::Serialize;
use std::time::Duration;

/// The backup's side.
#[derive(Serialize, Default)]
#[allow(missing_docs, reason = "the names are those of the documented JSON")]
pub struct BackupRow {
    pub target: &'static str,
    pub place: String,
    pub snapshots: u64,
    pub id: Option<String>,
    pub time: Option<Time>,
    pub age_seconds: Option<u64>,
    pub complete: Option<bool>,
    pub suspect: Option<String>,
    pub files: u64,
    pub bytes: u64,
    pub protected_until: Option<Time>,
    pub at_risk: u64,
    pub renewal_requests: u64,
    pub round_requests: u64,
}

/// The mirror's side.
#[derive(Serialize, Default)]
#[allow(missing_docs, reason = "the names are those of the documented JSON")]
pub struct SyncRow {
    pub target: &'static str,
    pub place: String,
    pub in_sync: u64,
    pub differing: u64,
    pub missing: u64,
    pub extra: u64,
}

/// What a prune by the keep policy would come to now.
#[derive(Serialize, Default)]
pub struct PruneRow {
    /// `prune`.
    pub target: &'static str,
    /// Snapshots that the keep policy lets go.
    pub snapshots: u64,
    /// What could go at once.
    pub now: Freed,
    /// What could go when locks and grace are over.
    pub later: Freed,
    /// When the first of the later ones can go.
    pub later_from: Option<Time>,
    /// When the last of them can.
    pub later_until: Option<Time>,
    /// The files with the most versions and bytes, the most bytes first.
    pub most_history: Vec<PathHistory>,
}

/// Versions that go, and their bytes.
#[derive(Serialize, Default)]
#[allow(missing_docs, reason = "the names are those of the documented JSON")]
pub struct Freed {
    pub versions: u64,
    pub bytes: u64,
}

/// What a path takes with all its versions.
#[derive(Serialize)]
#[allow(missing_docs, reason = "the names are those of the documented JSON")]
pub struct PathHistory {
    pub path: String,
    pub versions: u64,
    pub bytes: u64,
}

impl BackupRow {
    /// For people.
    pub fn text(&self, look: Look, zone: &TimeZone) -> Vec<String> {
        let say = |label, text: &str, tone| labelled(label, text, tone, look);
        let mut lines = say("backup", &self.place, Tone::Title);
        let (Some(id), Some(time)) = (&self.id, self.time) else {
            lines.extend(say("", "no snapshots yet", Tone::Notable));
            return lines;
        };
        let (state, tone) = match (&self.suspect, self.complete) {
            (Some(_), _) => (", suspect", Tone::Bad),
            (None, Some(false)) => (", incomplete", Tone::Notable),
            _ => ("", Tone::Plain),
        };
        let age = show_elapsed(Duration::from_secs(self.age_seconds.unwrap_or_default()));
        let newest = format!("{id}, {} ({age} old{state})", show_minute(time, zone));
        lines.extend(say("newest", &newest, tone));
        let (files, bytes) = (words::files(self.files), show_bytes(self.bytes));
        let holds = format!(
            "{files}, {bytes}; {} in all",
            words::snapshots(self.snapshots)
        );
        lines.extend(say("holds", &holds, Tone::Plain));
        let (protected, tone) = match (self.protected_until, self.at_risk) {
            (None, _) => ("nothing is known of its locks".to_owned(), Tone::Notable),
            (Some(until), 0) => (format!("until {}", show_minute(until, zone)), Tone::Good),
            (Some(until), _) => (format!("until {}", show_minute(until, zone)), Tone::Bad),
        };
        lines.extend(say("protected", &protected, tone));
        let renewal = format!(
            "the next run renews up to {}, a whole round takes up to {}",
            words::count(self.renewal_requests, "lock", "locks"),
            words::count(self.round_requests, "request", "requests"),
        );
        lines.extend(say("renewal", &renewal, Tone::Plain));
        lines
    }
}

impl SyncRow {
    /// For people.
    pub fn text(&self, look: Look) -> Vec<String> {
        let mut lines = labelled("sync", &self.place, Tone::Title, look);
        let others = [
            (
                self.differing,
                words::count(self.differing, "differs", "differ"),
            ),
            (
                self.missing,
                words::count(self.missing, "is missing", "are missing"),
            ),
            (
                self.extra,
                words::count(self.extra, "object is not in it", "objects are not in it"),
            ),
        ];
        let is_alike = others.iter().all(|(count, _)| *count == 0);
        let mut said = format!("{} as in the newest snapshot", words::files(self.in_sync));
        for (_, other) in others.iter().filter(|(count, _)| *count > 0) {
            said = format!("{said}, {other}");
        }
        let tone = if is_alike { Tone::Good } else { Tone::Notable };
        lines.extend(labelled("", &said, tone, look));
        lines
    }
}

impl PruneRow {
    /// For people.
    pub fn text(&self, look: Look, zone: &TimeZone) -> Vec<String> {
        let mut said = format!(
            "would drop {} and free {} with {} now",
            words::snapshots(self.snapshots),
            words::versions(self.now.versions),
            show_bytes(self.now.bytes)
        );
        if self.later.versions > 0 {
            let day = |time: Option<Time>| time.map_or_else(String::new, |it| show_day(it, zone));
            said.push_str(&format!(
                ", {} with {} later, from {} to {}",
                words::digits(self.later.versions),
                show_bytes(self.later.bytes),
                day(self.later_from),
                day(self.later_until)
            ));
        }
        let mut lines = labelled("prune", &said, Tone::Plain, look);
        for (place, one) in self.most_history.iter().enumerate() {
            let label = if place == 0 { "history" } else { "" };
            let (versions, bytes) = (words::versions(one.versions), show_bytes(one.bytes));
            let said = format!("{}: {versions}, {bytes}", plain(&one.path));
            lines.extend(labelled(label, &said, Tone::Plain, look));
        }
        lines
    }
}
