//! Making the next run store again what is lost.

use super::open::state_of;
use crate::engine::verify::Mention;
use crate::model::{Error, Result, Settings, Stored, time};
use crate::state::State;

/// Makes the local state forget the versions of these mentions. Returns how many files of the
/// latest snapshot the next run will store again; none where there is no state here to note it in.
///
/// # Errors
/// `Held` while a run has the state; the disk's.
pub async fn forget_lost(settings: &Settings, lost: &[Mention]) -> Result<Option<u64>> {
    if settings.library.is_none() {
        return Ok(None);
    }
    let file = state_of(settings);
    if !file.exists() {
        return Ok(None);
    }
    let lost: Vec<Stored> = lost
        .iter()
        .filter_map(|mention| mention.entry.stored.clone())
        .collect();
    let noting = tokio::task::spawn_blocking(move || {
        let (mut state, _) = State::open(&file, "tidelock verify", time::local_now())?;
        state.forget_versions(&lost).map(Some)
    });
    noting
        .await
        .map_err(|error| Error::Failed(format!("noting in the state: {error}")))?
}
