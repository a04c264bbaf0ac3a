//! `cargo xtask torture`: kills the server with SIGKILL in every stage of takeovers and looks whether anything was lost.

use anyhow::Result;
use clap::Args;
use xshell::{Shell, cmd};

#[derive(Args)]
pub(crate) struct Options {
    /// How often to kill it; some more kills may be needed to have hit every stage
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// What random choices follow from; printed by each run
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(sh: &Shell, options: &Options) -> Result<()> {
    let kills = options.kills.to_string();
    let seed = options.seed.map(|seed| ["--seed".to_owned(), seed.to_string()]).into_iter().flatten();
    // Not in release mode: debug builds check the laws with every change.
    cmd!(sh, "cargo build -p release-server --bin release-server").run()?;
    cmd!(sh, "cargo run -p release-server --example torture -- --kills {kills} {seed...}").run()?;
    Ok(())
}

/// A few dozen kills, in less than a minute.
pub(crate) fn some(sh: &Shell) -> Result<()> {
    run(sh, &Options { kills: 36, seed: None })
}
