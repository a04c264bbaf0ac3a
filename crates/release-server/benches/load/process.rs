//! Servers in processes of their own.

use anyhow::{Context as _, Result, ensure};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The argument with which this program is the baseline.
pub(crate) const HELLO: &str = "hello";

/// A server. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// The real server, on redb in that directory and a mesh that works at once.
    pub(crate) fn server(data: &Path, log: &str) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_release-server"));
        command.args([
            "serve",
            "--listen=127.0.0.1:0",
            "--no-auth",
            "--mesh=simulated",
            "--simulated-lag=0",
            "--log",
            log,
        ]);
        Self::start(command.arg("--data").arg(data))
    }

    /// The baseline: hyper that answers hello.
    pub(crate) fn hello() -> Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).arg(HELLO))
    }

    /// Starts it and returns as soon as it says that it can answer.
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().strip_prefix("listening on http://").with_context(|| format!("it said {line:?}"))?;
        Ok(Self { address: address.parse()?, child })
    }

    /// The processor time that it has used, in seconds.
    pub(crate) fn processor_time(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).context("a short stat")?.parse::<f64>().context("no number");
        // Linux counts in hundredths of a second here, on every machine.
        Ok((ticks(11)? + ticks(12)?) / 100.0)
    }

    /// The memory that it has in use now, and the most that it had, in MiB.
    pub(crate) fn memory(&self) -> Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let mib = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
            Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
        };
        Ok((mib("VmRSS:")?, mib("VmHWM:")?))
    }

    /// Tells it to stop and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        let told = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status()?;
        ensure!(told.success(), "it could not be told to stop");
        ensure!(self.child.wait()?.success(), "it did not stop well");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
