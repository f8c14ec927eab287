//! Telling the next run, through the local state, which versions are lost.

use crate::engine::run::forget_lost;
use crate::engine::verify::Mention;
use crate::model::{Event, Events, Settings, words};

/// Notes versions that are gone or damaged, so that the next run stores their contents again. Where
/// the state is not here, or a run is holding it, the user is told what else helps.
pub(super) async fn note_lost(settings: &Settings, lost: &[Mention], events: &Events) {
    if lost.is_empty() {
        return;
    }
    let noted = forget_lost(settings, lost).await;
    events.send(match noted {
        Ok(Some(count)) => Event::Note(format!(
            "{} noted: the next run stores again what is lost",
            words::count(
                count,
                "file of the latest snapshot is",
                "files of the latest snapshot are"
            )
        )),
        Ok(None) => Event::Note(
            "there is no local state here to note this in: on the machine that has the library, \
             `tidelock run --checksum` stores again what is lost"
                .to_owned(),
        ),
        Err(error) => Event::Warning(format!(
            "what is lost could not be noted in the local state ({error}); `tidelock run \
             --checksum` looks for it by itself"
        )),
    });
}
