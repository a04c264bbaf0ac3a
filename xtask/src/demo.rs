//! `cargo xtask demo`: a release from beginning to end, and a second one that is canceled, with traffic.
//!
//! The demo itself is an example of release-server; this builds it and the server.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use xshell::{Shell, cmd};

use crate::envoy;

#[derive(Args)]
pub(crate) struct Options {
    /// Simulate the mesh instead of running a real Envoy
    #[arg(long)]
    simulated: bool,
}

pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    if options.simulated {
        return show(sh, None);
    }
    match envoy::ensure(sh) {
        Ok(program) => show(sh, Some(&program)),
        Err(error) => {
            println!("Envoy can't be had, so the mesh is simulated: {error:#}");
            show(sh, None)
        }
    }
}

/// The demo on a simulated mesh and on real Envoys; here a missing Envoy is a failure.
pub(crate) fn both(sh: &Shell) -> Result<()> {
    show(sh, None)?;
    show(sh, Some(&envoy::ensure(sh)?))
}

/// The demo on Envoys of that program, or on a simulated mesh.
fn show(sh: &Shell, envoy: Option<&Path>) -> Result<()> {
    println!("Building the server and the demo; the first time takes some minutes.");
    cmd!(sh, "cargo build --quiet -p release-server --bins --example demo").quiet().run()?;
    let demo = cmd!(sh, "cargo run --quiet -p release-server --example demo --").quiet();
    match envoy {
        Some(program) => demo.env("RELEASE_ENVOY", program).run()?,
        None => demo.arg("--simulated").run()?,
    }
    Ok(())
}
