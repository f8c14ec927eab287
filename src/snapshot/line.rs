//! One entry as one line of a manifest.

use crate::model::{Blake3, Content, Crc64, Entry, Error, Kind, RelPath, Result, Stored, Time};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// No line is longer, in bytes without its end; a longer one is refused unread.
///
/// A path of 4,096 control characters, a hard link to another and a key take a third of it.
pub(super) const MAX_LINE: usize = 256 << 10;

/// A line's fields, in the order that they are written in. Absent ones are left out.
#[derive(Serialize, Deserialize, Default)]
struct Line<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    path_base64: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    mtime: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    mode: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    blake3: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    crc64nvme: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    version_id: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    etag: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    sync_etag: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    target_base64: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    hardlink: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    hardlink_base64: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    carried: bool,
    /// Never written by this format: whoever writes it means something that this reader can't know.
    #[serde(borrow, default, skip_serializing)]
    encoding: Option<Cow<'a, str>>,
}

/// Why a line gives no entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    /// The path as the line has it, made safe to print; empty where it can't be told.
    pub(super) path: String,
    /// For a message behind the path.
    pub(super) reason: String,
}

/// Appends an entry as a line with its end.
///
/// # Errors
/// `Failed` for a file without content or version, or a line over [`MAX_LINE`].
pub(super) fn encode(entry: &Entry, out: &mut Vec<u8>) -> Result<()> {
    if entry.kind == Kind::File && (entry.content.is_none() || entry.stored.is_none()) {
        return Err(Error::Failed(format!(
            "{}: a snapshot can't name it, because nothing is stored for it",
            entry.path
        )));
    }
    let start = out.len();
    serde_json::to_writer(&mut *out, &line_of(entry))
        .map_err(|error| Error::Failed(format!("{}: {error}", entry.path)))?;
    if out.len() - start > MAX_LINE {
        out.truncate(start);
        return Err(Error::Failed(format!(
            "{}…: the path is too long for a manifest; exclude it",
            safe(&entry.path.display()),
        )));
    }
    out.push(b'\n');
    Ok(())
}

/// An entry with the fields of a manifest's line, for output.
pub fn as_line(entry: &Entry) -> impl Serialize {
    line_of(entry)
}

fn line_of(entry: &Entry) -> Line<'_> {
    let (path, path_base64) = text_or_base64(Some(entry.path.as_bytes()));
    let (target, target_base64) = text_or_base64(entry.target.as_deref());
    let hardlink = entry.hardlink.as_ref().map(RelPath::as_bytes);
    let (hardlink, hardlink_base64) = text_or_base64(hardlink);
    let owned = |text: String| Some(Cow::Owned(text));
    let borrowed = |text: &'_ str| Some(Cow::Owned(text.to_owned()));
    let stored = entry.stored.as_ref();
    Line {
        path,
        path_base64,
        kind: Cow::Borrowed(kind_name(entry.kind)),
        size: entry.content.map(|content| content.size),
        mtime: entry.mtime.and_then(|time| owned(time.to_string())),
        mode: entry.mode.and_then(|mode| owned(format!("{mode:04o}"))),
        blake3: entry.content.and_then(|c| owned(c.blake3.to_hex())),
        crc64nvme: entry.content.and_then(|c| owned(c.crc64nvme.to_base64())),
        key: stored.and_then(|stored| borrowed(&stored.key)),
        version_id: stored.and_then(|stored| borrowed(&stored.version_id)),
        etag: stored.and_then(|stored| borrowed(&stored.etag)),
        sync_etag: entry.sync_etag.as_deref().map(Cow::Borrowed),
        target,
        target_base64,
        hardlink,
        hardlink_base64,
        carried: entry.carried,
        encoding: None,
    }
}

/// Bytes as a field of text where they are UTF-8, else as its `_base64` twin.
pub(super) fn text_or_base64(bytes: Option<&[u8]>) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    match bytes.map(std::str::from_utf8) {
        None => (None, None),
        Some(Ok(text)) => (Some(Cow::Borrowed(text)), None),
        Some(Err(_)) => (None, bytes.map(|bytes| Cow::Owned(BASE64.encode(bytes)))),
    }
}

/// The bytes of a field of text or its `_base64` twin; both at once are refused.
pub(super) fn bytes_of(
    field: &str,
    text: Option<Cow<'_, str>>,
    base64: Option<Cow<'_, str>>,
) -> Result<Option<Vec<u8>>, String> {
    match (text, base64) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(text.into_owned().into_bytes())),
        (None, Some(base64)) => BASE64
            .decode(base64.as_bytes())
            .map(Some)
            .map_err(|error| format!("{field}_base64 is not base64: {error}")),
        (Some(_), Some(_)) => Err(format!("has both {field} and {field}_base64")),
    }
}

/// The entry that a manifest's line has; none where it is refused.
pub fn from_line(line: &[u8]) -> Option<Entry> {
    decode(line).ok()
}

/// Reads a line without its end.
///
/// # Errors
/// What is wrong with it, naming its path where there is one.
pub(super) fn decode(line: &[u8]) -> Result<Entry, Refusal> {
    let nameless = |reason: String| Refusal {
        path: String::new(),
        reason,
    };
    if line.len() > MAX_LINE {
        let reason = format!("the line is longer than {MAX_LINE} bytes");
        return Err(nameless(reason));
    }
    let mut line: Line<'_> = serde_json::from_slice(line)
        .map_err(|error| nameless(format!("the line is not readable: {error}")))?;
    let path = bytes_of("path", line.path.take(), line.path_base64.take())
        .map_err(nameless)?
        .ok_or_else(|| nameless("the line has no path".to_owned()))?;
    entry_of(&path, line).map_err(|reason| Refusal {
        path: safe(&String::from_utf8_lossy(&path)),
        reason,
    })
}

fn entry_of(path: &[u8], line: Line<'_>) -> Result<Entry, String> {
    if let Some(encoding) = &line.encoding {
        let encoding = safe(encoding);
        return Err(format!(
            "encoding {encoding} is unknown to this version of Tidelock; use a newer one"
        ));
    }
    let kind = kind_of(&line.kind).ok_or_else(|| {
        let kind = safe(&line.kind);
        format!("type {kind:?} is unknown to this version of Tidelock; use a newer one")
    })?;
    let path = RelPath::from_untrusted(path).map_err(|why| format!("the path {why}"))?;
    let mut entry = Entry::new(path, kind);
    entry.mtime = line.mtime.as_deref().map(parse_time).transpose()?;
    entry.mode = line.mode.as_deref().map(parse_mode).transpose()?;
    entry.carried = line.carried;
    entry.target = bytes_of("target", line.target.clone(), line.target_base64.clone())?;
    entry.hardlink = bytes_of(
        "hardlink",
        line.hardlink.clone(),
        line.hardlink_base64.clone(),
    )?
    .map(|bytes| RelPath::from_untrusted(&bytes))
    .transpose()
    .map_err(|why| format!("hardlink {why}"))?;
    match kind {
        Kind::File => {
            entry.content = Some(content_of(&line)?);
            entry.stored = Some(stored_of(&line)?);
            entry.sync_etag = line.sync_etag.map(Cow::into_owned);
        }
        Kind::Symlink => match entry.target.as_deref() {
            None | Some([]) => return Err("a symlink without a target".to_owned()),
            Some(target) if target.contains(&0) => {
                return Err("the symlink's target contains a NUL byte".to_owned());
            }
            Some(_) => {}
        },
        Kind::Dir | Kind::Special => {}
    }
    Ok(entry)
}

fn content_of(line: &Line<'_>) -> Result<Content, String> {
    let hex = required("blake3", line.blake3.as_deref())?;
    let crc = required("crc64nvme", line.crc64nvme.as_deref())?;
    Ok(Content {
        size: line.size.ok_or("a file without size")?,
        blake3: Blake3::from_hex(hex).ok_or("blake3 is not 64 hex digits")?,
        crc64nvme: Crc64::from_base64(crc).ok_or("crc64nvme is not base64 of 8 bytes")?,
    })
}

fn stored_of(line: &Line<'_>) -> Result<Stored, String> {
    Ok(Stored {
        key: required("key", line.key.as_deref())?.to_owned(),
        version_id: required("version_id", line.version_id.as_deref())?.to_owned(),
        etag: line.etag.as_deref().unwrap_or_default().to_owned(),
    })
}

fn required<'a>(field: &str, value: Option<&'a str>) -> Result<&'a str, String> {
    match value {
        None | Some("") => Err(format!("a file without {field}")),
        Some(value) => Ok(value),
    }
}

fn parse_time(text: &str) -> Result<Time, String> {
    text.parse()
        .map_err(|_| format!("{:?} is not an RFC 3339 time", safe(text)))
}

fn parse_mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| format!("mode {:?} is not four octal digits", safe(text)))
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Symlink => "symlink",
        Kind::Special => "special",
    }
}

fn kind_of(name: &str) -> Option<Kind> {
    match name {
        "file" => Some(Kind::File),
        "dir" => Some(Kind::Dir),
        "symlink" => Some(Kind::Symlink),
        "special" => Some(Kind::Special),
        _ => None,
    }
}

/// Text from a bucket, cut short and without control characters: it may be meant to fool a
/// terminal.
pub(super) fn safe(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars().take(256) {
        if c.is_control() {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}
