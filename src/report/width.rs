//! How many columns text takes on a terminal, and how it is made to fit.

use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for what is left out.
const LEFT_OUT: char = '…';

/// Columns that a text takes: an ideograph takes two, a combining mark none.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The end of a text, in at most `columns`: of a path, its end is what people know it by.
pub(super) fn keep_end(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(1);
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or_default();
        used <= room
    };
    let kept = text.chars().rev().take_while(fits);
    let kept: usize = kept.map(char::len_utf8).sum();
    let mut end = &text[text.len() - kept..];
    // A mark that has lost what it stood on would stand on the sign; and some sequences are wider
    // than the sum of their characters.
    while let Some(first) = end.chars().next()
        && (first.width() == Some(0) || width(end) > room)
    {
        end = &end[first.len_utf8()..];
    }
    Cow::Owned(format!("{LEFT_OUT}{end}"))
}

/// Breaks a text at spaces into lines of at most `columns`; a word that is longer is broken too.
pub(super) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().map_or(0, |line| width(line));
        let space = usize::from(line > 0);
        if line + space + width(word) > columns && line > 0 {
            lines.push(String::new());
        } else if space > 0 {
            push(&mut lines, " ");
        }
        let mut pieces = pieces(word, columns).into_iter();
        push(&mut lines, pieces.next().unwrap_or_default());
        lines.extend(pieces.map(str::to_owned));
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// Breaks a text into pieces of at most `columns`, wherever that is, but never before a mark that
/// belongs to the character before it.
pub(super) fn pieces(text: &str, columns: usize) -> Vec<&str> {
    let columns = columns.max(2);
    let mut pieces = Vec::new();
    let (mut begin, mut used) = (0, 0);
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or_default();
        if used + wide > columns {
            pieces.push(&text[begin..at]);
            (begin, used) = (at, 0);
        }
        used += wide;
    }
    pieces.push(&text[begin..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ideographs_take_two_columns_and_marks_none() {
        assert_eq!(width("夏休み"), 6);
        assert_eq!(width("e\u{301}te\u{301}"), 3);
    }

    #[test]
    fn a_path_that_is_too_long_keeps_its_end() {
        assert_eq!(keep_end("2024/Rome/a.jpg", 15), "2024/Rome/a.jpg");
        assert_eq!(keep_end("2024/Rome/a.jpg", 10), "…ome/a.jpg");
        assert_eq!(keep_end("2024/夏休み.jpg", 9), "…休み.jpg");
        assert_eq!(keep_end("2024/夏休み.jpg", 8), "…み.jpg");
        // The accent must not move to the sign.
        assert_eq!(keep_end("xxe\u{301}b", 2), "…b");
        for columns in 1..20 {
            for text in [
                "2024/夏休み/e\u{301}te\u{301}.jpg",
                "❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}",
            ] {
                let kept = keep_end(text, columns);
                assert!(width(&kept) <= columns, "{kept:?} in {columns}");
            }
        }
    }

    #[test]
    fn lines_break_at_spaces_and_in_words_only_where_they_must() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrap("abcdefgh i", 4), ["abcd", "efgh", "i"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(pieces("夏休み", 4), ["夏休", "み"]);
        assert_eq!(pieces("abe\u{301}", 3), ["abe\u{301}"]);
    }
}
