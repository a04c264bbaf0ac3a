//! The release API as a server, and a client for it on the command line.

mod client;
pub mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The command line of `release-server`.
#[derive(Debug, Parser)]
#[command(name = "release-server", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    Serve(Box<serve::Arguments>),
    #[command(flatten)]
    Client(Box<client::Command>),
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Serve(arguments) => serve::run(*arguments),
            Command::Client(command) => client::run(&command),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
