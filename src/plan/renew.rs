//! When a chunk's locks are extended.

use crate::model::{Blake3, RelPath, Time};
use std::time::Duration;

/// Whether a chunk's locks are to be extended now.
///
/// | left of the lock | due |
/// |---|---|
/// | less than `renew_below` | yes |
/// | less than `renew_below` + a share of half of (`retention` − `renew_below`) | yes |
/// | more | no |
///
/// The share is fixed for each `first` path by its hash, so that chunks that were locked in one
/// night come due over many, and nights are alike.
pub fn renew_due(
    locked_until: Time,
    now: Time,
    retention: Duration,
    renew_below: Duration,
    first: &RelPath,
) -> bool {
    let hash = Blake3::of(first.as_bytes()).0;
    let share = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let rest = retention.saturating_sub(renew_below).as_nanos() / 2;
    let early = (rest * u128::from(share)) >> 32;
    let threshold = renew_below.as_nanos() + early;
    let left = locked_until.as_nanosecond() - now.as_nanosecond();
    left < i128::try_from(threshold).unwrap_or(i128::MAX)
}
