//! Logs, to standard error.

use std::io::Write;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, FilterFn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging. `verbose` is how often `-v` was given; `filter` is the text of `TIDELOCK_LOG`
/// (`debug`, or `tidelock::engine=trace,tidelock=info`), which beats it.
///
/// Other crates log only what they warn of, whatever is asked for: their details hold signatures,
/// tokens and headers.
///
/// # Errors
/// What is wrong with `filter`.
pub fn start_logging(verbose: u8, filter: Option<&str>, colour: bool) -> Result<(), String> {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let chosen = match filter {
        Some(text) => EnvFilter::builder()
            .parse(text)
            .map_err(|error| format!("TIDELOCK_LOG: {text:?} is not a filter for logs: {error}"))?,
        None => by_default(level),
    };
    let no_secrets =
        FilterFn::new(|metadata| is_ours(metadata.target()) || *metadata.level() <= Level::WARN);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(|| Quiet(std::io::stderr()))
        .with_ansi(colour)
        .log_internal_errors(false)
        .with_filter(no_secrets);
    // A second start (in tests) changes nothing.
    let _ = tracing_subscriber::registry()
        .with(chosen)
        .with(layer)
        .try_init();
    Ok(())
}

/// Where nobody has asked for more: that no cloud machine's metadata service told a region is no
/// news at home, where there is none.
fn by_default(level: LevelFilter) -> EnvFilter {
    let filter = EnvFilter::default().add_directive(level.into());
    match "aws_config::imds=error".parse() {
        Ok(quiet) if level == LevelFilter::WARN => filter.add_directive(quiet),
        _ => filter,
    }
}

fn is_ours(target: &str) -> bool {
    target == "tidelock" || target.starts_with("tidelock::")
}

/// A writer whose reader may have gone away.
struct Quiet<W>(W);

impl<W: Write> Write for Quiet<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(self.0.write(bytes).unwrap_or(bytes.len()))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_modules_log_details() {
        for (target, ours) in [
            ("tidelock", true),
            ("tidelock::engine::retry", true),
            ("aws_sigv4::http_request", false),
            ("tidelocked", false),
        ] {
            assert_eq!(is_ours(target), ours, "{target}");
        }
    }
}
