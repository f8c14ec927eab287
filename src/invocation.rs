//! One invocation: its libraries in turn, and whoever is told how they went.

use crate::signals;
use jiff::tz::TimeZone;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tidelock::commands::{self, Command, Outcome};
use tidelock::config::Loaded;
use tidelock::engine::stop::Stop;
use tidelock::model::{self, Error, Event, Events, Settings, Summary};
use tidelock::report::{
    self, Ending, Metrics, Mode, News, Notifier, Occasion, Pager, Reporter, Screen,
};
use tokio::runtime::Runtime;

/// What still runs in the background when a command has ended gets so long to end too.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// Threads for what talks to the stores: half of the processors. Reading and hashing have threads of their own, and
/// waking a second worker for a request costs more than it helps: with one instead of two, 40,000 requests on two
/// processors took a tenth less processor time and no longer.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).max(1)
}

/// Runs a command for each library. One that fails does not keep the others from their turn; the
/// gravest code is the process's.
pub(crate) fn run(
    command: Command,
    all: Vec<Loaded>,
    mode: Mode,
    pager: Option<Pager>,
    begun: Instant,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return no_runtime(&command, mode, begun, &error),
    };
    let settings = all.first().map(|loaded| &loaded.settings.run);
    let stop = Stop::new(settings.and_then(|run| run.time_budget));
    let tell = all.first().map(|one| one.tell.clone()).unwrap_or_default();
    let dry_run = settings.is_some_and(|run| run.dry_run);
    let occasion = if dry_run {
        Occasion::Never
    } else {
        command.notifies()
    };
    let notifier = runtime.block_on(async {
        signals::listen(&stop);
        Notifier::start(&tell.notify, occasion)
    });
    let invocation = Invocation {
        metrics: Metrics::new(
            tell.metrics_file
                .filter(|_| command.is_measured() && !dry_run),
        ),
        screen: Screen::new(&mode, pager.filter(|_| command.is_looking())),
        command,
        mode,
        begun,
        runtime,
        stop,
    };
    let exit = match <[Loaded; 1]>::try_from(all) {
        Ok([only]) => invocation.one(&only, notifier),
        Err(all) => invocation.several(&all, notifier),
    };
    ExitCode::from(exit.code())
}

struct Invocation {
    command: Command,
    mode: Mode,
    screen: Screen,
    begun: Instant,
    runtime: Runtime,
    stop: Stop,
    metrics: Metrics,
}

impl Invocation {
    fn one(self, loaded: &Loaded, notifier: Notifier) -> model::ExitCode {
        let (reporter, events) = self.reporter(loaded);
        let outcome = self.dispatch(&loaded.settings, &reporter, &events);
        let ending = self.ending(&loaded.settings, &outcome, self.begun);
        self.measure(&loaded.settings, &ending, &events);
        let text = ending.json();
        self.tell(notifier, &ending, text, &events);
        self.runtime.shutdown_timeout(LAST_GRACE);
        reporter.finish(&ending);
        self.screen.end();
        outcome.exit
    }

    fn several(self, all: &[Loaded], notifier: Notifier) -> model::ExitCode {
        let mut told = Vec::new();
        let mut whole = Whole::default();
        for loaded in all {
            let begun = Instant::now();
            let (reporter, events) = self.reporter(loaded);
            heading(&reporter, &loaded.settings);
            let outcome = match self.stop.requested() {
                Some(why) => Outcome::failed(why.error()),
                None => self.dispatch(&loaded.settings, &reporter, &events),
            };
            let ending = self.ending(&loaded.settings, &outcome, begun);
            self.measure(&loaded.settings, &ending, &events);
            told.push(ending.json());
            reporter.finish(&ending);
            whole.add(&ending);
        }
        let (events, receiver) = Events::channel();
        let reporter = report::start(self.mode, &self.screen, TimeZone::system(), receiver);
        let ending = Ending {
            command: self.command.name(),
            exit: whole.exit,
            elapsed: self.begun.elapsed(),
            summary: &whole.summary,
            libraries: &whole.libraries,
            ..Ending::default()
        };
        told.push(ending.json());
        self.tell(notifier, &ending, told.join("\n"), &events);
        self.runtime.shutdown_timeout(LAST_GRACE);
        reporter.finish(&ending);
        self.screen.end();
        whole.exit
    }

    fn reporter(&self, loaded: &Loaded) -> (Reporter, Events) {
        let (events, receiver) = Events::channel();
        let zone = TimeZone::system();
        let mut reporter = report::start(self.mode, &self.screen, zone, receiver);
        // What others print is what they are asked for.
        if matches!(self.command, Command::Run(_)) && !loaded.settings.run.dry_run {
            let title = ["tidelock", self.command.name()].into_iter();
            let title: Vec<&str> = title.chain(name(&loaded.settings)).collect();
            reporter.group(&title.join(" "));
        }
        for warning in &loaded.warnings {
            events.send(Event::Warning(warning.clone()));
        }
        (reporter, events)
    }

    fn dispatch(&self, settings: &Settings, reporter: &Reporter, events: &Events) -> Outcome {
        let (rows, desk) = (reporter.rows(), reporter.desk());
        let (command, stop) = (self.command.clone(), self.stop.clone());
        let work = commands::dispatch(command, settings, (&rows, &desk), events.clone(), stop);
        // Whatever broke, the summary is due, and the other libraries' turn comes. What a dead run
        // leaves (a lease, unnamed versions) the next one takes for what it is.
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(work)));
        ended.unwrap_or_else(|_| {
            let text = "this is a mistake in Tidelock, told above: please report it; the next run \
                        goes on where this one ended";
            Outcome::failed(Error::Failed(text.to_owned()))
        })
    }

    fn ending<'a>(
        &self,
        settings: &'a Settings,
        outcome: &'a Outcome,
        begun: Instant,
    ) -> Ending<'a> {
        Ending {
            command: self.command.name(),
            library: name(settings),
            exit: outcome.exit,
            elapsed: begun.elapsed(),
            summary: &outcome.summary,
            error: outcome.error.as_ref(),
            libraries: &[],
        }
    }

    fn measure(&self, settings: &Settings, ending: &Ending<'_>, events: &Events) {
        let now = model::time::local_now();
        if let Err(error) = self.metrics.write(&label(settings), ending, now) {
            events.send(Event::Warning(format!(
                "the metrics were not written: {error}"
            )));
        }
    }

    fn tell(&self, notifier: Notifier, ending: &Ending<'_>, summary: String, events: &Events) {
        let news = News::of(ending, summary);
        for warning in self.runtime.block_on(notifier.end(&news)) {
            events.send(Event::Warning(warning));
        }
    }
}

/// What several libraries came to.
#[derive(Default)]
struct Whole {
    exit: model::ExitCode,
    libraries: Vec<(String, model::ExitCode)>,
    summary: Summary,
}

impl Whole {
    fn add(&mut self, ending: &Ending<'_>) {
        self.exit = self.exit.and(ending.exit);
        let name = ending.library.unwrap_or_default().to_owned();
        self.libraries.push((name, ending.exit));
        self.summary.errors.extend(ending.failures());
    }
}

fn name(settings: &Settings) -> Option<&str> {
    settings.library.as_ref()?.name.as_deref()
}

fn heading(reporter: &Reporter, settings: &Settings) {
    if let Some(library) = &settings.library {
        let path = library.path.to_string_lossy();
        reporter.heading(library.name.as_deref().unwrap_or_default(), &path);
    }
}

/// What tells the library's metrics from those of others: its name, else its folder, else its
/// backup.
fn label(settings: &Settings) -> String {
    let library = settings.library.as_ref();
    let path = library.map(|library| library.path.to_string_lossy().into_owned());
    let backup = settings.backup.as_ref().map(|it| it.target.to_string());
    let named = name(settings).map(str::to_owned);
    named.or(path).or(backup).unwrap_or_default()
}

fn no_runtime(command: &Command, mode: Mode, begun: Instant, error: &std::io::Error) -> ExitCode {
    let error = Error::Failed(format!("no threads to run on: {error}"));
    report::print_error(&error.to_string(), mode.colour);
    if mode.json {
        report::print_failed_start(command.name(), error.exit_code(), begun.elapsed(), &error);
    }
    ExitCode::from(error.exit_code().code())
}
