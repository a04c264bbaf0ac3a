//! `release-server serve`: the composition root.

use std::process::ExitCode;

/// Serve the API.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Serves until it is told to stop.
pub fn run(_: Arguments) -> ExitCode {
    ExitCode::FAILURE
}
