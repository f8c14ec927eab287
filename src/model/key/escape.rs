//! The escaping of path bytes that no key can hold, compatible with rclone's S3 backend.
//!
//! rclone (`lib/encoder/encoder.go`) turns a local name into its own form, taking full-width
//! look-alikes as escapes (`Slash,Dot`), and that into a key (`Slash,InvalidUtf8,Dot`). From
//! Linux the two steps cancel out for everything but
//!
//! - bytes that are not UTF-8: `‛` (U+201B) and two upper-case hex digits each;
//! - the quote `‛` itself: where an odd run of quotes stands before anything that rclone does not
//!   take as escaped, it can't open the local file at all, so that it never makes a key for it.
//!
//! Here a quote stays as it is, save where the key would read as an escaped byte: an odd run
//! before two hex digits or before an escaped byte. Its last quote is then written as its own
//! three bytes, escaped, which rclone reads right and never writes.

use crate::model::RelPath;

const QUOTE: &[u8] = "‛".as_bytes();
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The path as a relative key. No two paths have the same key, and the key equals the one that
/// `rclone sync` from a Linux disk gives wherever rclone can store the name.
pub fn encode(path: &RelPath) -> String {
    let mut key = String::with_capacity(path.as_bytes().len());
    for chunk in path.as_bytes().utf8_chunks() {
        push_text(&mut key, chunk.valid(), !chunk.invalid().is_empty());
        for &byte in chunk.invalid() {
            push_byte(&mut key, byte);
        }
    }
    key
}

/// The path that [`encode`] makes this key from; none where no path does (`a//b`, `/x`, `a/`,
/// `../x`, a needless escape): such an object was put there by something else.
pub fn decode(key: &str) -> Option<RelPath> {
    let path = RelPath::from_untrusted(&unescape(key.as_bytes())).ok()?;
    // Encoding again is what makes the two functions exact inverses: of several spellings of
    // one path all but one are foreign.
    (encode(&path) == key).then_some(path)
}

/// Appends valid text. `before_escape`: an escaped byte follows it.
fn push_text(key: &mut String, text: &str, before_escape: bool) {
    let mut rest = text;
    while let Some(start) = rest.find('‛') {
        let run = count_quotes(&rest.as_bytes()[start..]);
        let end = start + run * QUOTE.len();
        let after = &rest.as_bytes()[end..];
        let misread =
            run % 2 == 1 && (hex_byte(after).is_some() || after.is_empty() && before_escape);
        if misread {
            key.push_str(&rest[..end - QUOTE.len()]);
            QUOTE.iter().for_each(|&byte| push_byte(key, byte));
        } else {
            key.push_str(&rest[..end]);
        }
        rest = &rest[end..];
    }
    key.push_str(rest);
}

fn push_byte(key: &mut String, byte: u8) {
    key.push('‛');
    key.push(char::from(HEX[usize::from(byte >> 4)]));
    key.push(char::from(HEX[usize::from(byte & 15)]));
}

/// Turns `‛XX` into its byte wherever the quote is the last of an odd run.
fn unescape(key: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(key.len());
    let mut rest = key;
    while !rest.is_empty() {
        let run = count_quotes(rest);
        let after = &rest[run * QUOTE.len()..];
        match hex_byte(after) {
            Some(byte) if run % 2 == 1 => {
                path.extend_from_slice(&rest[..(run - 1) * QUOTE.len()]);
                path.push(byte);
                rest = &after[2..];
            }
            _ => {
                let taken = (run * QUOTE.len()).max(1);
                path.extend_from_slice(&rest[..taken]);
                rest = &rest[taken..];
            }
        }
    }
    path
}

fn count_quotes(bytes: &[u8]) -> usize {
    bytes
        .chunks_exact(QUOTE.len())
        .take_while(|&chunk| chunk == QUOTE)
        .count()
}

/// The value of the first two bytes, if they are hex digits of either case, as rclone reads them.
fn hex_byte(bytes: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made with rclone 1.75.2 on Linux: each name as an empty file, `rclone sync` to a bucket
    /// of a MinIO server, then the bucket's keys as ListObjectsV2 gave them.
    const RCLONE: &[(&[u8], &str)] = &[
        (b"plain.txt", "plain.txt"),
        (b" lead", " lead"),
        (b"trail ", "trail "),
        (b"-rf", "-rf"),
        (b"50%.txt", "50%.txt"),
        (b"a+b", "a+b"),
        (b"a#b", "a#b"),
        (b"a?b", "a?b"),
        (b"a:b", "a:b"),
        (b"<>|*\"'`$[];", "<>|*\"'`$[];"),
        (b"back\\slash", "back\\slash"),
        (b"del\x7f", "del\x7f"),
        (b"ctl\x01\x1f", "ctl\x01\x1f"),
        (b"new\nline", "new\nline"),
        (b"tab\t", "tab\t"),
        (b"cr\r", "cr\r"),
        (b"~tilde", "~tilde"),
        (b".hidden", ".hidden"),
        (b"...", "..."),
        (b"..a", "..a"),
        (b"dot.", "dot."),
        (b"cafe\xcc\x81", "cafe\u{301}"),
        ("🌊".as_bytes(), "🌊"),
        ("a／b".as_bytes(), "a／b"),
        ("／".as_bytes(), "／"),
        ("．".as_bytes(), "．"),
        ("．．".as_bytes(), "．．"),
        ("．．．".as_bytes(), "．．．"),
        ("x．".as_bytes(), "x．"),
        ("．x".as_bytes(), "．x"),
        ("a␀b".as_bytes(), "a␀b"),
        ("␀".as_bytes(), "␀"),
        ("a␁b".as_bytes(), "a␁b"),
        ("␊".as_bytes(), "␊"),
        ("a␡b".as_bytes(), "a␡b"),
        ("␠x␠".as_bytes(), "␠x␠"),
        ("\u{fffd}".as_bytes(), "\u{fffd}"),
        ("a\u{fffd}b".as_bytes(), "a\u{fffd}b"),
        (b"\xc2\xa0nbsp\xc2\xa0", "\u{a0}nbsp\u{a0}"),
        (b"bad\xff", "bad‛FF"),
        (b"bad\xff\xfe41", "bad‛FF‛FE41"),
        (b"\xe2\x80", "‛E2‛80"),
        (b"\xc3(", "‛C3("),
        (b"\xed\xa0\x80", "‛ED‛A0‛80"),
        (b"\xf4\x90\x80\x80", "‛F4‛90‛80‛80"),
        (b"\xff.", "‛FF."),
        (b"\xff\xe2\x90\x80", "‛FF␀"),
        (b"\xffAB", "‛FFAB"),
        (b"\xff\xff/in dir \xfe/f", "‛FF‛FF/in dir ‛FE/f"),
        ("two‛‛quotes2".as_bytes(), "two‛‛quotes2"),
        ("four‛‛‛‛q".as_bytes(), "four‛‛‛‛q"),
        ("B‛‛42".as_bytes(), "B‛‛42"),
        ("‛／".as_bytes(), "‛／"),
        ("‛‛／".as_bytes(), "‛‛／"),
        ("‛‛‛／".as_bytes(), "‛‛‛／"),
        ("‛␀".as_bytes(), "‛␀"),
        ("‛‛␀".as_bytes(), "‛‛␀"),
        ("‛．".as_bytes(), "‛．"),
        ("‛．‛．".as_bytes(), "‛．‛．"),
        ("‛‛．".as_bytes(), "‛‛．"),
        ("d‛／r/‛．/x".as_bytes(), "d‛／r/‛．/x"),
    ];

    /// Names for which that rclone says "failed to open source object" and makes no key.
    const OURS: &[(&[u8], &str)] = &[
        ("one‛quote".as_bytes(), "one‛quote"),
        ("three‛‛‛quotes".as_bytes(), "three‛‛‛quotes"),
        ("‛".as_bytes(), "‛"),
        ("end‛/‛".as_bytes(), "end‛/‛"),
        ("x‛．".as_bytes(), "x‛．"),
        ("‛4".as_bytes(), "‛4"),
        ("‛41".as_bytes(), "‛E2‛80‛9B41"),
        ("‛ff".as_bytes(), "‛E2‛80‛9Bff"),
        ("A‛‛‛41B".as_bytes(), "A‛‛‛E2‛80‛9B41B"),
        (b"\xe2\x80\x9b\xff", "‛E2‛80‛9B‛FF"),
        (b"\xe2\x80\x9b\xe2\x80\x9b\xff", "‛‛‛FF"),
    ];

    #[test]
    fn keys_are_those_that_rclone_makes() {
        for (name, key) in RCLONE.iter().chain(OURS) {
            let path = RelPath::new(*name);
            assert_eq!(encode(&path), *key, "{path:?}");
            assert_eq!(decode(key), Some(path));
        }
    }

    #[test]
    fn keys_that_no_path_makes_are_foreign() {
        for key in [
            "",
            "/",
            "/x",
            "a/",
            "a//b",
            "../x",
            "a/./b",
            "a\0b",
            "‛41",
            "‛C3‛A9",
            "‛ff",
            "‛2F",
            "‛2E‛2E/x",
            "a/‛00",
            "‛E2‛80‛9Bquote",
            "‛E2‛80‛9B",
        ] {
            assert_eq!(decode(key), None, "{key:?}");
        }
    }

    /// Segments rich in what the escaping turns on, and arbitrary bytes.
    fn any_path() -> impl Strategy<Value = RelPath> {
        let piece = prop_oneof![
            Just("‛".as_bytes().to_vec()),
            Just(b"E2".to_vec()),
            Just(b"f".to_vec()),
            Just(b"/".to_vec()),
            Just("．".as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..3),
        ];
        prop::collection::vec(piece, 1..12)
            .prop_map(|pieces| pieces.concat())
            .prop_filter_map("well formed", |bytes| RelPath::from_untrusted(&bytes).ok())
    }

    proptest! {
        #[test]
        fn any_path_comes_back_from_its_key(path in any_path()) {
            prop_assert_eq!(decode(&encode(&path)), Some(path));
        }

        #[test]
        fn two_paths_never_share_a_key(one in any_path(), two in any_path()) {
            prop_assert_eq!(encode(&one) == encode(&two), one == two);
        }

        #[test]
        fn a_key_that_decodes_is_the_path_s_own(key in "[‛．/E2a4\\PC]{0,12}") {
            if let Some(path) = decode(&key) {
                prop_assert_eq!(encode(&path), key);
            }
        }
    }
}
