//! Settings from several places, one above the other.

use super::endpoint::Endpoint;
use super::schema;
use super::value::{Raw, Value};
use crate::model::{Limit, Target};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where a setting was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// One of the AWS variables that other tools obey too.
    Aws(&'static str),
    /// The file and the line in it, from 1.
    File { name: String, line: usize },
    /// A `TIDELOCK_` variable.
    Variable(String),
    /// A flag or an argument.
    Flag(&'static str),
}

impl Origin {
    /// What is higher wins.
    fn level(&self) -> u8 {
        match self {
            Self::Aws(_) => 0,
            Self::File { .. } => 1,
            Self::Variable(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Aws(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A setting and where it came from.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Given {
    pub(super) value: Value,
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// Settings by key.
#[derive(Clone, Debug, Default)]
pub(super) struct Values(BTreeMap<&'static str, Given>);

impl Values {
    /// Reads and adds a setting. A higher place beats a lower one, and among equals the later
    /// one wins; lists of patterns add up, so that `--exclude` does not bring back what the file
    /// leaves out.
    ///
    /// # Errors
    /// The whole message for the user.
    pub(super) fn add(
        &mut self,
        key: &'static schema::Key,
        raw: Raw,
        origin: Origin,
    ) -> Result<(), String> {
        let value = key.kind.read(&raw).map_err(|why| {
            let shown = raw.show().filter(|_| key.kind.is_shown());
            match (&origin, shown) {
                (Origin::File { .. }, Some(shown)) => {
                    format!("{origin}: {} = {shown} {why}", key.id)
                }
                (Origin::File { .. }, None) => format!("{origin}: {} {why}", key.id),
                (_, Some(shown)) => format!("{origin}: {shown} {why}"),
                (_, None) => format!("{origin}: its value {why}"),
            }
        })?;
        self.put(key.id, Given { value, raw, origin });
        Ok(())
    }

    /// Adds all of another's.
    pub(super) fn merge(&mut self, other: &Self) {
        for (id, given) in &other.0 {
            self.put(id, given.clone());
        }
    }

    fn put(&mut self, id: &'static str, mut given: Given) {
        if let Some(before) = self.0.get(id) {
            if let (Value::Patterns(first), Value::Patterns(more)) =
                (&before.value, &mut given.value)
            {
                more.splice(0..0, first.iter().cloned());
            } else if before.origin.level() > given.origin.level() {
                return;
            }
        }
        self.0.insert(id, given);
    }

    /// Replaces a value whose origin stays.
    pub(super) fn replace(&mut self, id: &str, value: Value) {
        if let Some(given) = self.0.get_mut(id) {
            given.value = value;
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Given> {
        debug_assert!(schema::find(id).is_some(), "no setting is called {id}");
        self.0.get(id)
    }

    /// All of them, in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Given)> {
        self.0.iter().map(|(id, given)| (*id, given))
    }

    /// All paths among them, to be made absolute.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.0
            .values_mut()
            .filter_map(|given| match &mut given.value {
                Value::Path(path) => Some(path),
                _ => None,
            })
    }

    /// The target's own setting or the one for both, whichever stands higher.
    pub(super) fn of_target(&self, side: &str, name: &str) -> Option<&Given> {
        let own = self.get(&format!("{side}.{name}"));
        let both = self.get(name);
        match (own, both) {
            (Some(own), Some(both)) if both.origin.level() > own.origin.level() => Some(both),
            (Some(own), _) => Some(own),
            (None, both) => both,
        }
    }

    pub(super) fn text(&self, id: &str) -> Option<&str> {
        self.get(id).and_then(Given::text)
    }

    pub(super) fn path(&self, id: &str) -> Option<PathBuf> {
        self.get(id).and_then(Given::path)
    }

    pub(super) fn switch(&self, id: &str) -> Option<bool> {
        self.get(id).and_then(Given::switch)
    }

    pub(super) fn number(&self, id: &str) -> Option<u64> {
        match self.get(id)?.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn duration(&self, id: &str) -> Option<Duration> {
        match self.get(id)?.value {
            Value::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    pub(super) fn limit(&self, id: &str) -> Option<Limit> {
        match self.get(id)?.value {
            Value::Limit(limit) => Some(limit),
            _ => None,
        }
    }

    pub(super) fn patterns(&self, id: &str) -> Vec<String> {
        match self.get(id).map(|given| &given.value) {
            Some(Value::Patterns(patterns)) => patterns.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn target(&self, id: &str) -> Option<&Target> {
        match &self.get(id)?.value {
            Value::Target(target) => Some(target),
            _ => None,
        }
    }
}

impl Given {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        match &self.value {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    pub(super) fn switch(&self) -> Option<bool> {
        match self.value {
            Value::Switch(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn endpoint(&self) -> Option<&Endpoint> {
        match &self.value {
            Value::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    pub(super) fn is_from_file(&self) -> bool {
        matches!(self.origin, Origin::File { .. })
    }

    pub(super) fn is_from_flag(&self) -> bool {
        matches!(self.origin, Origin::Flag(_))
    }
}
