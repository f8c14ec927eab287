//! Samples by name and labels: the text format, read back and written.

use super::families::FAMILIES;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Values by family and labels, the labels as they are written: `{library="photos",…}`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Series(BTreeMap<(&'static str, String), String>);

impl Series {
    /// Reads what [`Series::render`] wrote; lines of another kind are passed over.
    pub(super) fn read(text: &str) -> Self {
        let mut series = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, rest)) = line.split_once('{') else {
                continue;
            };
            let Some((labels, value)) = rest.rsplit_once("} ") else {
                continue;
            };
            let family = FAMILIES.iter().find(|family| family.name == name);
            if let Some(family) = family.filter(|_| value.parse::<f64>().is_ok()) {
                let key = (family.name, format!("{{{labels}}}"));
                series.0.insert(key, value.to_owned());
            }
        }
        series
    }

    /// The whole file.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        for family in FAMILIES {
            let from = (family.name, String::new());
            let samples = self.0.range(from..);
            let mut samples = samples
                .take_while(|((name, _), _)| *name == family.name)
                .peekable();
            if samples.peek().is_none() {
                continue;
            }
            let (name, help) = (family.name, family.help);
            // Nothing can fail on its way into a string.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            for ((_, labels), value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text
    }

    pub(super) fn set(&mut self, name: &'static str, labels: &[(&str, &str)], value: String) {
        self.0.insert((name, render_labels(labels)), value);
    }

    /// Drops the samples of a family whose labels begin with these.
    pub(super) fn drop_of(&mut self, family: &'static str, labels: &[(&str, &str)]) {
        let labels = render_labels(labels);
        let begin = labels.trim_end_matches('}');
        self.0.retain(|(name, found), _| {
            let rest = found.strip_prefix(begin).filter(|_| *name == family);
            !rest.is_some_and(|rest| rest.starts_with([',', '}']))
        });
    }
}

fn render_labels(labels: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

fn escape(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace('\n', r"\n")
        // No line may end within a value, whatever a reader takes for one.
        .replace('\r', " ")
}
