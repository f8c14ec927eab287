//! The text format of Prometheus, read as strictly as its specification is written, and its naming rules as
//! `promtool check metrics` knows them.

use std::collections::{BTreeMap, BTreeSet};

/// Values by name and labels, as written: `tidelock_exit_code{library="photos"}`.
pub(crate) type Samples = BTreeMap<String, f64>;

/// Reads a whole file; whatever a reader might stumble over ends the test.
#[track_caller]
pub(crate) fn parse_strictly(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line has an end");
    let mut samples = Samples::new();
    let mut seen = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let (name, what) = after(help, "# HELP ");
        assert!(!what.is_empty() && !what.contains('\\'), "{help}");
        check_name(name);
        assert!(seen.insert(name), "{name} stands twice");
        let (typed, kind) = after(lines.next().expect("a type"), "# TYPE ");
        assert_eq!((typed, kind), (name, "gauge"));
        let mut count = 0;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let labels = series.strip_prefix(name).expect("the family's own name");
            check_labels(labels);
            let value: f64 = value.parse().expect("a number");
            let twin = samples.insert(series.to_owned(), value);
            assert_eq!(twin, None, "{series} stands twice");
            count += 1;
        }
        assert!(count > 0, "{name} has no sample");
    }
    samples
}

#[track_caller]
fn after<'t>(line: &'t str, what: &str) -> (&'t str, &'t str) {
    let rest = line.strip_prefix(what);
    let rest = rest.unwrap_or_else(|| panic!("{what:?} is due, not {line:?}"));
    rest.split_once(' ').expect("a name and a text")
}

#[track_caller]
fn check_name(name: &str) {
    let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
    assert!(name.chars().all(is_plain), "{name}");
    assert!(name.starts_with("tidelock_"), "{name}");
    // A gauge is no counter and no part of a histogram, and units are base units, in the plural.
    for ending in [
        "_total", "_count", "_sum", "_bucket", "_ms", "_second", "_byte", "_gauge",
    ] {
        assert!(!name.ends_with(ending), "{name}");
    }
}

/// `{name="value",…}`, each name once, values with no escapes but the three that there are.
#[track_caller]
fn check_labels(labels: &str) {
    let inner = labels.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    let mut rest = inner.unwrap_or_else(|| panic!("{labels}"));
    let mut names = BTreeSet::new();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("a label");
        let good = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(good && names.insert(name), "{labels}");
        let end = end_of_value(value);
        rest = &value[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

#[track_caller]
fn end_of_value(value: &str) -> usize {
    let mut chars = value.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return at,
            '\\' => {
                let escaped = chars.next().map(|(_, c)| c);
                assert!(matches!(escaped, Some('\\' | '"' | 'n')), "{value}");
            }
            _ => {}
        }
    }
    panic!("{value}: no end")
}
