//! Telling somebody who is not at the terminal: a monitor that is pinged, a command that is run.
//!
//! A notification that fails is a warning and never changes the exit code; each is bounded by
//! ten seconds. Neither the address nor the command is ever shown: both may hold secrets.

mod command;
mod ping;

use super::ending::Ending;
use crate::config::Notify;
use crate::model::{ExitCode, Secret};
use ping::{Ping, Signal};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long one notification may take.
pub(super) const BOUND: Duration = Duration::from_secs(10);

/// What began long ago and was not answered gets so much longer.
const LATE: Duration = Duration::from_secs(1);

/// When to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// When it begins, and how it ended.
    Always,
    /// When it failed.
    Failure,
    /// Never.
    Never,
}

/// What there is to tell at the end.
#[derive(Clone, Debug)]
pub struct News {
    /// The command's name.
    pub command: String,
    /// Its exit code.
    pub exit: ExitCode,
    /// The configured library's name; empty where it has none, or where there were several.
    pub library: String,
    /// The snapshot that was committed last; empty where none was.
    pub snapshot: String,
    /// The summaries of `--json`, one a line, the last of the whole.
    pub summary: String,
}

impl News {
    /// Of a command's end.
    pub fn of(ending: &Ending<'_>, summary: String) -> Self {
        let backup = ending.summary.backup.as_ref();
        Self {
            command: ending.command.to_owned(),
            exit: ending.exit,
            library: ending.library.unwrap_or_default().to_owned(),
            snapshot: backup
                .and_then(|it| it.snapshot.clone())
                .unwrap_or_default(),
            summary,
        }
    }
}

/// Tells of one command.
pub struct Notifier {
    occasion: Occasion,
    ping: Option<Ping>,
    command: Option<Secret>,
    /// The first ping, which nobody waits for while there is work to do.
    begun: Option<JoinHandle<Result<(), String>>>,
}

impl Notifier {
    /// Tells that it begins. To be called within a runtime.
    pub fn start(notify: &Notify, occasion: Occasion) -> Self {
        let wanted = occasion != Occasion::Never;
        let ping = notify.url.clone().filter(|_| wanted).map(Ping::new);
        let begun = ping
            .clone()
            .filter(|_| occasion == Occasion::Always)
            .map(|ping| tokio::spawn(async move { ping.send(Signal::Start).await }));
        Self {
            occasion,
            ping,
            command: notify.command.clone().filter(|_| wanted),
            begun,
        }
    }

    /// Tells how it ended; returns what went wrong with the telling.
    pub async fn end(self, news: &News) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(mut begun) = self.begun {
            // In this order: a start that came later would stand for a job that hangs.
            match tokio::time::timeout(LATE, &mut begun).await {
                Ok(Ok(sent)) => warnings.extend(sent.err()),
                Ok(Err(_)) => {}
                Err(_) => begun.abort(),
            }
        }
        if self.occasion == Occasion::Failure && news.exit == ExitCode::Done {
            return warnings;
        }
        if let Some(ping) = &self.ping {
            let signal = match news.exit {
                ExitCode::Done => Signal::Success,
                _ => Signal::Failure(&news.summary),
            };
            warnings.extend(ping.send(signal).await.err());
        }
        if let Some(Secret(line)) = &self.command {
            warnings.extend(command::run(line, news, BOUND).await.err());
        }
        warnings.dedup();
        warnings
    }
}
