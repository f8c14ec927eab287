//! Tables: one line of text, or one JSON object, a row.

use super::out::{Shared, lock};
use super::text::plain;
use serde::Serialize;

/// Where a command prints its rows.
#[derive(Clone)]
pub struct Rows {
    json: bool,
    out: Shared,
}

impl Rows {
    pub(super) fn new(json: bool, out: Shared) -> Self {
        Self { json, out }
    }

    /// Whether rows are JSON, so that no text need be made.
    pub fn are_json(&self) -> bool {
        self.json
    }

    /// Prints a row: `value` as a JSON object, or the text, made harmless for terminals. False
    /// once nobody reads any more, so that a long listing may end early.
    pub fn row<T: Serialize>(&self, value: &T, text: impl FnOnce() -> String) -> bool {
        let line = if self.json {
            serde_json::to_string(value).unwrap_or_default()
        } else {
            plain(&text()).into_owned()
        };
        let mut out = lock(&self.out);
        out.line(&line);
        out.is_open()
    }

    /// Prints a line of text alone, such as a table's head; nothing in JSON.
    pub fn text(&self, text: &str) {
        if !self.json {
            lock(&self.out).line(&plain(text));
        }
    }
}
