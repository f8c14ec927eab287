//! Reading a share of the versions' bytes.

use super::probe::{Expected, Problem, Seen};
use crate::engine::kept::VersionName;
use crate::engine::retry::Retrier;
use crate::model::{Blake3, Content, Error, Result, StoreErrorKind, Stored};
use crate::plan::NightShare;
use crate::snapshot::Vault;
use crate::store::ByteRange;

/// The longest range asked for at once: where a request's latency no longer matters.
const LONGEST: u64 = 8 << 20;

/// Which bytes are read, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) share: NightShare,
    /// Bytes of one request.
    pub(super) range: u64,
}

impl Reading {
    /// Whether it is this version's night.
    pub(super) fn is_due(&self, stored: &Stored) -> bool {
        self.share.has(VersionName::of(stored).share())
    }
}

/// So much at once that all requests together stay within the memory; a body is there twice while
/// it is gathered from the network's pieces.
pub(super) fn range(memory: u64, transfers: usize) -> u64 {
    let share = memory / (2 * transfers.max(1) as u64);
    share.clamp(64 << 10, LONGEST)
}

/// Reads a version and compares its BLAKE3, twice where it does not match.
pub(super) async fn check(
    vault: &Vault,
    retrier: &Retrier,
    reading: Reading,
    expected: &Expected<'_>,
    seen: &mut Seen,
) -> Result<()> {
    let Some(content) = expected.content else {
        return Ok(());
    };
    for _ in 0..2 {
        match hash(vault, retrier, reading.range, expected.stored, content).await {
            Ok(blake3) if blake3 == content.blake3 => {
                seen.read = Some(content.size);
                return Ok(());
            }
            Ok(_) => {}
            Err(Error::Store(error)) if error.kind == StoreErrorKind::Archived => {
                seen.archived = true;
                return Ok(());
            }
            Err(Error::Store(error)) if error.kind == StoreErrorKind::NotFound => {
                seen.problem = Some(Problem::Gone);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    seen.problem = Some(Problem::Bytes);
    Ok(())
}

async fn hash(
    vault: &Vault,
    retrier: &Retrier,
    length: u64,
    stored: &Stored,
    content: &Content,
) -> Result<Blake3> {
    let mut hasher = blake3::Hasher::new();
    let mut first = 0;
    while first < content.size {
        let last = (first + length).min(content.size) - 1;
        let range = Some(ByteRange { first, last });
        let fetched = retrier
            .run(|| async {
                retrier.pace().bandwidth(last - first + 1).await;
                let version = Some(stored.version_id.as_str());
                vault.store().get(&stored.key, version, range).await
            })
            .await?;
        // An answer of another length gives another hash, which is the finding.
        hasher.update(&fetched.body);
        first = last + 1;
    }
    Ok(Blake3(*hasher.finalize().as_bytes()))
}
