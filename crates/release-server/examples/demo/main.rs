//! A release from beginning to end, and a second one that is canceled, with traffic: `cargo xtask demo`.
//!
//! Everything here goes over real HTTP to the real server program. It ends by itself, fails when anything is not as it
//! should be, and leaves nothing behind but the chart.

mod ask;
mod chart;
mod mesh;
mod programs;
mod record;
mod story;
mod svg;
mod traffic;
mod workloads;

use anyhow::{Result, bail};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// A release with traffic, from beginning to end.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask demo")]
struct Options {
    /// Simulate the mesh instead of running Envoys, which `RELEASE_ENVOY` in the environment names
    #[arg(long)]
    simulated: bool,

    /// Where the chart goes
    #[arg(long, default_value = "target/demo")]
    out: PathBuf,

    /// When to give up, in seconds
    #[arg(long, default_value_t = 180)]
    limit: u64,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}\nEverything that was started is stopped.");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // Whichever comes first: what the story has started ends with it.
        tokio::select! {
            told = story::tell(options) => told,
            () = tokio::time::sleep(Duration::from_secs(options.limit)) => {
                bail!("it took longer than {} s", options.limit)
            }
            _ = interrupt.recv() => bail!("interrupted"),
            _ = terminate.recv() => bail!("told to stop"),
        }
    })
}
