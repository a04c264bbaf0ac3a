//! `cargo xtask demo`: a release from beginning to end, and a second one that is canceled, with traffic.
//!
//! The demo itself is an example of release-server; this builds it and the server.

use anyhow::Result;
use clap::Args;
use xshell::{Shell, cmd};

#[derive(Args)]
pub(crate) struct Options {
    /// Simulate the mesh instead of running a real Envoy
    #[arg(long)]
    simulated: bool,
}

pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    if !options.simulated {
        println!("The adapter for Envoy is not there yet: the mesh is simulated.");
    }
    simulated(sh)
}

/// The demo on a simulated mesh.
pub(crate) fn simulated(sh: &Shell) -> Result<()> {
    println!("Building the server and the demo; the first time takes some minutes.");
    cmd!(sh, "cargo build --quiet -p release-server --bins --example demo").quiet().run()?;
    cmd!(sh, "cargo run --quiet -p release-server --example demo -- --simulated").quiet().run()?;
    Ok(())
}
