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

    #[test]
    fn the_readme_starts_a_server_as_it_can_be_started() {
        use clap::Parser as _;
        let readme = include_str!("../../../README.md");
        let lines: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("release-server serve ")).collect();
        assert!(!lines.is_empty());
        for line in lines {
            super::Cli::try_parse_from(["release-server", "serve"].into_iter().chain(line.split(' '))).unwrap();
        }
    }

    /// Whoever knows a flag knows its variable.
    #[test]
    fn every_flag_of_serve_is_the_variable_of_that_name() {
        let command = super::Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        let flags: Vec<_> = serve.get_arguments().filter_map(|flag| Some((flag.get_long()?, flag.get_env()))).collect();
        assert!(flags.len() > 20, "{flags:?}");
        for (long, variable) in flags {
            let expected = format!("RELEASE_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(variable.and_then(|name| name.to_str()), Some(expected.as_str()), "--{long}");
        }
    }
}
