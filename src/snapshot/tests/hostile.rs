use super::objects::text;
use super::{chunk_of, file};
use crate::model::Error;
use crate::snapshot::chunk::{self, Decoded};
use crate::snapshot::{Snapshot, line};
use proptest::prelude::*;

fn line_of(path: &str) -> String {
    let mut line = Vec::new();
    line::encode(&file(path), &mut line).expect("encode");
    String::from_utf8(line).expect("UTF-8")
}

fn read(lines: &str) -> Decoded {
    let stored = chunk::compress(lines.as_bytes()).expect("compress");
    chunk::decode(&stored, &chunk_of(lines.as_bytes(), "")).expect("the chunk itself is whole")
}

/// One bad line between two good ones: it is named, and the good ones are there.
fn refused(bad: &str) -> String {
    let lines = format!("{}{bad}\n{}", line_of("a"), line_of("z"));
    let decoded = read(&lines);
    let paths: Vec<_> = decoded.entries.iter().map(|e| e.path.to_string()).collect();
    assert_eq!(paths, ["a", "z"], "{bad}");
    assert_eq!(decoded.refused.len(), 1, "{bad}");
    let failure = &decoded.refused[0];
    assert!(
        failure.message.contains("line 2 of library/manifests/"),
        "{failure:?}"
    );
    format!("{}: {}", failure.path, failure.message)
}

#[test]
fn f50_a_hostile_path_is_refused_by_name_and_the_rest_is_read() {
    for (path, shown) in [
        ("../etc/passwd", "../etc/passwd"),
        ("/etc/passwd", "/etc/passwd"),
        ("a/../../b", "a/../../b"),
        ("b//c", "b//c"),
        ("b/", "b/"),
        ("b/./c", "b/./c"),
        ("b\\u0000c", "b\\u{0}c"),
        ("", ""),
    ] {
        let line = line_of("m").replace("\"path\":\"m\"", &format!("\"path\":\"{path}\""));
        let says = refused(line.trim_end());
        assert!(says.contains(shown) && says.contains("the path "), "{says}");
        let link = line_of("m").replace("\"key\"", &format!("\"hardlink\":\"{path}\",\"key\""));
        assert!(refused(link.trim_end()).starts_with("m: "));
    }
    // The same behind base64.
    let line = line_of("m").replace("\"path\":\"m\"", "\"path_base64\":\"Li4vbQ==\"");
    assert!(refused(line.trim_end()).starts_with("../m: "));
}

#[test]
fn a_line_that_breaks_the_format_is_refused_by_name() {
    let good = line_of("m");
    let good = good.trim_end();
    for (from, to, says) in [
        (
            "\"file\"",
            "\"wormhole\"",
            "m: refused: type \"wormhole\" is unknown",
        ),
        (
            "\"mode\"",
            "\"encoding\":\"age\",\"mode\"",
            "m: refused: encoding age is unknown",
        ),
        ("\"size\":1", "\"size\":-1", "not readable"),
        ("\"size\":1", "\"size\":1,\"size\":2", "duplicate field"),
        (
            "\"path\":\"m\"",
            "\"path\":\"m\",\"path\":\"n\"",
            "duplicate field",
        ),
        (
            "\"path\":\"m\"",
            "\"path\":\"m\",\"path_base64\":\"bQ==\"",
            "has both path and",
        ),
        (
            "\"path\":\"m\"",
            "\"path_base64\":\"!\"",
            "path_base64 is not base64",
        ),
        ("\"path\":\"m\",", "", "the line has no path"),
        ("\"path\":\"m\"", "\"path\":\"\\ud800\"", "not readable"),
        ("\"0644\"", "\"99\"", "m: refused: mode \"99\""),
        ("\"0644\"", "\"17777\"", "mode \"17777\""),
        ("2026-01-02", "2026-13-02", "is not an RFC 3339 time"),
        (
            "\"blake3\":\"",
            "\"blake3\":\"x",
            "blake3 is not 64 hex digits",
        ),
        ("\"crc64nvme\":\"", "\"crc64nvme\":\"=", "crc64nvme is not"),
        (
            "\"version_id\":\"v1\"",
            "\"version_id\":\"\"",
            "a file without version_id",
        ),
        ("\"key\":", "\"no_key\":", "a file without key"),
        ("\"file\"", "\"symlink\"", "a symlink without a target"),
        ("\"file\"", "\"symlink\",\"target\":\"\\u0000\"", "NUL"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let got = refused(&bad);
        assert!(got.contains(says), "{got}\n{says}");
    }
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    let long = good.replace("\"v1\"", &format!("\"{}\"", "v".repeat(line::MAX_LINE)));
    for bad in ["", "x", "{}", "\u{feff}", "[]", &deep, &long] {
        refused(bad);
    }
}

#[test]
fn entries_out_of_place_are_refused() {
    assert!(refused(line_of("a").trim_end()).contains("names it twice"));
    assert!(refused(line_of("0").trim_end()).contains("wrong place"));
    let lines = line_of("a");
    let stored = chunk::compress(lines.as_bytes()).expect("compress");
    let decoded = chunk::decode(&stored, &chunk_of(lines.as_bytes(), "b")).expect("decode");
    assert_eq!((decoded.entries.len(), decoded.refused.len()), (0, 1));
}

#[test]
fn names_in_messages_cannot_steer_a_terminal() {
    let line = line_of("m").replace("\"path\":\"m\"", "\"path\":\"../\\u001b[2Jm\"");
    let says = refused(line.trim_end());
    assert!(!says.contains('\u{1b}') && says.contains("u{1b}"), "{says}");
}

#[test]
fn f54_a_bomb_is_refused_without_being_unpacked() {
    let bomb = chunk::compress(&vec![b'\n'; chunk::MAX_BYTES]).expect("compress");
    assert!(bomb.len() < 10_000);
    // The snapshot says that it is small.
    let mut chunk = chunk_of(b"x\n", "");
    let error = chunk::decode(&bomb, &chunk).expect_err("too long");
    assert!(error.contains("at most 2 bytes"), "{error}");
    // The snapshot says that it is beyond all bounds.
    chunk.size = u64::MAX;
    assert!(chunk::decode(&bomb, &chunk).is_err());
    chunk = chunk_of(&vec![b'\n'; chunk::MAX_BYTES], "");
    chunk.size += 1;
    let error = chunk::decode(&bomb, &chunk).expect_err("beyond the bound");
    assert!(error.contains("more than any chunk has"), "{error}");
    // The snapshot is in it: as many failures as a chunk has entries and one, not millions.
    chunk.size -= 1;
    chunk.entries = 3;
    let decoded = chunk::decode(&bomb, &chunk).expect("decode");
    assert_eq!(decoded.refused.len(), 4);
    chunk.entries = u64::MAX;
    let decoded = chunk::decode(&bomb, &chunk).expect("decode");
    assert_eq!(decoded.refused.len(), chunk::MAX_ENTRIES + 1);
}

#[test]
fn f31_a_chunk_with_other_bytes_is_refused_as_a_whole() {
    let lines = line_of("a");
    let stored = chunk::compress(line_of("b").as_bytes()).expect("compress");
    let chunk = chunk_of(lines.as_bytes(), "a");
    let error = chunk::decode(&stored, &chunk).expect_err("another content");
    assert!(error.contains("BLAKE3"), "{error}");
    for cut in 0..stored.len() {
        assert!(chunk::decode(&stored[..cut], &chunk).is_err(), "{cut}");
    }
}

#[test]
fn a_chunk_that_hides_lines_says_so() {
    let lines = format!("{}{}", line_of("a"), line_of("b"));
    let stored = chunk::compress(lines.as_bytes()).expect("compress");
    for entries in [1, 3] {
        let mut chunk = chunk_of(lines.as_bytes(), "a");
        chunk.entries = entries;
        let decoded = chunk::decode(&stored, &chunk).expect("decode");
        assert_eq!(decoded.refused.len(), 1, "{entries}");
    }
}

#[test]
fn a_snapshot_that_breaks_the_format_is_refused() {
    let good = text();
    for (from, to) in [
        ("\"format\":1,", ""),
        ("\"format\":1", "\"format\":\"1\""),
        ("\"id\":\"2026", "\"id\":\"../2026"),
        ("\"size\":2", "\"size\":99999999999"),
        ("\"entries\":1", "\"entries\":16385"),
        ("\"first\":\"a\"", "\"first\":\"z\""),
        ("\"first\":\"a\"", "\"no_first\":\"a\""),
        ("\"files\":2", "\"files\":2,\"files\":3"),
        ("GOVERNANCE", "NONE"),
        ("\"parent_blake3\":\"", "\"parent_blake3\":\"0"),
        ("2027-01-01T", "2027-99-01T"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let error = Snapshot::decode(bad.as_bytes()).expect_err(to);
        assert!(matches!(error, Error::Damage(_)), "{error:?}");
    }
    let deep = good.replace(
        "{\"backup\"",
        &format!("{}\"backup\"", "{\"x\":".repeat(200)),
    );
    let zeros = format!("\"config\":[{}0],\"c\":", "0,".repeat(600_000));
    let long = good.replace("\"config\":", &zeros);
    for bad in ["", "{}", "[]", "null", &deep, &long] {
        assert!(Snapshot::decode(bad.as_bytes()).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = line::decode(&bytes);
        let _ = Snapshot::decode(&bytes);
        let _ = chunk::decode(&bytes, &chunk_of(b"x\n", ""));
        let lines = chunk::compress(&bytes).expect("compress");
        let _ = chunk::decode(&lines, &chunk_of(&bytes, ""));
    }

    #[test]
    fn a_damaged_line_is_refused_or_still_well_formed(at in 0_usize..400, byte: u8) {
        let mut line = line_of("some/path").into_bytes();
        let at = at % line.len();
        line[at] = byte;
        if let Ok(entry) = line::decode(&line) {
            prop_assert!(crate::model::RelPath::from_untrusted(entry.path.as_bytes()).is_ok());
            prop_assert!(entry.content.is_some() == (entry.kind == crate::model::Kind::File));
        }
    }
}
