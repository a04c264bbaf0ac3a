//! `release-server serve`: the composition root.
//!
//! [`Server`] is all of it for whoever starts one in a process of their own, tests and benchmarks among them;
//! [`run`] is what the command line does around it.
//!
//! # Files of credentials
//!
//! One caller per line, fields separated by blanks; empty lines and lines that start with `#` are left out.
//!
//! | flag | line |
//! |---|---|
//! | `--token-file` | `TOKEN MESHES [name=NAME]` |
//! | `--aksk-file` | `ACCESS-KEY SECRET-KEY MESHES` |
//!
//! `MESHES` is `*` for every mesh, or mesh ids separated by commas: a caller gets 403 for any other. Tokens and secret keys
//! have 16 characters or more; all fields are printable ASCII. The files are read at the start. What is wrong with one is
//! said with the number of the line and never with its text. The log names callers: by `NAME` or else the number of the line,
//! and by the access key.
//!
//! # Envoys
//!
//! With `--mesh envoy` the server is their control plane. What must outlive a restart is in `mesh.json` next to the store's
//! file; with `--store memory` it is not kept, and then a restart forgets which Envoys may still route. Where it is missing at
//! a start although releases are open, nothing is drained: bring it back, or see to it that every Envoy is connected or gone,
//! set `"lost":false` in its last line and start again. What an Envoy is started with is in the documentation of `release-xds`. Operators whose
//! credentials are for every mesh have two requests more, which `release-server nodes` sends:
//!
//! | request | answer |
//! |---|---|
//! | `GET /nodes` | 200, `{"kind":"NodeList","items":[{"id":…,"connected":…,"duplicate":…,"since":…,"routes":[…],"refusal":…}]}` |
//! | `DELETE /nodes/{id}` | 200, empty: no takeover waits for it any longer; 400 while it is connected; 404; 500 if that can't be saved: repeat it |
//!
//! An Envoy that is shut down for good is ended first (in a `preStop` hook by `POST /quitquitquit` to its admin address) and then
//! forgotten. It can't be forgotten in advance: a connection also ends when a network does, and its Envoy goes on.

mod api;
mod arguments;
mod auth_file;
mod body;
mod config;
mod engine_thread;
mod exchange;
mod files;
mod handler;
mod listener;
mod metrics;
mod nodes;
mod server;
mod simulated;
mod stalled;
mod telemetry;

pub use arguments::Arguments;
pub use config::{Authentication, Config, Limits, MeshConfig, Options, StoreConfig};
pub use server::{Server, StartError};

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

/// Serves until it is told to stop, by SIGTERM or SIGINT. A second one ends the process at once, and so does one that comes before
/// it serves.
pub fn run(arguments: Arguments) -> ExitCode {
    telemetry::start(&arguments.log, arguments.log_format);
    let config = match Config::try_from(arguments) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: Config) -> Result<(), StartError> {
    files::make_room(&config);
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(StartError::System)?;
    let limit = config.options.shutdown_limit;
    // Until when what is still under way is waited for.
    let mut deadline = Instant::now();
    let served = runtime.block_on(async {
        let mut signals = signals().map_err(StartError::System)?;
        // On a thread of its own: it reads files, which blocks for as long as a disk or a network wants.
        let starting = spawn_blocking(|| Handle::current().block_on(Server::start(config)));
        let server = tokio::select! {
            started = starting => started.map_err(|ended| StartError::System(ended.into()))??,
            name = next(&mut signals) => {
                tracing::warn!(signal = name, "the server stops before it has started; nothing is lost");
                return Ok(());
            }
        };
        announce(&server).map_err(StartError::System)?;
        let name = next(&mut signals).await;
        tracing::info!(signal = name, "the server is asked to stop");
        let asked = Instant::now();
        tokio::select! {
            in_time = server.shutdown() => {
                if !in_time {
                    tracing::warn!("not everything ended in time; nothing is lost");
                }
                tracing::info!("the server has stopped");
                deadline = asked + limit;
            }
            name = next(&mut signals) => tracing::warn!(signal = name, "the server stops at once; nothing is lost"),
        }
        Ok(())
    });
    runtime.shutdown_timeout(deadline.saturating_duration_since(Instant::now()));
    served
}

/// What scripts wait for on standard output.
fn announce(server: &Server) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on http://{}", server.address())?;
    if let Some(address) = server.simulated_address() {
        writeln!(out, "simulated traffic on http://{address}")?;
    }
    if let Some(address) = server.xds_address() {
        writeln!(out, "xds on http://{address}")?;
    }
    out.flush()
}

fn signals() -> io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

async fn next((terminate, interrupt): &mut (Signal, Signal)) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
