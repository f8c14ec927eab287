//! `init`: makes or accepts the buckets, writes `tidelock.toml` and tries what it has made.
//!
//! Asked twice, it changes nothing the second time. An answer to a question is a flag that came
//! late: the settings are read again with it, so that it is checked like any other.

mod buckets;
mod file;
mod from;
mod keys;
mod preview;
mod questions;
mod steps;
mod template;

use crate::commands::{Outcome, doctor};
use crate::config::{self, Environment, Flags, Needs};
use crate::engine::pace::Pace;
use crate::engine::retry::{PATIENCE_AT_FIRST, Retrier};
use crate::engine::stop::Stop;
use crate::model::{Connection, Error, Event, Events, Result, Settings, Side, Summary, Target};
use crate::store::{ConnectOptions, S3Store};
use buckets::Plan;
use questions::Questions;
use std::sync::Arc;

/// Few requests, one after the other.
const TRANSFERS: usize = 2;

/// What the command line says.
#[derive(Clone)]
pub struct Args {
    /// The settings so far.
    pub flags: Flags,
    /// What surrounds the process.
    pub environment: Environment,
    /// Questions may be asked.
    pub interactive: bool,
    /// `--from` was given, as the backup target: the file is rebuilt, and nothing else made.
    pub from: bool,
}

const NEEDS: Needs = Needs {
    command: "init",
    library: true,
    sync: true,
    backup: true,
};

/// Sets up. Buckets that are made stay if a later step fails; asking again goes on from there.
pub async fn init(args: Args, events: Events, stop: Stop) -> Outcome {
    if args.from {
        return match from::rebuild(&args, &events, &stop).await {
            Ok(()) => Outcome::done(Summary::default()),
            Err(error) => Outcome::not_begun(error),
        };
    }
    let interactive = args.interactive;
    // Questions wait for a person, on a thread of their own, which an interrupt leaves behind.
    let asked = tokio::task::spawn_blocking(move || ask(args));
    let answered = tokio::select! {
        _ = stop.wait() => {
            // It may be the secret's turn.
            if interactive {
                questions::show_typing(true);
            }
            Err(Error::Interrupted)
        }
        asked = asked => asked.unwrap_or_else(|error| Err(Error::Failed(error.to_string()))),
    };
    let (settings, file) = match answered {
        Ok(answered) => answered,
        Err(error) => {
            if matches!(error, Error::Interrupted) {
                let text = "nothing was made, and nothing was written";
                events.send(Event::Note(text.to_owned()));
            }
            return Outcome::not_begun(error);
        }
    };
    match make(&settings, &file, &events, &stop).await {
        Ok(()) => {
            tell_ready(&settings, interactive, &events);
            Outcome::done(Summary::default())
        }
        Err(error) => Outcome::not_begun(error),
    }
}

/// The last words: where the keys belong, and what to type next.
pub(super) fn tell_ready(settings: &Settings, interactive: bool, events: &Events) {
    if interactive {
        events.send(Event::Note(keys::advice(settings)));
    }
    let last = "look first: tidelock run -n\ntonight: tidelock run";
    events.send(Event::Note(last.to_owned()));
}

/// Makes what is missing, tries it, and foretells the first run.
async fn make(
    settings: &Settings,
    file: &file::Planned,
    events: &Events,
    stop: &Stop,
) -> Result<()> {
    // Dropped in the middle of a request, a bucket is made or not; asking again finds out.
    tokio::select! {
        _ = stop.wait() => return Err(Error::Interrupted),
        ended = set_up(settings, file, events, stop.clone()) => ended?,
    }
    if settings.run.dry_run {
        return Ok(());
    }
    // Outside of the race against a stop, since it takes its probes away when it is stopped.
    Box::pin(doctor::after_init(settings, events, stop)).await?;
    preview::preview(settings, events, stop).await
}

/// Completes the settings by questions where that is possible, and checks that the file may be
/// written.
fn ask(mut args: Args) -> Result<(Settings, file::Planned)> {
    if args.interactive {
        let known = config::load(&args.flags, &args.environment, Needs::nothing("init"))?;
        let mut questions = Questions::on_terminal();
        questions.complete(&known.settings, &mut args.flags, &mut args.environment)?;
    }
    let loaded = config::load(&args.flags, &args.environment, NEEDS)?;
    let file = file::plan(&args.flags, &args.environment, &loaded)?;
    Ok((loaded.settings, file))
}

async fn set_up(
    settings: &Settings,
    file: &file::Planned,
    events: &Events,
    stop: Stop,
) -> Result<()> {
    let pace = Arc::new(Pace::new(TRANSFERS, None));
    let retrier = Retrier::new(pace, stop, PATIENCE_AT_FIRST);
    let mut left = Vec::new();
    // The vault first: a bucket that holds both is then made with the lock that only it needs.
    if let Some(backup) = &settings.backup {
        let plan = Plan::new(Side::Backup, &backup.target, &backup.connection, settings);
        left.extend(bucket(&plan, &retrier, events).await?);
    }
    if let Some(sync) = &settings.sync {
        let plan = Plan::new(Side::Sync, &sync.target, &sync.connection, settings);
        left.extend(bucket(&plan, &retrier, events).await?);
    }
    events.send(Event::Note(file.write(settings.run.dry_run)?));
    if left.is_empty() {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "the keys may not do all that is needed; do the rest as the account's owner, then run \
         `tidelock init` again:\n{}",
        left.join("\n")
    )))
}

async fn bucket(plan: &Plan, retrier: &Retrier, events: &Events) -> Result<Option<String>> {
    let store = connect(&plan.target, &plan.connection).await?;
    buckets::settle(&store, plan, retrier, events).await
}

async fn connect(target: &Target, connection: &Connection) -> Result<S3Store> {
    let options = ConnectOptions {
        transfers: TRANSFERS,
    };
    S3Store::connect(target, connection, options).await
}
