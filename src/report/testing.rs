//! Output that tests can read.

use super::out::Out;
use super::{Ending, Look, Mode, Rows, Screen, start};
use crate::model::{Error, Events, ExitCode, Summary};
use jiff::tz::TimeZone;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A stream whose text can be read, and which may close after some bytes.
#[derive(Clone, Default)]
pub(crate) struct Stream {
    pub(super) text: Arc<Mutex<Vec<u8>>>,
    pub(super) closes: bool,
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.closes {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Stream {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.text.lock().expect("no panic").clone()).expect("text")
    }
}

pub(super) fn screen(out: &Stream, err: &Stream) -> Screen {
    Screen {
        out: Out::new(out.clone()).shared(),
        err: Out::new(err.clone()).shared(),
        is_paging: Arc::default(),
    }
}

/// How a command of a test ends.
pub(crate) struct Ended {
    pub(crate) command: &'static str,
    pub(crate) exit: ExitCode,
    pub(crate) summary: Summary,
    pub(crate) error: Option<Error>,
}

/// What a command prints on a terminal of so many columns, without colours: standard output, then
/// standard error, if there is anything. Rows have to be printed before events are sent.
pub(crate) fn shown(columns: usize, act: impl FnOnce(&Rows, &Events) -> Ended) -> String {
    let (out, err) = (Stream::default(), Stream::default());
    let mode = Mode {
        look: Look {
            columns: Some(columns),
            lines: None,
            colour: false,
        },
        ..Mode::default()
    };
    let (events, receiver) = Events::channel();
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let reporter = start(mode, &screen(&out, &err), zone, receiver);
    let ended = act(&reporter.rows(), &events);
    reporter.finish(&Ending {
        command: ended.command,
        exit: ended.exit,
        elapsed: Duration::from_millis(12_500),
        summary: &ended.summary,
        error: ended.error.as_ref(),
        ..Ending::default()
    });
    match err.text() {
        said if said.is_empty() => out.text(),
        said => format!("{}--- standard error\n{said}", out.text()),
    }
}
