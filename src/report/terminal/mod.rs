//! Keys and answers, on a terminal.

mod keys;

pub(super) use keys::{Key, Keys};

use super::text::plain_lines;
use crate::model::{Error, Result};
use std::io::Write;

/// Reads yes or no; Enter alone is no.
pub(super) fn confirm(question: &str, keys: &mut Keys) -> Result<bool> {
    let mut screen = std::io::stderr();
    let mut answer = String::new();
    let mut show = |text: &str| {
        // Who can't read the question won't answer it either.
        let _ = screen
            .write_all(text.as_bytes())
            .and_then(|()| screen.flush());
    };
    show(&format!("{} [y/N] ", plain_lines(question)));
    loop {
        match keys.next() {
            Some(Key::Enter) => break,
            Some(Key::Letter(letter)) => {
                answer.push(letter);
                show(&letter.to_string());
            }
            Some(Key::Backspace) if answer.pop().is_some() => show("\u{8} \u{8}"),
            Some(Key::Interrupt) | None => {
                show("\n");
                return Err(Error::Interrupted);
            }
            Some(Key::Escape | Key::End) => {
                answer.clear();
                break;
            }
            Some(_) => {}
        }
    }
    show("\n");
    Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

/// Size of the terminal that standard error is: columns, lines.
pub(super) fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    match size {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for yes in ["y", "Y", "yes", " YES "] {
            assert!(is_yes(yes), "{yes}");
        }
        for no in ["", "n", "no", "ye", "yess", "sure"] {
            assert!(!is_yes(no), "{no}");
        }
    }
}
