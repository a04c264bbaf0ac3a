//! The log.

use std::io::stderr;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

/// How to write the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object per line
    Json,
}

/// What `--log` says. A word that is no level would be taken for a target, and everything else be silent.
pub(super) fn targets(text: &str) -> Result<Targets, String> {
    let is_level = |level: &str| level.parse::<LevelFilter>().is_ok();
    let allowed = "a level (off, error, warn, info, debug, trace), or target=level pairs separated by commas";
    for part in text.split(',') {
        if !is_level(part.split_once('=').map_or(part, |(_, level)| level)) {
            return Err(format!("it must be {allowed}"));
        }
    }
    text.parse().map_err(|error| format!("it must be {allowed}: {error}"))
}

/// Writes what happens in this process to standard error from now on.
pub(super) fn start(targets: &Targets, format: LogFormat) {
    let lines = fmt::layer().with_writer(stderr).with_ansi(false);
    let layer = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    // Of everything and not of the layer: a filter of a layer's own costs more for each span. Only a test could have started
    // a log before: then that one goes on.
    let _ = registry().with(targets.clone()).with(layer).try_init();
}
