//! The snapshot object: what the library was at one run.

use crate::model::{Blake3, Error, Mode, RelPath, Result, Time};
use crate::snapshot::{SnapshotId, chunk, line};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The format that this version writes, and the only one that there is.
pub const FORMAT: u64 = 1;
/// No snapshot object is longer; a longer one is refused unread.
pub(super) const MAX_BYTES: usize = 256 << 20;
/// No configuration is longer, as JSON.
const MAX_CONFIG: usize = 1 << 20;

/// A stored chunk of a manifest, as a snapshot names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChunkRef {
    /// Full key.
    pub key: String,
    /// The version that holds it.
    pub version_id: String,
    /// Of the uncompressed lines.
    pub blake3: Blake3,
    /// Bytes of the uncompressed lines.
    pub size: u64,
    /// Number of entries.
    pub entries: u64,
    /// The first entry's path.
    pub first: RelPath,
    /// The earliest lock among the chunk object and all versions that it names: a lower bound.
    pub locked_until: Time,
    /// Only in `rescued`: when the content was rescued; it is carried on for 90 days from then.
    pub rescued_at: Option<Time>,
}

/// How long the locks of a snapshot were to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotRetention {
    /// Mode of the locks.
    pub mode: Mode,
    /// Whole days of a full lock, rounded down.
    pub days: u64,
}

/// What the library was at one run.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    /// Its id, by which snapshots are ordered.
    pub id: SnapshotId,
    /// The server's time at the commit, to the second; the same as in `id`.
    pub time: Time,
    /// Name of the machine; a label.
    pub host: String,
    /// Name of the library; a label.
    pub library: String,
    /// The version of Tidelock that wrote it.
    pub tidelock: String,
    /// Whether every path of the library is named as it was at that run.
    pub complete: bool,
    /// Why the night looked like ransomware, where it did.
    pub suspect: Option<String>,
    /// The snapshot before.
    pub parent: Option<SnapshotId>,
    /// BLAKE3 of the parent's snapshot object.
    pub parent_blake3: Option<Blake3>,
    /// The sync target that `sync_etag`s belong to, e.g. `s3://photos/library`.
    pub sync_target: Option<String>,
    /// Number of regular files named by `manifest`.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Chunks in the order of paths.
    pub manifest: Vec<ChunkRef>,
    /// Chunks of rescued content; sorted within a rescue only.
    pub rescued: Vec<ChunkRef>,
    /// How long the locks were to be.
    pub retention: SnapshotRetention,
    /// The earliest lock that it names, as of `time`.
    pub protected_until: Time,
    /// The configuration without secrets.
    pub config: serde_json::Value,
}

impl Snapshot {
    /// One line of JSON, fields in the format's order.
    ///
    /// # Errors
    /// `Failed` beyond 256 MiB, which hundreds of millions of files would reach.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let text = self.raw().and_then(|raw| serde_json::to_vec(&raw));
        let mut bytes =
            text.map_err(|error| Error::Failed(format!("snapshot {}: {error}", self.id)))?;
        bytes.push(b'\n');
        if bytes.len() > MAX_BYTES {
            return Err(Error::Failed(format!(
                "snapshot {}: the library has too many files for one snapshot; split it into \
                 several libraries",
                self.id
            )));
        }
        Ok(bytes)
    }

    /// Reads a snapshot object. Unknown fields are ignored.
    ///
    /// # Errors
    /// [`Error::Format`]: an unknown format or encoding, naming the version of Tidelock that
    /// wrote it. `Damage`: data that breaks the format's rules.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let head: Head<'_> = parse(bytes)?;
        match head.format {
            Some(FORMAT) => {}
            Some(format) => return Err(newer("format", &format.to_string(), &head)),
            None => return Err(broken("there is no format in it")),
        }
        refuse_encoding(head.encoding.as_ref(), &head)?;
        let raw: Raw<'_> = parse(bytes)?;
        for chunk in raw.manifest.iter().chain(&raw.rescued) {
            refuse_encoding(chunk.encoding.as_ref(), &head)?;
        }
        let snapshot = raw.read()?;
        let unsorted = |pair: &[ChunkRef]| pair[0].first >= pair[1].first;
        if snapshot.manifest.windows(2).any(unsorted) {
            return Err(broken("the chunks of its manifest are not in order"));
        }
        Ok(snapshot)
    }

    fn raw(&self) -> serde_json::Result<Raw<'_>> {
        let config = serde_json::value::to_raw_value(&self.config)?;
        Ok(Raw {
            format: FORMAT,
            id: Cow::Borrowed(self.id.as_str()),
            time: Cow::Owned(self.time.to_string()),
            host: Cow::Borrowed(&self.host),
            library: Cow::Borrowed(&self.library),
            tidelock: Cow::Borrowed(&self.tidelock),
            complete: self.complete,
            suspect: self.suspect.as_deref().map(Cow::Borrowed),
            parent: self.parent.as_ref().map(|id| Cow::Borrowed(id.as_str())),
            parent_blake3: self.parent_blake3.map(|hash| Cow::Owned(hash.to_hex())),
            sync_target: self.sync_target.as_deref().map(Cow::Borrowed),
            files: self.files,
            bytes: self.bytes,
            manifest: self.manifest.iter().map(RawChunk::of).collect(),
            rescued: self.rescued.iter().map(RawChunk::of).collect(),
            retention: RawRetention {
                mode: Cow::Borrowed(self.retention.mode.as_str()),
                days: self.retention.days,
            },
            protected_until: Cow::Owned(self.protected_until.to_string()),
            config: Some(config),
        })
    }
}

/// What can be read of every format, to say who can read the rest.
#[derive(Deserialize)]
struct Head<'a> {
    format: Option<u64>,
    #[serde(borrow)]
    tidelock: Option<Cow<'a, str>>,
    #[serde(borrow)]
    encoding: Option<Cow<'a, str>>,
}

/// The object's fields, in the order that they are written in.
#[derive(Serialize, Deserialize)]
struct Raw<'a> {
    format: u64,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    host: Cow<'a, str>,
    #[serde(borrow)]
    library: Cow<'a, str>,
    #[serde(borrow)]
    tidelock: Cow<'a, str>,
    complete: bool,
    #[serde(borrow, default)]
    suspect: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parent: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parent_blake3: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    sync_target: Option<Cow<'a, str>>,
    files: u64,
    bytes: u64,
    #[serde(borrow)]
    manifest: Vec<RawChunk<'a>>,
    #[serde(borrow, default)]
    rescued: Vec<RawChunk<'a>>,
    #[serde(borrow)]
    retention: RawRetention<'a>,
    #[serde(borrow)]
    protected_until: Cow<'a, str>,
    #[serde(default)]
    config: Option<Box<RawValue>>,
}

#[derive(Serialize, Deserialize)]
struct RawRetention<'a> {
    #[serde(borrow)]
    mode: Cow<'a, str>,
    days: u64,
}

#[derive(Serialize, Deserialize)]
struct RawChunk<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    version_id: Cow<'a, str>,
    #[serde(borrow)]
    blake3: Cow<'a, str>,
    size: u64,
    entries: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    first: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    first_base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    locked_until: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    rescued_at: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing)]
    encoding: Option<Cow<'a, str>>,
}

impl Raw<'_> {
    fn read(self) -> Result<Snapshot> {
        let time = read_time("time", &self.time)?;
        let chunks = |chunks: Vec<RawChunk<'_>>| {
            let chunks = chunks.into_iter().map(RawChunk::read);
            chunks.collect::<Result<Vec<_>>>()
        };
        let mut rescued = chunks(self.rescued)?;
        for chunk in &mut rescued {
            chunk.rescued_at.get_or_insert(time);
        }
        Ok(Snapshot {
            id: read_id("id", &self.id)?,
            time,
            host: self.host.into_owned(),
            library: self.library.into_owned(),
            tidelock: self.tidelock.into_owned(),
            complete: self.complete,
            suspect: self.suspect.map(Cow::into_owned),
            parent: self.parent.map(|id| read_id("parent", &id)).transpose()?,
            parent_blake3: self
                .parent_blake3
                .map(|hex| read_blake3("parent_blake3", &hex))
                .transpose()?,
            sync_target: self.sync_target.map(Cow::into_owned),
            files: self.files,
            bytes: self.bytes,
            manifest: chunks(self.manifest)?,
            rescued,
            retention: SnapshotRetention {
                mode: Mode::parse(&self.retention.mode)
                    .ok_or_else(|| broken("the mode of its retention is unknown"))?,
                days: self.retention.days,
            },
            protected_until: read_time("protected_until", &self.protected_until)?,
            config: read_config(self.config.as_deref())?,
        })
    }
}

impl<'a> RawChunk<'a> {
    fn of(chunk: &'a ChunkRef) -> Self {
        let (first, first_base64) = line::text_or_base64(Some(chunk.first.as_bytes()));
        Self {
            key: Cow::Borrowed(&chunk.key),
            version_id: Cow::Borrowed(&chunk.version_id),
            blake3: Cow::Owned(chunk.blake3.to_hex()),
            size: chunk.size,
            entries: chunk.entries,
            first,
            first_base64,
            locked_until: Cow::Owned(chunk.locked_until.to_string()),
            rescued_at: chunk.rescued_at.map(|time| Cow::Owned(time.to_string())),
            encoding: None,
        }
    }

    fn read(self) -> Result<ChunkRef> {
        // A hostile first path must not hide the rest of the chunk, so it is not judged here: it
        // only says where the chunk begins.
        let first = line::bytes_of("first", self.first, self.first_base64)
            .map_err(|why| broken(&format!("a chunk {why}")))?
            .ok_or_else(|| broken("a chunk has no first path"))?;
        if self.size > chunk::MAX_BYTES as u64 || self.entries > chunk::MAX_ENTRIES as u64 {
            return Err(broken("a chunk is larger than any chunk may be"));
        }
        Ok(ChunkRef {
            blake3: read_blake3("blake3", &self.blake3)?,
            locked_until: read_time("locked_until", &self.locked_until)?,
            rescued_at: self
                .rescued_at
                .map(|time| read_time("rescued_at", &time))
                .transpose()?,
            key: self.key.into_owned(),
            version_id: self.version_id.into_owned(),
            size: self.size,
            entries: self.entries,
            first: RelPath::new(first),
        })
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| broken(&error.to_string()))
}

fn read_id(field: &str, text: &str) -> Result<SnapshotId> {
    SnapshotId::parse(text).ok_or_else(|| broken(&format!("{field} is not a snapshot id")))
}

fn read_time(field: &str, text: &str) -> Result<Time> {
    text.parse()
        .map_err(|_| broken(&format!("{field} is not an RFC 3339 time")))
}

fn read_blake3(field: &str, text: &str) -> Result<Blake3> {
    Blake3::from_hex(text).ok_or_else(|| broken(&format!("{field} is not 64 hex digits")))
}

fn broken(why: &str) -> Error {
    Error::Damage(format!("it is not a snapshot that Tidelock wrote: {why}"))
}

fn refuse_encoding(encoding: Option<&Cow<'_, str>>, head: &Head<'_>) -> Result<()> {
    match encoding {
        None => Ok(()),
        Some(other) => Err(newer("encoding", &line::safe(other), head)),
    }
}

/// Read by itself and only if it is short, since a tree of JSON takes many times its text.
fn read_config(config: Option<&RawValue>) -> Result<serde_json::Value> {
    match config {
        None => Ok(serde_json::Value::Null),
        Some(text) if text.get().len() > MAX_CONFIG => Err(broken("its config is too long")),
        Some(text) => parse(text.get().as_bytes()),
    }
}

fn newer(what: &str, value: &str, head: &Head<'_>) -> Error {
    let writer = head.tidelock.as_deref().map_or_else(
        || "a newer Tidelock".to_owned(),
        |version| format!("Tidelock {} or newer", line::safe(version)),
    );
    Error::Format(format!(
        "it has {what} {value}, which this version ({}) can't read: use {writer}",
        env!("CARGO_PKG_VERSION"),
    ))
}
