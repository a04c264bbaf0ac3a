//! See the library: it is all there, so that tests and benchmarks can start a server in their own process.

use clap::Parser;
use release_server::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    Cli::parse().run()
}
