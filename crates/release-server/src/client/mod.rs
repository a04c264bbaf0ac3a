//! The commands that talk to a server, for people and for scripts.
//!
//! What a command prints goes to standard output; what went wrong, and how far a takeover is, to standard error. How a
//! command ended is its exit code: [`Exit`].

mod arguments;
mod commands;
mod connection;
mod document;
mod failure;
mod nodes;
mod progress;
mod question;
mod release;
mod show;
mod takeover;
mod token;

use arguments::{Completions, Create, List, Nodes, OneRelease, Plan, Policy, Takeover};
use failure::Exit;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

/// What a server can be asked.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create a release: the grayscale version starts, and gets no traffic yet
    #[command(after_help = Exit::HELP)]
    Create(Create),
    /// List the releases of a mesh
    #[command(after_help = Exit::HELP)]
    List(List),
    /// Show a release: who serves which share, how far a takeover is, and what keeps it
    #[command(after_help = Exit::HELP)]
    Show(OneRelease),
    /// Set who serves which request
    #[command(after_help = Exit::HELP)]
    Policy(Policy),
    /// Show what a cancel or an end would do, without doing it
    #[command(after_help = Exit::HELP)]
    Plan(Plan),
    /// Give all traffic back to the original version, retire the grayscale version, and wait until that is done
    #[command(after_help = Exit::HELP)]
    Cancel(Takeover),
    /// Give all traffic to the grayscale version, retire the original version, and wait until that is done
    #[command(after_help = Exit::HELP)]
    End(Takeover),
    /// Take a cancel or an end back, while nothing has been retired
    #[command(after_help = Exit::HELP)]
    Reopen(OneRelease),
    /// For operators: the Envoys that routings must be confirmed by
    Nodes(Nodes),
    /// Print a script that completes this program's command lines in a shell
    Completions(Completions),
}

/// Asks a server, and shows the answer.
pub(crate) fn run(command: &Command) -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failure::Failure::new(Exit::Failed, format!("no runtime: {error}")))
        .and_then(|runtime| runtime.block_on(commands::run(command)));
    match done {
        Ok(text) => print(&text),
        Err(failure) => {
            eprint!("{failure}");
            failure.exit.into()
        }
    }
}

/// Whoever reads only the first lines, as `head` does, has what they wanted.
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: the answer could not be printed: {error}");
            Exit::Failed.into()
        }
        _ => ExitCode::SUCCESS,
    }
}
