//! What the first run will send, take and cost: a dry run, in a few lines.

use crate::engine::run::{Which, run};
use crate::engine::stop::Stop;
use crate::model::{Error, Event, Events, Result, Settings, words};
use crate::report::{Look, forecast_lines, show_bytes};

/// Foretells the first run. What stands in its way is a warning here: the setting up is done.
///
/// # Errors
/// A stop alone.
pub(super) async fn preview(settings: &Settings, events: &Events, stop: &Stop) -> Result<()> {
    let mut settings = settings.clone();
    settings.run.dry_run = true;
    events.send(Event::Phase("scan"));
    let ended = Box::pin(run(&settings, Which::Run, Events::none(), stop.clone())).await;
    if let Some(forecast) = &ended.summary.forecast {
        let library = ended.summary.library.as_ref();
        let library =
            library.map(|it| format!("{}, {}", words::files(it.files), show_bytes(it.bytes)));
        let head = format!(
            "the first run, foretold\nlibrary   {}",
            library.unwrap_or_default()
        );
        let columns = Look::of_stdout(false).columns;
        let lines = [head].into_iter().chain(forecast_lines(forecast, columns));
        events.send(Event::Note(lines.collect::<Vec<_>>().join("\n")));
    }
    match ended.error {
        None => Ok(()),
        Some(error @ Error::Interrupted) => Err(error),
        Some(error) => {
            events.send(Event::Warning(format!(
                "the first run would end so: {error}"
            )));
            Ok(())
        }
    }
}
