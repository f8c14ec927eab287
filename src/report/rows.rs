//! Tables: lines of text, or one JSON object, a row.

use super::look::Look;
use super::out::{Shared, lock};
use super::text::plain;
use serde::Serialize;

/// Where a command prints its rows.
#[derive(Clone)]
pub struct Rows {
    json: bool,
    look: Look,
    out: Shared,
}

impl Rows {
    pub(super) fn new(json: bool, look: Look, out: Shared) -> Self {
        Self { json, look, out }
    }

    /// Whether rows are JSON, so that no text need be made.
    pub fn are_json(&self) -> bool {
        self.json
    }

    /// What it is that text is made for.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Prints a row: `value` as a JSON object, or the text, made harmless for terminals. False
    /// once nobody reads any more, so that a long listing may end early.
    pub fn row<T: Serialize>(&self, value: &T, text: impl FnOnce() -> String) -> bool {
        self.lines(value, || vec![plain(&text()).into_owned()])
    }

    /// As [`Rows::row`], with lines that are harmless already, as those of [`super::tables`] are.
    pub fn lines<T: Serialize>(&self, value: &T, lines: impl FnOnce() -> Vec<String>) -> bool {
        let lines = if self.json {
            vec![serde_json::to_string(value).unwrap_or_default()]
        } else {
            lines()
        };
        let mut out = lock(&self.out);
        lines.iter().for_each(|line| out.line(line));
        out.is_open()
    }

    /// Prints a line of text alone; nothing in JSON.
    pub fn text(&self, text: &str) {
        if !self.json {
            lock(&self.out).line(&plain(text));
        }
    }

    /// Prints a table's head, if it has one; nothing in JSON.
    pub fn head(&self, head: Option<String>) {
        if let Some(head) = head.filter(|_| !self.json) {
            lock(&self.out).line(&head);
        }
    }
}
