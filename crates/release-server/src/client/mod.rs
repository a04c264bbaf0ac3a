//! The commands that talk to a server.

use std::process::ExitCode;

/// What a server can be asked.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the releases of a mesh
    List {},
}

/// Asks a server, and shows the answer.
pub fn run(command: &Command) -> ExitCode {
    let Command::List {} = command;
    ExitCode::FAILURE
}
