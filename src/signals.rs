//! SIGINT and SIGTERM: the first asks for a good end, a second one ends at once.

use std::io::Write;
use tidelock::engine::stop::{Stop, Why};
use tidelock::model::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Listens until the process ends. To be called within a runtime.
pub(crate) fn listen(stop: &Stop) {
    let interrupt = signal(SignalKind::interrupt());
    let terminate = signal(SignalKind::terminate());
    let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, terminate) else {
        // The system's own way to end a process is left as it is.
        tracing::warn!("signals can't be caught; an interrupted run is picked up all the same");
        return;
    };
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.requested() == Some(Why::Interrupted) {
                std::process::exit(ExitCode::Interrupted.code().into());
            }
            stop.request(Why::Interrupted);
            let hint = "stopping in good order; interrupt once more to stop at once";
            let _ = writeln!(std::io::stderr(), "{hint}");
        }
    });
}
