//! The server that is killed.

use crate::mesh::Remote;
use anyhow::{Context as _, Result};
use release_server::serve::{Options, Server};
use release_store::RedbStore;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// The file of the store in its directory.
pub(crate) const FILE: &str = "releases.redb";

/// How long a start may take.
const LIMIT: Duration = Duration::from_mins(1);

/// A server of a run lives no longer than this, even if the program that should kill it is killed.
const LIFE: Duration = Duration::from_mins(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The server around a mesh in this process.
    Outliving,
    /// The real binary.
    Binary,
}

/// A server process. Dropping it kills it, and so does the end of this process, whatever ends it.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts a server, and returns as soon as it says that it can answer.
    pub(crate) async fn start(kind: Kind, data: &Path, mesh: SocketAddr) -> Result<Self> {
        let program = match kind {
            Kind::Outliving => std::env::current_exe()?,
            Kind::Binary => binary()?,
        };
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).env_clear().arg("serve");
        match kind {
            Kind::Outliving => command.arg(data).arg(mesh.to_string()),
            Kind::Binary => command
                .args(["--listen=127.0.0.1:0", "--no-auth", "--mesh=simulated", "--simulated-lag=100", "--log=error"])
                .arg("--data")
                .arg(data),
        };
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = timeout(LIMIT, lines.next_line()).await.context("the server does not start")??;
        let line = line.context("the server ended before it could answer")?;
        let address = line.strip_prefix("listening on http://").with_context(|| line.clone())?.parse()?;
        Ok(Self { child, address })
    }

    /// Kills it with SIGKILL.
    pub(crate) async fn kill(mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        anyhow::ensure!(ended.is_none(), "the server ended by itself: {ended:?}");
        self.child.kill().await.context("the server was not killed")
    }
}

/// The binary, two folders up from the examples; whoever runs this has built it.
fn binary() -> Result<PathBuf> {
    let example = std::env::current_exe()?;
    let folder = example.parent().and_then(Path::parent).context("an example without a folder")?;
    let binary = folder.join("release-server");
    anyhow::ensure!(binary.exists(), "build it first: cargo build -p release-server ({} is missing)", binary.display());
    Ok(binary)
}

/// What the process around a mesh elsewhere does.
pub(crate) async fn serve(data: &Path, mesh: SocketAddr) -> Result<()> {
    let store = RedbStore::open(data.join(FILE))?;
    let server = Server::start_on(store, Remote(mesh), Options::default()).await?;
    println!("listening on http://{}", server.address());
    sleep(LIFE).await;
    Ok(())
}
