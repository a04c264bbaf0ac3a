//! Kills the server with SIGKILL in every stage of takeovers, again and again, and looks whether anything was lost.
//!
//! `cargo xtask torture --kills N` runs it. Clients create releases, shift traffic, cancel, end and reopen, without a pause,
//! while a server on a redb file is killed and started anew: half of the times when a task is in a stage that is aimed at,
//! half at any moment. After each kill, with the server dead:
//!
//! - a copy of the file must open, and every task in it must be one that keeps all laws, also in what it leads to;
//! - everything that any client was ever told must be in it: what was created, every routing, every decision, every end;
//! - nothing may be in it that nobody asked for.
//!
//! In the end every close must have finished, also where nobody asked again after the kill, and no stage may be left in which
//! a server of either kind was not killed.
//!
//! There are two kinds of server, and both are tortured:
//!
//! - **The real binary**, with `--mesh simulated`. Its mesh dies with it and is told by the tasks how it was, so it can't
//!   contradict them: this shows that the program as it is shipped comes back and goes on.
//! - **The same server around a mesh that outlives it** (this program starts itself with `serve`; everything but the command
//!   line is the shipped code). Each step goes over a socket to this process, where the mesh keeps what it was told, as real
//!   proxies do. Steps that were asked for before a kill may land after it, also after the next server has begun. So two
//!   more things can be checked: no traffic is ever lost, and nothing happened in the mesh that was not stored before.

mod aim;
mod client;
mod figures;
mod inspect;
mod ledger;
mod mesh;
mod run;
mod server;
mod worker;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use fastrand::Rng;
use figures::Figures;
use server::Kind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// How often to kill the server; some more may be needed to have killed it in every stage
    #[arg(long, default_value_t = 30)]
    kills: u32,
    /// What random choices follow from; any number unless it is given
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Subcommand)]
enum Command {
    /// The server that is tortured, around a mesh in another process
    #[command(hide = true)]
    Serve { data: PathBuf, mesh: SocketAddr },
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match options.command {
        Some(Command::Serve { data, mesh }) => runtime.block_on(server::serve(&data, mesh)),
        None => runtime.block_on(torture(options.kills, options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32)))),
    }
}

async fn torture(kills: u32, seed: u64) -> Result<()> {
    println!("--kills {kills} --seed {seed} (the seed gives the same choices; when threads run is not in its hands)");
    let limit = Duration::from_mins(2) + Duration::from_secs(10) * kills;
    let (began, mut figures, mut rng) = (Instant::now(), Figures::new(kills), Rng::with_seed(seed));
    for kind in [Kind::Outliving, Kind::Binary] {
        let tortured = tokio::time::timeout(limit, async {
            while !figures.of(kind).is_enough() {
                run::run(kind, &mut rng, figures.of(kind)).await?;
            }
            figures.of(kind).ensure_all_was_hit().with_context(|| format!("{kind:?}"))
        });
        let tortured = tortured.await;
        ensure!(tortured.is_ok(), "not done within {limit:?}; so far:\n{figures}");
        tortured??;
    }
    println!("{figures}\nin {:.0?}", began.elapsed());
    Ok(())
}
