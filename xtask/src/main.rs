//! The project's own commands, run as `cargo xtask COMMAND`. One module per command, `tools` and `programs` for what they
//! install.

mod bench;
mod demo;
mod envoy;
mod fuzz;
mod leftovers;
mod msrv;
mod mutants;
mod no_std;
mod programs;
mod stages;
mod table;
mod test;
mod tools;
mod torture;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xshell::{Shell, cmd};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check everything that must hold before a change lands; this is what CI runs
    Test(test::Options),
    /// Run a release with traffic from beginning to end, and cancel a second one
    Demo(demo::Options),
    /// Run fuzz targets: all of them, or those named
    Fuzz(fuzz::Options),
    /// Run a crate's benchmarks and print one table per group
    Bench(bench::Options),
    /// Change the code of a crate in small ways and show the changes that no test notices
    Mutants(mutants::Options),
    /// Kill the server in every stage of takeovers and look whether anything was lost
    Torture(torture::Options),
    /// Install the real Envoy that tests and benchmarks run, and print where it is
    Envoy,
    /// Explore every state of a release task with a simulated mesh
    Explore {
        /// Larger bounds: minutes rather than seconds
        #[arg(long)]
        deep: bool,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let sh = workspace::shell()?;
    match command {
        Command::Test(options) => test::run(&sh, &options),
        Command::Demo(options) => demo::run(&sh, &options),
        Command::Fuzz(options) => fuzz::run(&sh, &options),
        Command::Bench(options) => bench::run(&sh, &options),
        Command::Mutants(options) => mutants::run(&sh, &options),
        Command::Torture(options) => torture::run(&sh, &options),
        Command::Envoy => {
            println!("{}", envoy::ensure(&sh)?.display());
            Ok(())
        }
        Command::Explore { deep } => explore(&sh, deep),
    }
}

/// Every state that a task and a simulated mesh can get into.
fn explore(sh: &Shell, deep: bool) -> Result<()> {
    let deep = deep.then_some("--deep");
    cmd!(sh, "cargo run --release -p release-testkit --example explore -- {deep...}").run()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
