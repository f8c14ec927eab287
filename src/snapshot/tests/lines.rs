use super::{file, time};
use crate::model::{Blake3, Content, Crc64, Entry, Kind, RelPath, Stored, Time};
use crate::snapshot::line;
use proptest::prelude::*;

fn encode(entry: &Entry) -> String {
    let mut line = Vec::new();
    line::encode(entry, &mut line).expect("encode");
    String::from_utf8(line).expect("JSON is UTF-8")
}

#[test]
fn a_line_has_the_fields_of_format_1_in_their_order() {
    let mut entry = file("2024/a.jpg");
    entry.sync_etag = Some("s1".to_owned());
    entry.hardlink = Some(RelPath::from("2024/0.jpg"));
    entry.carried = true;
    assert_eq!(
        encode(&entry),
        concat!(
            r#"{"path":"2024/a.jpg","type":"file","size":10,"mtime":"2026-01-02T03:04:05.678901234Z","#,
            r#""mode":"0644","blake3":"09b12a8d50be6abce745c6a2a4c62da8bf93f00abc2d4f4e0483eb16e5955cbf","#,
            r#""crc64nvme":"eznr8bEyfEE=","key":"library/files/2024/a.jpg","version_id":"v1","etag":"e1","#,
            r#""sync_etag":"s1","hardlink":"2024/0.jpg","carried":true}"#,
            "\n"
        )
    );
}

#[test]
fn what_is_absent_is_left_out() {
    let dir = Entry::new(RelPath::from("empty"), Kind::Dir);
    assert_eq!(encode(&dir), "{\"path\":\"empty\",\"type\":\"dir\"}\n");
    let mut link = Entry::new(RelPath::from("l"), Kind::Symlink);
    link.target = Some(b"../elsewhere".to_vec());
    link.mtime = Some(time("1969-12-31T23:59:59.5Z"));
    link.mode = Some(0o7777);
    assert_eq!(
        encode(&link),
        concat!(
            r#"{"path":"l","type":"symlink","mtime":"1969-12-31T23:59:59.5Z","mode":"7777","#,
            r#""target":"../elsewhere"}"#,
            "\n"
        )
    );
}

#[test]
fn names_that_are_not_utf8_go_as_base64() {
    let mut entry = Entry::new(RelPath::new(*b"caf\xe9"), Kind::Symlink);
    entry.target = Some(b"\xff".to_vec());
    entry.hardlink = Some(RelPath::new(*b"b\xfe"));
    assert_eq!(
        encode(&entry),
        concat!(
            r#"{"path_base64":"Y2Fm6Q==","type":"symlink","target_base64":"/w==","#,
            r#""hardlink_base64":"Yv4="}"#,
            "\n"
        )
    );
}

#[test]
fn unknown_fields_are_ignored() {
    let text = encode(&file("a")).replace("\"type\"", "\"later\":{\"x\":[1]},\"type\"");
    let entry = line::decode(text.trim_end().as_bytes()).expect("decode");
    assert_eq!(entry, file("a"));
}

#[test]
fn a_file_without_a_version_is_not_named() {
    let mut entry = file("a");
    entry.stored = None;
    let error = line::encode(&entry, &mut Vec::new()).expect_err("refused");
    assert!(error.to_string().starts_with("a: "), "{error}");
}

fn segment() -> impl Strategy<Value = Vec<u8>> {
    let plain = "[a-zA-Z0-9 %+#?é\u{1}\"\\\\😀-]{1,12}".prop_map(String::into_bytes);
    let raw = prop::collection::vec(
        any::<u8>().prop_filter("NUL, /", |b| *b != 0 && *b != b'/'),
        1..9,
    );
    prop_oneof![3 => plain, 1 => raw].prop_filter("dots", |s| s != b"." && s != b"..")
}

fn path() -> impl Strategy<Value = RelPath> {
    prop::collection::vec(segment(), 1..5).prop_map(|parts| RelPath::new(parts.join(&b'/')))
}

fn any_time() -> impl Strategy<Value = Time> {
    (
        Time::MIN.as_second()..=Time::MAX.as_second(),
        0..1_000_000_000,
    )
        .prop_map(|(second, nano)| Time::new(second, nano).unwrap_or(Time::MIN))
}

pub(super) fn entry() -> impl Strategy<Value = Entry> {
    let content = (any::<u64>(), any::<[u8; 32]>(), any::<u64>());
    let content = content.prop_map(|(size, blake3, crc)| Content {
        size,
        blake3: Blake3(blake3),
        crc64nvme: Crc64(crc),
    });
    let stored = (".{1,20}", ".{1,20}", ".{0,20}");
    let stored = stored.prop_map(|(key, version_id, etag)| Stored {
        key,
        version_id,
        etag,
    });
    let common = (
        path(),
        prop::option::of(any_time()),
        prop::option::of(0..=0o7777_u32),
        any::<bool>(),
        prop::option::of(path()),
    );
    let target = segment();
    let kinds = (
        0..4_usize,
        content,
        stored,
        prop::option::of(".{0,20}"),
        target,
    );
    (common, kinds).prop_map(|((path, mtime, mode, carried, hardlink), kinds)| {
        let (kind, content, stored, sync_etag, target) = kinds;
        let kind = [Kind::File, Kind::Dir, Kind::Symlink, Kind::Special][kind];
        let file = kind == Kind::File;
        Entry {
            path,
            kind,
            mtime,
            mode,
            content: file.then_some(content),
            stored: file.then_some(stored),
            sync_etag: sync_etag.filter(|_| file),
            target: (kind == Kind::Symlink).then_some(target),
            hardlink,
            carried,
        }
    })
}

proptest! {
    #[test]
    fn every_entry_is_read_back_as_it_was(entry in entry()) {
        let line = encode(&entry);
        prop_assert_eq!(line.matches('\n').count(), 1);
        let read = line::decode(line.trim_end_matches('\n').as_bytes());
        prop_assert_eq!(read, Ok(entry));
    }
}
